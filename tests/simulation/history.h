// One seed, one history: a machine, a pool, some lives with their faults, and the checks between them.
#pragma once

#include <cstdint>
#include <cstdio>

#include "tests/simulation/node.h"

namespace lockstep::simulation {

struct Outcome {
  Report report;
  uint64_t hash = 0, events = 0;  // of everything that happened
  bool ok() const { return report.problems.empty(); }
};

// The same seed gives the same outcome, down to the hash. `trace`: gets a line for every event; may be null.
Outcome RunHistory(uint64_t seed, std::FILE* trace);

}  // namespace lockstep::simulation
