#include "logstore/block_map.h"

namespace lockstep::logstore {

Status BlockMap::LookupIndex(const ChunkKey& key, SequenceNumber at, uint16_t& wanted, Index::Tier tier,
                             ChunkVersions& to) {
  // Those that wait for the disk may do so on an executor, where the cache is not theirs.
  if (tier == Index::Tier::kDisk) return index_->Lookup(key, at, tier, wanted, to);
  const ChunkVersions* record = records_.Find(key);
  if (!record) {
    ChunkVersions found;
    LS_RETURN_IF_ERROR(index_->LookupRecord(key, tier, found));
    record = &records_.Put(key, found);
  }
  uint16_t left = wanted;
  for (uint32_t slot = 0; slot < kChunkBlocks; ++slot) {
    const Version& v = (*record)[slot];
    if ((left >> slot & 1) == 0 || !v.exists() || v.birth > at) continue;
    to[slot] = v;
    left &= static_cast<uint16_t>(~(1u << slot));
  }
  if (left != 0 && at != kNow) LS_RETURN_IF_ERROR(index_->Lookup(key, at, tier, left, to));
  wanted = left;
  return {};
}

void BlockMap::Forget(const std::vector<ChunkKey>& changed) {
  for (const ChunkKey& key : changed) records_.Forget(key);
}

Status BlockMap::Resolve(const Structure& structure, LayerId layer, SequenceNumber at, uint64_t chunk, uint16_t wanted,
                         Index::Tier tier, ChunkVersions& to) {
  while (layer != kNoLayer && wanted != 0) {
    const ChunkKey key{layer, chunk};
    active_->Lookup(key, at, wanted, to);
    if (frozen_ && wanted != 0) frozen_->Lookup(key, at, wanted, to);
    if (wanted != 0) LS_RETURN_IF_ERROR(LookupIndex(key, at, wanted, tier, to));
    if (!structure.HasLayer(layer)) break;  // a read that began before its layer died
    const Layer& l = structure.layer(layer);
    at = l.parent_at;
    layer = l.parent;
  }
  return {};
}

Status BlockMap::ResolveOwn(LayerId layer, uint64_t chunk, uint16_t wanted, Index::Tier tier, ChunkVersions& to) {
  const ChunkKey key{layer, chunk};
  active_->Lookup(key, kNow, wanted, to);
  if (frozen_ && wanted != 0) frozen_->Lookup(key, kNow, wanted, to);
  if (wanted != 0) LS_RETURN_IF_ERROR(LookupIndex(key, kNow, wanted, tier, to));
  return {};
}

void BlockMap::Freeze() {
  LS_ASSERT(!frozen_);
  frozen_ = std::move(active_);
  active_ = std::make_unique<Overlay>();
}

}  // namespace lockstep::logstore
