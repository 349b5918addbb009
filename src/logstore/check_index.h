// A walk over the whole index that holds the counts, which folds and moves keep up to date, against what is there, and
// what is there against what volumes and points hold.
#pragma once

#include <map>

#include "logstore/index.h"
#include "logstore/logstore.h"

namespace lockstep::logstore {

// What the index should hold.
struct HeldLayers {
  std::map<LayerId, Layer> layers;
  SweepWork to_sweep;  // what it may hold besides
};

// Blocking. An error only when the index cannot be read. REQUIRES: `held` is of the moment of the index's last fold.
Result<CheckReport> CheckIndex(const Index& index, const Superblock& superblock, const HeldLayers& held);

}  // namespace lockstep::logstore
