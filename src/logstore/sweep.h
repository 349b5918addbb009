// Forgetting: what the map holds of layers that have died, of history that no position sees any more, and of what a
// deleted or reverted volume wrote behind its last point. Done in pieces, as a part of folds, so that deleting a large
// volume does not hold one up.
#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>

#include "logstore/index.h"
#include "logstore/segment_table.h"

namespace lockstep::logstore {

struct SweepPlan {
  const SweepWork& work;
  const std::map<LayerId, Layer>& layers;       // every living layer that the work names
  const std::unordered_set<LayerId>& written;   // the batch changes chunks of these: their tails wait
  const Superblock& superblock;
  size_t limit = 0;  // records to look at, about
};

// What it makes of the counts.
struct SweepChanges {
  LiveChanges& segments;
  std::unordered_map<LayerId, int64_t>& used_blocks;  // of living layers
};

// Adds to `batch` the removal of what is to be forgotten. Answers what is left to do. Blocking.
Result<SweepWork> Sweep(const SweepPlan& plan, const Index& index, Index::Batch& batch, SweepChanges changes);

}  // namespace lockstep::logstore
