// How the pool moves its overlay into the index while writes go on.
#include "logstore/pool.h"
#include "base/planted.h"
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
  if (structure_.version() != structure_folded_) plan.structure = structure_.Encode();
  return plan;
}

Task<Status> LogPool::WriteFold(const FoldPlan& plan, bool checkpoint, FoldResult& result) {
  // The index may become durable at any time from here on, so what it speaks of must be durable first.
  if (!LS_PLANTED(5)) LS_CO_RETURN_IF_ERROR(co_await SyncNow());
  Status status;
  auto work = [&] {
    Result<FoldResult> folded = Fold(map_.frozen(), plan, map_.index());
    status = folded.status();
    if (!folded.ok()) return;
    result = std::move(*folded);
    if (checkpoint && !LS_PLANTED(2)) status = map_.index().Persist();
  };
  co_await seams_.executor.Call(seams_.loop, work);
  co_return status;
}

Task<Status> LogPool::FoldNow(bool persist) {
  const auto fold_turn = co_await fold_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(map_failure_);
  auto structure_turn = co_await structure_turn_.Lock();
  // Not in the middle of a batch's completions: the checkpoint stands behind whole batches.
  co_await SuspendWith([this](auto resume) { seams_.loop.Post(std::move(resume)); });
  const FoldPlan plan = PlanFold();
  const uint64_t version = structure_.version(), transactions = structure_.transactions();
  const uint64_t blocks = blocks_since_checkpoint_, unfolded = unfolded_blocks_;
  map_.Freeze();
  structure_turn.Release();

  const bool checkpoint = persist || blocks * kBlockSize >= options_.checkpoint_bytes;
  FoldResult result;
  if (const Status status = co_await WriteFold(plan, checkpoint, result); !status.ok()) {
    // What is frozen stays readable, but nothing more fits behind it.
    map_failure_ =
        status.WithContext("the map cannot be written, the pool accepts no more writes until it is reopened");
    writer_.Fail(map_failure_);
    co_return map_failure_;
  }
  for (const auto& [layer, delta] : result.used_blocks) structure_.AddUsedBlocks(layer, delta);
  segments_.AddLive(result.segments);
  unfolded_blocks_ -= unfolded;
  WarnOfSpace();
  structure_folded_ = version;
  structure_.Swept(plan.sweep, result.unfinished);
  transactions_folded_ = transactions;
  history_.Folded(plan.position.next, result);
  std::unique_ptr<Overlay> folded = map_.Thaw();
  map_.Forget(result.changed);
  writer_.Resume();
  folded_ = plan.position.next;
  fold_number_ = plan.number;
  auto drop = [&folded] { folded.reset(); };
  co_await seams_.executor.Call(seams_.loop, drop);
  if (!checkpoint) co_return Status();
  blocks_since_checkpoint_ -= blocks;
  checkpoint_number_ = plan.number;
  const SequenceNumber anchored = co_await RenewAnchor(plan);
  segments_.Checkpointed(plan.position.next, anchored, reads_->NewGeneration());
  changes_.Forget(segments_.log_start());
  structure_.ForgetOwnersBefore(segments_.log_start());
  co_return co_await FreeDying();
}

Task<SequenceNumber> LogPool::RenewAnchor(const FoldPlan& plan) {
  const auto limit = [this] { return anchors_.newest() ? anchors_.newest()->position : SequenceNumber{0}; };
  const bool needed = anchors_.newest() ? segments_.AnyNeedsAnchor(plan.position.next, limit())
                                        : segments_.empty_waiting() != 0;
  if (replaying_ || !needed) co_return limit();
  // Where nobody has noted when a segment was written, it was in use already when the anchor of before was made.
  const SequenceNumber floor = anchors_.newest() ? anchors_.newest()->written : holes_from_ == 1 ? 1 : 0;
  std::vector<SegmentUse> used = segments_.InUse(writer_.announced());
  SequenceNumber written = plan.position.next;
  for (const SegmentUse& s : used) written = std::min(written, std::max(floor, s.written));
  Status anchored = Status(Code::kNoSpace, "the pool goes back to a version that wrote too little for it");
  if (holes_from_ <= written) anchored = co_await WriteAnchor(plan, written, std::move(used));
  if (anchored.code() == Code::kNoSpace) {
    // Better a pool that can be written than one whose index can be rebuilt.
    if (anchors_.newest())
      seams_.log.Warn("pool {}: from now on its index cannot be rebuilt from its device: {}",
                      superblock_.pool.ToString(), anchored.message());
    anchored = co_await anchors_.Erase(segments_);
    if (anchored.ok()) co_return kNow;
  }
  if (!anchored.ok())
    seams_.log.Error("pool {}: writing the anchor: {}", superblock_.pool.ToString(), anchored.message());
  co_return limit();
}

