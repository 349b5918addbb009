// Which segments of the device are free, and how many blocks of the others are live. Blocks are counted by folds and by
// the cleaner, together with the changes of the map that make them live or dead, so the counts are exact as of the last
// fold. Pure bookkeeping, no I/O.
//
// What becomes of a segment:  absent -> free -> open -> closed -> dying -> free
//   absent   no device holds it, or its device is being emptied and it is empty already
//   open     the log or the cleaner writes into it, or the log has announced that it will
//   closed   nothing more is written; its live blocks become fewer
//   dying    a durable checkpoint no longer knows of anything in it, but reads that began earlier may be under way
//   kept     holds a part of the anchor (anchor.h), until that is given up
// Nothing is written over a segment before both are over: a crash finds everything that the index speaks of.
//
// On the pool's loop. The live counts change only in the turn of a fold (AddLive), so a running fold may read them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "logstore/live_bits.h"

namespace lockstep::logstore {

struct SegmentUse {
  uint32_t segment = 0;
  uint32_t live = 0;
  SequenceNumber written = 0;  // SegmentTable::written
};

// Where the log begins that a rebuilding from the anchor needs (anchor.h).
struct AnchorLimit {
  SequenceNumber entry = 0;
  uint32_t segment = kNoSegment;  // of the log that holds the anchor's position
  uint64_t number = 0;            // the anchor's: two may begin at one place
  bool operator==(const AnchorLimit&) const = default;
};

class SegmentTable {
 public:
  // All of them free.
  explicit SegmentTable(const Superblock& superblock);

  // Devices come and go. In the turn of a fold and of a checkpoint.
  // No device holds these. REQUIRES: they are free, or absent.
  void Remove(uint32_t first, uint32_t segments);
  // A device holds these, which are beyond the end or absent.
  void Add(uint32_t first, uint32_t segments);
  // Their device is to be emptied: they are not taken any more, and are absent once they are free.
  void Drain(uint32_t first, uint32_t segments);
  // It is to be used again after all.
  void StopDraining(uint32_t first, uint32_t segments);
  bool is_draining(uint32_t segment) const { return segment < draining_.size() && draining_[segment]; }
  // Segments that are being drained and are not absent yet.
  uint32_t draining_left() const { return draining_left_; }
  bool is_absent(uint32_t segment) const { return state_[segment] == State::kAbsent; }

  // Behind the highest segment; some of them may be absent. Only grows.
  uint32_t count() const { return static_cast<uint32_t>(state_.size()); }
  // Segments of devices that are not being emptied.
  uint32_t usable() const { return usable_; }
  uint32_t segment_blocks() const { return segment_blocks_; }
  uint32_t free_count() const { return free_; }
  uint32_t live(uint32_t segment) const { return live_[segment]; }
  SequenceNumber youngest(uint32_t segment) const { return youngest_[segment]; }
  // Nothing in the segment had died before this entry, but what is marked with its death. Of the log's segments: their
  // first entry; of the cleaner's: what the map knew when their blocks were found to live.
  SequenceNumber written(uint32_t segment) const { return written_[segment]; }
  void SetWritten(uint32_t segment, SequenceNumber at) { written_[segment] = at; }
  // Which of its blocks are live; empty: not known here, only to the index.
  const std::vector<uint64_t>& live_bits(uint32_t segment) const { return bits_.Find(segment); }
  // How often the segment has been taken: what was read of it before is of another use.
  uint32_t uses(uint32_t segment) const { return uses_[segment]; }
  bool is_free(uint32_t segment) const { return state_[segment] == State::kFree; }
  uint64_t live_blocks() const { return live_total_; }
  // Blocks in segments that are not free and not live: garbage, headers, and room in open segments.
  uint64_t dead_blocks() const { return uint64_t{count() - free_ - absent_} * segment_blocks_ - live_total_; }
  // The same of segments that nothing is written to any more: what freeing and cleaning them would bring back.
  uint64_t closed_dead_blocks() const;
  // Everything in the log from this entry on is still in place; what was before has been freed, at least in part.
  SequenceNumber log_start() const { return log_start_; }

