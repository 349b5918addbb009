// The devices of pools: more of them, larger ones, fewer. The paths of a pool are in the catalog, what they are to the
// pool is on the devices. A path is written down before its device joins and struck out when it has left, so after a
// crash it is one too many at most.
//
// A removal is a job: one at a time in each pool. The device itself says that it is being emptied, so the job goes on
// after a restart.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/impl.h"

namespace lockstep::control {

using block::DrainAnswer;
using catalog::JobRecord;
using catalog::JobState;
using catalog::JoinPaths;
using catalog::Operation;

namespace {

std::string NameOfDrain(const std::string& pool, const std::string& path) {
  return fmt::format("removing {} from pool {}", path, pool);
}

const block::DeviceInfo* FindDevice(const std::vector<block::DeviceInfo>& devices, const std::string& named) {
  for (const block::DeviceInfo& device : devices) {
    if (device.path == named || device.id.ToString() == named) return &device;
  }
  return nullptr;
}

uint16_t PercentOf(const block::DrainReport& report) {
  if (report.total == 0) return 0;
  return static_cast<uint16_t>(std::min<double>(
      99, 100.0 * static_cast<double>(report.emptied) / static_cast<double>(report.total)));
}

}  // namespace

Task<std::vector<block::DeviceInfo>> Control::Impl::DevicesOf(std::shared_ptr<block::Pool> pool) {
  co_await surroundings_.data_loop.Switch();
  std::vector<block::DeviceInfo> devices = pool->Devices();
  co_await surroundings_.control_loop.Switch();
  co_return devices;
}

Task<Status> Control::Impl::PutPaths(PoolId id, std::vector<std::string> paths) {
  Draft draft = NewDraft();
  catalog::PoolRecord record = *directory_.Find(id);
  record.path = JoinPaths(paths);
  draft.Put(std::move(record));
  co_return co_await Carry(draft);
}

Task<Result<block::DeviceId>> Control::Impl::AddDevice(PoolId id, std::string path, uint64_t size) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  co_return co_await JoinDevice(id, std::move(path), size);
}

Task<Result<block::DeviceId>> Control::Impl::JoinDevice(PoolId id, std::string path, uint64_t size) {
  LS_CO_ASSIGN_OR_RETURN(const std::shared_ptr<block::Pool> pool, UsablePool(id));
  if (path.empty() || path.find('\n') != std::string::npos)
    co_return InvalidArgument("a device is named by the path of a block device or a file");
  for (const auto& [other, record] : directory_.pools()) {
    const std::vector<std::string> taken = PathsOf(record);
    if (std::find(taken.begin(), taken.end(), path) != taken.end())
      co_return AlreadyExists(fmt::format("{} is a path of pool {} already", path, record.name));
  }
  Result<std::unique_ptr<io::Disk>> disk = co_await surroundings_.pools.OpenDevice(path, size);
  co_await surroundings_.control_loop.Switch();
  if (!disk.ok()) co_return disk.status();
  const std::vector<std::string> before = PathsOf(*directory_.Find(id));
  std::vector<std::string> with = before;
  with.push_back(path);
  const Status written = co_await PutPaths(id, std::move(with));
  co_await surroundings_.data_loop.Switch();
  if (!written.ok()) {
    disk = written;  // closes it where it lives
    co_await surroundings_.control_loop.Switch();
    co_return written;
  }
  const Result<block::DeviceId> added = co_await pool->AddDevice(std::move(*disk), path);
  disk = Status(Code::kCancelled, "taken");
  co_await surroundings_.control_loop.Switch();
  // After an I/O error it may be one of the pool's devices, which then opens only with it.
  if (!added.ok() && added.status().code() != Code::kIoError) {
    const Status undone = co_await PutPaths(id, before);
    if (!undone.ok()) surroundings_.log.Error("{} stays a path of a pool: {}", path, undone.message());
  }
  co_await ReadUsage(id);
  co_return added;
}

Task<Result<uint64_t>> Control::Impl::GrowPool(PoolId id) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(const std::shared_ptr<block::Pool> pool, UsablePool(id));
  co_await surroundings_.data_loop.Switch();
  const Result<uint64_t> grown = co_await pool->Grow();
  co_await surroundings_.control_loop.Switch();
  co_await ReadUsage(id);
  co_return grown;
}

