// Moving an overlay into the index: the one place that sees what each write replaces, so it keeps the history that
// retained positions need and counts the blocks that layers map.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "logstore/index.h"
#include "logstore/overlay.h"

namespace lockstep::logstore {

// What a fold needs to know of the structure, as of the moment the overlay was frozen. Positions retained later are all
// behind everything in the overlay, so they need nothing of what the fold replaces.
struct FoldPlan {
  block::PoolId pool;
  std::map<LayerId, Layer> layers;  // those of the overlay and all their ancestors; others in the overlay are dead
  std::vector<LayerId> dropped;     // to be removed from the index
  LogPosition position;             // behind the last entry of the overlay
  std::string structure;            // empty when it has not changed since the last fold
};

struct FoldResult {
  std::unordered_map<LayerId, int64_t> used_blocks;  // change of each layer's count
};

// One atomic write to the index. Blocking. REQUIRES: the overlay is frozen; everything in it is durable on the data
// device, because the index may become durable at any time.
Result<FoldResult> Fold(const Overlay& overlay, const FoldPlan& plan, Index& index);

}  // namespace lockstep::logstore
