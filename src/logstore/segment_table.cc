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
      written_(superblock.segment_count),
      bits_(superblock),
      draining_(superblock.segment_count),
      free_(superblock.segment_count),
      usable_(superblock.segment_count) {}

void SegmentTable::Remove(uint32_t first, uint32_t segments) {
  for (uint32_t s = first; s < first + segments; ++s) {
    LS_ASSERT(state_[s] == State::kFree || state_[s] == State::kAbsent);
    if (state_[s] == State::kFree) {
      --free_;
      ++absent_;
      --usable_;
    }
    state_[s] = State::kAbsent;
    draining_[s] = false;
  }
}

void SegmentTable::Add(uint32_t first, uint32_t segments) {
  const uint32_t end = std::max(first + segments, count());
  absent_ += end - count();
  state_.resize(end, State::kAbsent);
  live_.resize(end);
  uses_.resize(end);
  youngest_.resize(end);
  written_.resize(end);
  draining_.resize(end);
  bits_.Resize(end);
  for (uint32_t s = first; s < first + segments; ++s) {
    LS_ASSERT(state_[s] == State::kAbsent);
    state_[s] = State::kFree;
    --absent_;
    ++free_;
    ++usable_;
  }
}

void SegmentTable::Drain(uint32_t first, uint32_t segments) {
  for (uint32_t s = first; s < first + segments; ++s) {
    LS_ASSERT(!draining_[s] && state_[s] != State::kAbsent);
    draining_[s] = true;
    --usable_;
    if (state_[s] == State::kFree) {
      --free_;
      ++absent_;
      state_[s] = State::kAbsent;
    } else {
      ++draining_left_;
    }
  }
}

void SegmentTable::StopDraining(uint32_t first, uint32_t segments) {
  for (uint32_t s = first; s < first + segments; ++s) {
    LS_ASSERT(draining_[s]);
    draining_[s] = false;
    ++usable_;
    if (state_[s] == State::kAbsent) {
      state_[s] = State::kFree;
      --absent_;
      ++free_;
    } else {
      --draining_left_;
    }
  }
}

void SegmentTable::SetFree(uint32_t segment) {
  state_[segment] = draining_[segment] ? State::kAbsent : State::kFree;
  if (draining_[segment]) {
    ++absent_;
    --draining_left_;
  } else {
    ++free_;
  }
}

void SegmentTable::Restore(uint32_t segment, uint32_t live, SequenceNumber youngest, SequenceNumber written) {
  LS_ASSERT(state_[segment] == State::kFree);
  state_[segment] = State::kClosed;
  --free_;
  live_[segment] = live;
  live_total_ += live;
  if (live == 0) empty_.insert(segment);
  youngest_[segment] = youngest;
  written_[segment] = written;
}

void SegmentTable::CloseLive() {
  for (uint32_t segment = 0; segment < count(); ++segment) {
    if (live_[segment] == 0 || state_[segment] != State::kFree) continue;
    state_[segment] = State::kClosed;
    --free_;
  }
}

std::vector<SegmentUse> SegmentTable::InUse(uint32_t announced) const {
  std::vector<SegmentUse> used;
  for (uint32_t segment = 0; segment < count(); ++segment)
    if (segment != announced &&
        (state_[segment] == State::kOpen || (state_[segment] == State::kClosed && live_[segment] != 0)))
      used.push_back({segment, live_[segment], written_[segment]});
  return used;
}

uint32_t SegmentTable::Keep() {
  const uint32_t segment = Take();
  if (segment != kNoSegment) state_[segment] = State::kKept;
  return segment;
}
void SegmentTable::RestoreKept(uint32_t segment) {
  if (segment >= count() || state_[segment] != State::kFree) return;
  state_[segment] = State::kKept;
  --free_;
}
void SegmentTable::ReleaseKept(uint32_t segment) {
  if (segment >= count() || state_[segment] != State::kKept) return;
  SetFree(segment);
}

void SegmentTable::Open(uint32_t segment) {
  if (segment >= count() || state_[segment] == State::kOpen || state_[segment] == State::kAbsent) return;
  if (state_[segment] == State::kFree) {
    --free_;
    bits_.Begin(segment);
  }
  empty_.erase(segment);
  state_[segment] = State::kOpen;
  open_.insert(segment);
  // Go on from the end of the log: what comes round last is what it wrote last, which a follower may still want.
  cursor_ = segment;
}

uint32_t SegmentTable::Take() {
  if (free_ == 0) return kNoSegment;
  // Onwards through the device, so that a pool that is written from one end to the other is written in order.
  while (state_[cursor_] != State::kFree) cursor_ = (cursor_ + 1) % count();
  state_[cursor_] = State::kOpen;
  open_.insert(cursor_);
  --free_;
  youngest_[cursor_] = 0;
  ++uses_[cursor_];
  freed_.erase(cursor_);  // what is noted of it from here on is of this use
  bits_.Begin(cursor_);
  return cursor_;
}

