#include "wbem/operations.h"

#include <fmt/format.h>

namespace lockstep::wbem {
namespace {

constexpr ParameterSpec kGetClass[] = {
    {"ClassName", Slot::kTargetClass, true},
    {"LocalOnly", Slot::kLocalOnly, false, true},
    {"IncludeQualifiers", Slot::kIncludeQualifiers, false, true},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kEnumerateClasses[] = {
    {"ClassName", Slot::kTargetClass},
    {"DeepInheritance", Slot::kDeepInheritance},
    {"LocalOnly", Slot::kLocalOnly, false, true},
    {"IncludeQualifiers", Slot::kIncludeQualifiers, false, true},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
};
constexpr ParameterSpec kEnumerateClassNames[] = {
    {"ClassName", Slot::kTargetClass},
    {"DeepInheritance", Slot::kDeepInheritance},
};
constexpr ParameterSpec kCreateClass[] = {{"NewClass", Slot::kClass, true}};
constexpr ParameterSpec kModifyClass[] = {{"ModifiedClass", Slot::kClass, true}};
constexpr ParameterSpec kDeleteClass[] = {{"ClassName", Slot::kTargetClass, true}};

constexpr ParameterSpec kGetInstance[] = {
    {"InstanceName", Slot::kTargetInstance, true},
    {"LocalOnly", Slot::kLocalOnly, false, true},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kEnumerateInstances[] = {
    {"ClassName", Slot::kTargetClass, true},
    {"LocalOnly", Slot::kLocalOnly, false, true},
    {"DeepInheritance", Slot::kDeepInheritance, false, true},
    {"IncludeQualifiers", Slot::kIncludeQualifiers},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
};
constexpr ParameterSpec kEnumerateInstanceNames[] = {{"ClassName", Slot::kTargetClass, true}};
constexpr ParameterSpec kCreateInstance[] = {{"NewInstance", Slot::kInstance, true}};
constexpr ParameterSpec kModifyInstance[] = {
    {"ModifiedInstance", Slot::kNamedInstance, true},
    {"IncludeQualifiers", Slot::kIncludeQualifiers, false, true},
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

constexpr ParameterSpec kExecQuery[] = {
    {"QueryLanguage", Slot::kQueryLanguage, true},
    {"Query", Slot::kQuery, true},
};

// What all open operations end with.
#define LS_OPEN_PARAMETERS                                                                     \
  {"FilterQueryLanguage", Slot::kFilterLanguage}, {"FilterQuery", Slot::kFilter},              \
      {"OperationTimeout", Slot::kOperationTimeout}, {"ContinueOnError", Slot::kContinueOnError}, \
      {"MaxObjectCount", Slot::kMaxObjectCount}

constexpr ParameterSpec kOpenEnumerateInstances[] = {
    {"ClassName", Slot::kTargetClass, true},
    {"DeepInheritance", Slot::kDeepInheritance, false, true},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
    LS_OPEN_PARAMETERS,
};
constexpr ParameterSpec kOpenEnumerateInstancePaths[] = {
    {"ClassName", Slot::kTargetClass, true},
    LS_OPEN_PARAMETERS,
};
constexpr ParameterSpec kOpenAssociatorInstances[] = {
    {"InstanceName", Slot::kTargetInstance, true},
    {"AssocClass", Slot::kAssocClass},
    {"ResultClass", Slot::kResultClass},
    {"Role", Slot::kRole},
    {"ResultRole", Slot::kResultRole},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
    LS_OPEN_PARAMETERS,
};
constexpr ParameterSpec kOpenAssociatorInstancePaths[] = {
    {"InstanceName", Slot::kTargetInstance, true},
    {"AssocClass", Slot::kAssocClass},
    {"ResultClass", Slot::kResultClass},
    {"Role", Slot::kRole},
    {"ResultRole", Slot::kResultRole},
    LS_OPEN_PARAMETERS,
};
constexpr ParameterSpec kOpenReferenceInstances[] = {
    {"InstanceName", Slot::kTargetInstance, true},
    {"ResultClass", Slot::kResultClass},
    {"Role", Slot::kRole},
    {"IncludeClassOrigin", Slot::kIncludeClassOrigin},
    {"PropertyList", Slot::kPropertyList},
    LS_OPEN_PARAMETERS,
};
constexpr ParameterSpec kOpenReferenceInstancePaths[] = {
    {"InstanceName", Slot::kTargetInstance, true},
    {"ResultClass", Slot::kResultClass},
    {"Role", Slot::kRole},
    LS_OPEN_PARAMETERS,
};
#undef LS_OPEN_PARAMETERS
constexpr ParameterSpec kOpenQueryInstances[] = {
    {"FilterQueryLanguage", Slot::kQueryLanguage, true},
    {"FilterQuery", Slot::kQuery, true},
    {"ReturnQueryResultClass", Slot::kReturnQueryResultClass},
    {"OperationTimeout", Slot::kOperationTimeout},
    {"ContinueOnError", Slot::kContinueOnError},
    {"MaxObjectCount", Slot::kMaxObjectCount},
};
constexpr ParameterSpec kPull[] = {
    {"EnumerationContext", Slot::kEnumerationContext, true},
    {"MaxObjectCount", Slot::kMaxObjectCount, true},
};
constexpr ParameterSpec kContext[] = {{"EnumerationContext", Slot::kEnumerationContext, true}};

constexpr ParameterSpec kQualifierName[] = {{"QualifierName", Slot::kQualifierName, true}};
constexpr ParameterSpec kSetQualifier[] = {{"QualifierDeclaration", Slot::kQualifierDeclaration, true}};

constexpr OperationSpec One(Operation operation, std::string_view name, Act act, Shape shape,
                            std::span<const ParameterSpec> parameters, std::string_view summary) {
  return {operation, name, act, shape, parameters, operation, summary};
}

// In the order of the enumeration Operation.
constexpr OperationSpec kOperations[] = {
    One(Operation::kGetClass, "GetClass", Act::kReadOne, Shape::kClass, kGetClass, "one class"),
    One(Operation::kEnumerateClasses, "EnumerateClasses", Act::kReadMany, Shape::kClass, kEnumerateClasses,
        "the subclasses of a class, or the roots"),
    One(Operation::kEnumerateClassNames, "EnumerateClassNames", Act::kReadMany, Shape::kClassName,
        kEnumerateClassNames, "their names"),
    One(Operation::kCreateClass, "CreateClass", Act::kDeclare, Shape::kNothing, kCreateClass,
        "checked, then refused (7): the schema is data of the server"),
    One(Operation::kModifyClass, "ModifyClass", Act::kDeclare, Shape::kNothing, kModifyClass, "likewise"),
    One(Operation::kDeleteClass, "DeleteClass", Act::kDeclare, Shape::kNothing, kDeleteClass, "likewise"),
    One(Operation::kGetInstance, "GetInstance", Act::kReadOne, Shape::kInstance, kGetInstance, "one instance"),
    One(Operation::kEnumerateInstances, "EnumerateInstances", Act::kReadMany, Shape::kNamedInstance,
        kEnumerateInstances, "the instances of a class and its subclasses"),
    One(Operation::kEnumerateInstanceNames, "EnumerateInstanceNames", Act::kReadMany, Shape::kInstanceName,
        kEnumerateInstanceNames, "their paths"),
    One(Operation::kCreateInstance, "CreateInstance", Act::kChange, Shape::kInstanceName, kCreateInstance,
        "where the class's provider takes it"),
    One(Operation::kModifyInstance, "ModifyInstance", Act::kChange, Shape::kNothing, kModifyInstance, "likewise"),
    One(Operation::kDeleteInstance, "DeleteInstance", Act::kChange, Shape::kNothing, kDeleteInstance, "likewise"),
    One(Operation::kGetProperty, "GetProperty", Act::kReadOne, Shape::kValue, kGetProperty,
        "one value of an instance"),
    One(Operation::kSetProperty, "SetProperty", Act::kChange, Shape::kNothing, kSetProperty,
        "as ModifyInstance with one property"),
    One(Operation::kAssociators, "Associators", Act::kReadMany, Shape::kObject, kAssociators,
        "what is associated with an instance or a class"),
    One(Operation::kAssociatorNames, "AssociatorNames", Act::kReadMany, Shape::kObjectPath, kAssociatorNames,
        "its paths"),
    One(Operation::kReferences, "References", Act::kReadMany, Shape::kObject, kReferences,
        "the associations that refer to an instance or a class"),
    One(Operation::kReferenceNames, "ReferenceNames", Act::kReadMany, Shape::kObjectPath, kReferenceNames,
        "their paths"),
    One(Operation::kExecQuery, "ExecQuery", Act::kReadMany, Shape::kQueryObject, kExecQuery,
        "what a query in WQL or DMTF:CQL selects"),
    {Operation::kOpenEnumerateInstances, "OpenEnumerateInstances", Act::kOpen, Shape::kPulledInstance,
     kOpenEnumerateInstances, Operation::kEnumerateInstances, "EnumerateInstances, piece by piece"},
    {Operation::kOpenEnumerateInstancePaths, "OpenEnumerateInstancePaths", Act::kOpen, Shape::kPulledPath,
     kOpenEnumerateInstancePaths, Operation::kEnumerateInstanceNames, "likewise"},
    {Operation::kOpenAssociatorInstances, "OpenAssociatorInstances", Act::kOpen, Shape::kPulledInstance,
     kOpenAssociatorInstances, Operation::kAssociators, "likewise"},
    {Operation::kOpenAssociatorInstancePaths, "OpenAssociatorInstancePaths", Act::kOpen, Shape::kPulledPath,
     kOpenAssociatorInstancePaths, Operation::kAssociatorNames, "likewise"},
    {Operation::kOpenReferenceInstances, "OpenReferenceInstances", Act::kOpen, Shape::kPulledInstance,
     kOpenReferenceInstances, Operation::kReferences, "likewise"},
    {Operation::kOpenReferenceInstancePaths, "OpenReferenceInstancePaths", Act::kOpen, Shape::kPulledPath,
     kOpenReferenceInstancePaths, Operation::kReferenceNames, "likewise"},
    {Operation::kOpenQueryInstances, "OpenQueryInstances", Act::kOpen, Shape::kPulledObject, kOpenQueryInstances,
     Operation::kExecQuery, "ExecQuery, piece by piece; DMTF:CQL or WQL"},
    One(Operation::kPullInstancesWithPath, "PullInstancesWithPath", Act::kPull, Shape::kPulledInstance, kPull,
        "the next instances"),
    One(Operation::kPullInstancePaths, "PullInstancePaths", Act::kPull, Shape::kPulledPath, kPull, "the next paths"),
    One(Operation::kPullInstances, "PullInstances", Act::kPull, Shape::kPulledObject, kPull,
        "the next results of a query"),
    One(Operation::kCloseEnumeration, "CloseEnumeration", Act::kClose, Shape::kNothing, kContext,
        "gives an open enumeration up"),
    One(Operation::kEnumerationCount, "EnumerationCount", Act::kCount, Shape::kCount, kContext,
        "NULL: how many are left is not known before they have been read"),
    One(Operation::kGetQualifier, "GetQualifier", Act::kReadOne, Shape::kQualifier, kQualifierName,
        "one qualifier declaration"),
    One(Operation::kEnumerateQualifiers, "EnumerateQualifiers", Act::kReadMany, Shape::kQualifier, {},
        "all qualifier declarations of the namespace"),
    One(Operation::kSetQualifier, "SetQualifier", Act::kDeclare, Shape::kNothing, kSetQualifier,
        "checked, then refused (7): the schema is data of the server"),
    One(Operation::kDeleteQualifier, "DeleteQualifier", Act::kDeclare, Shape::kNothing, kQualifierName, "likewise"),
    One(Operation::kInvokeMethod, "", Act::kInvoke, Shape::kMethodResult, {}, "a method of an instance or a class"),
};

constexpr bool InOrder() {
  for (size_t i = 0; i < std::size(kOperations); ++i)
    if (static_cast<size_t>(kOperations[i].operation) != i) return false;
  return true;
}
static_assert(InOrder());

}  // namespace

bool* FlagOf(OperationRequest& request, Slot slot) {
  switch (slot) {
    case Slot::kLocalOnly: return &request.local_only;
    case Slot::kDeepInheritance: return &request.deep_inheritance;
    case Slot::kIncludeQualifiers: return &request.include_qualifiers;
    case Slot::kIncludeClassOrigin: return &request.include_class_origin;
    case Slot::kReturnQueryResultClass: return &request.return_query_result_class;
    case Slot::kContinueOnError: return &request.continue_on_error;
    default: return nullptr;
  }
}

std::span<const OperationSpec> AllOperations() { return kOperations; }

const OperationSpec& SpecOf(Operation operation) { return kOperations[static_cast<size_t>(operation)]; }

const OperationSpec* FindOperation(std::string_view name) {
  if (name.empty()) return nullptr;
  for (const OperationSpec& spec : kOperations)
    if (spec.name == name) return &spec;
  return nullptr;
}

OperationRequest RequestFor(Operation operation) {
  OperationRequest request;
  request.operation = operation;
  for (const ParameterSpec& parameter : SpecOf(operation).parameters)
    if (bool* flag = FlagOf(request, parameter.slot)) *flag = parameter.default_value;
  return request;
}

std::string_view TypeOfSlot(Slot slot) {
  switch (slot) {
    case Slot::kTargetClass:
    case Slot::kAssocClass:
    case Slot::kResultClass: return "class name";
    case Slot::kTargetInstance: return "instance name";
    case Slot::kTargetObject: return "class or instance name";
    case Slot::kLocalOnly:
    case Slot::kDeepInheritance:
    case Slot::kIncludeQualifiers:
    case Slot::kIncludeClassOrigin:
    case Slot::kReturnQueryResultClass:
    case Slot::kContinueOnError: return "boolean";
    case Slot::kPropertyList: return "names";
    case Slot::kInstance: return "instance";
    case Slot::kNamedInstance: return "named instance";
    case Slot::kClass: return "class";
    case Slot::kPropertyValue: return "value";
    case Slot::kQualifierDeclaration: return "qualifier declaration";
    case Slot::kOperationTimeout:
    case Slot::kMaxObjectCount: return "uint32";
    default: return "string";
  }
}

std::string DescribeOperations() {
  std::string out = "| operation | parameters (defaults) | |\n| --- | --- | --- |\n";
  for (const OperationSpec& spec : kOperations) {
    if (spec.name.empty()) continue;
    fmt::format_to(std::back_inserter(out), "| {} | ", spec.name);
    for (const ParameterSpec& p : spec.parameters) {
      const bool boolean = TypeOfSlot(p.slot) == "boolean";
      fmt::format_to(std::back_inserter(out), "{}{}{}", &p == spec.parameters.data() ? "" : ", ", p.name,
                     p.required                       ? " (required)"
                     : boolean && p.default_value ? " (TRUE)"
                     : boolean                        ? " (FALSE)"
                                                      : "");
    }
    fmt::format_to(std::back_inserter(out), " | {} |\n", spec.summary);
  }
  return out;
}

}  // namespace lockstep::wbem
