// Places in the log that a walk can begin at, some way apart: known for what was written or replayed since the pool was
// opened. Pure bookkeeping; bounded, whatever the length of the log.
#pragma once

#include <optional>
#include <vector>

#include "logstore/format.h"

namespace lockstep::logstore {

class LogMarks {
 public:
  static constexpr size_t kMost = 4096;
  // `stride`: blocks of the log between two marks, to begin with; more when the log is too long for so many.
  explicit LogMarks(uint64_t stride) : stride_(stride) {}

  // The first mark, from recovery. REQUIRES: called once, before everything else.
  void Begin(const LogPosition& position);
  // Older ones, ascending: the log was in place there when they were written down. REQUIRES: after Begin, before
  // everything else.
  void Restore(const std::vector<LogPosition>& positions);
  // Some of them, evenly apart: about `most`.
  std::vector<LogPosition> Some(size_t most) const;
  // The log has grown by so many blocks and goes on at `position`. Whether that made a mark.
  bool Advance(const LogPosition& position, uint64_t blocks);
  // The log before this entry is gone.
  void Forget(SequenceNumber before);

  // The newest mark from which a walk meets entry `from`; nullopt when all are newer.
  std::optional<LogPosition> Before(SequenceNumber from) const;
  // Blocks that the log has grown by since entry `from`, to within a stride, never too few; of what lies before the
  // beginning nothing is counted.
  uint64_t BlocksSince(SequenceNumber from) const;
  SequenceNumber first() const { return first_; }  // where it began
  size_t size() const { return marks_.size(); }

 private:
  struct Mark {
    LogPosition position;
    uint64_t blocks = 0;  // of the log before it, counted from the beginning
  };
  const Mark* Find(SequenceNumber from) const;
  void Thin();

  std::vector<Mark> marks_;  // ascending
  uint64_t stride_;
  uint64_t blocks_ = 0;
  SequenceNumber first_ = 1;
};

}  // namespace lockstep::logstore
