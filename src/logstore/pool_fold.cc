// How the pool moves its overlay into the index while writes go on.
#include "logstore/pool.h"
#include "logstore/read_path.h"

namespace lockstep::logstore {

void LogPool::MaybeFold() {
  if (replaying_ || map_.active().weight() < options_.fold_weight) return;
  // The last overlay is still being folded and this one is full: batches wait until there is room again.
  if (map_.folding()) writer_.Pause();
  if (background_fold_ || closing_) return;
  background_fold_ = true;
  seams_.loop.Post([this] { Spawn(FoldInBackground()); });
}

Task<void> LogPool::FoldInBackground() {
  const Status folded = co_await FoldNow(false);
  if (!folded.ok()) seams_.log.Error("pool {}: {}", superblock_.pool.ToString(), folded.message());
  background_fold_ = false;
  if (folded.ok() && !closing_) MaybeFold();
}

FoldPlan LogPool::PlanFold() {
  FoldPlan plan;
  plan.pool = superblock_.pool;
  plan.position = replaying_ ? replay_position_ : writer_.completed_position();
  // Layers that died, unless a read that began before still looks through them.
  std::vector<LayerId> dropped = structure_.TakeDropped();
  if (reads_->AnyBefore(drop_generation_))
    structure_.ReturnDropped(dropped);
  else
    plan.dropped = std::move(dropped);
  const auto add = [&](LayerId id) {
    while (id != kNoLayer && structure_.HasLayer(id) && !plan.layers.contains(id)) {
      plan.layers.emplace(id, structure_.layer(id));
      id = structure_.layer(id).parent;
    }
  };
  for (const LayerId layer : map_.active().layers()) add(layer);
  if (structure_.version() != structure_folded_) plan.structure = structure_.Encode();
  return plan;
}

Task<Status> LogPool::FoldNow(bool persist) {
  const auto fold_turn = co_await fold_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(map_failure_);
  auto structure_turn = co_await structure_turn_.Lock();
  // Not in the middle of a batch's completions: the checkpoint stands behind whole batches.
  co_await SuspendWith([this](auto resume) { seams_.loop.Post(std::move(resume)); });
  const FoldPlan plan = PlanFold();
  const uint64_t version = structure_.version();
  const uint64_t blocks = blocks_since_checkpoint_;
  map_.Freeze();
  structure_turn.Release();

  // The index may become durable at any time from here on, so what it speaks of must be durable first.
  Status status = co_await SyncNow();
  Result<FoldResult> result = FoldResult();
  const bool checkpoint = persist || blocks * kBlockSize >= options_.checkpoint_bytes;
  if (status.ok()) {
    auto work = [&] {
      result = Fold(map_.frozen(), plan, map_.index());
      if (result.ok() && checkpoint) status = map_.index().Persist();
    };
    co_await seams_.executor.Call(seams_.loop, work);
    if (!result.ok()) status = result.status();
  }
  if (!status.ok()) {
    // What is frozen stays readable, but nothing more fits behind it.
    map_failure_ =
        status.WithContext("the map cannot be written, the pool accepts no more writes until it is reopened");
    writer_.Fail(map_failure_);
    co_return map_failure_;
  }
  for (const auto& [layer, delta] : result->used_blocks) structure_.AddUsedBlocks(layer, delta);
  std::unique_ptr<Overlay> folded = map_.Thaw();
  writer_.Resume();
  structure_folded_ = version;
  if (checkpoint) blocks_since_checkpoint_ -= blocks;
  auto drop = [&folded] { folded.reset(); };
  co_await seams_.executor.Call(seams_.loop, drop);
  co_return Status();
}

}  // namespace lockstep::logstore
