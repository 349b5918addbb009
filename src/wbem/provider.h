// Providers: the code behind a class. One provider serves one class in one namespace (exactly that class: the operation
// core asks the providers of subclasses itself). The core checks everything that the schema can tell before a provider
// is called: namespace, class, key names, parameter names and types, property names and types; and it does the
// filtering by property list, role and class afterwards.
//
// Everything runs on the loop of the CIM server. Reads answer synchronously, object by object; what changes something,
// or calls a method, is a coroutine and may take long.
//
// Few instances: override Enumerate. Many: override Instances, a series that makes each when it is asked for and may
// have to wait between two, while the client reads; meanwhile things change, so it holds the id that it gave last (or
// a few ids, never what they stand for) and leaves out what has gone.
//
// Errors: a provider returns a Status; its sentence is what the client sees. invalid-argument becomes
// CIM_ERR_INVALID_PARAMETER (4), not-found 6, not-supported 7, already-exists 11, permission-denied 2, too-large 27,
// everything else CIM_ERR_FAILED (1) (DSP0200 5.3). A method's own failures are its return value, not errors.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/task.h"
#include "wbem/objects.h"
#include "wbem/schema.h"
#include "wbem/series.h"

namespace lockstep::wbem {

// How many objects are held for series of providers that give all at once (Enumerate, References): bounded, because a
// client decides for how long.
struct HeldObjects {
  size_t now = 0;
  size_t max = 200'000;
};

// Who asks for what. References are valid during the call; a coroutine gets its own copy by value, whose `cls` points
// into the Schema and so stays valid.
struct RequestContext {
  std::string ns;                   // where the provider is registered
  const ClassDecl* cls = nullptr;   // the class that it is registered for
  std::string user;                 // empty: anonymous
  std::string peer;                 // the client's address, for audit
  // The properties that the client wants; none: all. A provider may leave the others out to save work.
  std::optional<std::vector<std::string>> wanted;
  HeldObjects* held = nullptr;  // the server's; nullptr: no bound
  bool Wants(std::string_view property) const;
};

// Takes the next object; false: enough, the provider should return OK now.
using InstanceSink = std::function<bool(Instance)>;
using PathSink = std::function<bool(ObjectPath)>;

struct MethodCall {
  RequestContext context;
  ObjectPath object;  // without keys when the method is called on the class (then it is static)
  const MethodDecl* method = nullptr;
  // Typed as declared; only those that were sent; names spelled as declared. Whether a parameter with qualifier
  // Required is missing is the provider's to say, since the model has return values for that.
  std::vector<Property> in;

  // The parameter as it was sent; NULL when it was not.
  const Value& operator[](std::string_view parameter) const;
  bool Has(std::string_view parameter) const { return !(*this)[parameter].is_null(); }
};

struct MethodResult {
  Value return_value;         // converted to the declared type
  std::vector<Property> out;  // out parameters; those left out are NULL and not sent
};

class Provider {
 public:
  virtual ~Provider() = default;

  // Every instance, in an order that does not change while nothing changes. Properties that are left out get their
  // declared default or NULL. An empty `path` is made from the key properties. For an association the reference
  // properties hold the ends. Each of the two gives what the other does by default, so one must be overridden;
  // Instances then holds all that Enumerate gives, or fails with too-large beyond the bound of HeldObjects.
  virtual Status Enumerate(const RequestContext& context, const InstanceSink& sink);
  virtual Series<Instance> Instances(RequestContext context);
  // Only the paths, likewise; by default those of Instances.
  virtual Status EnumeratePaths(const RequestContext& context, const PathSink& sink);
  virtual Series<ObjectPath> InstancePaths(RequestContext context);
  // One instance; not-found. By default a walk over Enumerate: override it where there may be many. `path` has exactly
  // the declared keys.
  virtual Result<Instance> Get(const RequestContext& context, const ObjectPath& path);
  // Associations only: the association instances that have `end` in one of their references. It may give more (the core
  // drops what does not fit), never less. By default all of them. Referring is to References as Instances to Enumerate.
  virtual Status References(const RequestContext& context, const ObjectPath& end, const InstanceSink& sink);
  virtual Series<Instance> Referring(RequestContext context, ObjectPath end);

  // not-supported by default. Create returns the new path. Modify gets the properties to change and only those: each is
  // declared, no key, of the declared type, and differs from what Get returned (clients send whole instances back); the
  // provider refuses with invalid-argument what cannot be written.
  virtual Task<Result<ObjectPath>> Create(RequestContext context, Instance instance);
  virtual Task<Status> Modify(RequestContext context, ObjectPath path, std::vector<Property> changes);
  virtual Task<Status> Delete(RequestContext context, ObjectPath path);
  // CIM_ERR_METHOD_NOT_AVAILABLE (16) when it returns not-supported, which is the default.
  virtual Task<Result<MethodResult>> Invoke(MethodCall call);
  // What a method answers to a reference or an embedded instance that cannot be what its parameter declares: of another
  // class, with wrong keys, malformed. Nothing, which is the default, means CIM_ERR_INVALID_PARAMETER; a provider whose
  // methods have a return code for that answers it.
  virtual std::optional<MethodResult> RefuseParameter(const RequestContext& context, const MethodDecl& method,
                                                      const Status& why);
};

// The path of an instance from its key properties.
ObjectPath MakePath(const ClassDecl& cls, std::string_view ns, const Instance& instance);

// Two ends of an association and its other properties. An end without namespace is in the association's.
struct Pair {
  ObjectPath left;
  ObjectPath right;
  std::vector<Property> properties;
};
using PairSink = std::function<bool(Pair)>;
// Gives all pairs when `end` is nullptr; otherwise at least those that have *end on either side.
using PairSource = std::function<Status(const ObjectPath* end, const PairSink& sink)>;

// The same as a series, for many pairs; `end` is empty where PairSource has nullptr.
using PairSeries = std::function<Series<Pair>(ObjectPath end)>;

// A complete read-only provider for an association class whose references are the properties `left_role` and
// `right_role`; enumeration, GetInstance and traversal from both ends all come from `source`.
std::shared_ptr<Provider> MakePairAssociation(std::string left_role, std::string right_role, PairSource source);
std::shared_ptr<Provider> MakePairAssociation(std::string left_role, std::string right_role, PairSeries source);

// Which provider serves which class. Filled before the server starts; read-only afterwards.
class ProviderRegistry {
 public:
  struct Entry {
    const ClassDecl* cls;
    std::shared_ptr<Provider> provider;
  };

  // `schema` outlives the registry.
  explicit ProviderRegistry(const Schema& schema) : schema_(schema) {}

  // not-found when the namespace or class is not declared; already-exists when the class has a provider there;
  // invalid-argument for an abstract class. The same provider may serve several classes and namespaces.
  Status Add(std::string_view ns, std::string_view class_name, std::shared_ptr<Provider> provider);

  const Schema& schema() const { return schema_; }
  // nullptr when the class itself has none.
  const Entry* Find(std::string_view ns, std::string_view class_name) const;
  // The entries of the class (if it has one) and of all its subclasses, by class name.
  std::vector<const Entry*> FindWithSubclasses(std::string_view ns, std::string_view class_name) const;
  // The entries of association classes, by class name.
  std::vector<const Entry*> Associations(std::string_view ns) const;

 private:
  using ByClass = std::map<std::string, Entry, NameOrder>;
  const Schema& schema_;
  std::map<std::string, ByClass, NameOrder> namespaces_;
};

}  // namespace lockstep::wbem
