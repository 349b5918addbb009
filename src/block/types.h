// The words that every engine, target and copier shares.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/uuid.h"

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

struct VolumeInfo {
  VolumeId id;
  uint64_t size = 0;  // bytes, multiple of kBlockSize
  // Bytes that the volume itself holds, not counting what it shares through a clone. An engine may count the newest
  // writes late; Pool::Flush brings the figure up to date.
  uint64_t used = 0;
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
  uint64_t live = 0;           // bytes that volumes and points hold, as of the last fold
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
