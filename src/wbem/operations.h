// The operations of DSP0200 5.4 that this server performs, each described once: name, parameters, defaults. Encodings
// decode into an OperationRequest with these tables; the core (core.h) performs it and hands the outcome to a Reply,
// piece by piece; the encoding writes the pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wbem/errors.h"
#include "wbem/objects.h"
#include "wbem/schema.h"

namespace lockstep::wbem {

enum class Operation : uint8_t {
  kGetClass, kEnumerateClasses, kEnumerateClassNames, kGetInstance, kEnumerateInstances, kEnumerateInstanceNames,
  kAssociators, kAssociatorNames, kReferences, kReferenceNames, kCreateInstance, kModifyInstance, kDeleteInstance,
  kGetProperty, kSetProperty,
  kInvokeMethod,  // extrinsic: named by the method, not by an intrinsic operation
};

// Where a parameter of an intrinsic operation goes in an OperationRequest.
enum class Slot : uint8_t {
  kTargetClass,     // target.class_name
  kTargetInstance,  // target with keys
  kTargetObject,    // target, a class or an instance
  kLocalOnly, kDeepInheritance, kIncludeQualifiers, kIncludeClassOrigin,
  kPropertyList, kAssocClass, kResultClass, kRole, kResultRole,
  kInstance,        // without path
  kNamedInstance,   // with path: fills target too
  kPropertyName, kPropertyValue,
};

struct ParameterSpec {
  std::string_view name;
  Slot slot;
  bool required = false;
};

struct OperationSpec {
  Operation operation;
  std::string_view name;
  std::span<const ParameterSpec> parameters;
};

// The intrinsic operations, in DSP0200's order.
std::span<const OperationSpec> IntrinsicOperations();
// nullptr when there is none of that name (case counts, DSP0200 5.4).
const OperationSpec* FindOperation(std::string_view name);

// A method's parameter as a client sent it. Not `typed`: the encoding had no type, so scalars are strings.
struct Argument {
  std::string name;
  Value value;
  bool typed = false;
};

struct OperationRequest {
  Operation operation = Operation::kGetClass;
  std::string ns;
  ObjectPath target;
  // Defaults are DSP0200's; RequestFor sets those that depend on the operation.
  bool local_only = true;
  bool deep_inheritance = false;
  bool include_qualifiers = false;
  bool include_class_origin = false;
  std::optional<std::vector<std::string>> property_list;
  std::string assoc_class, result_class, role, result_role;  // empty: any
  Instance instance;
  std::string name;  // of the property or the method
  Value value;       // SetProperty: not typed, scalars are strings
  std::vector<Argument> arguments;
};

// A request with the operation's defaults.
OperationRequest RequestFor(Operation operation);

// An instance ready to be written: one value for every property of its class, in the class's order.
struct InstanceView {
  const ClassDecl& cls;
  const ObjectPath& path;                // with namespace, without host
  std::span<const Value* const> values;  // as cls.properties; nullptr: not asked for
};

// Takes the outcome, in the operation's own terms; the encoding knows from the operation which form each piece takes.
// Views are valid during the call.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void PutClass(const ClassDecl& cls, const std::string& ns) = 0;
  virtual void PutClassName(const ClassDecl& cls, const std::string& ns) = 0;
  virtual void PutInstance(const InstanceView& instance) = 0;
  virtual void PutPath(const ObjectPath& path) = 0;
  virtual void PutValue(const PropertyDecl& property, const Value& value) = 0;
  virtual void PutMethodResult(const MethodDecl& method, const Value& result, std::span<const Property> out) = 0;
};

}  // namespace lockstep::wbem
