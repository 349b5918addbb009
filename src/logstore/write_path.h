// Writes, holes and flushes: requests become entries of the log. A request larger than an entry becomes several; it
// completes with the last.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/task.h"
#include "block/volume.h"
#include "logstore/log_writer.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

class LogPool;

// On the pool's loop. Entries are pooled: a write in steady state allocates nothing.
class WritePath {
 public:
  explicit WritePath(LogPool& pool);
  // REQUIRES: no request is in flight.
  ~WritePath();

  // Completes the request, never inside the call. REQUIRES: a valid kWrite, kWriteZeroes or kDiscard on the volume.
  void Write(const VolumeRecord& volume, block::Request& request);
  void Flush(block::Request& request);

  // While a range is held, writes to it wait (CopyUp moves its blocks). One range at a time.
  void Hold(block::VolumeId volume, uint64_t first_block, uint64_t blocks);
  void Unhold();
  // Queues blocks for a layer beside all holds; `done` is called when they are in the map. no-space at once, without
  // waiting for the cleaner.
  void WriteBlocks(LayerId layer, uint64_t block, std::span<const io::Buffer> buffers,
                   std::move_only_function<void(Status)> done);
  size_t in_flight() const { return in_flight_; }

 private:
  struct Piece;
  struct Held {
    block::VolumeId volume;
    uint64_t first_block = 0, blocks = 0;
    std::vector<block::Request*> waiting;
  };
  Piece& TakePiece();
  bool Holds(const VolumeRecord& volume, const block::Request& request) const;
  // What was checked when it came may have changed while it waited.
  static Status StillFits(const VolumeRecord* volume, const block::Request& request);
  Status CheckSpace(const block::Request& request) const;
  // Whether a request for which there is `room` should wait for the cleaner.
  bool MayWait(const block::Request& request, const Status& room) const;
  // Into the log, or behind those who wait for space.
  void Queue(const VolumeRecord& volume, block::Request& request);
  void WaitForSpace();
  void GoOn(const Status& freed);
  void Enter(LayerId layer, block::Request& request);
  void QueueData(LayerId layer, block::Request& request);
  void QueueHoles(LayerId layer, block::Request& request);
  // A long hole becomes several requests, one after the other, so that folds keep up and take little at a time.
  Task<void> PunchInParts(block::VolumeId id, block::Request& request);
  void PieceDone(Piece& piece);
  void RequestDone(block::Request& request);
  void CompleteLater(block::Request& request, Status status);

  LogPool& pool_;
  std::vector<std::unique_ptr<Piece>> pieces_;
  Piece* free_ = nullptr;
  std::unique_ptr<Held> held_;
  struct Waiting {
    block::VolumeId volume;
    block::Request* request;
  };
  std::deque<Waiting> waiting_;  // for space, in the order in which they came
  size_t in_flight_ = 0;
};

}  // namespace lockstep::logstore