Task<Result<JobId>> Control::Impl::RemoveDevice(PoolId id, std::string named) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(std::shared_ptr<block::Pool> pool, UsablePool(id));
  const std::string name = directory_.Find(id)->name;
  if (const auto found = drains_.find(id); found != drains_.end())
    co_return InUse(fmt::format("{} is being removed from pool {}, by job {}; cancel that, or let it end",
                                found->second.path, name, found->second.job.ToString()));
  const std::vector<block::DeviceInfo> devices = co_await DevicesOf(std::move(pool));
  const block::DeviceInfo* device = FindDevice(devices, named);
  if (device == nullptr) {
    std::string all;
    for (const block::DeviceInfo& d : devices) all += (all.empty() ? "" : ", ") + d.path;
    co_return NotFound(fmt::format("pool {} has no device {}; it has {}", name, named, all));
  }
  if (devices.size() == 1)
    co_return InvalidState(fmt::format("pool {} cannot do without its only device; add another one first", name));
  Draft draft = NewDraft();
  JobRecord job;
  job.id = draft.NewId<JobId>();
  job.kind = catalog::JobKind::kDrain;
  job.name = NameOfDrain(name, device->path);
  job.method = "RemoveDevice";
  job.state = JobState::kRunning;
  job.wait_for = catalog::CopyState::kNotApplicable;
  job.submitted = job.started = job.state_changed = draft.now();
  const JobId job_id = job.id;
  draft.Put(std::move(job));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  Draining draining;
  draining.job = job_id;
  draining.device = device->id;
  draining.path = device->path;
  drains_.emplace(id, std::move(draining));
  StartDrain(id);
  co_return job_id;
}

void Control::Impl::StartDrain(PoolId id) {
  Draining& draining = drains_.at(id);
  draining.running = true;
  draining.answer = std::make_shared<std::atomic<DrainAnswer>>(DrainAnswer::kGoOn);
  ++tasks_;
  surroundings_.control_loop.Post([this, id] { Spawn(RunDrain(id)); });
}

Task<void> Control::Impl::RunDrain(PoolId id) {
  Status status = Internal("not removed");
  {
    Result<std::shared_ptr<block::Pool>> pool = UsablePool(id);
    if (!pool.ok()) {
      status = pool.status();
    } else {
      block::DrainOptions options;
      // On the data loop.
      options.go_on = [this, id, answer = drains_.at(id).answer,
                       told = uint16_t{0}](const block::DrainReport& report) mutable {
        if (const uint16_t percent = PercentOf(report); std::exchange(told, percent) != percent)
          surroundings_.control_loop.Post([this, id, percent] { SeeDrain(id, percent); });
        return answer->load();
      };
      const block::DeviceId device = drains_.at(id).device;
      co_await surroundings_.data_loop.Switch();
      status = co_await (*pool)->RemoveDevice(device, std::move(options));
      co_await surroundings_.control_loop.Switch();
      // What was posted for it from the data loop comes first.
      co_await SuspendWith([this](auto resume) { surroundings_.control_loop.Post(std::move(resume)); });
    }
  }
  co_await EndDrain(id, std::move(status));
  --tasks_;
  EndBackground();
}

void Control::Impl::SeeDrain(PoolId id, uint16_t percent) {
  const auto found = drains_.find(id);
  if (found == drains_.end()) return;
  found->second.percent = percent;
  if (std::exchange(found->second.storing, true)) return;
  ++tasks_;
  Spawn(StoreDrain(id, found->second.job));
}

Task<void> Control::Impl::StoreDrain(PoolId id, JobId job_id) {
  {
    const auto guard = co_await changes_.Lock();
    const auto found = drains_.find(id);
    const JobRecord* job = directory_.Find(job_id);
    const bool same = found != drains_.end() && found->second.job == job_id;
    if (same) found->second.storing = false;
    if (same && job != nullptr && !IsFinal(job->state) && MayChange().ok()) {
      Draft draft = NewDraft();
      JobRecord now = *job;
      now.percent = found->second.percent;
      draft.Put(std::move(now));
      const Status stored = co_await Carry(draft);
      if (!stored.ok()) surroundings_.log.Warn("the progress of a removal cannot be stored: {}", stored.message());
      co_await ReadUsage(id);
    }
  }
  --tasks_;
  EndBackground();
}

// A run of it is over: the device is gone, it was asked to stop, or it could not go on.
Task<void> Control::Impl::EndDrain(PoolId id, Status status) {
  const auto guard = co_await changes_.Lock();
  Draining& draining = drains_.at(id);
  draining.running = false;
  const JobRecord* found = directory_.Find(draining.job);
  if (!failed_.ok() || (!status.ok() && (stopping_ || found == nullptr))) {
    drains_.erase(id);  // the next start goes on with it
    co_return;
  }
  JobRecord job = found == nullptr ? JobRecord() : *found;
  if (!status.ok() && job.state == JobState::kSuspended) co_return;
  if (!status.ok() && job.state == JobState::kRunning && draining.answer->load() == DrainAnswer::kPause) {
    StartDrain(id);  // it was told to go on before it had stopped
    co_return;
  }
  const std::string path = draining.path;
  drains_.erase(id);
  Draft draft = NewDraft();
  if (status.ok()) {
    catalog::PoolRecord record = *directory_.Find(id);
    std::vector<std::string> paths = PathsOf(record);
    std::erase(paths, path);
    record.path = JoinPaths(paths);
    draft.Put(std::move(record));
    job.state = JobState::kCompleted;
    job.percent = 100;
    job.error_code = Code::kOk;
    job.error.clear();
  } else if (!IsFinal(job.state)) {
    job.state = JobState::kException;
    job.error_code = status.code();
    job.error = fmt::format("{} stays a device of pool {}: {}", path, directory_.Find(id)->name, status.message());
    surroundings_.log.Error("{}", job.error);
  }
  job.state_changed = draft.now();
  if (!job.id.IsNil()) draft.Put(std::move(job));
  const Status stored = co_await Carry(draft);
  if (!stored.ok()) surroundings_.log.Error("the end of a removal cannot be stored: {}", stored.message());
  co_await ReadUsage(id);
  co_await FindFreeDevices();
}

