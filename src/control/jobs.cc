// Jobs: what a caller may do with one, and their end.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/impl.h"
#include "replication/derived.h"

namespace lockstep::control {

using catalog::CopyState;
using catalog::JobRecord;
using catalog::JobState;
using catalog::Operation;

namespace {

Status NoSuchJob(JobId id) { return NotFound("a job does not exist: " + id.ToString()); }

// When the service may forget the job: the end of its retention.
catalog::WallTime DueTime(const JobRecord& job) {
  constexpr uint64_t kLongest = uint64_t{1} << 61;  // so that the sum stays in range
  return {job.state_changed.us + static_cast<int64_t>(std::min(job.time_before_removal_us, kLongest))};
}

bool MayExpire(const JobRecord& job) { return IsFinal(job.state) && job.delete_on_completion; }

}  // namespace

// What a client has asked of a job that is no relationship's.
Task<Status> Control::Impl::StoreModifiedJob(JobRecord job, Operation operation) {
  if (operation == Operation::kSuspend && job.state != JobState::kRunning)
    co_return InvalidState(fmt::format("job {} is {}, not running", job.name, catalog::Name(job.state)));
  Draft draft = NewDraft();
  job.state_changed = draft.now();
  job.state = operation == Operation::kAbort    ? JobState::kTerminated
              : operation == Operation::kResume ? JobState::kRunning
                                                : JobState::kSuspended;
  if (operation == Operation::kAbort) {
    job.error_code = Code::kCancelled;
    job.error = "the job was cancelled";
  }
  draft.Put(std::move(job));
  co_return co_await Carry(draft);
}

Task<Status> Control::Impl::DeleteJob(JobId id) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const JobRecord* job = directory_.Find(id);
  if (job == nullptr) co_return NoSuchJob(id);
  if (!IsFinal(job->state)) co_return InUse(fmt::format("job {} has not ended; cancel it first", job->name));
  Draft draft = NewDraft();
  draft.Remove(id);
  co_return co_await Carry(draft);
}

// The job's copies that `operation` is about: those that run for Suspend, all that are not complete for Abort.
Task<Status> Control::Impl::ModifyJob(JobId id, Operation operation) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const JobRecord* found = directory_.Find(id);
  if (found == nullptr) co_return NoSuchJob(id);
  if (IsFinal(found->state)) {
    co_return InvalidState(fmt::format("job {} is {}", found->name, catalog::Name(found->state)));
  }
  if (operation == Operation::kResume && found->state != JobState::kSuspended) {
    co_return InvalidState(fmt::format("job {} is {}, not suspended", found->name, catalog::Name(found->state)));
  }
  JobRecord job = *found;
  if (job.kind == catalog::JobKind::kScrub) co_return co_await ModifyScrub(std::move(job), operation);
  if (job.kind == catalog::JobKind::kDrain) co_return co_await ModifyDrain(std::move(job), operation);
  replication::ModifySpec spec;
  spec.operation = operation;
  // Whoever cancels a copy knows that its targets stay incomplete.
  spec.force = operation == Operation::kAbort;
  for (const RelationshipId& relationship : job.relationships) {
    const catalog::RelationshipRecord* pair = directory_.Find(relationship);
    if (pair == nullptr) continue;
    const bool running = pair->state == CopyState::kUnsynchronized, held = pair->state == CopyState::kSuspended;
    const bool meant = operation == Operation::kResume ? held : running || (held && operation == Operation::kAbort);
    if (meant) spec.pairs.push_back(relationship);
  }
  if (directory_.Find(job.group_relationship) != nullptr) spec.groups.push_back(job.group_relationship);
  Draft draft = NewDraft();
  if (operation == Operation::kAbort) {
    job.state = JobState::kTerminated;
    job.state_changed = draft.now();
    job.error_code = Code::kCancelled;
    job.error = "the job was cancelled";
    draft.Put(std::move(job));
  }
  LS_CO_RETURN_IF_ERROR(PlanModify(draft, spec, HostUse()).status());
  co_return co_await Carry(draft);
}

