// What is drawn once for a history.
#pragma once

#include "logstore/logstore.h"
#include "sim/disk.h"
#include "sim/random.h"

namespace lockstep::simulation {

struct Shape {
  sim::DiskTiming timing;
  uint64_t segments = 0, volume_blocks = 0;
  size_t most_volumes = 0, most_points = 0, most_in_flight = 0;
  int lives = 0, acts = 0;
  logstore::Options options;
  uint64_t large_writes = 0;  // one in so many
  uint64_t settles = 0;       // after one in so many acts
  bool hot = false;           // most writes go to few blocks
  size_t more_disks = 0;      // that come and go
  bool chains = false;        // most structure is clones of clones
  bool tight = false;         // the pool is nearly full, and clones are copied up most of the time
  int torn_ends = 0;          // power cuts one after the other, each with two writes on their way
};

// `r` draws what every history has, `more` what few have: so these leave the others as they are.
Shape DrawShape(sim::SimRandom& r, sim::SimRandom& more);

}  // namespace lockstep::simulation
