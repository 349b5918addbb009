// Shortcuts decoded, in front of the index, as RecordCache has its records. Most lead to one or two versions, so they
// take an eighth of what a record takes; those that lead to more are not kept. A shortcut never changes, and layers'
// numbers are not used again, so nothing is ever forgotten but for room.
//
// On the pool's loop.
#pragma once

#include <algorithm>
#include <vector>

#include "logstore/record_cache.h"

namespace lockstep::logstore {

class ShortcutCache {
 public:
  explicit ShortcutCache(size_t bytes) : slots_(std::max<size_t>(1, bytes / sizeof(Slot))) {}

  bool Find(const ChunkKey& key, Shortcut& to) const {
    const Slot& slot = slots_[Place(key)];
    if (slot.key != key) return false;
    for (uint32_t i = 0; i < kChunkBlocks; ++i) {
      const uint32_t which = slot.which >> (2 * i) & 3;
      to[i] = which == 0 ? Holder() : slot.holders[which - 1];
    }
    return true;
  }
  void Put(const ChunkKey& key, const Shortcut& shortcut) {
    Slot fresh{key, 0, {}};
    uint32_t known = 0;
    for (uint32_t i = 0; i < kChunkBlocks; ++i) {
      if (shortcut[i].layer == kNoLayer) continue;
      uint32_t which = 0;
      while (which < known && fresh.holders[which] != shortcut[i]) ++which;
      if (which == kHolders) return;
      if (which == known) fresh.holders[known++] = shortcut[i];
      fresh.which |= (which + 1) << (2 * i);
    }
    slots_[Place(key)] = fresh;
  }

 private:
  static constexpr uint32_t kHolders = 3;
  struct Slot {
    ChunkKey key;        // of no layer: nothing is here
    uint32_t which = 0;  // two bits for each block: 0 nobody, else the holder
    Holder holders[kHolders];
  };
  size_t Place(const ChunkKey& key) const { return CachePlace(key) % slots_.size(); }

  std::vector<Slot> slots_;
};

}  // namespace lockstep::logstore
