// Records of the index, decoded, in front of RocksDB, whose lookups cost more than the rest of a read. Direct-mapped,
// of a fixed size. It also knows of chunks that have no record, which is what a chain of clones asks for most.
//
// On the pool's loop. A record is forgotten when a fold that changed it has ended; until then the overlay that is being
// folded is in front of it, and blocks that have moved are still at their old places too.
#pragma once

#include <algorithm>
#include <vector>

#include "logstore/index.h"

namespace lockstep::logstore {

// Of the index's cache, one part in so many holds decoded records, the rest blocks of tables.
inline constexpr size_t kRecordShare = 4;

class RecordCache {
 public:
  explicit RecordCache(size_t bytes) : slots_(std::max<size_t>(1, bytes / sizeof(Slot))) {}

  // Null when it is not here.
  const ChunkVersions* Find(const ChunkKey& key) const {
    const Slot& slot = slots_[Place(key)];
    return slot.key == key ? &slot.versions : nullptr;
  }
  const ChunkVersions& Put(const ChunkKey& key, const ChunkVersions& versions) {
    Slot& slot = slots_[Place(key)];
    slot = {key, versions};
    return slot.versions;
  }
  void Forget(const ChunkKey& key) {
    Slot& slot = slots_[Place(key)];
    if (slot.key == key) slot.key = {};
  }

 private:
  struct Slot {
    ChunkKey key;  // of no layer: nothing is here
    ChunkVersions versions;
  };
  size_t Place(const ChunkKey& key) const {
    return static_cast<size_t>(((key.chunk ^ uint64_t{key.layer} << 40) * 0x9e3779b97f4a7c15ull) >> 20) % slots_.size();
  }

  std::vector<Slot> slots_;
};

}  // namespace lockstep::logstore
