// A layer and its ancestors as a reader sees them, and looking through them in the index.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "logstore/index.h"

namespace lockstep::logstore {

// A layer, and the position as of which it is looked through.
struct LayerView {
  LayerId layer = kNoLayer;
  SequenceNumber at = kNow;
  uint64_t shortcuts = 0;  // Layer::shortcuts
  bool settled = false;    // nothing had been written to it behind the position when the chain was made
};
// The topmost first, up to one whose shortcuts lead past all others.
using ViewChain = std::vector<LayerView>;
ViewChain ChainOf(const std::map<LayerId, Layer>& layers, LayerId layer, SequenceNumber at);
inline ViewChain ChainOf(const Structure& structure, LayerId layer, SequenceNumber at) {
  return ChainOf(structure.layers(), layer, at);
}

// Records that have been read on the way.
using ReadRecords = std::vector<std::pair<ChunkKey, ChunkVersions>>;

// As Index::Lookup, for all of the chain; the blocks that nobody holds stay as they are. Adds the chain's records that
// it reads to `records`, if that is not null. Blocking.
Status LookupView(const Index& index, const ViewChain& chain, uint64_t chunk, uint16_t& wanted, ChunkVersions& to,
                  ReadRecords* records = nullptr);

// The version that the shortcut of a block leads to: its current one, or one of its history. `record` is the holder's
// record of the chunk. corrupted: it leads nowhere.
Result<Version> VersionOf(const Index& index, const Holder& holder, uint64_t block, const ChunkVersions& record,
                          Index::Tier tier);

// Chunks in [first, last] that anything in the chain knows of, ascending. `last` is lowered to where the answer is
// whole: each layer is asked for at most `limit`. Blocking.
Result<std::vector<uint64_t>> ChunksOf(const Index& index, const ViewChain& chain, uint64_t first, uint64_t& last,
                                       size_t limit);

// Who holds the blocks of a chunk, as a shortcut of a layer on top of the chain says it. Blocking. REQUIRES: the index
// was frozen when the chain was made.
Result<Shortcut> HoldersIn(const Index& index, const ViewChain& chain, uint64_t chunk);

}  // namespace lockstep::logstore
