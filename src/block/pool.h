// A pool: storage that volumes are drawn from, and the points that hold their past. Engines implement it; everything
// else is written against it.
//
// Structure changes only by transactions. A transaction is a list of changes that happen together or not at all, at one
// position between two writes, on disk too: after a crash either every change of it is there or none. So an operation
// on a group of a thousand volumes is atomic because it is one transaction.
//
// Space. A *version* is one block as one write (or CopyUp) made it; it takes kBlockSize bytes for as long as anything
// holds it. A volume holds its own versions: those written to it since it was created, cloned, or had its content set,
// and not written over or discarded since. It holds besides, if it was cloned or its content was set, everything that
// the source held at that point: what the volume hides by writing over it is held all the same. A point holds what each
// of its volumes held when it was taken. A volume with a window holds besides what it held at every position of it.
// Nothing else holds anything. So a version is freed when the last volume or point that holds it goes.
//
// History. A volume with a window can be gone back to: TakePoint accepts every position from VolumeInfo::history_from
// on, and the point is the same as if it had been taken there. The window begins where SetHistory opens it. From then
// on its beginning moves forward only: by TrimHistory, or by the engine itself, when the window reaches further back,
// or holds more that the volume does not show, than was asked for. It does that in steps, a little late: up to a 64th
// more than was asked for, and what a few seconds bring, may be there. New content (SetContent, a revert too) begins no
// new window: what was before can be gone back to like every write. A window ends with its volume; points that were
// taken in it stay.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "base/task.h"
#include "block/integrity.h"
#include "block/types.h"
#include "block/volume.h"
#include "io/disk.h"

namespace lockstep::block {

// A new volume, all zeroes, thin: it takes space as it is written. already-exists if the id is taken.
struct CreateVolume {
  VolumeId volume;
  uint64_t size = 0;  // bytes; multiple of kBlockSize, at least one block, at most kMaxVolumeSize
};
// Removes a volume. Points that hold its past keep holding it; clones of those are unaffected.
struct DeleteVolume {
  VolumeId volume;
};
// Makes a volume larger or smaller. What is new is zeroes; what lies beyond a new end is gone for good, but for points
// that hold it. Requests beyond it are refused from then on. A transaction that makes a volume smaller does nothing to
// it before that: makes it, replaces its content, resizes it or takes a point of it (invalid-argument).
struct ResizeVolume {
  VolumeId volume;
  uint64_t size = 0;
};
// Retains the present content of the volumes, as of this transaction's position: every write acknowledged before the
// transaction was submitted is in it, and for every write in it everything acknowledged before that one was submitted.
// Reads of it never change. Stops no writer. With `at`: as they were at that position, writes and changes up to it
// included. invalid-state: it is not in the window of one of them. The point's position is `at` then.
struct TakePoint {
  PointId point;
  std::vector<VolumeId> volumes;  // at least one, no duplicates
  SequenceNumber at = 0;          // 0: now
};
// Forgets a point; space that only it held comes back. Clones made from it live on.
struct ReleasePoint {
  PointId point;
};
// A new volume whose content is `source` as it was at `point`, writable, in constant time. Larger than the source if
// asked; the rest is zeroes.
struct Clone {
  PointId point;
  VolumeId source;    // one of the point's volumes (it may have been deleted since)
  VolumeId volume;    // the new one
  uint64_t size = 0;  // bytes; 0: as the source was at the point; never smaller
};
// Replaces the whole content of an existing volume by that of `source` at `point`, in constant time; its size becomes
// at least the source's. With source == volume this is "revert". Its own points keep its past.
struct SetContent {
  VolumeId volume;
  PointId point;
  VolumeId source;
};

// Opens the volumes' windows, changes their limits, or closes them. One that is open stays as it is but for its limits.
struct SetHistory {
  std::vector<VolumeId> volumes;  // at least one, no duplicates
  HistoryWindow window;
};
// Gives up the volume's past before `from`, which is then the beginning of its window; nothing, when that is later
// already. invalid-state: it has no window, or `from` is not in the past.
struct TrimHistory {
  VolumeId volume;
  SequenceNumber from = 0;
  io::WallTime since = {};  // when that was, if it is known: VolumeInfo::history_since
};

using Change = std::variant<CreateVolume, DeleteVolume, ResizeVolume, TakePoint, ReleasePoint, Clone, SetContent,
                            SetHistory, TrimHistory>;

struct Transaction {
  TransactionId id;             // chosen by the caller, never used twice
  std::vector<Change> changes;  // in order; a later one sees what an earlier one did; at most 50,000 objects in all
};

class ChangeStream;

// One owner loop. All methods may be called at any time; answers come on the loop.
class Pool {
 public:
  // REQUIRES: no request, task, opened volume or change stream of it is alive, and Close has ended.
  virtual ~Pool() = default;
  // Stops background work and waits for what is in flight; afterwards only destruction. Needs no flush and makes
  // nothing durable: opening again recovers either way. REQUIRES: no request or task of the caller is in flight.
  virtual Task<void> Close() { co_return; }
  virtual PoolId id() const = 0;

  // Applies a transaction. OK means: done and durable. An error means that nothing was changed (invalid-argument,
  // not-found, already-exists, in-use, invalid-state, not-supported, no-space), but for io-error and corrupted, after
  // which the pool is failed: whether it was applied is known when the pool has been opened again.
  virtual Task<Status> Apply(Transaction transaction) = 0;
  // Whether the transaction was applied; right for the last 1,024 at least. This is how a caller that wrote down what
  // it was about to do finds out after a crash whether it did it.
  virtual bool WasApplied(TransactionId id) const = 0;

