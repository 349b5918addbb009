// What a view holds over a long range, from the index alone.
#pragma once

#include <utility>
#include <vector>

#include "block/types.h"
#include "logstore/index.h"

namespace lockstep::logstore {

// A layer and its ancestors, each with the position as of which it is seen; the topmost first.
using ViewChain = std::vector<std::pair<LayerId, SequenceNumber>>;
ViewChain ChainOf(const Structure& structure, LayerId layer, SequenceNumber at);

// Extents that cover blocks [first, end) in order, at most `limit`, at the cost of what is allocated. Blocking.
Result<std::vector<block::Extent>> ScanExtents(const Index& index, const ViewChain& chain, uint64_t first, uint64_t end,
                                               size_t limit);

}  // namespace lockstep::logstore
