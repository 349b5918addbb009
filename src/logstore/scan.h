// What a view holds over a long range, from the index alone.
#pragma once

#include <utility>
#include <vector>

#include "block/types.h"
#include "logstore/view.h"

namespace lockstep::logstore {

// Extents that cover blocks [first, end) in order, at most `limit`, at the cost of what is allocated. Blocking.
Result<std::vector<block::Extent>> ScanExtents(const Index& index, const ViewChain& chain, uint64_t first, uint64_t end,
                                               size_t limit);

// Ranges (first block, count) in which the layer itself holds something else as of `until` than as of `after`. Both are
// retained positions, or now. Blocking.
Result<std::vector<std::pair<uint64_t, uint64_t>>> ScanChanges(const Index& index, LayerId layer, SequenceNumber after,
                                                               SequenceNumber until);

}  // namespace lockstep::logstore
