// How a change is carried out: intent, engine, catalog (docs/decisions/005-intent-before-action.md).
#include <fmt/format.h>

#include <utility>

#include "control/impl.h"

namespace lockstep::control {
namespace {

// The volumes of which the engine says something else after the transaction.
std::vector<VolumeId> ChangedBy(const block::Transaction& transaction) {
  std::vector<VolumeId> changed;
  for (const block::Change& change : transaction.changes)
    std::visit([&changed](const auto& c) {
      if constexpr (requires { c.volumes; }) changed.insert(changed.end(), c.volumes.begin(), c.volumes.end());
      else if constexpr (requires { c.volume; }) changed.push_back(c.volume);
    }, change);
  return changed;
}

}  // namespace

Draft Control::Impl::NewDraft() {
  return Draft(directory_, surroundings_.random, surroundings_.clock.Wall(), &scratch_);
}

Status Control::Impl::MayChange() const {
  if (stopping_) return Status(Code::kUnavailable, "Lockstep is stopping; try again when it has started");
  return failed_;
}

void Control::Impl::Fail(const Status& why) {
  failed_ = Status(Code::kUnavailable, "nothing can be changed until Lockstep is started again: " + why.message());
  surroundings_.log.Error("{}", failed_.message());
}

Result<std::shared_ptr<block::Pool>> Control::Impl::UsablePool(PoolId id) const {
  const catalog::PoolRecord* record = directory_.Find(id);
  if (record == nullptr) return NotFound("a pool does not exist: " + id.ToString());
  const auto found = pools_.find(id);
  if (found != pools_.end() && found->second.pool != nullptr && found->second.state.ok()) return found->second.pool;
  const std::string why = found == pools_.end() ? "it is not open" : found->second.state.message();
  return InvalidState(fmt::format("pool {} is not available: {}", record->name, why));
}

Task<Status> Control::Impl::Carry(Draft& draft) {
  replication::Plan plan = draft.Finish();
  if (plan.mutation.empty() && plan.transaction.changes.empty()) co_return Status::Ok();
  // Before the change, so that no client writes to what is about to be replaced or to go.
  LS_CO_RETURN_IF_ERROR(co_await WithdrawUnwanted(Wanted(draft.directory())));
  Status status;
  const PoolId pool = plan.pool;
  const bool engine = !plan.transaction.changes.empty();
  std::vector<VolumeId> changed = ChangedBy(plan.transaction);
  if (engine) {
    status = co_await CarryWithEngine(std::move(plan));
  } else {
    status = CommitOnly(plan.mutation);
  }
  // After a failure too: what was withdrawn for a change that did not happen is published again.
  co_await SyncExports();
  if (engine) co_await ReadUsage(pool, std::move(changed));
  KickCopies();
  co_return status;
}

Status Control::Impl::CommitOnly(const catalog::Mutation& mutation) {
  const Status committed = catalog_->Commit({mutation, {}, {}});
  if (committed.ok()) {
    Adopt(mutation);
  } else if (committed.code() != Code::kNoSpace) {
    Fail(committed);
  }
  return committed;
}

Task<Status> Control::Impl::CarryWithEngine(replication::Plan plan) {
  LS_CO_ASSIGN_OR_RETURN(const std::shared_ptr<block::Pool> pool, UsablePool(plan.pool));
  const block::TransactionId id = plan.transaction.id;
  catalog::Batch intent;
  intent.add_intents.push_back({id, plan.pool, plan.volumes, plan.points, plan.mutation});
  const Status written = catalog_->Commit(intent);
  if (!written.ok()) {
    if (written.code() != Code::kNoSpace) Fail(written);
    co_return written;
  }

  co_await surroundings_.data_loop.Switch();
  const Status applied = co_await pool->Apply(std::move(plan.transaction));
  co_await surroundings_.control_loop.Switch();

  if (applied.code() == Code::kIoError || applied.code() == Code::kCorrupted) {
    // Whether it was applied is known when the pool has been opened again; the intent waits for that.
    pools_[plan.pool].state = applied;
    surroundings_.log.Error("pool {} has failed: {}", directory_.Find(plan.pool)->name, applied.message());
    co_return applied;
  }
  catalog::Batch end;
  end.remove_intents.push_back(id);
  if (applied.ok()) end.mutation = plan.mutation;
  const Status ended = catalog_->Commit(end);
  if (!ended.ok()) {
    // The intent is there, so the next start brings the catalog up to what the engine holds.
    Fail(ended);
    co_return applied.ok() ? ended.WithContext("the change was made and could not be recorded") : applied;
  }
  if (applied.ok()) Adopt(plan.mutation);
  co_return applied;
}

void Control::Impl::Adopt(const catalog::Mutation& mutation) {
  const std::vector<catalog::RecordChange> changes = directory_.Apply(mutation);
  scratch_.directory.Apply(mutation);
  for (const catalog::RecordChange& change : changes) {
    const catalog::Record& record = change.after ? *change.after : *change.before;
    if (const auto* pair = std::get_if<catalog::RelationshipRecord>(&record)) {
      const auto progress = progress_.find(pair->id);
      const bool same_copy = change.after && progress != progress_.end() && progress->second.point == pair->point &&
                             pair->state == catalog::CopyState::kUnsynchronized;
      if (progress != progress_.end() && !same_copy) progress_.erase(progress);
    }
    const auto* job = std::get_if<catalog::JobRecord>(&record);
    if (job == nullptr || (change.after && !IsFinal(job->state))) continue;
    const auto waiters = job_waiters_.find(job->id);
    if (waiters == job_waiters_.end()) continue;
    for (io::Closure& wake : waiters->second) surroundings_.control_loop.Post(std::move(wake));
    job_waiters_.erase(waiters);
  }
  ScheduleJobRemoval();
  ScheduleScrubs();
  Tell(changes);
}

void Control::Impl::Tell(const std::vector<catalog::RecordChange>& changes) {
  const std::map<uint64_t, Listener> listeners = listeners_;
  for (const catalog::RecordChange& change : changes) {
    ChangeEvent event;
    event.kind = !change.before ? ChangeKind::kCreated : change.after ? ChangeKind::kModified : ChangeKind::kDeleted;
    event.before = change.before;
    event.after = change.after;
    for (const auto& [id, listener] : listeners) {
      if (listeners_.contains(id)) listener(event);
    }
  }
}

uint64_t Control::Impl::Subscribe(Listener listener) {
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

void Control::Impl::Unsubscribe(uint64_t subscription) { listeners_.erase(subscription); }

Task<void> Control::Impl::ReadUsage(PoolId id, std::optional<std::vector<VolumeId>> of) {
  const auto found = pools_.find(id);
  if (found == pools_.end() || found->second.pool == nullptr) co_return;
  const std::shared_ptr<block::Pool> pool = found->second.pool;
  co_await surroundings_.data_loop.Switch();
  const block::PoolInfo info = pool->Info();
  std::vector<block::VolumeInfo> volumes;
  if (!of) volumes = pool->Volumes();
  for (const VolumeId& volume : of ? *of : std::vector<VolumeId>()) {
    const Result<block::VolumeInfo> found_volume = pool->Find(volume);
    if (found_volume.ok()) volumes.push_back(*found_volume);
  }
  std::vector<block::DeviceInfo> devices = pool->Devices();
  co_await surroundings_.control_loop.Switch();
  pools_[id].info = info;
  pools_[id].devices = std::move(devices);
  for (const block::VolumeInfo& volume : volumes) used_[volume.id] = volume;
}

Task<void> Control::Impl::RefreshUsage() {
  const auto guard = co_await changes_.Lock();
  std::set<PoolId> open;
  for (const auto& [id, pool] : pools_) {
    if (pool.pool != nullptr) open.insert(id);
  }
  for (const PoolId& id : open) co_await ReadUsage(id);
  // Only now: meanwhile somebody may ask what is in use.
  std::erase_if(used_, [&](const auto& entry) {
    const catalog::VolumeRecord* volume = directory_.Find(entry.first);
    return volume == nullptr || !open.contains(volume->pool);
  });
}

}  // namespace lockstep::control
