// The ordered changes to a set of volumes, from a position of the pool's log on: what a replica follows. Engines that
// keep a log offer it; from the others a replica gets points and Pool::Diff.
//
// A stream holds back the freeing of the log that the follower has not confirmed yet, up to a budget of the engine, and
// never so long that a pool would refuse writes for it. A follower that falls further behind is told so once and for
// all (invalid-state); it then takes a point, brings itself up to it with Pool::Diff, and opens a new stream there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "base/status.h"
#include "base/task.h"
#include "block/pool.h"
#include "block/types.h"

namespace lockstep::block {

struct StreamWrite {
  SequenceNumber sequence = 0;
  VolumeId volume;
  uint64_t offset = 0;              // bytes, multiple of kBlockSize
  std::span<const std::byte> data;  // whole blocks; valid until the next call of Next, or the end of the stream
  std::vector<uint32_t> crcs;       // CRC-32C of each block, as the engine verified them
};
struct StreamHole {
  SequenceNumber sequence = 0;
  VolumeId volume;
  uint64_t offset = 0;  // bytes, multiple of kBlockSize
  uint64_t length = 0;
};
// A transaction that concerns one of the volumes: those of its changes, in order, that create, delete, resize or
// replace the content of one of them, make one of them by cloning, or take a point that contains one. A point that is
// released is not told: a follower keeps its own points for as long as it wants them. Nor are windows: a point of the
// past (TakePoint::at) is told, but a follower without a window reaching there takes what is made from it as a whole.
struct StreamStructure {
  SequenceNumber sequence = 0;
  TransactionId transaction;
  std::vector<Change> changes;
};
using StreamEvent = std::variant<StreamWrite, StreamHole, StreamStructure>;

struct ChangeBatch {
  // In log order, without gaps for the volumes of the stream. Empty: only the positions below went on. Writes that
  // change nothing (an engine's copying of what a clone shares) may be among them.
  std::vector<StreamEvent> events;
  // Everything up to here that concerns the volumes has been handed out, with this batch.
  SequenceNumber upto = 0;
  // Of the pool, now: everything up to here survives a crash of it. What was handed out beyond may be lost by a crash,
  // and the same numbers then stand for something else: after the pool has been opened again, a follower goes on behind
  // the newest `durable` that it was told, and undoes what it took from beyond.
  SequenceNumber durable = 0;
};

// One owner loop, the pool's. Obtained from Pool::Changes; closed and destroyed before the pool is closed.
class ChangeStream {
 public:
  // REQUIRES: no Next is in flight. Closes it.
  virtual ~ChangeStream() = default;

  // What comes next: completed writes only. Waits at the end of the log until something happens: `upto` or `durable`
  // has grown whenever it answers. Uses a bounded amount of memory however much there is to tell. One call at a time.
  //
  // invalid-state: the follower fell behind the budget, or what it was to read had been given up when the pool was
  // opened: use Pool::Diff. cancelled: Close. corrupted: the log is damaged. These are final. io-error: reading failed;
  // the next call tries again, unless the pool has failed, which answers so when all that had completed was handed out.
  virtual Task<Result<ChangeBatch>> Next() = 0;

  // Everything up to here is where the follower wants it, and it will not ask for it again: the log up to here may go.
  // Ignored when it is less than what was confirmed before, or more than what was handed out.
  virtual void Confirm(SequenceNumber upto) = 0;

  // Holds nothing back any more; a Next in flight answers cancelled, soon. Idempotent.
  virtual void Close() = 0;
};

}  // namespace lockstep::block