void SegmentTable::Close(uint32_t segment, SequenceNumber end) {
  LS_ASSERT(state_[segment] == State::kOpen);
  state_[segment] = State::kClosed;
  open_.erase(segment);
  if (end != 0) {
    end_[segment] = end;
    order_[segment] = ++closings_;
  }
  closed_.push_back(segment);
  if (live_[segment] == 0) empty_.insert(segment);
}

uint64_t SegmentTable::closed_dead_blocks() const {
  const uint64_t closed = count() - free_ - absent_ - static_cast<uint32_t>(open_.size());
  uint64_t dead = closed * segment_blocks_ - live_total_;
  for (const uint32_t segment : open_) dead += live_[segment];
  return dead;
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

SequenceNumber SegmentTable::EndOf(uint32_t segment) const {
  const auto end = end_.find(segment);
  return end == end_.end() ? 0 : end->second;
}

bool SegmentTable::Anchored(uint32_t segment, const AnchorLimit& anchored) const {
  const auto until = anchored_until_.find(segment);
  if (until != anchored_until_.end() && (until->second > anchored.entry || anchored == restored_anchor_)) return true;
  const SequenceNumber end = EndOf(segment);
  if (end != anchored.entry || anchored.segment == kNoSegment) return end > anchored.entry;
  // The log may have moved on without an entry: then it leads through all that were closed since the anchor's.
  if (segment == anchored.segment) return true;
  if (anchored.segment >= count() || state_[anchored.segment] == State::kOpen) return false;
  const auto order = order_.find(segment), of_anchor = order_.find(anchored.segment);
  return order != order_.end() && (of_anchor == order_.end() || order->second > of_anchor->second);
}

bool SegmentTable::LookedFor(uint32_t segment, const LogPosition& position) const {
  const SequenceNumber behind = EndOf(segment);
  return behind > position.next || Pinned(behind) || segment == position.segment || segment == position.next_segment;
}

void SegmentTable::RestoreAnchored(const AnchorLimit& anchored, SequenceNumber position) {
  restored_anchor_ = anchored;
  for (uint32_t s = 0; s < count(); ++s)
    if (state_[s] == State::kClosed && (s == anchored.segment || written_[s] >= anchored.entry))
      anchored_until_[s] = position;
}

uint32_t SegmentTable::Checkpointed(const std::set<uint32_t>& empty, const LogPosition& position,
                                    const AnchorLimit& anchored, uint64_t generation) {
  uint32_t started = 0;
  for (const uint32_t segment : empty) {
    if (!empty_.contains(segment) || LookedFor(segment, position) || Anchored(segment, anchored)) continue;
    const SequenceNumber behind = EndOf(segment);
    if (behind != 0) log_start_ = std::max(log_start_, behind);
    state_[segment] = State::kDying;
    dying_.push_back({segment, generation});
    empty_.erase(segment);
    ++started;
  }
  return started;
}

bool SegmentTable::AnyNeedsAnchor(const LogPosition& position, const AnchorLimit& anchored) const {
  return std::any_of(empty_.begin(), empty_.end(), [&](uint32_t segment) {
    return !LookedFor(segment, position) && Anchored(segment, anchored);
  });
}

uint32_t SegmentTable::FreeDying(uint64_t generation) {
  const auto end =
      std::find_if(dying_.begin(), dying_.end(), [&](const Dying& d) { return d.generation > generation; });
  for (auto it = dying_.begin(); it != end; ++it) {
    SetFree(it->segment);
    freed_.insert(it->segment);
    order_.erase(it->segment);
    end_.erase(it->segment);
    anchored_until_.erase(it->segment);
    aside_.erase(it->segment);
    bits_.Forget(it->segment);
  }
  const uint32_t freed = static_cast<uint32_t>(end - dying_.begin());
  ever_freed_ += freed;
  dying_.erase(dying_.begin(), end);
  return freed;
}

bool SegmentTable::HoldsBack(uint32_t least_gain) const {
  for (const auto& [segment, end] : end_)
    if (state_[segment] == State::kClosed && Pinned(end) &&
        (draining_[segment] || segment_blocks_ - live_[segment] >= least_gain))
      return true;
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
    if (worth <= best_worth || draining_[segment] || cleaning_.contains(segment) || aside_.contains(segment)) continue;
    // What is pinned stays where it is, so emptying it brings nothing back.
    const auto end = end_.find(segment);
    if (end != end_.end() && (end->second > folded || Pinned(end->second))) continue;
    best_worth = worth;
    best = segment;
  }
  return best;
}

uint32_t SegmentTable::PickDraining(SequenceNumber folded) const {
  if (draining_left_ == 0) return kNoSegment;
  for (uint32_t segment = 0; segment < count(); ++segment) {
    if (!draining_[segment] || state_[segment] != State::kClosed || live_[segment] == 0) continue;
    if (cleaning_.contains(segment) || aside_.contains(segment)) continue;
    const auto end = end_.find(segment);
    if (end == end_.end() || end->second <= folded) return segment;
  }
  return kNoSegment;
}

}  // namespace lockstep::logstore