Task<Status> Control::Impl::CancelJob(JobId id) { co_return co_await ModifyJob(id, Operation::kAbort); }
Task<Status> Control::Impl::SuspendJob(JobId id) { co_return co_await ModifyJob(id, Operation::kSuspend); }
Task<Status> Control::Impl::ResumeJob(JobId id) { co_return co_await ModifyJob(id, Operation::kResume); }

Task<Status> Control::Impl::SetJobRetention(JobId id, bool delete_on_completion, uint64_t time_before_removal_us) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const JobRecord* found = directory_.Find(id);
  if (found == nullptr) co_return NoSuchJob(id);
  JobRecord job = *found;
  job.delete_on_completion = delete_on_completion;
  job.time_before_removal_us = time_before_removal_us;
  Draft draft = NewDraft();
  draft.Put(std::move(job));
  co_return co_await Carry(draft);
}

Task<Result<JobRecord>> Control::Impl::WaitForJob(JobId id) {
  const JobRecord* job = directory_.Find(id);
  if (job == nullptr) co_return NoSuchJob(id);
  if (!IsFinal(job->state)) {
    co_await SuspendWith([this, id](auto resume) { job_waiters_[id].push_back(std::move(resume)); });
    job = directory_.Find(id);
  }
  if (job == nullptr) co_return NotFound("the job was deleted while it was waited for");
  if (stopping_ && !IsFinal(job->state)) {
    co_return Status(Code::kUnavailable, "Lockstep is stopping; the job goes on when it has started again");
  }
  co_return *job;
}

JobRecord Control::Impl::ViewOf(JobRecord job) const {
  if (IsFinal(job.state) || job.kind != catalog::JobKind::kCopy) return job;
  std::vector<catalog::RelationshipRecord> live;
  live.reserve(job.relationships.size());
  std::vector<const catalog::RelationshipRecord*> pairs;
  for (const RelationshipId& id : job.relationships) {
    const catalog::RelationshipRecord* pair = directory_.Find(id);
    if (pair == nullptr) continue;
    live.push_back(Live(*pair));
    pairs.push_back(&live.back());
  }
  job.percent = std::min<uint16_t>(replication::OutlookOf(job, directory_, pairs).percent, 99);
  return job;
}

void Control::Impl::ScheduleJobRemoval() {
  surroundings_.control_loop.Cancel(job_timer_);
  job_timer_ = io::TimerId::kNone;
  if (stopping_ || !failed_.ok()) return;
  std::optional<int64_t> first;
  for (const auto& [id, job] : directory_.jobs()) {
    if (MayExpire(job)) first = std::min(first.value_or(DueTime(job).us), DueTime(job).us);
  }
  if (!first) return;
  const int64_t now = surroundings_.clock.Wall().us;
  // The calendar may jump, so a far-off time is looked at again every hour; and never twice in the same instant.
  const int64_t delay_us = std::clamp<int64_t>(*first - now, 1000, int64_t{3600} * 1000 * 1000);
  job_timer_ = surroundings_.control_loop.After(std::chrono::microseconds(delay_us), [this] {
    job_timer_ = io::TimerId::kNone;
    Spawn(RemoveExpiredJobs());
  });
}

Task<void> Control::Impl::RemoveExpiredJobs() {
  ++tasks_;
  {
    const auto guard = co_await changes_.Lock();
    if (MayChange().ok()) {
      Draft draft = NewDraft();
      for (const auto& [id, job] : directory_.jobs()) {
        if (MayExpire(job) && DueTime(job) <= draft.now()) draft.Remove(id);
      }
      const Status removed = co_await Carry(draft);
      if (!removed.ok()) surroundings_.log.Warn("old jobs cannot be removed: {}", removed.message());
      ScheduleJobRemoval();
    }
  }
  --tasks_;
  EndBackground();
}

}  // namespace lockstep::control
