#include "logstore/overlay.h"

#include <algorithm>

namespace lockstep::logstore {
namespace {

// Holes of up to so many chunks are written into their slots; longer ones become a range.
constexpr uint64_t kSmallHoleChunks = 64;

}  // namespace

void Overlay::Put(const Layer& layer, ChunkVersions& slots, uint64_t block, const Version& version) {
  Version& slot = slots[block % kChunkBlocks];
  if (slot.exists() && layer.Retains(slot.birth, version.birth)) {
    older_[{layer.id, block}].push_back(slot);
    ++older_count_;
  }
  slot = version;
}

void Overlay::Write(const Layer& layer, uint64_t block, const Version& version) {
  bool fresh;
  ChunkVersions& slots = chunks_.FindOrMake({layer.id, block / kChunkBlocks}, fresh);
  if (fresh) layers_.insert(layer.id);
  Put(layer, slots, block, version);
}

void Overlay::PunchSlots(const Layer& layer, uint64_t block, uint64_t count, SequenceNumber birth) {
  for (uint64_t b = block; b < block + count; ++b) Write(layer, b, {birth, kHole, 0});
}

void Overlay::PunchHole(const Layer& layer, uint64_t block, uint64_t count, SequenceNumber birth, uint64_t mapped) {
  holes_.push_back({birth, layer.id, block, count});
  const uint64_t first_whole = (block + kChunkBlocks - 1) / kChunkBlocks, end_whole = (block + count) / kChunkBlocks;
  if (first_whole + kSmallHoleChunks >= end_whole) return PunchSlots(layer, block, count, birth);
  PunchSlots(layer, block, first_whole * kChunkBlocks - block, birth);
  PunchSlots(layer, end_whole * kChunkBlocks, block + count - end_whole * kChunkBlocks, birth);
  // What is in memory already learns of the hole now, so that a slot is always newer than the ranges over it.
  const auto punch = [&](uint64_t chunk, ChunkVersions& slots) {
    for (uint32_t i = 0; i < kChunkBlocks; ++i)
      if (slots[i].exists()) Put(layer, slots, chunk * kChunkBlocks + i, {birth, kHole, 0});
  };
  if (end_whole - first_whole < chunks_.size()) {
    for (uint64_t c = first_whole; c < end_whole; ++c)
      if (ChunkVersions* slots = chunks_.Find({layer.id, c})) punch(c, *slots);
  } else {
    chunks_.ForEach([&](const ChunkKey& key, ChunkVersions& slots) {
      if (key.layer == layer.id && key.chunk >= first_whole && key.chunk < end_whole) punch(key.chunk, slots);
    });
  }
  layers_.insert(layer.id);
  ranges_[layer.id].push_back({first_whole, end_whole - 1, birth});
  ++range_count_;
  under_ += std::min(mapped, end_whole - first_whole);
}

Version Overlay::HoleOver(const ChunkKey& key, SequenceNumber at) const {
  const auto it = ranges_.find(key.layer);
  if (it == ranges_.end()) return {};
  for (auto r = it->second.rbegin(); r != it->second.rend(); ++r)
    if (r->birth <= at && r->first_chunk <= key.chunk && key.chunk <= r->last_chunk) return {r->birth, kHole, 0};
  return {};
}

Version Overlay::OlderThan(const BlockKey& key, SequenceNumber at) const {
  const auto it = older_.find(key);
  if (it == older_.end()) return {};
  for (auto v = it->second.rbegin(); v != it->second.rend(); ++v)
    if (v->birth <= at) return *v;
  return {};
}

void Overlay::Lookup(const ChunkKey& key, SequenceNumber at, uint16_t& wanted, ChunkVersions& to) const {
  const ChunkVersions* slots = chunks_.Find(key);
  const Version hole = range_count_ == 0 ? Version() : HoleOver(key, at);
  if (!slots && !hole.exists()) return;
  for (uint32_t i = 0; i < kChunkBlocks; ++i) {
    if ((wanted & (1u << i)) == 0) continue;
    Version v = slots ? (*slots)[i] : Version();
    if (v.exists() && v.birth > at) v = OlderThan({key.layer, key.chunk * kChunkBlocks + i}, at);
    if (hole.birth > v.birth) v = hole;
    if (!v.exists()) continue;
    to[i] = v;
    wanted &= static_cast<uint16_t>(~(1u << i));
  }
}

std::vector<ChunkKey> Overlay::Chunks() const {
  std::vector<ChunkKey> keys;
  keys.reserve(chunks_.size());
  chunks_.ForEach([&](const ChunkKey& key, const ChunkVersions&) { keys.push_back(key); });
  return keys;
}

void Overlay::Versions(const ChunkKey& key, uint32_t slot, std::vector<Version>& to) const {
  to.clear();
  if (const auto it = older_.find({key.layer, key.chunk * kChunkBlocks + slot}); it != older_.end()) to = it->second;
  if (const ChunkVersions* slots = chunks_.Find(key); slots && (*slots)[slot].exists()) to.push_back((*slots)[slot]);
  const auto it = ranges_.find(key.layer);
  if (it == ranges_.end()) return;
  for (const HoleRange& r : it->second)
    if (r.first_chunk <= key.chunk && key.chunk <= r.last_chunk) to.push_back({r.birth, kHole, 0});
  std::sort(to.begin(), to.end(), [](const Version& a, const Version& b) { return a.birth < b.birth; });
}

}  // namespace lockstep::logstore
