// Performs operations against the schema and the providers; knows no encoding. Everything that DSP0200 says about an
// operation and that does not depend on what a class models happens here: checks, polymorphism, filtering by property
// list, class and role, comparison of paths, typing of parameters.
//
// One loop. Reads hand their pieces to the Reply while the provider runs, and wait when the Reply is full, so nothing
// holds a whole answer. When the result is not OK, what the Reply got before is to be thrown away.
#pragma once

#include <string>

#include "base/task.h"
#include "wbem/enumerations.h"
#include "wbem/errors.h"
#include "wbem/guard.h"
#include "wbem/operations.h"
#include "wbem/provider.h"
#include "wbem/reader.h"

namespace lockstep::wbem {

class OperationCore {
 public:
  // All outlive the core, which gives up what is open when it is destroyed. Without `enumerations` the open, pull and
  // close operations are not supported (7).
  // Without `guard` everybody may do everything, and nothing is recorded.
  explicit OperationCore(const ProviderRegistry& registry, Enumerations* enumerations = nullptr,
                         Guard* guard = nullptr)
      : registry_(registry),
        schema_(registry.schema()),
        reader_(registry),
        enumerations_(enumerations),
        guard_(guard) {}
  ~OperationCore() {
    if (enumerations_) enumerations_->Clear();
  }
  OperationCore(const OperationCore&) = delete;
  OperationCore& operator=(const OperationCore&) = delete;

  // `reply` outlives the task. Errors: 3 for an unknown namespace, 5 for an unknown class, 6 for an instance that does
  // not exist, 4 for parameters of wrong type or value, 7 where the class has no provider that could, others as in
  // DSP0200; and what providers return.
  Task<CimStatus> Perform(OperationRequest request, Caller caller, Reply& reply) const;

 private:
  using Entry = ProviderRegistry::Entry;
  struct Job {
    OperationRequest request;
    Caller caller;
    Reply& reply;
    std::optional<Query> query = std::nullopt;
    std::string outcome = {};  // of a method: for the record
  };

  CimStatus CheckTarget(Job& job) const;
  CimStatus CheckRole(const Job& job, access::Role needed) const;
  access::Role NeededRole(const Job& job) const;
  Task<CimStatus> Dispatch(Job& job) const;
  CimStatus CheckClasses(const Job& job) const;
  CimStatus ReadQuery(Job& job) const;

  CimStatus ReadOne(Job& job) const;
  CimStatus GetClass(Job& job) const;
  CimStatus GetInstance(Job& job) const;
  CimStatus GetProperty(Job& job) const;
  CimStatus GetQualifier(Job& job) const;
  Task<CimStatus> ReadMany(Job& job) const;

  Task<CimStatus> Open(Job& job) const;
  Task<CimStatus> Pull(Job& job) const;
  CimStatus Close(Job& job) const;
  CimStatus Count(Job& job) const;
  CimStatus TimeoutFor(const Job& job, std::chrono::seconds& timeout) const;
  Task<CimStatus> DeliverSome(Job& job, Enumeration& enumeration) const;

  CimStatus Declare(Job& job) const;

  Task<CimStatus> Change(Job& job) const;
  Task<CimStatus> CreateInstance(Job& job) const;
  Task<CimStatus> ModifyInstance(Job& job) const;
  Task<CimStatus> DeleteInstance(Job& job) const;
  Task<CimStatus> SetProperty(Job& job) const;
  Task<CimStatus> InvokeMethod(Job& job) const;

  RequestContext ContextFor(const Job& job, const Entry& entry, const std::string& ns) const {
    return reader_.ContextFor(job.request, job.caller, entry, ns);
  }
  CimStatus FindInstance(const Job& job, const ObjectPath& path, Found& found) const {
    return reader_.Find(job.request, job.caller, path, found);
  }
  CimStatus ApplyChanges(const Job& job, const Found& found, std::vector<Property>& changes) const;
  // `refused`, when it fails: the parameter whose reference or embedded instance cannot be used; otherwise nullptr.
  CimStatus TypeArguments(const Job& job, const MethodDecl& method, std::vector<Property>& typed,
                          const ParameterDecl*& refused) const;

  const ProviderRegistry& registry_;
  const Schema& schema_;
  const Reader reader_;
  Enumerations* const enumerations_;
  Guard* const guard_;
};

}  // namespace lockstep::wbem
