// Beginning and end: opening pools, settling intents, and the orderly way down.
#include <fmt/format.h>

#include <utility>

#include "control/impl.h"

namespace lockstep::control {

using catalog::PoolRecord;

Control::Impl::Impl(Surroundings surroundings, std::unique_ptr<catalog::Catalog> catalog)
    : surroundings_(surroundings), catalog_(std::move(catalog)), changes_(surroundings.control_loop) {}

Control::Impl::~Impl() { LS_ASSERT(pools_.empty() && copying_.empty() && tasks_ == 0); }

Task<void> Control::Impl::OpenOne(PoolRecord record) {
  PoolPlace place;
  place.paths = PathsOf(record);
  place.pool = record.id;
  place.import = true;
  Result<std::shared_ptr<block::Pool>> opened = co_await surroundings_.pools.Open(std::move(place));
  co_await surroundings_.control_loop.Switch();
  OpenPool& entry = pools_[record.id];
  entry.state = opened.status();
  if (!opened.ok()) {
    surroundings_.log.Error("pool {} cannot be opened: {}", record.name, entry.state.message());
    co_return;
  }
  entry.pool = std::move(*opened);
  if (entry.pool->id() == record.id) {
    // An import, or an export, that a crash cut short: whoever has it in the catalog has it.
    const std::shared_ptr<block::Pool> pool = entry.pool;
    co_await surroundings_.data_loop.Switch();
    const Status adopted = co_await pool->Adopt();
    co_await surroundings_.control_loop.Switch();
    entry.state = adopted;
    co_return;
  }
  entry.state = Corrupted(fmt::format("{} holds pool {}, not {}; put the right device there", record.path,
                                      entry.pool->id().ToString(), record.id.ToString()));
  surroundings_.log.Error("pool {}: {}", record.name, entry.state.message());
  co_await Drop(std::move(entry.pool));
}

Task<Status> Control::Impl::SettleIntents(std::vector<catalog::Intent> intents) {
  for (const catalog::Intent& intent : intents) {
    const auto found = pools_.find(intent.pool);
    if (found == pools_.end() || found->second.pool == nullptr) {
      surroundings_.log.Warn("change {} waits for its pool, which is not available", intent.transaction.ToString());
      continue;
    }
    const std::shared_ptr<block::Pool> pool = found->second.pool;
    co_await surroundings_.data_loop.Switch();
    const bool applied = pool->WasApplied(intent.transaction);
    co_await surroundings_.control_loop.Switch();
    catalog::Batch batch;
    batch.remove_intents.push_back(intent.transaction);
    if (applied) batch.mutation = intent.mutation;
    LS_CO_RETURN_IF_ERROR(catalog_->Commit(batch));
    if (applied) Adopt(batch.mutation);
    surroundings_.log.Info("change {} was {} when Lockstep ended, and is {}", intent.transaction.ToString(),
                           applied ? "made but not recorded" : "not made", applied ? "recorded now" : "forgotten");
  }
  co_return Status::Ok();
}

Task<void> Control::Impl::ReportOrphans(PoolId id) {
  const std::shared_ptr<block::Pool> pool = pools_[id].pool;
  co_await surroundings_.data_loop.Switch();
  const std::vector<block::VolumeInfo> volumes = pool->Volumes();
  const std::vector<block::PointInfo> points = pool->Points();
  co_await surroundings_.control_loop.Switch();
  const std::string& name = directory_.Find(id)->name;
  std::set<VolumeId> in_engine;
  for (const block::VolumeInfo& volume : volumes) {
    in_engine.insert(volume.id);
    const catalog::VolumeRecord* record = directory_.Find(volume.id);
    if (record == nullptr) {
      surroundings_.log.Warn("pool {} has a volume that the catalog does not know: {} of {} bytes; it is left alone",
                             name, volume.id.ToString(), volume.size);
    } else if (record->size != volume.size) {
      surroundings_.log.Warn("volume {} has {} bytes in its pool and {} in the catalog", record->name, volume.size,
                             record->size);
    }
  }
  for (const auto& [volume, record] : directory_.volumes()) {
    if (record.pool != id || in_engine.contains(volume)) continue;
    surroundings_.log.Warn("volume {} is in the catalog and not in pool {}", record.name, name);
  }
  std::set<PointId> engine_points;
  for (const block::PointInfo& point : points) {
    engine_points.insert(point.id);
    if (directory_.Find(point.id) != nullptr) continue;
    surroundings_.log.Warn("pool {} has a point that the catalog does not know: {}; it is left alone", name,
                           point.id.ToString());
  }
  for (const auto& [point, record] : directory_.points()) {
    if (record.pool != id || engine_points.contains(point)) continue;
    surroundings_.log.Warn("point {} is in the catalog and not in pool {}", point.ToString(), name);
  }
}

Task<Status> Control::Impl::Start() {
  const auto guard = co_await changes_.Lock();
  LS_CO_ASSIGN_OR_RETURN(const catalog::Contents contents, catalog_->Load());
  directory_ = Directory(contents);
  scratch_.directory = directory_;
  surroundings_.pools.OnBadBlock([this](PoolId pool, const block::BadBlock& bad) {
    surroundings_.control_loop.Post([this, pool, bad] { SeeBadBlock(pool, bad); });
  });
  Result<std::vector<catalog::Intent>> intents = co_await SettlePools(contents.intents);
  if (!intents.ok()) {
    Fail(intents.status());
    co_return intents.status();
  }
  std::vector<PoolRecord> records;
  for (const auto& [id, record] : directory_.pools()) records.push_back(record);
  for (const PoolRecord& record : records) co_await OpenOne(record);
  const Status settled = co_await SettleIntents(std::move(*intents));
  if (!settled.ok()) {
    Fail(settled);
    co_return settled;
  }
  for (const PoolRecord& record : records) {
    if (pools_[record.id].pool == nullptr) continue;
    co_await ReportOrphans(record.id);
    co_await ReadUsage(record.id);
  }
  for (const PoolRecord& record : records) co_await SettleDevices(record.id);
  co_await SettleDrainJobs();
  co_await FindFreeDevices();
  co_await SyncExports();
  co_await GoOnWithScrubs();
  ScheduleScrubs();
  ScheduleJobRemoval();
  KickCopies();
  co_return Status::Ok();
}

Task<void> Control::Impl::Stop() {
  stopping_ = true;
  surroundings_.control_loop.Cancel(job_timer_);
  surroundings_.control_loop.Cancel(scrub_timer_);
  StopScrubs();
  PauseDrains();
  for (auto& [job, waiters] : std::exchange(job_waiters_, {})) {
    for (io::Closure& wake : waiters) surroundings_.control_loop.Post(std::move(wake));
  }
  if (!copying_.empty() || tasks_ != 0) {
    co_await SuspendWith([this](auto resume) { copies_ended_.push_back(std::move(resume)); });
  }
  {
    const auto guard = co_await changes_.Lock();
    co_await SyncExports();
  }
  std::map<PoolId, OpenPool> pools = std::move(pools_);
  pools_.clear();
  co_await surroundings_.data_loop.Switch();
  pools.clear();
  co_await surroundings_.pools.WaitForClosed();
  co_await surroundings_.control_loop.Switch();
}

Task<Status> Control::Impl::TakeInPool(PoolRecord record, std::shared_ptr<block::Pool> pool) {
  co_await surroundings_.data_loop.Switch();
  const std::vector<block::VolumeInfo> volumes = pool->Volumes();
  co_await surroundings_.control_loop.Switch();
  Draft draft = NewDraft();
  draft.Put(record);
  for (const block::VolumeInfo& volume : volumes) {
    if (directory_.Find(volume.id) != nullptr) continue;
    draft.Put(catalog::VolumeRecord{volume.id, record.id, draft.FreeVolumeName(record.name + "_volume"), volume.size,
                                    draft.now()});
  }
  const Status carried = co_await Carry(draft);
  if (carried.ok()) {
    pools_[record.id] = {std::move(pool), Status::Ok(), {}, {}};
    co_await ReadUsage(record.id);
    co_return carried;
  }
  co_await Drop(std::move(pool));
  co_return carried;
}

}  // namespace lockstep::control
