// The batches of one closed segment, whoever wrote it, from its first block on.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/task.h"
#include "io/disk.h"
#include "logstore/format.h"

namespace lockstep::logstore {

struct SegmentBatch {
  BatchHeader header;
  uint64_t data_location = 0;  // device block of the first data block
};

// The headers of all batches in order; data is not read. The list ends where a header does not continue the chain: what
// is behind it is left from an earlier use of the segment, or was torn. An I/O error is an error.
Task<Result<std::vector<SegmentBatch>>> ScanSegment(io::Disk& disk, const Superblock& superblock, uint32_t segment);

// The whole segment into memory: `to` has its size and is aligned for the device. At most `depth` requests in flight.
// What cannot be read becomes zeroes, which are no block that its checksum knows; answers whether there was such a
// place.
Task<bool> ReadSegment(io::Disk& disk, const Superblock& superblock, uint32_t segment, std::span<std::byte> to,
                       size_t depth);
// As ScanSegment, from memory.
std::vector<SegmentBatch> ParseSegment(const Superblock& superblock, uint32_t segment,
                                       std::span<const std::byte> bytes);

}  // namespace lockstep::logstore
