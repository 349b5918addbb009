#include "logstore/block_map.h"

#include <bit>

#include "logstore/view.h"

namespace lockstep::logstore {

Status BlockMap::Record(const ChunkKey& key, Index::Tier tier, ChunkVersions& to) {
  if (tier == Index::Tier::kDisk) return index_->LookupRecord(key, tier, to);
  if (const ChunkVersions* record = records_.Find(key)) {
    to = *record;
    return {};
  }
  LS_RETURN_IF_ERROR(index_->LookupRecord(key, tier, to));
  records_.Put(key, to);
  return {};
}

Status BlockMap::LookupIndex(const ChunkKey& key, SequenceNumber at, const Layer* layer, uint16_t& wanted,
                             Index::Tier tier, ChunkVersions& to) {
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
  // Where nothing was written later, there is no history that was seen then and is not seen now.
  const bool settled = at == kNow || (layer && at >= layer->written);
  if (left != 0 && !settled) LS_RETURN_IF_ERROR(index_->Lookup(key, at, tier, left, to));
  wanted = left;
  return {};
}

Status BlockMap::FollowShortcut(const ChunkKey& key, uint16_t wanted, Index::Tier tier, ChunkVersions& to) {
  Shortcut shortcut;
  if (tier == Index::Tier::kDisk || !shortcuts_.Find(key, shortcut)) {
    LS_RETURN_IF_ERROR(index_->LookupShortcut(key, tier, shortcut));
    if (tier != Index::Tier::kDisk) shortcuts_.Put(key, shortcut);
  }
  LayerId loaded = kNoLayer;
  ChunkVersions record;
  for (; wanted != 0; wanted &= static_cast<uint16_t>(wanted - 1)) {
    const auto slot = static_cast<uint32_t>(std::countr_zero(wanted));
    const Holder& holder = shortcut[slot];
    if (holder.layer == kNoLayer) continue;
    if (holder.layer != loaded) LS_RETURN_IF_ERROR(Record({holder.layer, key.chunk}, tier, record));
    loaded = holder.layer;
    LS_ASSIGN_OR_RETURN(to[slot], VersionOf(*index_, holder, key.chunk * kChunkBlocks + slot, record, tier));
  }
  return {};
}

void BlockMap::Forget(const std::vector<ChunkKey>& changed) {
  ++forgotten_;
  for (const ChunkKey& key : changed) records_.Forget(key);
}

Status BlockMap::Resolve(const Structure& structure, LayerId layer, SequenceNumber at, uint64_t chunk, uint16_t wanted,
                         Index::Tier tier, ChunkVersions& to) {
  while (layer != kNoLayer && wanted != 0) {
    const ChunkKey key{layer, chunk};
    const Layer* l = structure.FindLayer(layer);
    active_->Lookup(key, at, wanted, to);
    if (frozen_ && wanted != 0) frozen_->Lookup(key, at, wanted, to);
    if (wanted != 0) LS_RETURN_IF_ERROR(LookupIndex(key, at, l, wanted, tier, to));
    if (!l) break;  // a read that began before its layer died
    // What shortcuts lead to has been folded long ago.
    if (wanted != 0 && chunk < l->shortcuts) return FollowShortcut(key, wanted, tier, to);
    at = l->parent_at;
    layer = l->parent;
  }
  return {};
}

Status BlockMap::ResolveOwn(LayerId layer, uint64_t chunk, uint16_t wanted, Index::Tier tier, ChunkVersions& to) {
  const ChunkKey key{layer, chunk};
  active_->Lookup(key, kNow, wanted, to);
  if (frozen_ && wanted != 0) frozen_->Lookup(key, kNow, wanted, to);
  if (wanted != 0) LS_RETURN_IF_ERROR(LookupIndex(key, kNow, nullptr, wanted, tier, to));
  return {};
}

void BlockMap::Freeze() {
  LS_ASSERT(!frozen_);
  frozen_ = std::move(active_);
  active_ = std::make_unique<Overlay>();
}

}  // namespace lockstep::logstore
