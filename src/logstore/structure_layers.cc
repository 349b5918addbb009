// What is known of layers beside who they are: counts, and how deep chains of them are.
#include "logstore/structure.h"

namespace lockstep::logstore {

void Structure::AddUsedBlocks(LayerId layer, int64_t delta) {
  const auto it = layers_.find(layer);
  if (it == layers_.end() || delta == 0) return;
  it->second.used_blocks = static_cast<uint64_t>(static_cast<int64_t>(it->second.used_blocks) + delta);
  if (it->second.tops != 0) top_blocks_ = static_cast<uint64_t>(static_cast<int64_t>(top_blocks_) + delta);
}

void Structure::RestoreLayer(const LayerCounts& counts) {
  AddUsedBlocks(counts.layer, static_cast<int64_t>(counts.used));
  const auto it = layers_.find(counts.layer);
  if (it == layers_.end()) return;
  it->second.written = std::max(it->second.written, counts.written);
  it->second.shortcuts = counts.shortcuts;
}

const Layer* Structure::Wrote(LayerId layer, SequenceNumber at) {
  const auto it = layers_.find(layer);
  if (it == layers_.end()) return nullptr;
  it->second.written = std::max(it->second.written, at);
  return &it->second;
}

bool Structure::IsDeep(LayerId id) const {
  for (uint32_t seen = 1; seen <= kMostLayers; ++seen) {
    const Layer& layer = layers_.at(id);
    if (layer.flat()) return false;
    id = layer.parent;
  }
  return true;
}

void Structure::SetShortcuts(LayerId layer, uint64_t end_chunk) {
  const auto it = layers_.find(layer);
  if (it != layers_.end()) it->second.shortcuts = end_chunk;
}

}  // namespace lockstep::logstore
