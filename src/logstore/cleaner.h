// Brings space back. Segments whose data has died are freed after the next checkpoint; when that is not enough, the
// cleaner moves what still lives out of the segment that is worth most, into segments of its own, and lets the map
// point there. Old data is thereby gathered apart from new.
//
// What is durable when: copies before the index speaks of them, the index before the segment that they came from is
// written over. A crash at any moment leaves an index that speaks of the one or of the other.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/task.h"
#include "logstore/moved_writer.h"

namespace lockstep::logstore {

class LogPool;

// On the pool's loop.
class Cleaner {
 public:
  Cleaner(LogPool& pool, io::Disk& disk, const Superblock& superblock, SegmentTable& segments);
  // REQUIRES: Stop has ended.
  ~Cleaner();

  // Starts a run when space has become short. Cheap: called wherever segments are used up.
  void Kick();
  // No more runs; waits for the present one. Who waits for space is told that there is none.
  Task<void> Stop();

  // Whether waiting for space may help: not when a run has found everything alive, and nothing was written since.
  bool CanHelp() const;
  // Calls `go_on` when segments have been freed (OK) or when none can be (no-space); never inside the call.
  void WaitForSpace(std::move_only_function<void(Status)> go_on);

  uint64_t moved_blocks() const { return moved_blocks_; }
  uint64_t cleaned_segments() const { return cleaned_segments_; }

 private:
  bool Short() const;   // a run should go on
  bool Urgent() const;  // writes are about to wait
  Task<void> Run();
  // One victim, or a checkpoint when enough has been emptied. False: there was nothing that would help.
  Task<Result<bool>> Round();
  Task<Result<bool>> Checkpoint();
  Task<Status> Clean(uint32_t victim);
  Task<Result<std::vector<MovedBlock>>> Survey(uint32_t segment);
  // Copies blocks, ascending by place, as far as there is room; those copied have `to` set.
  Task<Status> Copy(std::vector<MovedBlock>& blocks);
  Task<Status> CopyPiece(std::span<MovedBlock> piece);
  bool MakeRoom();
  void Answer(const Status& status);
  Task<void> Yield();

  LogPool& pool_;
  io::Disk& disk_;
  const Superblock superblock_;
  SegmentTable& segments_;
  MovedWriter writer_;
  std::unique_ptr<std::byte, void (*)(void*)> piece_memory_;
  const uint32_t least_gain_;             // blocks that cleaning a segment has to bring back
  const uint32_t start_below_, stop_at_;  // free segments
  std::vector<std::move_only_function<void(Status)>> waiting_;
  bool running_ = false, stopping_ = false;
  std::move_only_function<void()> stopped_;  // Stop waits for the end of a run
  SequenceNumber hopeless_at_ = 0;  // the log's last entry when a run found nothing that could come back; 0: it did
  uint64_t moved_blocks_ = 0, cleaned_segments_ = 0;
};

}  // namespace lockstep::logstore
