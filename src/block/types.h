// The words that every engine, target and copier shares.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "io/clock.h"

namespace lockstep::block {

using PoolId = Id<struct PoolTag>;
using VolumeId = Id<struct VolumeTag>;
using PointId = Id<struct PointTag>;
using TransactionId = Id<struct TransactionTag>;
using DeviceId = Id<struct DeviceTag>;

// The unit that engines store and address. Requests are multiples of it; AlignedVolume (block/align.h) accepts any byte
// range on top.
inline constexpr uint32_t kBlockSize = 4096;
inline constexpr uint64_t kMaxVolumeSize = uint64_t{1} << 50;     // 1 PiB
inline constexpr uint64_t kMaxTransferSize = uint64_t{32} << 20;  // of one read or write request

// A position in a pool's log: the number of a write or of a change, counted from 1 without gaps. 0 is before the first.
using SequenceNumber = uint64_t;

// A byte range of a volume.
struct Extent {
  uint64_t offset = 0;
  uint64_t length = 0;
  bool allocated = true;  // false: a hole, reads as zeroes, takes no space
  bool operator==(const Extent&) const = default;
};

// How much of its past a volume keeps (block/pool.h, "History"); what is reached first counts. 0 sets no limit of that
// kind, and both 0 keep nothing.
struct HistoryWindow {
  uint64_t seconds = 0;
  uint64_t bytes = 0;
  bool on() const { return seconds != 0 || bytes != 0; }
  bool operator==(const HistoryWindow&) const = default;
};

struct VolumeInfo {
  VolumeId id;
  uint64_t size = 0;  // bytes, multiple of kBlockSize
  // Bytes of the volume's own versions (block/pool.h, "Space"): what was written to it since it was made or its content
  // was set, as far as it shows it still. An engine may count the newest writes late; Pool::Flush brings the figure up
  // to date.
  uint64_t used = 0;
  HistoryWindow window = {};
  // The first position that can be gone back to, and about when it was the newest; 0 and never: it has no window.
  SequenceNumber history_from = 0;
  io::WallTime history_since = {};
};

// Exact at one moment between the question and the answer. Bytes.
struct VolumeSpace {
  uint64_t mapped = 0;  // what it shows that is not a hole
  uint64_t unique = 0;  // what deleting it, and nothing else, would free
  uint64_t shared = 0;  // of what it shows, the part that something else holds too
};

// Volumes to be deleted and points to be released together.
struct Removal {
  std::vector<VolumeId> volumes;
  std::vector<PointId> points;
};

struct PointInfo {
  PointId id;
  SequenceNumber position = 0;
  std::vector<VolumeId> volumes;  // in the order in which they were named when the point was taken
};

struct PoolInfo {
  PoolId id;
  uint64_t size = 0;           // bytes that data can take, overhead of the format excluded
  uint64_t free = 0;           // bytes that can be written before space has to come back
  uint64_t used = 0;           // size - free: live data, history, garbage that comes back, overhead
  SequenceNumber last = 0;     // newest position
  SequenceNumber durable = 0;  // newest position known to survive a power cut
  uint64_t live = 0;           // bytes of all versions that are held (block/pool.h, "Space")
  uint64_t mapped = 0;         // of them volumes' own: the sum of VolumeInfo::used
  uint64_t history = 0;        // of them no volume's own, live - mapped: what points and clones of points hold besides
  // Bytes of the device that something occupies which is not held, or is the format's own; they come back by themselves
  // when space is needed.
  uint64_t reclaimable = 0;
  // What was freed has not all been taken off yet: `live` and `history` still count some of it. Ends by itself.
  bool freeing = false;
  // Deep chains of clones are being made cheap to read through. Ends by itself.
  bool flattening = false;
  uint64_t moved = 0;          // bytes that the engine has copied to bring space back, since the pool was opened
};

struct DeviceInfo {
  DeviceId id;
  std::string path;       // as it was opened
  uint64_t size = 0;      // bytes that the pool has there
  uint64_t taken = 0;     // of them, in use: live data, garbage that comes back, overhead
  uint64_t live = 0;      // of those, live data
  bool draining = false;  // it is being emptied, to be removed
};

struct DrainReport {
  uint64_t emptied = 0;  // bytes of the device
  uint64_t total = 0;    // that were in use when it began
};
enum class DrainAnswer : uint8_t {
  kGoOn,
  kGiveUp,  // the device is in use as before
  kPause,   // it stays half emptied, also when the pool is opened again, until it is gone on with
};
struct DrainOptions {
  // Called now and then, on the pool's loop. May be null.
  std::function<DrainAnswer(const DrainReport& so_far)> go_on;
};

}  // namespace lockstep::block
