// A pool: storage that volumes are drawn from, and the points that hold their past. Engines implement it; everything
// else is written against it.
//
// Structure changes only by transactions. A transaction is a list of changes that happen together or not at all, at one
// position between two writes, on disk too: after a crash either every change of it is there or none. So an operation
// on a group of a thousand volumes is atomic because it is one transaction.
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
// Reads of it never change. Stops no writer.
struct TakePoint {
  PointId point;
  std::vector<VolumeId> volumes;  // at least one, no duplicates
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

using Change = std::variant<CreateVolume, DeleteVolume, ResizeVolume, TakePoint, ReleasePoint, Clone, SetContent>;

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
  // not-found, already-exists, in-use, not-supported, no-space), but for io-error and corrupted, after which the pool
  // is failed: whether it was applied is known when the pool has been opened again.
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
  // it stays half emptied (DeviceInfo::draining) until this is called again.
  virtual Task<Status> RemoveDevice(DeviceId device, DrainOptions options);
  virtual std::vector<DeviceInfo> Devices() const { return {}; }
  // Takes leave of the pool: everything is durable, nothing is accepted any more, and the pool does not open again
  // unless as an import. `note` goes with it (too-large: beyond 1,000,000 bytes).
  virtual Task<Status> Export(std::string note);
  // What it was exported with, until it is adopted. not-found: it has not been exported.
  virtual Task<Result<std::string>> Note();
  // A pool that was opened as an import is at home here from now on. OK when it has not been exported.
  virtual Task<Status> Adopt() { co_return Status(); }

  virtual PoolInfo Info() const = 0;
  virtual std::vector<VolumeInfo> Volumes() const = 0;  // ordered by id
  virtual std::vector<PointInfo> Points() const = 0;    // ordered by position
  virtual Result<VolumeInfo> Find(VolumeId volume) const = 0;
  virtual Result<PointInfo> Find(PointId point) const = 0;
};

}  // namespace lockstep::block
