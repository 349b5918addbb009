// Reading a pool without opening it: what its device and its index say, and what is wrong with them. Changes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/task.h"
#include "io/disk.h"
#include "logstore/anchor.h"
#include "logstore/device_set.h"
#include "logstore/index.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

struct InspectedSegment {
  enum class Kind : uint8_t { kUnused, kLog, kMoved };
  uint32_t segment = 0;
  Kind kind = Kind::kUnused;
  bool in_use = false;  // by the index, or without one by the anchor; or the log has been there since
  uint32_t batches = 0, entries = 0, blocks = 0;
  uint32_t bad_blocks = 0;               // whose data does not match its checksum, whether anything needs it or not
  SequenceNumber first = 0, newest = 0;  // of the log's: the first entry, the last; of moved blocks: births
};

struct InspectedIndex {
  uint64_t number = 0;
  LogPosition position;               // everything in the log before it is in the index
  uint64_t current = 0, history = 0;  // blocks
};

struct Inspection {
  Superblock superblock;
  uint32_t version = 0;  // of the format that it was read in
  std::vector<DeviceRecord> devices;
  std::vector<std::string> paths;       // theirs
  std::optional<AnchorPlace> anchor;    // none: the log is whole, and everything follows from it
  std::optional<InspectedIndex> index;  // none: there is none, or it is of no use
  LogPosition log_from, log_to;         // the part of the log that is followed
  uint64_t log_batches = 0;
  Structure structure;  // at its end
  std::vector<InspectedSegment> segments;
  std::vector<std::string> problems;  // sentences; none: nothing is wrong
  uint64_t more_problems = 0;         // that are not told
};

struct PoolDevices;

// On the disks' loop, which is blocked while the index is read: for a program that does nothing else. Without an index
// the devices alone are looked at. An error only when there is no pool to be read. REQUIRES: nobody writes to the disks
// or the index meanwhile.
Task<Result<Inspection>> Inspect(PoolDevices& pool, const Index* index);

}  // namespace lockstep::logstore
