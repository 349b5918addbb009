#include "logstore/map_record.h"

#include <cstring>

namespace lockstep::logstore {
namespace {

// run := first-slot(4 bits) count-1(4 bits) birth(8 bytes) location(6 bytes) crc(4 bytes)*count; holes have no crc.
constexpr size_t kRunHeader = 1 + 8 + 6;
constexpr uint64_t kMaxLocation = (uint64_t{1} << 48) - 1;

bool Continues(const Version& a, const Version& b) {
  if (!b.exists() || a.birth != b.birth) return false;
  return a.is_data() ? b.location == a.location + 1 : !b.is_data();
}

}  // namespace

std::string EncodeMapRecord(const ChunkVersions& versions) {
  std::string out;
  for (uint32_t first = 0; first < kChunkBlocks;) {
    const Version& v = versions[first];
    if (!v.exists()) {
      ++first;
      continue;
    }
    uint32_t count = 1;
    while (first + count < kChunkBlocks && Continues(versions[first + count - 1], versions[first + count])) ++count;
    out.push_back(static_cast<char>(first << 4 | (count - 1)));
    out.append(reinterpret_cast<const char*>(&v.birth), 8);
    out.append(reinterpret_cast<const char*>(&v.location), 6);
    if (v.is_data())
      for (uint32_t i = 0; i < count; ++i) out.append(reinterpret_cast<const char*>(&versions[first + i].crc), 4);
    first += count;
  }
  return out;
}

Status DecodeMapRecord(std::string_view bytes, ChunkVersions& to) {
  to.fill({});
  while (!bytes.empty()) {
    const auto damaged = [&] {
      to.fill({});
      return Corrupted("a record of the index is damaged; rebuild the index from the log");
    };
    if (bytes.size() < kRunHeader) return damaged();
    const uint32_t first = static_cast<uint8_t>(bytes[0]) >> 4, count = (static_cast<uint8_t>(bytes[0]) & 15) + 1u;
    Version v;
    std::memcpy(&v.birth, bytes.data() + 1, 8);
    std::memcpy(&v.location, bytes.data() + 9, 6);
    bytes.remove_prefix(kRunHeader);
    const bool data = v.location != kHole;
    if (first + count > kChunkBlocks || v.birth == 0 || v.location + count - 1 > kMaxLocation ||
        (data && bytes.size() < count * 4))
      return damaged();
    for (uint32_t i = 0; i < count; ++i) {
      to[first + i] = v;
      if (!data) continue;
      std::memcpy(&to[first + i].crc, bytes.data() + i * 4, 4);
      to[first + i].location = v.location + i;
    }
    if (data) bytes.remove_prefix(count * 4);
  }
  return {};
}

}  // namespace lockstep::logstore
