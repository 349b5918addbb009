// The operations of DSP0200 5.4, each described once: its name, what it does, its parameters with their types and
// defaults, and the shape of what it answers. Encodings decode into an OperationRequest with this table and write by
// its shapes; the core (core.h) dispatches by it; docs/interfaces/cim-operations.md is printed from it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "wbem/errors.h"
#include "wbem/objects.h"
#include "wbem/schema.h"

namespace lockstep::wbem {

enum class Operation : uint8_t {
  kGetClass, kEnumerateClasses, kEnumerateClassNames, kCreateClass, kModifyClass, kDeleteClass,
  kGetInstance, kEnumerateInstances, kEnumerateInstanceNames, kCreateInstance, kModifyInstance, kDeleteInstance,
  kGetProperty, kSetProperty,
  kAssociators, kAssociatorNames, kReferences, kReferenceNames,
  kExecQuery,
  kOpenEnumerateInstances, kOpenEnumerateInstancePaths, kOpenAssociatorInstances, kOpenAssociatorInstancePaths,
  kOpenReferenceInstances, kOpenReferenceInstancePaths, kOpenQueryInstances,
  kPullInstancesWithPath, kPullInstancePaths, kPullInstances, kCloseEnumeration, kEnumerationCount,
  kGetQualifier, kEnumerateQualifiers, kSetQualifier, kDeleteQualifier,
  kInvokeMethod,  // extrinsic: named by the method, not by an intrinsic operation
};

// Where a parameter of an intrinsic operation goes in an OperationRequest; its type follows from that.
enum class Slot : uint8_t {
  kTargetClass,     // target.class_name
  kTargetInstance,  // target with keys
  kTargetObject,    // target, a class or an instance
  kLocalOnly, kDeepInheritance, kIncludeQualifiers, kIncludeClassOrigin,
  kPropertyList, kAssocClass, kResultClass, kRole, kResultRole,
  kInstance,        // without path
  kNamedInstance,   // with path: fills target too
  kClass,           // a declaration
  kPropertyName, kPropertyValue,
  kQualifierName, kQualifierDeclaration,
  kFilterLanguage, kFilter,   // which results of an enumeration
  kQueryLanguage, kQuery,
  kReturnQueryResultClass,
  kOperationTimeout, kContinueOnError, kMaxObjectCount,
  kEnumerationContext,
};

struct ParameterSpec {
  std::string_view name;
  Slot slot;
  bool required = false;
  bool default_value = false;  // of a boolean
};

// What an operation does.
enum class Act : uint8_t {
  kReadOne,      // one object or value
  kReadMany,     // any number of them, one after another
  kOpen,         // begins what `reads` gives and keeps the rest for pulls
  kPull, kClose, kCount,
  kChange,       // of an instance
  kDeclare,      // of a class or a qualifier declaration
  kInvoke,
};

// What an operation answers, in the order in which it is put.
enum class Shape : uint8_t {
  kNothing,
  kClass,             // classes
  kClassName,
  kInstance,          // an instance without path
  kNamedInstance,     // instances with their paths in the namespace
  kInstanceName,      // their paths in the namespace
  kObject,            // instances or classes with complete paths
  kObjectPath,        // complete paths of instances or classes
  kPulledInstance,    // instances with complete paths, then where the enumeration stands
  kPulledPath,        // complete paths, likewise
  kPulledObject,      // instances without paths, likewise
  kQueryObject,       // instances that a query gives, with complete paths
  kValue,             // of a property
  kCount,
  kQualifier,         // qualifier declarations
  kMethodResult,
};

struct OperationSpec {
  Operation operation;
  std::string_view name;
  Act act;
  Shape shape;
  std::span<const ParameterSpec> parameters;
  Operation reads;               // kReadMany: itself. kOpen: what is enumerated
  std::string_view summary;      // for the documentation
};

// The intrinsic operations, and kInvokeMethod last.
std::span<const OperationSpec> AllOperations();
const OperationSpec& SpecOf(Operation operation);
// nullptr when there is no intrinsic operation of that name (case counts, DSP0200 5.4).
const OperationSpec* FindOperation(std::string_view name);
// "boolean", "class name" and so on.
std::string_view TypeOfSlot(Slot slot);
// The table of the documentation, in Markdown.
std::string DescribeOperations();

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
  // Defaults are the table's; RequestFor sets them.
  bool local_only = false;
  bool deep_inheritance = false;
  bool include_qualifiers = false;
  bool include_class_origin = false;
  std::optional<std::vector<std::string>> property_list;
  std::string assoc_class, result_class, role, result_role;  // empty: any
  Instance instance;
  std::optional<ClassDecl> cls;  // CreateClass, ModifyClass
  std::string name;              // of the property, the method or the qualifier
  Value value;                   // SetProperty: not typed, scalars are strings
  std::vector<Argument> arguments;
  // Of the open, pull and query operations.
  std::string query_language, query;        // of the filter, or of the query itself
  bool return_query_result_class = false;
  std::optional<uint32_t> operation_timeout;  // seconds
  bool continue_on_error = false;
  std::optional<uint32_t> max_object_count;
  std::string enumeration_context;
};

// Where a boolean parameter goes; nullptr for parameters of other types.
bool* FlagOf(OperationRequest& request, Slot slot);

// A request with the operation's defaults.
OperationRequest RequestFor(Operation operation);

// An instance ready to be written: one value for every property of its class, in the class's order.
struct InstanceView {
  const ClassDecl& cls;
  const ObjectPath& path;                // with namespace, without host
  std::span<const Value* const> values;  // as cls.properties; nullptr: not asked for
  // Only for a Reply that TakesKeys: the values of the class's keys, in its order; `path` then has no keys of its own.
  std::span<const Value* const> keys = {};
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
  virtual void PutQualifier(const QualifierDecl&) {}
  // After the objects of an open or pull operation: the context to go on with, empty at the end of the sequence.
  virtual void PutEnumeration(const std::string&) {}
  // The class of what a query gives, and which of its properties (none: all), before PutEnumeration.
  virtual void PutQueryClass(const ClassDecl&, const std::optional<std::vector<std::string>>&) {}

  // True when it makes an instance's name from the values of its keys, which saves making a path.
  virtual bool TakesKeys() const { return false; }

  // True when enough has been put for now: Drain should be awaited before more is. It says false when nobody reads the
  // reply any more.
  virtual bool Full() const { return false; }
  virtual Task<bool> Drain() { co_return true; }
};

}  // namespace lockstep::wbem
