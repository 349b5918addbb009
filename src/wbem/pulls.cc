// The open, pull and close operations (DSP0200 5.4.2.24).
#include <algorithm>

#include <fmt/format.h>

#include "wbem/core.h"

namespace lockstep::wbem {
namespace {

CimStatus NoPulls() { return {CimCode::kNotSupported, "this server does not keep enumerations open"}; }
CimStatus NoContext() {
  return {CimCode::kInvalidEnumerationContext,
          "there is no such enumeration: it has come to its end, was closed, or was left alone for too long"};
}

}  // namespace

CimStatus OperationCore::TimeoutFor(const Job& job, std::chrono::seconds& timeout) const {
  const EnumerationLimits& limits = enumerations_->limits();
  timeout = job.request.operation_timeout ? std::chrono::seconds(*job.request.operation_timeout)
                                          : limits.timeout_default;
  if (timeout.count() > 0 && timeout <= limits.timeout_max) return {};
  return {CimCode::kInvalidOperationTimeout,
          fmt::format("OperationTimeout is 1 to {} seconds", limits.timeout_max.count())};
}

// Puts as many pieces as the client asked for, or fewer when something fails: that then begins the next answer.
Task<CimStatus> OperationCore::DeliverSome(Job& job, Enumeration& enumeration) const {
  const uint32_t wanted = std::min(job.request.max_object_count.value_or(0), enumerations_->limits().objects_max);
  for (uint32_t put = 0; put < wanted && enumeration.next; ++put) {
    if (!enumeration.next->failure.ok() && put > 0) break;
    CimStatus status = enumeration.delivery.Put(*enumeration.next, job.reply);
    enumeration.Advance();
    if (!status.ok()) co_return status;
    if (!job.reply.Full()) continue;
    Task<bool> drain = job.reply.Drain();
    const bool more = co_await std::move(drain);
    if (!more) co_return CimStatus(CimCode::kPullHasBeenAbandoned, "the client has gone");
  }
  co_return CimStatus();
}

Task<CimStatus> OperationCore::Open(Job& job) const {
  if (!enumerations_) co_return NoPulls();
  std::chrono::seconds timeout{};
  CimStatus status = TimeoutFor(job, timeout);
  if (!status.ok()) co_return status;
  const OperationSpec& spec = SpecOf(job.request.operation);
  auto selection = std::make_shared<Selection>();
  selection->request = job.request;
  selection->reads = spec.reads;
  selection->caller = job.caller;
  selection->query = std::move(job.query);
  auto enumeration = std::make_unique<Enumeration>(schema_, reader_, selection);
  enumeration->timeout = timeout;
  // Whatever is wrong from the start is told at once, even to who wants no objects yet.
  if (enumeration->next && !enumeration->next->failure.ok() && !job.request.continue_on_error)
    co_return enumeration->next->failure;
  status = co_await DeliverSome(job, *enumeration);
  if (!status.ok()) co_return status;
  if (job.request.return_query_result_class)
    job.reply.PutQueryClass(*schema_.Find(job.request.ns, job.request.target.class_name), job.request.property_list);
  job.reply.PutEnumeration(enumeration->next ? enumerations_->Add(std::move(enumeration)) : "");
  co_return CimStatus();
}

Task<CimStatus> OperationCore::Pull(Job& job) const {
  if (!enumerations_) co_return NoPulls();
  const std::string context = job.request.enumeration_context;
  Enumeration* enumeration = enumerations_->Find(context, job.caller, job.request.ns);
  if (!enumeration || enumeration->busy) co_return NoContext();
  const OperationSpec& opened = SpecOf(enumeration->selection->request.operation);
  if (opened.shape != SpecOf(job.request.operation).shape)
    co_return CimStatus(CimCode::kInvalidEnumerationContext,
                        fmt::format("{} does not go with {}", SpecOf(job.request.operation).name, opened.name));
  enumerations_->Begin(context);
  CimStatus status = co_await DeliverSome(job, *enumeration);
  const bool goes_on = enumeration->next != nullptr &&
                       (status.ok() || (enumeration->selection->request.continue_on_error &&
                                        status.code != CimCode::kPullHasBeenAbandoned));
  if (goes_on) enumerations_->End(context);
  else enumerations_->Remove(context);
  if (status.ok()) job.reply.PutEnumeration(goes_on ? context : "");
  co_return status;
}

CimStatus OperationCore::Close(Job& job) const {
  if (!enumerations_) return NoPulls();
  const std::string& context = job.request.enumeration_context;
  Enumeration* enumeration = enumerations_->Find(context, job.caller, job.request.ns);
  if (!enumeration) return NoContext();
  if (enumeration->busy) return {CimCode::kPullCannotBeAbandoned, "the enumeration is being pulled now"};
  enumerations_->Remove(context);
  return {};
}

// How many objects are left is known only to who has read them; NULL says so.
CimStatus OperationCore::Count(Job& job) const {
  if (!enumerations_) return NoPulls();
  return enumerations_->Find(job.request.enumeration_context, job.caller, job.request.ns) ? CimStatus() : NoContext();
}

}  // namespace lockstep::wbem
