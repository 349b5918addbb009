// How the pool moves its overlay into the index while writes go on.
#include <utility>

#include "base/planted.h"
#include "logstore/label_io.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"

namespace lockstep::logstore {

void LogPool::MaybeFold() {
  if (replaying_) return;
  cleaner_->Kick();
  const bool full = map_.active().weight() >= options_.fold_weight;
  // However little room it takes in memory: it would have to be replayed.
  const bool due = !map_.folding() && blocks_since_checkpoint_ * kBlockSize >= options_.checkpoint_bytes;
  if (!full && !due) return;
  // The last overlay is still being folded and this one is full: batches wait until there is room again.
  if (full && map_.folding()) writer_.Pause();
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

bool LogPool::AnythingToSweep() const {
  return !structure_.to_sweep().empty() && !reads_->AnyBefore(drop_generation_);
}

FoldPlan LogPool::PlanFold() {
  FoldPlan plan;
  plan.number = fold_number_ + 1;
  plan.superblock = superblock_;
  plan.segments = &segments_;
  plan.sweep_limit = options_.sweep_records;
  plan.position = replaying_ ? replay_position_ : writer_.completed_position();
  plan.log_start = segments_.log_start();
  plan.places = changes_.Places();
  plan.closed = segments_.TakeClosed();
  plan.freed = segments_.TakeFreed();
  plan.marks = history_.MarksBefore(plan.position.next);
  plan.oldest_history = structure_.OldestHistory(history_.Now());
  // Layers that died, unless a read that began before still looks through them.
  if (!reads_->AnyBefore(drop_generation_)) plan.sweep = structure_.to_sweep();
  const auto add = [&](LayerId id) {
    while (id != kNoLayer && structure_.HasLayer(id) && !plan.layers.contains(id)) {
      plan.layers.emplace(id, structure_.layer(id));
      id = structure_.layer(id).parent;
    }
  };
  for (const LayerId layer : map_.active().layers()) add(layer);
  for (const DeathSpan& span : plan.sweep.forgotten) add(span.layer);
  for (const LayerTail& tail : plan.sweep.tails) add(tail.layer);
  // With what is to be swept still in it: sweeping again after a crash finds nothing more.
  if (structure_.version() != structure_folded_) plan.structure = structure_.EncodeBase();
  plan.points = structure_.TakeChangedPoints();
  return plan;
}

Task<Status> LogPool::WriteFold(FoldPlan& plan, FoldResult& result) {
  // The index may become durable at any time from here on, so what it speaks of must be durable first.
  if (!LS_PLANTED(5)) LS_CO_RETURN_IF_ERROR(co_await SyncNow());
  // A sweep sees the index as it was before the fold, so what it forgets must not move in the same one.
  if (!plan.sweep.empty() && !plan.moves.empty())
    LS_CO_RETURN_IF_ERROR(co_await RelocateInTurn(std::exchange(plan.moves, {})));
  Status status;
  auto work = [&] {
    SortByPlace(plan.moves);
    Result<FoldResult> folded = Fold(map_.frozen(), plan, map_.index());
    status = folded.status();
    if (folded.ok()) result = std::move(*folded);
  };
  co_await seams_.executor.Call(seams_.loop, work);
  co_return status;
}

Task<Status> LogPool::FoldInTurn(bool persist, AfterFold& after) {
  const auto fold_turn = co_await fold_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(map_failure_);
  auto structure_turn = co_await structure_turn_.Lock();
  // Not in the middle of a batch's completions: the checkpoint stands behind whole batches.
  co_await SuspendWith([this](auto resume) { seams_.loop.Post(std::move(resume)); });
  FoldPlan plan = PlanFold();
  plan.moves = cleaner_->TakeMoves();
  const uint64_t version = structure_.version(), transactions = structure_.transactions();
  const uint64_t blocks = blocks_since_checkpoint_, unfolded = unfolded_blocks_;
  map_.Freeze();
  structure_turn.Release();

  FoldResult result;
  const Status folded = co_await WriteFold(plan, result);
  if (!folded.ok()) co_return MapFailed(folded);
  for (const auto& [layer, delta] : result.used_blocks) structure_.AddUsedBlocks(layer, delta);
  segments_.AddLive(result.segments);
  cleaner_->MovesFolded(true);
  unfolded_blocks_ -= unfolded;
  WarnOfSpace();
  structure_folded_ = version;
  structure_.Swept(plan.sweep, result.unfinished);
  transactions_folded_ = transactions;
  history_.Folded(plan.position.next, result);
  after.overlay = map_.Thaw();
  map_.Forget(result.changed);
  writer_.Resume();
  folded_ = plan.position.next;
  fold_number_ = plan.number;
  after.number = plan.number;
  after.position = plan.position;
  after.checkpoint = persist || blocks * kBlockSize >= options_.checkpoint_bytes;
  if (!after.checkpoint) co_return Status();
  blocks_since_checkpoint_ -= blocks;
  after.empty = segments_.empty();
  co_await DescribeAnchor(plan, after);
  co_return Status();
}

Status LogPool::MapFailed(const Status& why) {
  // What is frozen stays readable, but nothing more fits behind it.
  if (map_failure_.ok())
    map_failure_ = why.WithContext("the map cannot be written, the pool accepts no more writes until it is reopened");
  writer_.Fail(map_failure_);
  cleaner_->MovesFolded(false);
  return map_failure_;
}

Task<Status> LogPool::FoldNow(bool persist) {
  AfterFold after;
  LS_CO_RETURN_IF_ERROR(co_await FoldInTurn(persist, after));
  if (after.checkpoint) co_return co_await MakeDurable(std::move(after));
  auto drop = [&after] { after.overlay.reset(); };
  co_await seams_.executor.Call(seams_.loop, drop);
  co_return Status();
}

Task<Status> LogPool::MakeDurable(AfterFold after) {
  // The next fold may run meanwhile. What it makes durable with us is a state as good, and its segments are not ours.
  const auto turn = co_await checkpoint_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(map_failure_);
  Status status;
  auto persist = [&] {
    after.overlay.reset();
    if (!LS_PLANTED(2)) status = map_.index().Persist();
  };
  co_await seams_.executor.Call(seams_.loop, persist);
  if (!status.ok()) co_return MapFailed(status);
  checkpoint_number_ = after.number;
  const AnchorLimit anchored = co_await RenewAnchor(after);
  segments_.Checkpointed(after.empty, after.position, anchored, reads_->NewGeneration());
  changes_.Forget(segments_.log_start());
  structure_.ForgetOwnersBefore(segments_.log_start());
  co_return co_await FreeDyingInTurn();
}

Task<Status> LogPool::RelocateInTurn(std::vector<MovedBlock> blocks) {
  Result<Relocated> done = Internal("not written");
  auto work = [&] { done = lockstep::logstore::Relocate(map_.index(), superblock_, segments_, blocks); };
  co_await seams_.executor.Call(seams_.loop, work);
  LS_CO_RETURN_IF_ERROR(done.status());
  segments_.AddLive(done->segments);
  map_.Forget(done->changed);
  co_return Status();
}

Task<Status> LogPool::Relocate(std::vector<MovedBlock> blocks) {
  const auto fold_turn = co_await fold_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(map_failure_);
  LS_CO_RETURN_IF_ERROR(co_await SyncNow());
  const Status done = co_await RelocateInTurn(std::move(blocks));
  if (!done.ok()) co_return MapFailed(done);
  co_return Status();
}

void LogPool::WarnOfSpace() {
  const block::PoolInfo info = Info();
  if (const auto percent = space_watch_.Look(info.used, info.size))
    seams_.log.Warn("pool {}: more than {} % is in use ({} of {} MiB are free); writes will fail when it is full",
                    superblock_.pool.ToString(), *percent, info.free >> 20, info.size >> 20);
}

Task<Status> LogPool::MarkReused() {
  if (superblock_.least_index == checkpoint_number_) co_return Status();
  // One device says it for all: whoever opens the pool needs every one of them.
  Label reused = LabelFor(table_.devices.front().id);
  reused.superblock.least_index = checkpoint_number_;
  LS_CO_RETURN_IF_ERROR(co_await WriteLabel(*devices_->Find(reused.device), reused));
  superblock_.least_index = reused.superblock.least_index;  // executors read nothing but the geometry
  co_return Status();
}

Task<Status> LogPool::FreeDying() {
  const auto turn = co_await checkpoint_turn_.Lock();
  co_return co_await FreeDyingInTurn();
}

Task<Status> LogPool::FreeDyingInTurn() {
  if (segments_.dying() == 0 || (segments_.oldest_dying() > reads_->Oldest() && !LS_PLANTED(16)))
    co_return Status();
  if (!LS_PLANTED(11) && !LS_PLANTED(2)) LS_CO_RETURN_IF_ERROR(co_await MarkReused());
  segments_.FreeDying(LS_PLANTED(16) ? UINT64_MAX : reads_->Oldest());
  co_return Status();
}

}  // namespace lockstep::logstore