Task<Status> Control::Impl::ModifyDrain(JobRecord job, Operation operation) {
  const auto found =
      std::find_if(drains_.begin(), drains_.end(), [&](const auto& d) { return d.second.job == job.id; });
  if (found == drains_.end()) co_return InvalidState(fmt::format("job {} is ending", job.name));
  const PoolId pool = found->first;
  LS_CO_RETURN_IF_ERROR(co_await StoreModifiedJob(std::move(job), operation));
  Draining& draining = drains_.at(pool);
  if (!draining.running && operation != Operation::kSuspend) StartDrain(pool);
  if (operation == Operation::kAbort) draining.answer->store(DrainAnswer::kGiveUp);
  if (operation == Operation::kSuspend) draining.answer->store(DrainAnswer::kPause);
  co_return Status();
}

void Control::Impl::PauseDrains() {
  for (auto& [id, draining] : drains_) {
    if (draining.running) draining.answer->store(DrainAnswer::kPause);
  }
}

Task<void> Control::Impl::SettleDevices(PoolId id) {
  const auto open = pools_.find(id);
  if (open == pools_.end() || open->second.pool == nullptr) co_return;
  const std::vector<block::DeviceInfo> devices = co_await DevicesOf(open->second.pool);
  if (devices.empty()) co_return;
  const catalog::PoolRecord record = *directory_.Find(id);
  Draft draft = NewDraft();
  std::vector<std::string> paths;
  for (const std::string& path : PathsOf(record)) {
    if (FindDevice(devices, path) != nullptr)
      paths.push_back(path);
    else
      surroundings_.log.Info("pool {}: {} is none of its devices, and is forgotten", record.name, path);
  }
  if (JoinPaths(paths) != record.path) {
    catalog::PoolRecord now = record;
    now.path = JoinPaths(paths);
    draft.Put(std::move(now));
  }
  for (const block::DeviceInfo& device : devices) {
    const JobRecord* job = nullptr;
    for (const auto& [old_id, old] : directory_.jobs()) {
      const bool its = old.kind == catalog::JobKind::kDrain && old.name == NameOfDrain(record.name, device.path);
      if (its && (!IsFinal(old.state) || (device.draining && job == nullptr))) job = &old;
    }
    if ((!device.draining && job == nullptr) || drains_.contains(id)) continue;
    Draining draining;
    if (job != nullptr) draining.job = job->id;
    draining.device = device.id;
    draining.path = device.path;
    drains_.emplace(id, std::move(draining));
    if (job != nullptr && job->state == JobState::kSuspended) continue;
    StartDrain(id);
    // It was cancelled, or its job is another catalog's: nobody wants it to go on.
    if (job == nullptr || IsFinal(job->state)) drains_.at(id).answer->store(DrainAnswer::kGiveUp);
  }
  const Status carried = co_await Carry(draft);
  if (!carried.ok()) surroundings_.log.Error("pool {}: {}", record.name, carried.message());
}

// Jobs whose device nobody empties any more: a restart came when they had done their work, or before it began.
Task<void> Control::Impl::SettleDrainJobs() {
  Draft draft = NewDraft();
  for (const auto& [job_id, found] : directory_.jobs()) {
    if (found.kind != catalog::JobKind::kDrain || IsFinal(found.state)) continue;
    const bool alive = std::any_of(drains_.begin(), drains_.end(),
                                   [&, id = job_id](const auto& d) { return d.second.job == id; });
    if (alive) continue;
    JobRecord job = found;
    bool there = false;
    for (const auto& [id, record] : directory_.pools()) {
      for (const std::string& path : PathsOf(record)) there = there || NameOfDrain(record.name, path) == job.name;
    }
    job.state = there ? JobState::kException : JobState::kCompleted;
    job.state_changed = draft.now();
    if (there) {
      job.error_code = Code::kCancelled;
      job.error = "Lockstep ended before the removal had, and the pool is not available; start it again";
    } else {
      job.percent = 100;
    }
    draft.Put(std::move(job));
  }
  const Status stored = co_await Carry(draft);
  if (!stored.ok()) surroundings_.log.Error("the end of a removal cannot be stored: {}", stored.message());
}

}  // namespace lockstep::control
