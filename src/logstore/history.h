// The engine's part in windows: it notes when positions were, and moves the beginnings of windows forward as their
// limits say. What is kept is the structure's affair.
//
// Times. While a volume has a window, the first write in a second is preceded by an entry that tells the time, and
// every transaction tells it. So the log itself says when what was written, to the second, and a crash loses no more of
// that than of the writes. Entries' times never go back: when the clock does, they stand still.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "logstore/fold.h"
#include "logstore/log_writer.h"

namespace lockstep::logstore {

class LogPool;

// On the pool's loop.
class HistoryKeeper {
 public:
  explicit HistoryKeeper(LogPool& pool) : pool_(pool) {}
  // REQUIRES: Stop has ended.
  ~HistoryKeeper();

  // After recovery. `newest`: the last mark in the index, if there is one.
  void Start(const std::optional<TimeMark>& newest);
  // No more trimming; waits for what runs.
  Task<void> Stop();

  // Never before an earlier answer.
  io::WallTime Now();
  // Notes the time in the log, if somebody needs it and it is due. Before something is appended, with the same claim to
  // space: what is refused tells no time.
  void Stamp(bool may_use_reserve);
  // Notes a time that Now has answered, for which there is space.
  void Mark(io::WallTime time);
  // A transaction that tells the time has been appended, or replayed.
  void Learn(const TimeMark& mark);
  // Windows may have been opened or closed.
  void Watch();

  // Of entries before `next`, for a fold; and what the fold made of them.
  std::vector<TimeMark> MarksBefore(SequenceNumber next) const;
  void Folded(SequenceNumber next, const FoldResult& result);

  Task<Result<SequenceNumber>> PositionAt(io::WallTime time);
  Task<Result<io::WallTime>> TimeOf(SequenceNumber position);

 private:
  // What a window holds that its volume does not show, in blocks: known for one beginning of the window.
  struct Count {
    SequenceNumber from = 0;
    uint64_t blocks = 0;
  };
  void Tick();
  Task<void> Expire();
  // Where the volume's window should begin now; 0: where it does. not-found when it has none any more.
  Task<Result<block::TrimHistory>> NextTrim(block::VolumeId volume);
  Task<Result<SequenceNumber>> BySpace(block::VolumeId volume);
  // Counts what the trim lets go, which has to have been folded: it may become an earlier one.
  Task<Status> CountGone(block::TrimHistory& trim);
  // How many blocks died, up to which entry: in the order of death, until there are `most`.
  struct Walked {
    SequenceNumber upto = 0;
    uint64_t blocks = 0;
  };
  Task<Result<Walked>> WalkDeaths(DeathSpan span, const Index& index, uint64_t most);
  Task<Status> CountAll(block::VolumeId volume);
  // What died in the volume's window, up to `upto`; one span for each layer, the oldest first.
  std::vector<DeathSpan> SpansOf(const VolumeRecord& volume, SequenceNumber upto) const;
  // What reverts have left behind, in layers that ended before `upto`.
  uint64_t AbandonedBlocks(const VolumeRecord& volume, SequenceNumber upto) const;

  LogPool& pool_;
  std::vector<TimeMark> marks_;  // that no fold has taken yet, ascending
  io::WallTime last_time_;
  io::Instant last_stamp_;
  bool stamped_ = false;
  std::unordered_map<block::VolumeId, Count> counts_;
  std::unordered_map<block::VolumeId, Count> gone_;  // with the trims that are about to be applied: their `from`
  std::unordered_map<LayerId, uint64_t> kept_since_;  // by folds, while a count runs
  io::TimerId timer_ = io::TimerId::kNone;
  bool started_ = false, stopping_ = false, expiring_ = false, counting_ = false;
  std::move_only_function<void()> expired_;
};

}  // namespace lockstep::logstore
