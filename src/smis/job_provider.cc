// CIM_ConcreteJob: control's jobs, with the properties that clients look at to see whether one has ended and how.
#include <fmt/format.h>

#include "smis/instances.h"
#include "smis/method_tables.h"
#include "smis/providers.h"

namespace lockstep::smis {

using catalog::JobRecord;
using catalog::JobState;
using wbem::Instance;
using wbem::Value;

namespace {

bool HasFailed(const JobRecord& job) { return IsFinal(job.state) && job.state != JobState::kCompleted; }

// Clients take a job for done well exactly when these are OK and Completed, and for failed when they are Error and
// Completed (facts of smispy and others, which compare the array as a whole).
std::vector<uint16_t> OperationalStatus(const JobRecord& job) {
  if (job.state == JobState::kCompleted) return {kStatusOk, kStatusCompleted};
  if (IsFinal(job.state)) return {kStatusError, kStatusCompleted};
  if (job.state == JobState::kSuspended) return {kStatusStopped};
  return {kStatusOk};
}

std::string ErrorText(const JobRecord& job) {
  if (!HasFailed(job)) return "";
  if (!job.error.empty()) return job.error;
  return fmt::format("the job was ended: {}", catalog::Name(job.state));
}

// 0 for success; clients take anything else, NULL included, for a failure.
uint16_t ErrorCode(const JobRecord& job) {
  if (!HasFailed(job)) return 0;
  return job.error_code == Code::kOk ? static_cast<uint16_t>(Code::kCancelled) : static_cast<uint16_t>(job.error_code);
}

Instance ErrorInstance(const Face& face, const JobRecord& job) {
  constexpr uint16_t kSoftwareError = 4, kUnavailableResource = 9, kUnsupportedOperation = 10;
  constexpr uint16_t kMajorError = 5, kObjectPath = 2;
  constexpr uint32_t kCimFailed = 1;
  Instance error("CIM_Error");
  uint16_t type = kSoftwareError;
  if (job.error_code == Code::kNotSupported) type = kUnsupportedOperation;
  if (job.error_code == Code::kNoSpace || job.error_code == Code::kUnavailable) type = kUnavailableResource;
  error.Add("ErrorType", type);
  error.Add("OwningEntity", "Lockstep");
  error.Add("MessageID", std::string(CodeName(job.error_code == Code::kOk ? Code::kCancelled : job.error_code)));
  error.Add("Message", ErrorText(job));
  error.Add("PerceivedSeverity", kMajorError);
  error.Add("ErrorSource", face.paths.Job(job.id).ToString());
  error.Add("ErrorSourceFormat", kObjectPath);
  error.Add("CIMStatusCode", kCimFailed);
  return error;
}

Value Elapsed(const Face& face, const JobRecord& job) {
  if (job.started.us == 0) return Value::Null(wbem::CimType::kDatetime);
  const int64_t end = IsFinal(job.state) ? job.state_changed.us : face.clock.Wall().us;
  return wbem::Datetime::Interval(end > job.started.us ? static_cast<uint64_t>(end - job.started.us) : 0);
}

}  // namespace

Instance JobInstance(const Face& face, const JobRecord& job) {
  constexpr uint16_t kUtc = 2;
  Instance instance = InstanceAt(face.paths.Job(job.id));
  instance.Add("Name", job.name);
  instance.Add("ElementName", job.name);
  instance.Add("JobState", job.state);
  instance.Add("JobStatus", std::string(catalog::Name(job.state)));
  instance.Add("PercentComplete", job.percent);
  instance.Add("OperationalStatus", Value::Array(OperationalStatus(job)));
  const bool failed = HasFailed(job);
  instance.Add("StatusDescriptions", Value::Array(std::vector<std::string>{failed ? ErrorText(job) : "OK"}));
  instance.Add("HealthState", failed ? kHealthMajorFailure : kHealthOk);
  instance.Add("ErrorCode", ErrorCode(job));
  instance.Add("ErrorDescription", ErrorText(job));
  instance.Add("DeleteOnCompletion", job.delete_on_completion);
  instance.Add("TimeBeforeRemoval", wbem::Datetime::Interval(job.time_before_removal_us));
  instance.Add("TimeSubmitted", When(job.submitted));
  instance.Add("StartTime", When(job.started));
  instance.Add("TimeOfLastStateChange", When(job.state_changed));
  instance.Add("ElapsedTime", Elapsed(face, job));
  instance.Add("LocalOrUtcTime", kUtc);
  // Scrubs and removals of devices are begun by no method of the model.
  if (job.kind == catalog::JobKind::kCopy)
    instance.Add("MethodName", fmt::format("{}:{}.{}", kStorageNamespace, kReplicationServiceClass, job.method));
  return instance;
}

namespace {

class JobProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    for (const JobRecord& job : control().Jobs()) {
      if (!sink(JobInstance(face(), job))) break;
    }
    return {};
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::JobId> id = paths().AsJob(path);
    if (!id) return NotFound("there is no job " + path.ToString());
    Result<JobRecord> job = control().Job(*id);
    if (!job.ok()) return job.status();
    return JobInstance(face(), *job);
  }

