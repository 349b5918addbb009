// How the space of a pool is told to clients; see pool_provider.cc.
#pragma once

#include <cstdint>

#include "control/control.h"

namespace lockstep::smis {

// Bytes.
struct PoolSpace {
  uint64_t size = 0;       // of the pool
  uint64_t remaining = 0;  // not in use
  uint64_t consumed = 0;   // by what comes from the pool
};
PoolSpace SpaceOf(const control::Control& control, const control::PoolView& pool);

}  // namespace lockstep::smis