Task<Status> LogPool::WriteAnchor(const FoldPlan& plan, SequenceNumber written, std::vector<SegmentUse> used) {
  Anchor anchor;
  anchor.number = plan.number;
  anchor.position = plan.position;
  // Older holes are forgotten by it, but for those that hide what a parent holds.
  holes_from_ = std::max(holes_from_, written);
  anchor.holes_from = holes_from_;
  anchor.written = written;
  anchor.segments = std::move(used);
  anchor.swept = structure_.to_sweep().empty();
  Status described;
  auto describe = [&] { described = DescribeFold(anchor); };
  co_await seams_.executor.Call(seams_.loop, describe);
  LS_CO_RETURN_IF_ERROR(described);
  co_return co_await anchors_.Write(anchor, segments_);
}

Status LogPool::DescribeFold(Anchor& anchor) {
  constexpr size_t kPage = 4096;
  LS_ASSIGN_OR_RETURN(std::optional<Checkpoint> checkpoint, map_.index().LoadCheckpoint());
  LS_ASSERT(checkpoint && checkpoint->number == anchor.number);
  LS_ASSIGN_OR_RETURN(const Structure structure, Structure::Decode(checkpoint->structure));
  anchor.structure = std::move(checkpoint->structure);
  // A hole is needed as long as something that it hides may lie about; and when it hides what a parent holds.
  const auto needed = [&](const HoleRecord& hole) {
    if (!structure.HasLayer(hole.layer)) return false;
    return hole.birth >= anchor.written || structure.layer(hole.layer).parent != kNoLayer;
  };
  Index::Batch forget;
  forget.PutHolesKnownFrom(anchor.holes_from);
  for (SequenceNumber from = 0;;) {
    LS_ASSIGN_OR_RETURN(const std::vector<HoleRecord> holes, map_.index().Holes(from, kPage));
    for (const HoleRecord& hole : holes) {
      if (needed(hole))
        anchor.holes.push_back(hole);
      else
        forget.DropHole(hole.birth);
    }
    if (holes.size() < kPage) break;
    from = holes.back().birth + 1;
  }
  return map_.index().Write(forget);
}

Task<Status> LogPool::Relocate(const std::vector<MovedBlock>& blocks) {
  const auto fold_turn = co_await fold_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(map_failure_);
  LS_CO_RETURN_IF_ERROR(co_await SyncNow());
  Result<Relocated> done = Internal("not written");
  auto work = [&] { done = lockstep::logstore::Relocate(map_.index(), superblock_, segments_, blocks); };
  co_await seams_.executor.Call(seams_.loop, work);
  if (!done.ok()) {
    map_failure_ = done.status().WithContext("the map cannot be written, the pool accepts no more writes");
    writer_.Fail(map_failure_);
    co_return map_failure_;
  }
  segments_.AddLive(done->segments);
  map_.Forget(done->changed);
  co_return Status();
}

void LogPool::WarnOfSpace() {
  const block::PoolInfo info = Info();
  if (const auto percent = space_watch_.Look(info.used, info.size))
    seams_.log.Warn("pool {}: more than {} % is in use ({} of {} MiB are free); writes will fail when it is full",
                    superblock_.pool.ToString(), *percent, info.free >> 20, info.size >> 20);
}

Task<Status> LogPool::MarkReused() {
  Superblock reused = superblock_;
  reused.least_index = checkpoint_number_;
  if (superblock_.least_index == reused.least_index) co_return Status();
  LS_CO_RETURN_IF_ERROR(co_await WriteSuperblock(*disk_, reused));
  superblock_.least_index = reused.least_index;  // nothing else of it changes: executors may be reading it
  co_return Status();
}

Task<Status> LogPool::FreeDying() {
  if (segments_.dying() == 0 || (segments_.oldest_dying() > reads_->Oldest() && !LS_PLANTED(16)))
    co_return Status();
  if (!LS_PLANTED(11) && !LS_PLANTED(2)) LS_CO_RETURN_IF_ERROR(co_await MarkReused());
  segments_.FreeDying(LS_PLANTED(16) ? UINT64_MAX : reads_->Oldest());
  co_return Status();
}

}  // namespace lockstep::logstore