  Task<Status> Modify(wbem::RequestContext, wbem::ObjectPath path, std::vector<wbem::Property> changes) override {
    std::optional<catalog::JobId> id = paths().AsJob(path);
    if (!id) co_return NotFound("there is no job " + path.ToString());
    Result<JobRecord> job = control().Job(*id);
    if (!job.ok()) co_return job.status();
    bool deleted = job->delete_on_completion;
    uint64_t kept_us = job->time_before_removal_us;
    for (const wbem::Property& change : changes) {
      if (wbem::NameEquals(change.name, "DeleteOnCompletion") && change.value.AsBool()) {
        deleted = *change.value.AsBool();
      } else if (wbem::NameEquals(change.name, "TimeBeforeRemoval") && change.value.AsDatetime() &&
                 change.value.AsDatetime()->is_interval()) {
        kept_us = static_cast<uint64_t>(change.value.AsDatetime()->us());
      } else {
        co_return InvalidArgument(fmt::format(
            "property {} of a job cannot be changed: only DeleteOnCompletion and TimeBeforeRemoval (an interval) can",
            change.name));
      }
    }
    Status status = co_await control().SetJobRetention(*id, deleted, kept_us);
    co_return status;
  }

  Task<Status> Delete(wbem::RequestContext, wbem::ObjectPath path) override {
    std::optional<catalog::JobId> id = paths().AsJob(path);
    if (!id) co_return NotFound("there is no job " + path.ToString());
    Status status = co_await control().DeleteJob(*id);
    co_return status;
  }
};

// CIM_ConcreteJob.RequestStateChange: 4097 Invalid State Transition, 4098 Use of Timeout Parameter Not Supported.
Task<Outcome> RequestStateChange(FacePtr face, wbem::MethodCall call) {
  constexpr uint32_t kInvalidTransition = 4097, kNoTimeout = 4098;
  constexpr uint64_t kStart = 2, kSuspend = 3, kTerminate = 4, kKill = 5, kService = 6;
  std::optional<catalog::JobId> job = face->paths.AsJob(call.object);
  if (!job) co_return Refused(NotFound("there is no job " + call.object.ToString()));
  if (std::optional<wbem::Datetime> limit = call["TimeoutPeriod"].AsDatetime(); limit && limit->us() != 0) {
    co_return Refused(kNoTimeout, NotSupported("TimeoutPeriod is not supported: leave it out"));
  }
  Arguments arguments(*face, call);
  const uint64_t state = arguments.Number("RequestedState").value_or(0);
  Status status;
  if (state == kStart) status = co_await face->control.ResumeJob(*job);
  else if (state == kSuspend) status = co_await face->control.SuspendJob(*job);
  else if (state == kTerminate || state == kKill) status = co_await face->control.CancelJob(*job);
  else if (state == kService) status = NotSupported("a copy job has no service state");
  else status = InvalidArgument(fmt::format("RequestedState {} has no meaning: give 2 to 5", state));
  if (status.ok()) co_return Done();
  if (status.code() == Code::kInvalidState) co_return Refused(kInvalidTransition, std::move(status));
  co_return Refused(std::move(status));
}

// CIM_Job.KillJob, the way of older clients: 4 Failed also for a job that has ended, 7 for one that is gone.
Task<Outcome> KillJob(FacePtr face, wbem::MethodCall call) {
  constexpr uint32_t kNotFound = 7;
  Arguments arguments(*face, call);
  std::optional<catalog::JobId> job = face->paths.AsJob(call.object);
  if (!job) co_return Refused(kNotFound, lockstep::NotFound("there is no job " + call.object.ToString()));
  Status status = co_await face->control.CancelJob(*job);
  if (status.ok() && arguments.Flag("DeleteOnKill").value_or(false)) {
    status = co_await face->control.DeleteJob(*job);
    // Who ended with it may have taken it away already.
    if (status.code() == Code::kNotFound) status = Status();
  }
  if (status.ok()) co_return Done();
  if (status.code() == Code::kNotSupported) co_return Refused(std::move(status));
  co_return Refused(kFailed, std::move(status));
}

// CIM_ConcreteJob.GetErrors: NULL unless the job failed.
Task<Outcome> GetErrors(FacePtr face, wbem::MethodCall call) {
  std::optional<catalog::JobId> id = face->paths.AsJob(call.object);
  if (!id) co_return Refused(NotFound("there is no job " + call.object.ToString()));
  Result<JobRecord> job = face->control.Job(*id);
  if (!job.ok()) co_return Refused(job.status());
  if (!HasFailed(*job)) co_return Done();
  std::vector<Instance> errors = {ErrorInstance(*face, *job)};
  std::vector<wbem::Property> out;
  out.push_back({"Errors", Value::Array(errors)});
  co_return Done(std::move(out));
}

constexpr Method kJobMethods[] = {
    {"RequestStateChange", RequestStateChange}, {"KillJob", KillJob}, {"GetErrors", GetErrors}};

}  // namespace

std::span<const Method> JobMethods() { return kJobMethods; }

ProviderPtr MakeJobProvider(FacePtr face) { return std::make_shared<JobProvider>(std::move(face)); }

}  // namespace lockstep::smis
