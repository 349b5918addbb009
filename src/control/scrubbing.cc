// Scrubs and checks of pools. A scrub is a job: one at a time in each pool, suspended and resumed where it stands,
// cancelled. Where it stands is in its record, so that after a restart it goes on there. scrub_schedule.cc begins them
// when they are due.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/impl.h"

namespace lockstep::control {

using catalog::JobRecord;
using catalog::JobState;
using catalog::Operation;

namespace {

constexpr size_t kMostNamed = 10;  // bad blocks in a job's error
constexpr char kSoFar[] = "bad so far: ";

uint16_t PercentOf(const block::ScrubReport& report) {
  if (report.end == 0) return 0;
  // 100 is kept for what is complete.
  return static_cast<uint16_t>(std::min<double>(
      99, 100.0 * static_cast<double>(report.position) / static_cast<double>(report.end)));
}

std::string SentenceOf(const std::string& pool, const Scrubbing& scrub) {
  return fmt::format("pool {} has {} bad block{}: {}{}. Write them anew, or restore their volumes", pool, scrub.bad,
                     scrub.bad == 1 ? "" : "s", scrub.names,
                     scrub.bad > kMostNamed ? "; the others are in the log" : "");
}

}  // namespace

std::string Control::Impl::NameOf(const block::BadBlock& bad) const {
  if (bad.layer == 0) return fmt::format("the log at device block {}", bad.device_block);
  const catalog::VolumeRecord* volume = directory_.Find(bad.volume);
  const std::string whose = volume != nullptr      ? "volume " + volume->name
                            : bad.volume.IsNil() ? fmt::format("layer {}, which only points show", bad.layer)
                                                 : "volume " + bad.volume.ToString();
  return fmt::format("block {} of {} at device block {}", bad.block, whose, bad.device_block);
}

// What a run has found so far, added to what was found by those before.
void Control::Impl::Collect(Scrubbing& scrub, const Seen& seen) const {
  scrub.position = seen.position;
  scrub.percent = seen.percent;
  scrub.bad = scrub.bad_before + seen.bad;
  scrub.names = scrub.names_before;
  const size_t named = static_cast<size_t>(std::min<uint64_t>(scrub.bad_before, kMostNamed));
  for (size_t i = 0; i < seen.bad_blocks.size() && named + i < kMostNamed; ++i)
    scrub.names += (scrub.names.empty() ? "" : "; ") + NameOf(seen.bad_blocks[i]);
}

Task<Result<block::CheckReport>> Control::Impl::CheckPool(PoolId id) {
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(std::shared_ptr<block::Pool> pool, UsablePool(id));
  ++tasks_;
  co_await surroundings_.data_loop.Switch();
  Result<block::CheckReport> report = co_await pool->Check();
  co_await surroundings_.control_loop.Switch();
  pool.reset();
  --tasks_;
  EndBackground();
  co_return report;
}

Task<Result<JobId>> Control::Impl::ScrubPool(PoolId id, uint64_t bytes_per_second) {
  const auto guard = co_await changes_.Lock();
  co_return co_await BeginScrub(id, bytes_per_second);
}

Task<Result<JobId>> Control::Impl::BeginScrub(PoolId id, uint64_t bytes_per_second) {
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_RETURN_IF_ERROR(UsablePool(id).status());
  catalog::PoolRecord pool = *directory_.Find(id);
  if (const auto found = scrubs_.find(id); found != scrubs_.end())
    co_return InUse(fmt::format("pool {} is being scrubbed already, by job {}; cancel that, or let it end", pool.name,
                                found->second.job.ToString()));
  Draft draft = NewDraft();
  JobRecord job;
  job.id = draft.NewId<JobId>();
  job.kind = catalog::JobKind::kScrub;
  job.name = "scrubbing pool " + pool.name;
  job.method = "ScrubPool";
  job.state = JobState::kRunning;
  job.wait_for = catalog::CopyState::kNotApplicable;
  job.submitted = job.started = job.state_changed = pool.scrub_begun = draft.now();
  job.pool = id;
  job.bytes_per_second = bytes_per_second;
  const JobId job_id = job.id;
  draft.Put(std::move(job));
  draft.Put(std::move(pool));
  Scrubbing scrub;
  scrub.job = job_id;
  scrub.bytes_per_second = bytes_per_second;
  scrubs_.emplace(id, std::move(scrub));
  const Status begun = co_await Carry(draft);
  if (!begun.ok()) {
    scrubs_.erase(id);
    co_return begun;
  }
  StartScrub(id);
  co_return job_id;
}

void Control::Impl::StartScrub(PoolId id) {
  Scrubbing& scrub = scrubs_.at(id);
  scrub.running = true;
  scrub.stop = std::make_shared<std::atomic<bool>>(false);
  ++tasks_;
  surroundings_.control_loop.Post([this, id] { Spawn(RunScrub(id)); });
}

Task<void> Control::Impl::RunScrub(PoolId id) {
  Result<block::ScrubReport> report = Internal("not scrubbed");
  {
    Result<std::shared_ptr<block::Pool>> pool = UsablePool(id);
    if (!pool.ok()) {
      report = pool.status();
    } else {
      const Scrubbing& scrub = scrubs_.at(id);
      block::ScrubOptions options;
      options.from = scrub.position;
      options.bytes_per_second = scrub.bytes_per_second;
      // On the data loop.
      options.go_on = [this, id, stop = scrub.stop, told = Seen{}](const block::ScrubReport& r) mutable {
        if (const uint16_t percent = PercentOf(r); percent != told.percent || r.bad != told.bad) {
          told = {r.position, r.bad, percent, r.bad_blocks};
          surroundings_.control_loop.Post([this, id, seen = told] { SeeScrub(id, seen); });
        }
        return !stop->load();
      };
      co_await surroundings_.data_loop.Switch();
      report = co_await (*pool)->Scrub(std::move(options));
      co_await surroundings_.control_loop.Switch();
      // What was posted for it from the data loop comes first.
      co_await SuspendWith([this](auto resume) { surroundings_.control_loop.Post(std::move(resume)); });
    }
  }
  co_await EndScrub(id, std::move(report));
  --tasks_;
  EndBackground();
}

void Control::Impl::SeeScrub(PoolId id, const Seen& seen) {
  const auto found = scrubs_.find(id);
  if (found == scrubs_.end()) return;
  Collect(found->second, seen);
  if (std::exchange(found->second.storing, true)) return;
  ++tasks_;
  Spawn(StoreScrub(id, found->second.job));
}

// The job's record learns of the progress, and with it whoever watches the job.
Task<void> Control::Impl::StoreScrub(PoolId id, JobId job_id) {
  {
    const auto guard = co_await changes_.Lock();
    const auto found = scrubs_.find(id);
    const JobRecord* job = directory_.Find(job_id);
    const bool same = found != scrubs_.end() && found->second.job == job_id;
    if (same) found->second.storing = false;
    if (same && job != nullptr && !IsFinal(job->state) && MayChange().ok()) {
      Draft draft = NewDraft();
      draft.Put(WithProgress(*job, found->second));
      const Status stored = co_await Carry(draft);
      if (!stored.ok()) surroundings_.log.Warn("the progress of a scrub cannot be stored: {}", stored.message());
    }
  }
  --tasks_;
  EndBackground();
}

JobRecord Control::Impl::WithProgress(JobRecord job, const Scrubbing& scrub) const {
  job.percent = scrub.percent;
  job.position = scrub.position;
  job.bad = scrub.bad;
  if (!scrub.names.empty()) job.error = kSoFar + scrub.names;
  return job;
}

// A run of it is over: everything has been read, it was asked to stop, or it could not go on.
Task<void> Control::Impl::EndScrub(PoolId id, Result<block::ScrubReport> report) {
  const auto guard = co_await changes_.Lock();
  Scrubbing& scrub = scrubs_.at(id);
  scrub.running = false;
  const JobRecord* found = directory_.Find(scrub.job);
  if (found == nullptr || IsFinal(found->state) || !failed_.ok()) {
    scrubs_.erase(id);
    ScheduleScrubs();
    co_return;
  }
  if (report.ok()) {
    Collect(scrub, {report->position, report->bad, PercentOf(*report), report->bad_blocks});
    scrub.bad_before = scrub.bad;
    scrub.names_before = scrub.names;
    if (report->position < report->end) {
      // Asked to stop. It may have been asked to go on again before it had stopped.
      const bool go_on = !stopping_ && found->state == JobState::kRunning;
      const Status stored = CommitOnly({{}, {WithProgress(*found, scrub)}});
      if (!stored.ok()) surroundings_.log.Warn("the progress of a scrub cannot be stored: {}", stored.message());
      if (go_on) StartScrub(id);
      co_return;
    }
  }
  co_await FinishScrub(id, *found, std::move(report));
}

Task<void> Control::Impl::FinishScrub(PoolId id, JobRecord job, Result<block::ScrubReport> report) {
  const Scrubbing scrub = scrubs_.at(id);
  catalog::PoolRecord pool = *directory_.Find(id);
  Draft draft = NewDraft();
  job = WithProgress(std::move(job), scrub);
  job.error.clear();
  job.state_changed = draft.now();
  job.state = JobState::kException;
  if (!report.ok()) {
    job.error_code = report.status().code();
    job.error = fmt::format("pool {} cannot be scrubbed: {}", pool.name, report.status().message());
  } else if (scrub.bad != 0) {
    job.error_code = Code::kCorrupted;
    job.error = SentenceOf(pool.name, scrub);
  } else {
    job.state = JobState::kCompleted;
  }
  if (report.ok()) {
    job.percent = 100;
    pool.last_scrub = draft.now();
    pool.last_scrub_bad = scrub.bad;
    draft.Put(pool);
  }
  if (job.error.empty())
    surroundings_.log.Info("pool {} has been scrubbed: nothing is bad", pool.name);
  else
    surroundings_.log.Error("{}", job.error);
  draft.Put(std::move(job));
  scrubs_.erase(id);
  const Status stored = co_await Carry(draft);
  if (!stored.ok()) surroundings_.log.Error("the end of a scrub cannot be stored: {}", stored.message());
}

Task<Status> Control::Impl::ModifyScrub(JobRecord job, Operation operation) {
  const auto found =
      std::find_if(scrubs_.begin(), scrubs_.end(), [&](const auto& s) { return s.second.job == job.id; });
  if (found == scrubs_.end()) co_return InvalidState(fmt::format("job {} is ending", job.name));
  const PoolId pool = found->first;
  LS_CO_RETURN_IF_ERROR(co_await StoreModifiedJob(std::move(job), operation));
  Scrubbing& scrub = scrubs_.at(pool);
  if (operation == Operation::kResume) {
    if (!scrub.running) StartScrub(pool);
  } else if (scrub.running) {
    scrub.stop->store(true);
  } else if (operation == Operation::kAbort) {
    scrubs_.erase(pool);
    ScheduleScrubs();
  }
  co_return Status();
}

Task<void> Control::Impl::GoOnWithScrubs() {
  Draft draft = NewDraft();
  for (const auto& [id, found] : directory_.jobs()) {
    if (found.kind != catalog::JobKind::kScrub || IsFinal(found.state)) continue;
    if (directory_.Find(found.pool) != nullptr && !scrubs_.contains(found.pool)) {
      Scrubbing scrub;
      scrub.job = id;
      scrub.bytes_per_second = found.bytes_per_second;
      scrub.position = found.position;
      scrub.percent = found.percent;
      scrub.bad = scrub.bad_before = found.bad;
      if (found.error.starts_with(kSoFar)) scrub.names = scrub.names_before = found.error.substr(sizeof kSoFar - 1);
      scrubs_.emplace(found.pool, std::move(scrub));
      if (found.state == JobState::kRunning) StartScrub(found.pool);
      continue;
    }
    JobRecord job = found;  // of a version that did not say of which pool it was
    job.state = JobState::kException;
    job.state_changed = draft.now();
    job.error_code = Code::kCancelled;
    job.error = "Lockstep ended before the scrub had; start it again";
    draft.Put(std::move(job));
  }
  const Status stored = co_await Carry(draft);
  if (!stored.ok()) surroundings_.log.Error("the end of a scrub cannot be stored: {}", stored.message());
}

void Control::Impl::StopScrubs() {
  for (auto& [id, scrub] : scrubs_) {
    if (scrub.running) scrub.stop->store(true);
  }
}

}  // namespace lockstep::control
