// Records of the index, decoded, in front of RocksDB, whose lookups cost more than the rest of a read. Direct-mapped,
// of a fixed size. It also knows of chunks that have no record, which is what a chain of clones asks for most; these
// take little of it.
//
// On the pool's loop. A record is forgotten when a fold that changed it has ended; until then the overlay that is
// being folded is in front of it, and blocks that have moved are still at their old places too.
#pragma once

#include <algorithm>
#include <vector>

#include "logstore/index.h"

namespace lockstep::logstore {

// Of the index's cache, one part in so many holds decoded records, the rest blocks of tables.
inline constexpr size_t kRecordShare = 4;

// Where in a direct-mapped table a key belongs, modulo its size. The chunks of a layer follow each other, so that a
// working set that fits does not get in its own way.
inline size_t CachePlace(const ChunkKey& key) {
  return static_cast<size_t>((uint64_t{key.layer} * 0x9e3779b97f4a7c15ull >> 16) + key.chunk);
}

class RecordCache {
 public:
  explicit RecordCache(size_t bytes)
      : slots_(std::max<size_t>(1, (bytes - bytes / kAbsentShare) / sizeof(Slot))),
        absent_(std::max<size_t>(1, bytes / kAbsentShare / sizeof(Absent))) {}

  // Null when it is not here.
  const ChunkVersions* Find(const ChunkKey& key) const {
    const Slot& slot = slots_[CachePlace(key) % slots_.size()];
    if (slot.key == key) return &slot.versions;
    const ChunkKey group = GroupOf(key);
    const Absent& absent = absent_[CachePlace(group) % absent_.size()];
    return absent.group == group && (absent.chunks & BitOf(key)) != 0 ? &kNothing : nullptr;
  }
  const ChunkVersions& Put(const ChunkKey& key, const ChunkVersions& versions) {
    Forget(key);
    if (versions == kNothing) {
      const ChunkKey group = GroupOf(key);
      Absent& absent = absent_[CachePlace(group) % absent_.size()];
      if (absent.group != group) absent = {group, 0};
      absent.chunks |= BitOf(key);
      return kNothing;
    }
    Slot& slot = slots_[CachePlace(key) % slots_.size()];
    slot = {key, versions};
    return slot.versions;
  }
  void Forget(const ChunkKey& key) {
    Slot& slot = slots_[CachePlace(key) % slots_.size()];
    if (slot.key == key) slot.key = {};
    const ChunkKey group = GroupOf(key);
    Absent& absent = absent_[CachePlace(group) % absent_.size()];
    if (absent.group == group) absent.chunks &= ~BitOf(key);
  }

 private:
  struct Slot {
    ChunkKey key;  // of no layer: nothing is here
    ChunkVersions versions;
  };
  struct Absent {
    ChunkKey group;       // 64 chunks that follow each other; of no layer: nothing is here
    uint64_t chunks = 0;  // those of them that have no record, as far as is known
  };
  static ChunkKey GroupOf(const ChunkKey& key) { return {key.layer, key.chunk / 64}; }
  static uint64_t BitOf(const ChunkKey& key) { return uint64_t{1} << key.chunk % 64; }
  static constexpr size_t kAbsentShare = 8;
  static constexpr ChunkVersions kNothing = {};

  std::vector<Slot> slots_;
  std::vector<Absent> absent_;
};

}  // namespace lockstep::logstore
