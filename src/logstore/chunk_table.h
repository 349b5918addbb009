// The overlay's table of chunks: open addressing, no erase. One cache miss for a lookup where a node-based table takes
// three; this is the hottest lookup of the write path. Values live in a buffer that only grows and goes with the table.
#pragma once

#include <memory_resource>
#include <vector>

#include "logstore/index.h"

namespace lockstep::logstore {

class ChunkTable {
 public:
  ChunkTable() : slots_(1024) {}
  ChunkTable(const ChunkTable&) = delete;
  ChunkTable& operator=(const ChunkTable&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Null when the chunk is not there.
  ChunkVersions* Find(const ChunkKey& key) const { return slots_[Probe(slots_, key)].value; }

  // Makes it when it is not there; then `fresh` is true.
  ChunkVersions& FindOrMake(const ChunkKey& key, bool& fresh) {
    size_t at = Probe(slots_, key);
    fresh = slots_[at].value == nullptr;
    if (!fresh) return *slots_[at].value;
    if (2 * (size_ + 1) > slots_.size()) {
      Grow();
      at = Probe(slots_, key);
    }
    ++size_;
    void* memory = values_.allocate(sizeof(ChunkVersions), alignof(ChunkVersions));
    slots_[at] = {key, new (memory) ChunkVersions{}};
    return *slots_[at].value;
  }

  // visit(key, versions) for every chunk, in no order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Slot& slot : slots_)
      if (slot.value) visit(slot.key, *slot.value);
  }

 private:
  struct Slot {
    ChunkKey key;
    ChunkVersions* value = nullptr;
  };
  static size_t Probe(const std::vector<Slot>& slots, const ChunkKey& key) {
    const size_t mask = slots.size() - 1;
    size_t at = static_cast<size_t>(((key.chunk ^ uint64_t{key.layer} << 40) * 0x9e3779b97f4a7c15ull) >> 20) & mask;
    while (slots[at].value && slots[at].key != key) at = (at + 1) & mask;
    return at;
  }
  void Grow() {
    std::vector<Slot> larger(slots_.size() * 2);
    for (const Slot& slot : slots_)
      if (slot.value) larger[Probe(larger, slot.key)] = slot;
    slots_.swap(larger);
  }

  std::pmr::monotonic_buffer_resource values_{64 << 10};
  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t size_ = 0;
};

}  // namespace lockstep::logstore
