// Randomness, as handed to a node: the operating system's in production, a seeded generator in simulation.
#pragma once

#include <cstdint>

#include "base/uuid.h"

namespace lockstep::io {

// Thread-safe in production; a simulation has one thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next64() = 0;

  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next64()) * bound) >> 64);
  }
  // A random (version 4) UUID.
  Uuid NextUuid();
};

}  // namespace lockstep::io
