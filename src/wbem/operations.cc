#include "wbem/operations.h"

#include <array>

namespace lockstep::wbem {
namespace {

constexpr ParameterSpec kGetClass[] = {
    {"ClassName", Slot::kTargetClass, true},          {"LocalOnly", Slot::kLocalOnly},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},  {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kEnumerateClasses[] = {
    {"ClassName", Slot::kTargetClass},
    {"DeepInheritance", Slot::kDeepInheritance},
    {"LocalOnly", Slot::kLocalOnly},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
};
constexpr ParameterSpec kEnumerateClassNames[] = {
    {"ClassName", Slot::kTargetClass},
    {"DeepInheritance", Slot::kDeepInheritance},
};
constexpr ParameterSpec kGetInstance[] = {
    {"InstanceName", Slot::kTargetInstance, true},    {"LocalOnly", Slot::kLocalOnly},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},  {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kEnumerateInstances[] = {
    {"ClassName", Slot::kTargetClass, true},
    {"LocalOnly", Slot::kLocalOnly},
    {"DeepInheritance", Slot::kDeepInheritance},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kEnumerateInstanceNames[] = {{"ClassName", Slot::kTargetClass, true}};
constexpr ParameterSpec kAssociators[] = {
    {"ObjectName", Slot::kTargetObject, true},
    {"AssocClass", Slot::kAssocClass},
    {"ResultClass", Slot::kResultClass},
    {"Role", Slot::kRole},
    {"ResultRole", Slot::kResultRole},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kAssociatorNames[] = {
    {"ObjectName", Slot::kTargetObject, true}, {"AssocClass", Slot::kAssocClass}, {"ResultClass", Slot::kResultClass},
    {"Role", Slot::kRole},                     {"ResultRole", Slot::kResultRole},
};
constexpr ParameterSpec kReferences[] = {
    {"ObjectName", Slot::kTargetObject, true},
    {"ResultClass", Slot::kResultClass},
    {"Role", Slot::kRole},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kReferenceNames[] = {
    {"ObjectName", Slot::kTargetObject, true},
    {"ResultClass", Slot::kResultClass},
    {"Role", Slot::kRole},
};
constexpr ParameterSpec kCreateInstance[] = {{"NewInstance", Slot::kInstance, true}};
constexpr ParameterSpec kModifyInstance[] = {
    {"ModifiedInstance", Slot::kNamedInstance, true},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kDeleteInstance[] = {{"InstanceName", Slot::kTargetInstance, true}};
constexpr ParameterSpec kGetProperty[] = {
    {"InstanceName", Slot::kTargetInstance, true},
    {"PropertyName", Slot::kPropertyName, true},
};
constexpr ParameterSpec kSetProperty[] = {
    {"InstanceName", Slot::kTargetInstance, true},
    {"PropertyName", Slot::kPropertyName, true},
    {"NewValue", Slot::kPropertyValue},
};

constexpr OperationSpec kOperations[] = {
    {Operation::kGetClass, "GetClass", kGetClass},
    {Operation::kGetInstance, "GetInstance", kGetInstance},
    {Operation::kDeleteInstance, "DeleteInstance", kDeleteInstance},
    {Operation::kCreateInstance, "CreateInstance", kCreateInstance},
    {Operation::kModifyInstance, "ModifyInstance", kModifyInstance},
    {Operation::kEnumerateClasses, "EnumerateClasses", kEnumerateClasses},
    {Operation::kEnumerateClassNames, "EnumerateClassNames", kEnumerateClassNames},
    {Operation::kEnumerateInstances, "EnumerateInstances", kEnumerateInstances},
    {Operation::kEnumerateInstanceNames, "EnumerateInstanceNames", kEnumerateInstanceNames},
    {Operation::kAssociators, "Associators", kAssociators},
    {Operation::kAssociatorNames, "AssociatorNames", kAssociatorNames},
    {Operation::kReferences, "References", kReferences},
    {Operation::kReferenceNames, "ReferenceNames", kReferenceNames},
    {Operation::kGetProperty, "GetProperty", kGetProperty},
    {Operation::kSetProperty, "SetProperty", kSetProperty},
};

}  // namespace

std::span<const OperationSpec> IntrinsicOperations() { return kOperations; }

const OperationSpec* FindOperation(std::string_view name) {
  for (const OperationSpec& spec : kOperations)
    if (spec.name == name) return &spec;
  return nullptr;
}

OperationRequest RequestFor(Operation operation) {
  OperationRequest request;
  request.operation = operation;
  request.include_qualifiers = operation == Operation::kGetClass || operation == Operation::kEnumerateClasses;
  request.deep_inheritance = operation == Operation::kEnumerateInstances;
  // DSP0200 5.4.2.11 and on: traversals have no LocalOnly and always give everything.
  request.local_only = request.include_qualifiers;
  return request;
}

}  // namespace lockstep::wbem
