// Forgetting: what the map holds of layers that have died, and of history that no position sees any more. Done in
// pieces, as a part of folds, so that deleting a large volume does not hold one up.
#pragma once

#include <map>
#include <vector>

#include "logstore/index.h"
#include "logstore/segment_table.h"

namespace lockstep::logstore {

struct SweepWork {
  std::vector<LayerId> dropped;
  std::vector<DeathSpan> forgotten;
  bool empty() const { return dropped.empty() && forgotten.empty(); }
};

// Adds to `batch` the removal of about `limit` records at most, and to `changes` what that makes of the segments.
// `layers` holds every living layer that a span names. Answers what is left to do. Blocking.
Result<SweepWork> Sweep(const SweepWork& work, const std::map<LayerId, Layer>& layers, const Superblock& superblock,
                        size_t limit, const Index& index, Index::Batch& batch, LiveChanges& changes);

}  // namespace lockstep::logstore
