// A walk over the whole index that holds the counts, which folds and moves keep up to date, against what is there.
#pragma once

#include "logstore/index.h"
#include "logstore/logstore.h"

namespace lockstep::logstore {

// Blocking. An error only when the index cannot be read.
Result<CheckReport> CheckIndex(const Index& index, const Superblock& superblock);

}  // namespace lockstep::logstore