  // From recovery: a closed segment with so many live blocks, or one without any that has not been freed.
  void Restore(uint32_t segment, uint32_t live, SequenceNumber youngest, SequenceNumber written);
  // Segments that were closed, and those that were freed, since it was asked last. The index notes them, so that
  // recovery knows of those without live blocks too.
  std::vector<uint32_t> TakeClosed() { return std::exchange(closed_, {}); }
  std::set<uint32_t> TakeFreed() { return std::exchange(freed_, {}); }
  // From the rebuilding of an index: what has been found to hold live blocks is closed.
  void CloseLive();
  // Segments that hold, or may hold, something that the map knows of, `announced` (where nothing is yet) left out.
  std::vector<SegmentUse> InUse(uint32_t announced) const;
  // Takes a free segment for the anchor, or marks one as taken; gives it back, unless its device is being emptied.
  uint32_t Keep();
  void RestoreKept(uint32_t segment);
  void ReleaseKept(uint32_t segment);
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
  // the empty segments: those that still are start dying, but for those in which a recovery from there would look for
  // the log. From `anchored` on the log has to stay. `generation` is that of reads that begin from now on. Answers how
  // many did.
  uint32_t Checkpointed(const std::set<uint32_t>& empty, const LogPosition& position, const AnchorLimit& anchored,
                        uint64_t generation);
  // Whether it would find more if nothing of the log had to stay.
  bool AnyNeedsAnchor(const LogPosition& position, const AnchorLimit& anchored) const;
  // From recovery: the log from `anchored` to entry `position` has to stay, wherever it is.
  void RestoreAnchored(const AnchorLimit& anchored, SequenceNumber position);
  // How many segments are dying, and the generation of the oldest.
  size_t dying() const { return dying_.size(); }
  uint64_t oldest_dying() const { return dying_.front().generation; }
  // Frees those that died before reads of `generation` began. Answers how many.
  uint32_t FreeDying(uint64_t generation);
  // How many segments have become free since the pool was opened.
  uint64_t freed() const { return ever_freed_; }
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
  // None of a device that is being drained: that brings no space back.
  uint32_t PickVictim(SequenceNumber folded, uint32_t least_gain, bool greedy) const;
  // A closed segment with live blocks that is being drained; what is pinned is left in place, so its blocks may go.
  uint32_t PickDraining(SequenceNumber folded) const;
  // While the cleaner has a segment in hand, it is not picked again.
  void BeginCleaning(uint32_t segment) { cleaning_.insert(segment); }
  void EndCleaning(uint32_t segment) { cleaning_.erase(segment); }
  // Something in the segment cannot be read: it is left alone from now on.
  void SetAside(uint32_t segment) { aside_.insert(segment); }
  size_t set_aside() const { return aside_.size(); }

 private:
  void SetFree(uint32_t segment);
  // Behind the log's last entry in it; 0: none is to be minded.
  SequenceNumber EndOf(uint32_t segment) const;
  bool Anchored(uint32_t segment, const AnchorLimit& anchored) const;
  bool Pinned(SequenceNumber end) const { return !pins_.empty() && end > *pins_.begin(); }
  // A recovery from there, or somebody who follows the log, would look for it in the segment.
  bool LookedFor(uint32_t segment, const LogPosition& position) const;

  enum class State : uint8_t { kFree, kOpen, kClosed, kDying, kKept, kAbsent };
  struct Dying {
    uint32_t segment;
    uint64_t generation;
  };

  const uint32_t segment_blocks_;
  std::vector<State> state_;
  std::vector<uint32_t> live_, uses_;
  std::vector<SequenceNumber> youngest_, written_;
  LiveBits bits_;
  std::unordered_map<uint32_t, SequenceNumber> end_;  // of closed ones of the log that may be newer than the checkpoint
  std::unordered_map<uint32_t, uint64_t> order_;      // of the same, in which they were closed
  uint64_t closings_ = 0;
  AnchorLimit restored_anchor_;
  std::unordered_map<uint32_t, SequenceNumber> anchored_until_;  // of closed ones, from before the pool was opened
  std::set<uint32_t> empty_;                          // closed, without live blocks
  std::vector<Dying> dying_;                          // oldest first
  std::vector<uint32_t> closed_;                      // since the last fold
  std::set<uint32_t> freed_;                          // since the last fold, and free still
  std::set<uint32_t> aside_, cleaning_, open_;
  std::multiset<SequenceNumber> pins_;
  std::vector<bool> draining_;
  uint32_t free_ = 0, absent_ = 0, usable_ = 0, draining_left_ = 0, cursor_ = 0;
  uint64_t live_total_ = 0, ever_freed_ = 0;
  SequenceNumber log_start_ = 1;
};

}  // namespace lockstep::logstore
