// When the pool's device gets a new anchor (anchor.h), and what is in it: described in the turn of the fold that it is
// of, written when that fold has become durable.
#include <algorithm>

#include "logstore/hole_pruning.h"
#include "logstore/pool.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kRecordsPerPage = 4096;  // of the index
constexpr size_t kHolesLookedAt = 1024;   // for each anchor: whether they are still needed

// What the anchor's area has left beside the rest of the anchor.
size_t AreaLeft(Anchor anchor) {
  anchor.times = {};
  const size_t area = kAreaBlocks * kBlockSize;
  return area - std::min(area, anchor.Encode().size());
}

}  // namespace

AnchorLimit LogPool::LimitOfAnchor() const {
  if (!anchors_.newest()) return {};
  return {anchors_.newest()->position, anchors_.newest()->segment, anchors_.newest()->number};
}

bool LogPool::NeedsAnchor(const FoldPlan& plan) const {
  if (!anchors_.newest()) return segments_.empty_waiting() != 0;
  const std::vector<uint32_t>& kept = anchors_.newest()->segments;
  return anchor_due_ || segments_.AnyNeedsAnchor(plan.position, LimitOfAnchor()) ||
         std::any_of(kept.begin(), kept.end(), [this](uint32_t segment) { return segments_.is_draining(segment); });
}

Task<void> LogPool::DescribeAnchor(const FoldPlan& plan, AfterFold& after) {
  // The note of an exported pool lies where the next one would; and where it belongs is not known after a failure.
  if (replaying_ || exported_ || !table_failure_.ok() || !NeedsAnchor(plan)) co_return;
  after.wants_anchor = true;
  after.anchor_due = anchor_due_;
  // Where nobody has noted when a segment was written, it was in use already when the anchor of before was made.
  const SequenceNumber floor = anchors_.newest() ? anchors_.newest()->written : holes_from_ == 1 ? 1 : 0;
  Anchor anchor;
  anchor.number = plan.number;
  anchor.position = plan.position;
  anchor.segments = segments_.InUse(writer_.announced());
  anchor.written = plan.position.next;
  for (const SegmentUse& s : anchor.segments) anchor.written = std::min(anchor.written, std::max(floor, s.written));
  anchor.swept = structure_.to_sweep().empty();
  if (holes_from_ > anchor.written) co_return;
  // Older holes are forgotten by it, but for those that hide what a parent holds.
  holes_from_ = anchor.holes_from = anchor.written;
  Status described;
  auto describe = [&] { described = DescribeFold(anchor); };
  co_await seams_.executor.Call(seams_.loop, describe);
  if (described.ok())
    after.anchor = std::move(anchor);
  else
    after.anchor = described;
}

Task<AnchorLimit> LogPool::RenewAnchor(AfterFold& after) {
  if (!after.wants_anchor || exported_ || !table_failure_.ok()) co_return LimitOfAnchor();
  Status anchored = after.anchor.status();
  if (anchored.ok()) anchored = co_await anchors_.Write(*after.anchor, segments_);
  if (anchored.code() == Code::kNoSpace && after.anchor.ok() && !after.anchor->times.empty()) {
    // Times that a rebuilding would not know are better than none that could be done.
    after.anchor->times = after.anchor->times.Newest(AreaLeft(*after.anchor));
    anchored = co_await anchors_.Write(*after.anchor, segments_);
  }
  const bool none = anchored.code() == Code::kNoSpace;
  if (none) {
    // Better a pool that can be written than one whose index can be rebuilt.
    if (anchors_.newest())
      seams_.log.Warn("pool {}: from now on its index cannot be rebuilt from its device: {}",
                      superblock_.pool.ToString(), anchored.message());
    anchored = co_await anchors_.Erase(segments_);
  }
  if (!anchored.ok()) {
    seams_.log.Error("pool {}: writing the anchor: {}", superblock_.pool.ToString(), anchored.message());
    co_return LimitOfAnchor();
  }
  if (after.anchor_due) anchor_due_ = false;
  co_return none ? AnchorLimit{kNow, kNoSegment, 0} : LimitOfAnchor();
}

namespace {

// The newest, as many as are worth their room: with one a second, these are twelve days.
constexpr uint64_t kMostTimes = 1 << 20;
// A smaller share of the pool than this the anchor may take for times; else only what its area has left.
constexpr uint64_t kShareForTimes = 256;

Status DescribeTimes(const Index& index, uint64_t room, TimeMarkList& times) {
  io::WallTime before{INT64_MAX};
  for (uint64_t count = 0; count < kMostTimes; count += kRecordsPerPage) {
    LS_ASSIGN_OR_RETURN(const std::vector<TimeMark> marks, index.MarksBefore(before, kRecordsPerPage));
    for (const TimeMark& mark : marks) {
      if (times.bytes().size() + TimeMarkList::kMostBytesOfOne > room) return {};
      times.AddOlder(mark);
    }
    if (marks.size() < kRecordsPerPage) break;
    before = marks.back().time;
  }
  return {};
}

}  // namespace

Status LogPool::DescribeFold(Anchor& anchor) {
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
    LS_ASSIGN_OR_RETURN(const std::vector<HoleRecord> holes, map_.index().Holes(from, kRecordsPerPage));
    for (const HoleRecord& hole : holes) {
      if (needed(hole))
        anchor.holes.push_back(hole);
      else
        forget.DropHole(hole.birth);
    }
    if (holes.size() < kRecordsPerPage) break;
    from = holes.back().birth + 1;
  }
  HolePruning pruning(structure, anchor.holes);
  pruning.DropCovered();
  LS_ASSIGN_OR_RETURN(holes_looked_at_, pruning.DropOverwritten(map_.index(), holes_looked_at_, kHolesLookedAt));
  for (const SequenceNumber birth : pruning.dropped()) forget.DropHole(birth);
  const bool segments = superblock_.segment_count >= kShareForTimes;
  const size_t room = segments ? superblock_.segment_size : AreaLeft(anchor);
  LS_RETURN_IF_ERROR(DescribeTimes(map_.index(), room, anchor.times));
  return map_.index().Write(forget);
}

}  // namespace lockstep::logstore