  // not-found if there is none. Opening twice gives the same content.
  virtual Result<std::shared_ptr<Volume>> OpenVolume(VolumeId volume) = 0;
  // The volume as it was at the point; read-only. The point must outlive what is opened.
  virtual Result<std::shared_ptr<Volume>> OpenPoint(PointId point, VolumeId volume) = 0;

  // Extents of `volume` that may differ between two points (or between a point and now), at the cost of what changed.
  // Both points must be of this volume and no SetContent of it between them (not-supported: compare as a whole).
  // not-found: one of them is not there, or was released before the answer. Up to now: all that had changed when this
  // was asked is named, and of what changes meanwhile some may be.
  virtual Task<Result<std::vector<Extent>>> Diff(VolumeId volume, PointId from, std::optional<PointId> to) = 0;

  // The changes to `volumes`, entries `from` and later, in log order; see block/change_stream.h. To follow a point,
  // begin at its position: the transaction that took it comes first, so that what it changed behind the point is not
  // missed. A volume that does not exist (any more, or yet) may be named. invalid-state: the log does not reach back to
  // `from` any more: use Diff. invalid-argument: `from` is beyond the next entry, or no volume is named.
  // not-supported: the engine has no such log.
  virtual Result<std::unique_ptr<ChangeStream>> Changes(std::vector<VolumeId> volumes, SequenceNumber from);

  // Makes the volume's own what it still shares through its clone origin in [offset, offset + length): copies, never
  // over anything that was written to the volume itself, while I/O goes on. Answers the number of bytes copied.
  virtual Task<Result<uint64_t>> CopyUp(VolumeId volume, uint64_t offset, uint64_t length) = 0;

  // Everything acknowledged so far, of all volumes, is durable and counted (VolumeInfo::used) when this answers OK.
  virtual Task<Status> Flush() = 0;

  // Reads everything that volumes and points hold and compares it with its checksums, beside other I/O and yielding to
  // it. A bad block is counted and named, and the rest goes on. What is written after it began need not be read. An
  // error only when it cannot go on at all.
  virtual Task<Result<ScrubReport>> Scrub(ScrubOptions options) = 0;
  // Holds every count and reference that the engine keeps against what is there. Reads no data. An error only when the
  // check itself fails.
  virtual Task<Result<CheckReport>> Check() = 0;

  // What a volume takes. Costs what the volume maps, and what WouldFree costs for it. Beside other I/O, in pieces;
  // counts everything acknowledged before it was asked, as Flush does. not-found.
  virtual Task<Result<VolumeSpace>> Space(VolumeId volume) = 0;
  // What each of these removals would free, in bytes, if it and no other was made: one answer each, all for the same
  // moment. Costs, for a point, what was written over between its neighbours; for a volume, what is its own. not-found
  // when something that is named is not there.
  virtual Task<Result<std::vector<uint64_t>>> WouldFree(std::vector<Removal> removals) = 0;

  // The newest position at that time: what a window shows of it is what the volumes were then. Right within a second,
  // after a crash too, wherever a window reaches; as far as the clock was. invalid-state: before the oldest window.
  virtual Task<Result<SequenceNumber>> PositionAt(io::WallTime time);
  // About when the position was the newest; likewise.
  virtual Task<Result<io::WallTime>> TimeOf(SequenceNumber position);

  // ---- Devices. Engines that live on devices offer these; the others answer not-supported.

  // Takes in a device that holds nothing (in-use otherwise; already-exists: it is one of the pool's), while I/O goes
  // on. Durable when it answers OK; after io-error, whether it is one is known when the pool has been opened again.
  // `path` is for messages.
  virtual Task<Result<DeviceId>> AddDevice(std::unique_ptr<io::Disk> disk, std::string path);
  // Takes in what devices have become larger by. Answers the bytes that the pool has more.
  virtual Task<Result<uint64_t>> Grow();
  // Moves everything elsewhere, while I/O goes on, then forgets the device and lets its disk go. no-space: the others
  // are too small. invalid-state: it is the only one. cancelled: `go_on` said so, or the pool is being closed. After
  // an error the device is in use as before; but after a pause, and when the pool was closed or has failed meanwhile,
  // it stays half emptied (DeviceInfo::draining) until this is called again, or until opening needs its room.
  virtual Task<Status> RemoveDevice(DeviceId device, DrainOptions options);
  virtual std::vector<DeviceInfo> Devices() const { return {}; }
  // Takes leave of the pool: everything is durable, nothing is accepted any more, and the pool does not open again
  // unless as an import. `note` goes with it (too-large: beyond 500,000 bytes).
  virtual Task<Status> Export(std::string note);
  // What it was exported with, until it is adopted. not-found: it has not been exported.
  virtual Task<Result<std::string>> Note();
  // A pool that was opened as an import is at home here from now on. OK when it has not been exported.
  virtual Task<Status> Adopt() { co_return Status(); }

  // Answered at once. `live`, `mapped`, `history` and `reclaimable` are exact counts as of a position that Flush brings
  // up to date; what deleting and releasing frees is taken off a little later, see PoolInfo::freeing.
  virtual PoolInfo Info() const = 0;
  virtual std::vector<VolumeInfo> Volumes() const = 0;  // ordered by id
  virtual std::vector<PointInfo> Points() const = 0;    // ordered by position
  virtual Result<VolumeInfo> Find(VolumeId volume) const = 0;
  virtual Result<PointInfo> Find(PointId point) const = 0;
};

}  // namespace lockstep::block
