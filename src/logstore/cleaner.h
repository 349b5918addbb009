// Brings space back. Segments whose data has died are freed after the next checkpoint; when that is not enough, the
// cleaner moves what still lives out of the segment that is worth most, into segments of its own, and lets the map
// point there. Old data is thereby gathered apart from new.
//
// What is durable when: copies before the index speaks of them, the index before the segment that they came from is
// written over. A crash at any moment leaves an index that speaks of the one or of the other.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "base/task.h"
#include "logstore/disk_io.h"
#include "logstore/moved_writer.h"

namespace lockstep::logstore {

class LogPool;

// Numbers of segments at which something changes, from a pool's geometry.
struct SpaceMarks {
  uint32_t per_checkpoint = 1;     // emptied before a checkpoint is worth its cost: about 32 MiB
  uint32_t cleaner_reserve = 2;    // free ones that only the cleaner takes: room for what it moves between checkpoints
  uint32_t structure_reserve = 1;  // besides, those that only transactions and holes take: a full pool can be emptied
  uint32_t throttle_below = 0;     // free or emptied: writes go at the pace at which the cleaner empties segments
  uint32_t start_below = 0;        // free: the cleaner runs
  uint32_t stop_at = 0;            // free: it has done enough

  // `segments`: how many the pool can use.
  static SpaceMarks For(uint64_t segment_size, uint32_t segments);
};

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

  // Whether a write may go on now, if there is room for it. While the cleaner is behind, writes wait for it a little
  // now and then, rather than for long at the end.
  bool Admits() const;
  // Whether waiting for space may help: not when a run has found everything alive, and nothing was written since.
  bool CanHelp() const;
  // Calls `go_on` when a segment has been emptied or freed (OK), or when none can be (no-space); never inside the call.
  void WaitForSpace(std::move_only_function<void(Status)> go_on);

  // Calls `go_on` when the emptying of a device has got on (OK), or when it cannot: no-space, or what went wrong; never
  // inside the call.
  void WaitForDrain(std::move_only_function<void(Status)> go_on);
  // The pool has become larger or smaller.
  void SetMarks(const SpaceMarks& marks) { marks_ = marks; }
  // There are more free segments, so that who waits for space may try again.
  void Added();

  // For a fold, in its turn: the copies that wait to be known to the index; and afterwards, when it is.
  std::vector<MovedBlock> TakeMoves();
  void MovesFolded(bool ok);

  uint64_t moved_blocks() const { return moved_blocks_; }
  // Blocks that cleaning a segment has to bring back.
  uint32_t least_gain() const { return least_gain_; }

 private:
  // A segment that is being emptied. Each is read, looked through and copied by a coroutine of its own, so that the
  // disk and the executor work on several at once.
  struct Victim {
    uint32_t segment = kNoSegment;
    uint32_t live = 0;        // when it was picked
    bool unreadable = false;  // some of it
    bool left = false;        // some of it, for want of room
    std::vector<MovedBlock> copies;
  };
  using Victims = std::vector<std::unique_ptr<Victim>>;

  bool Short() const;   // a run should go on
  bool Urgent() const;  // writes wait, or soon will
  uint32_t SoonFree() const;
  uint32_t Emptied() const;  // segments that wait for a checkpoint, or for a fold and a checkpoint
  Task<void> Run();
  // Until something has been gained. False: there was nothing that would help.
  Task<Result<bool>> Round();
  Task<void> EndRun();
  bool CheckpointIsDue() const;
  void StartCheckpoint();
  Task<void> RunCheckpoint();
  Task<Result<bool>> Checkpoint();
  void StartVictims();
  // Whether there is room for what lives in one more victim beside those in hand.
  bool HasRoomFor(uint32_t live) const;
  Task<void> Empty(std::unique_ptr<Victim> victim);
  Task<Status> Clean(Victim& victim, std::span<std::byte> image);
  // The blocks of a segment that live, ascending by place, from its image; with their deaths, when they are history.
  Task<Result<std::vector<MovedBlock>>> Survey(uint32_t segment, std::span<const std::byte> image);
  // Copies blocks as far as there is room; those copied have `to` set.
  Task<Status> Copy(std::span<MovedBlock> blocks, std::span<const std::byte> image);
  void LeaveIfStuck(const Victim& victim);
  bool MakeRoom();
  DiskMemory TakeMemory();
  void Answer(const Status& status);
  void AnswerDrain(const Status& status);
  // A segment of a device that is being emptied, as long as there is more room than others need.
  uint32_t PickDraining() const;
  // Something has ended since the last one, or does.
  Task<void> Event();
  void Changed();

  LogPool& pool_;
  io::Disk& disk_;
  const Superblock superblock_;
  SegmentTable& segments_;
  SpaceMarks marks_;
  const uint32_t least_gain_;
  MovedWriter writer_;
  std::vector<DiskMemory> memory_;  // of segments; spare, and only during a run
  uint32_t copying_ = 0;        // victims
  uint64_t copying_live_ = 0;   // their live blocks
  // Victims being copied were found to live in maps that knew the log up to these entries.
  std::multiset<SequenceNumber> surveys_;
  Victims copied_, folding_;    // victims whose copies wait for a fold, and those that are in one
  uint32_t checkpointing_ = 0;  // checkpoints under way
  uint32_t held_ = 0;           // empty segments that the last checkpoint could not bring back: somebody needs them
  bool progress_ = false, event_ = false;
  bool hurried_ = false;  // it was urgent when victims were last picked
  Status failure_;
  std::move_only_function<void()> changed_;  // Round waits
  std::vector<std::move_only_function<void(Status)>> waiting_, drain_waiting_;
  bool running_ = false, stopping_ = false;
  std::move_only_function<void()> stopped_;  // Stop waits for the end of a run
  SequenceNumber hopeless_at_ = 0;  // the log's last entry when a run found nothing that could come back; 0: it did
  uint64_t moved_blocks_ = 0;
};

}  // namespace lockstep::logstore
