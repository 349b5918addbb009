// One record of the index: where the kChunkBlocks blocks of one chunk of one layer are now. Runs of blocks written
// together take 15 bytes and 4 more for each block's checksum, so a chunk written at once takes 79 bytes and one
// scattered block 19.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "logstore/format.h"

namespace lockstep::logstore {

inline constexpr uint32_t kChunkBlocks = 16;
inline constexpr uint64_t kHole = 0;  // a location that no data has: block 0 of the device is the superblock

// What a block of a layer is: written as entry `birth`, its data at block `location` of the device; or a hole.
struct Version {
  SequenceNumber birth = 0;  // 0: the layer holds nothing here
  uint64_t location = kHole;
  uint32_t crc = 0;

  bool exists() const { return birth != 0; }
  bool is_data() const { return birth != 0 && location != kHole; }
  bool operator==(const Version&) const = default;
};

using ChunkVersions = std::array<Version, kChunkBlocks>;

// Empty when no slot exists.
std::string EncodeMapRecord(const ChunkVersions& versions);
// Replaces every slot of `to`. corrupted when the bytes are none of ours; then `to` is empty.
Status DecodeMapRecord(std::string_view bytes, ChunkVersions& to);

}  // namespace lockstep::logstore
