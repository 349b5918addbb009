// Performs operations against the schema and the providers; knows no encoding. Everything that DSP0200 says about an
// operation and that does not depend on what a class models happens here: checks, polymorphism, filtering by property
// list, class and role, comparison of paths, typing of parameters.
//
// One loop. Reads hand their pieces to the Reply while the provider runs, so nothing holds a whole answer but the
// encoding. When the result is not OK, what the Reply got before is to be thrown away.
#pragma once

#include <string>

#include "base/task.h"
#include "wbem/errors.h"
#include "wbem/operations.h"
#include "wbem/provider.h"

namespace lockstep::wbem {

// Who is asking; copied into every RequestContext.
struct Caller {
  std::string user;
  std::string peer;
};

class OperationCore {
 public:
  // `registry` outlives the core.
  explicit OperationCore(const ProviderRegistry& registry) : registry_(registry), schema_(registry.schema()) {}

  // `reply` outlives the task. Errors: 3 for an unknown namespace, 5 for an unknown class, 6 for an instance that does
  // not exist, 4 for parameters of wrong type or value, 7 where the class has no provider that could, 12, 13, 16, 17 as
  // in DSP0200; and what providers return.
  Task<CimStatus> Perform(OperationRequest request, Caller caller, Reply& reply) const;

 private:
  using Entry = ProviderRegistry::Entry;
  struct Job {
    OperationRequest request;
    Caller caller;
    Reply& reply;
  };
  struct Found {
    const Entry* entry = nullptr;
    RequestContext context;
    ObjectPath path;  // of the class that the entry serves
    Instance instance;
  };
  // What is asked for in a traversal, with the target's path typed.
  struct Traversal;

  CimStatus CheckTarget(Job& job) const;
  CimStatus PerformRead(Job& job) const;

  CimStatus GetClass(Job& job) const;
  CimStatus EnumerateClasses(Job& job) const;
  CimStatus TraverseClasses(Job& job) const;

  CimStatus GetInstance(Job& job) const;
  CimStatus EnumerateInstances(Job& job) const;
  CimStatus EnumerateInstanceNames(Job& job) const;
  CimStatus GetProperty(Job& job) const;

  CimStatus Traverse(Job& job) const;
  CimStatus TraverseEntry(Job& job, Traversal& traversal, const Entry& entry) const;
  bool DeliverEnd(Job& job, Traversal& traversal, const ObjectPath& end) const;

  Task<CimStatus> CreateInstance(Job& job) const;
  Task<CimStatus> ModifyInstance(Job& job) const;
  Task<CimStatus> DeleteInstance(Job& job) const;
  Task<CimStatus> SetProperty(Job& job) const;
  Task<CimStatus> InvokeMethod(Job& job) const;

  RequestContext ContextFor(const Job& job, const Entry& entry, const std::string& ns) const;
  // Asks the provider of the path's class, or where it has none those of its subclasses, for the instance. `path` is
  // typed already.
  CimStatus FindInstance(const Job& job, const ObjectPath& path, Found& found) const;
  CimStatus ApplyChanges(const Job& job, const Found& found, std::vector<Property>& changes) const;
  // `refused`, when it fails: the parameter whose reference or embedded instance cannot be used; otherwise nullptr.
  CimStatus TypeArguments(const Job& job, const MethodDecl& method, std::vector<Property>& typed,
                          const ParameterDecl*& refused) const;

  const ProviderRegistry& registry_;
  const Schema& schema_;
};

}  // namespace lockstep::wbem
