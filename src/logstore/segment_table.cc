#include "logstore/segment_table.h"

#include <algorithm>

#include "base/assert.h"

namespace lockstep::logstore {

SegmentTable::SegmentTable(const Superblock& superblock)
    : segment_blocks_(superblock.segment_blocks()),
      state_(superblock.segment_count, State::kFree),
      live_(superblock.segment_count),
      uses_(superblock.segment_count),
      youngest_(superblock.segment_count),
      bits_(superblock),
      free_(superblock.segment_count) {}

void SegmentTable::Restore(uint32_t segment, uint32_t live, SequenceNumber youngest) {
  LS_ASSERT(state_[segment] == State::kFree && live > 0);
  state_[segment] = State::kClosed;
  --free_;
  live_[segment] = live;
  live_total_ += live;
  youngest_[segment] = youngest;
}

void SegmentTable::Open(uint32_t segment) {
  if (segment >= count() || state_[segment] == State::kOpen) return;
  if (state_[segment] == State::kFree) {
    --free_;
    bits_.Begin(segment);
  }
  empty_.erase(segment);
  state_[segment] = State::kOpen;
  // Go on from the end of the log: what comes round last is what it wrote last, which a follower may still want.
  cursor_ = segment;
}

uint32_t SegmentTable::Take() {
  if (free_ == 0) return kNoSegment;
  // Onwards through the device, so that a pool that is written from one end to the other is written in order.
  while (state_[cursor_] != State::kFree) cursor_ = (cursor_ + 1) % count();
  state_[cursor_] = State::kOpen;
  --free_;
  youngest_[cursor_] = 0;
  ++uses_[cursor_];
  bits_.Begin(cursor_);
  return cursor_;
}

void SegmentTable::Close(uint32_t segment, SequenceNumber end) {
  LS_ASSERT(state_[segment] == State::kOpen);
  state_[segment] = State::kClosed;
  if (end != 0) end_[segment] = end;
  if (live_[segment] == 0) empty_.insert(segment);
}

void SegmentTable::AddLive(const LiveChanges& changes) {
  bits_.Apply(changes);
  for (const auto& [segment, change] : changes.counts()) {
    const int64_t live = int64_t{live_[segment]} + change.blocks;
    LS_ASSERT(live >= 0 && live <= segment_blocks_);
    live_[segment] = static_cast<uint32_t>(live);
    live_total_ = static_cast<uint64_t>(static_cast<int64_t>(live_total_) + change.blocks);
    youngest_[segment] = std::max(youngest_[segment], change.youngest);
    aside_.erase(segment);  // something has changed: worth another look
    if (state_[segment] != State::kClosed) continue;
    if (live == 0)
      empty_.insert(segment);
    else
      empty_.erase(segment);
  }
}

uint32_t SegmentTable::Checkpointed(const std::set<uint32_t>& empty, SequenceNumber position, uint64_t generation) {
  uint32_t started = 0;
  for (const uint32_t segment : empty) {
    if (!empty_.contains(segment)) continue;
    const auto end = end_.find(segment);
    const SequenceNumber behind = end == end_.end() ? 0 : end->second;
    if (behind > position || Pinned(behind)) continue;
    if (behind != 0) log_start_ = std::max(log_start_, behind);
    state_[segment] = State::kDying;
    dying_.push_back({segment, generation});
    empty_.erase(segment);
    ++started;
  }
  return started;
}

uint32_t SegmentTable::FreeDying(uint64_t generation) {
  const auto end =
      std::find_if(dying_.begin(), dying_.end(), [&](const Dying& d) { return d.generation > generation; });
  for (auto it = dying_.begin(); it != end; ++it) {
    state_[it->segment] = State::kFree;
    end_.erase(it->segment);
    aside_.erase(it->segment);
    bits_.Forget(it->segment);
    ++free_;
  }
  const uint32_t freed = static_cast<uint32_t>(end - dying_.begin());
  freed_ += freed;
  dying_.erase(dying_.begin(), end);
  return freed;
}

bool SegmentTable::HoldsBack(uint32_t least_gain) const {
  for (const auto& [segment, end] : end_)
    if (state_[segment] == State::kClosed && Pinned(end) && segment_blocks_ - live_[segment] >= least_gain) return true;
  return false;
}

uint32_t SegmentTable::PickVictim(SequenceNumber folded, uint32_t least_gain, bool greedy) const {
  uint32_t best = kNoSegment;
  double best_worth = 0;
  for (uint32_t segment = 0; segment < count(); ++segment) {
    if (state_[segment] != State::kClosed || live_[segment] == 0 || segment_blocks_ - live_[segment] < least_gain)
      continue;
    // Cost and benefit as in Rosenblum and Ousterhout, "The design and implementation of a log-structured file system"
    // (1992), section 3.6: free space gained x age of the data / (read all + write back what lives).
    const double used = static_cast<double>(live_[segment]) / segment_blocks_;
    const double age = static_cast<double>(folded - std::min(folded, youngest_[segment])) + 1;
    const double worth = (1 - used) / (1 + used) * (greedy ? 1 : age);
    if (worth <= best_worth || cleaning_.contains(segment) || aside_.contains(segment)) continue;
    // What is pinned stays where it is, so emptying it brings nothing back.
    const auto end = end_.find(segment);
    if (end != end_.end() && (end->second > folded || Pinned(end->second))) continue;
    best_worth = worth;
    best = segment;
  }
  return best;
}

}  // namespace lockstep::logstore
