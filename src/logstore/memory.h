// How the memory that a pool may take is divided. What it takes does not depend on how much its volumes map: maps are
// pages of the index in a cache, and what is not in the index yet is folded into it when it has grown to its share.
// Beside the budget, a few bytes for each segment of the device, each volume, layer and point, and the buffers of
// requests in flight.
#pragma once

#include <cstdint>

#include "logstore/logstore.h"

namespace lockstep::logstore {

inline constexpr uint64_t kLeastMemory = 16 << 20;
inline constexpr uint64_t kUsualMemory = 192 << 20;

// Sets what of `options` says how much memory is used, so that it is about `bytes` at most. REQUIRES: at least
// kLeastMemory.
void SetMemory(Options& options, uint64_t bytes);

}  // namespace lockstep::logstore
