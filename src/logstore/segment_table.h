// Which segments of the device are free, and how many blocks of the others are live. Blocks are counted by folds and by
// the cleaner, together with the changes of the map that make them live or dead, so the counts are exact as of the last
// fold. Pure bookkeeping, no I/O.
//
// What becomes of a segment:  free -> open -> closed -> dying -> free
//   open     the log or the cleaner writes into it, or the log has announced that it will
//   closed   nothing more is written; its live blocks become fewer
//   dying    a durable checkpoint no longer knows of anything in it, but reads that began earlier may be under way
// Nothing is written over a segment before both are over: a crash finds everything that the index speaks of.
//
// On the pool's loop. The live counts change only in the turn of a fold (AddLive), so a running fold may read them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "logstore/live_bits.h"

namespace lockstep::logstore {

class SegmentTable {
 public:
  explicit SegmentTable(const Superblock& superblock);

  uint32_t count() const { return static_cast<uint32_t>(state_.size()); }
  uint32_t segment_blocks() const { return segment_blocks_; }
  uint32_t free_count() const { return free_; }
  uint32_t live(uint32_t segment) const { return live_[segment]; }
  SequenceNumber youngest(uint32_t segment) const { return youngest_[segment]; }
  // Which of its blocks are live; empty: not known here, only to the index.
  const std::vector<uint64_t>& live_bits(uint32_t segment) const { return bits_.Find(segment); }
  // How often the segment has been taken: what was read of it before is of another use.
  uint32_t uses(uint32_t segment) const { return uses_[segment]; }
  bool is_free(uint32_t segment) const { return state_[segment] == State::kFree; }
  uint64_t live_blocks() const { return live_total_; }
  // Blocks in segments that are not free and not live: garbage, headers, and room in open segments.
  uint64_t dead_blocks() const { return uint64_t{count() - free_} * segment_blocks_ - live_total_; }
  // Everything in the log from this entry on is still in place; what was before has been freed, at least in part.
  SequenceNumber log_start() const { return log_start_; }

  // From recovery: a closed segment with so many live blocks.
  void Restore(uint32_t segment, uint32_t live, SequenceNumber youngest);
  void RestoreLogStart(SequenceNumber start) { log_start_ = start; }
  // The log was found to be writing here, or to go on here next. Idempotent.
  void Open(uint32_t segment);

  // A free segment, open from now on; kNoSegment when there is none.
  uint32_t Take();
  // Nothing more will be written to an open segment. `end`: behind the log's last entry in it; 0 for the cleaner's.
  void Close(uint32_t segment, SequenceNumber end);

  // In the turn of a fold, after it succeeded.
  void AddLive(const LiveChanges& changes);

  // Closed segments without live blocks, as of the last fold.
  const std::set<uint32_t>& empty() const { return empty_; }
  // Everything in the log before `position` is in a durable index, and so are the counts as of then, when `empty` were
  // the empty segments: those that still are start dying. `generation` is that of reads that begin from now on. Answers
  // how many did.
  uint32_t Checkpointed(const std::set<uint32_t>& empty, SequenceNumber position, uint64_t generation);
  // How many segments are dying, and the generation of the oldest.
  size_t dying() const { return dying_.size(); }
  uint64_t oldest_dying() const { return dying_.front().generation; }
  // Frees those that died before reads of `generation` began. Answers how many.
  uint32_t FreeDying(uint64_t generation);
  // How many segments have become free since the pool was opened.
  uint64_t freed() const { return freed_; }
  // Closed segments without live blocks that wait for a checkpoint.
  size_t empty_waiting() const { return empty_.size(); }

  // Keeps the log from `from` on in place while somebody walks it. REQUIRES: from >= log_start().
  void Pin(SequenceNumber from) { pins_.insert(from); }
  void Unpin(SequenceNumber from) { pins_.erase(pins_.find(from)); }
  // Whether pins keep in place a closed segment that would bring back at least so many blocks.
  bool HoldsBack(uint32_t least_gain) const;

  // The closed segment that is worth most to clean: few live blocks, and old ones, which will not die by themselves
  // soon. `greedy`: only the fewest live blocks count. kNoSegment when the best would bring back less than
  // `least_gain` blocks. `folded`: the map knows of everything in the log before this entry.
  uint32_t PickVictim(SequenceNumber folded, uint32_t least_gain, bool greedy) const;
  // While the cleaner has a segment in hand, it is not picked again.
  void BeginCleaning(uint32_t segment) { cleaning_.insert(segment); }
  void EndCleaning(uint32_t segment) { cleaning_.erase(segment); }
  // Something in the segment cannot be read: it is left alone from now on.
  void SetAside(uint32_t segment) { aside_.insert(segment); }
  size_t set_aside() const { return aside_.size(); }

 private:
  bool Pinned(SequenceNumber end) const { return !pins_.empty() && end > *pins_.begin(); }

  enum class State : uint8_t { kFree, kOpen, kClosed, kDying };
  struct Dying {
    uint32_t segment;
    uint64_t generation;
  };

  const uint32_t segment_blocks_;
  std::vector<State> state_;
  std::vector<uint32_t> live_, uses_;
  std::vector<SequenceNumber> youngest_;
  LiveBits bits_;
  std::unordered_map<uint32_t, SequenceNumber> end_;  // of closed ones of the log that may be newer than the checkpoint
  std::set<uint32_t> empty_;                          // closed, without live blocks
  std::vector<Dying> dying_;                          // oldest first
  std::set<uint32_t> aside_, cleaning_;
  std::multiset<SequenceNumber> pins_;
  uint32_t free_ = 0, cursor_ = 0;
  uint64_t live_total_ = 0, freed_ = 0;
  SequenceNumber log_start_ = 1;
};

}  // namespace lockstep::logstore
