#include "logstore/block_map.h"

namespace lockstep::logstore {

Status BlockMap::Resolve(const Structure& structure, LayerId layer, SequenceNumber at, uint64_t chunk, uint16_t wanted,
                         Index::Tier tier, ChunkVersions& to) const {
  while (layer != kNoLayer && wanted != 0) {
    const ChunkKey key{layer, chunk};
    active_->Lookup(key, at, wanted, to);
    if (frozen_ && wanted != 0) frozen_->Lookup(key, at, wanted, to);
    if (wanted != 0) LS_RETURN_IF_ERROR(index_->Lookup(key, at, tier, wanted, to));
    if (!structure.HasLayer(layer)) break;  // a read that began before its layer died
    const Layer& l = structure.layer(layer);
    at = l.parent_at;
    layer = l.parent;
  }
  return {};
}

Status BlockMap::ResolveOwn(LayerId layer, uint64_t chunk, uint16_t wanted, Index::Tier tier, ChunkVersions& to) const {
  const ChunkKey key{layer, chunk};
  active_->Lookup(key, kNow, wanted, to);
  if (frozen_ && wanted != 0) frozen_->Lookup(key, kNow, wanted, to);
  if (wanted != 0) LS_RETURN_IF_ERROR(index_->Lookup(key, kNow, tier, wanted, to));
  return {};
}

void BlockMap::Freeze() {
  LS_ASSERT(!frozen_);
  frozen_ = std::move(active_);
  active_ = std::make_unique<Overlay>();
}

}  // namespace lockstep::logstore
