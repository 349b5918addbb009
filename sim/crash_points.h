// "Crash at I/O 1, 2, 3, ... until it succeeds": runs an operation again and again on a fresh machine, cutting the
// power one change later each time, and checks what a restart finds. The method is that of SPDK's
// blob_delete_snapshot_power_failure. For GoogleTest programs.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "sim/env.h"

namespace lockstep::sim {

// Every point. Builds with sanitizers say one in so many: they are slow, and what they look for shows at most points.
#ifndef LOCKSTEP_CRASH_STEP
#define LOCKSTEP_CRASH_STEP 1
#endif
inline constexpr uint64_t kUsualStep = LOCKSTEP_CRASH_STEP;

struct CrashPoints {
  uint64_t seed = 1;
  uint64_t first = 1;      // to go straight to a crash point that failed
  uint64_t step = kUsualStep;  // more than 1 samples a long operation
  uint64_t most = 100000;  // an operation that needs more changes than this is a mistake
  SimLoop::Order order = SimLoop::Order::kAsPosted;
};

// Handed to the operation, which calls Arm() when its preparations are done: the changes are counted from there.
class CrashPoint {
 public:
  CrashPoint(SimEnv& env, uint64_t n) : env_(env), n_(n) {}
  void Arm() { env_.faults().CutPowerAt(n_); }
  uint64_t n() const { return n_; }

 private:
  SimEnv& env_;
  const uint64_t n_;
};

// operation(SimEnv&, CrashPoint&) builds a node, arms the point, runs the operation to its end (which is an error once
// the power is gone) and destroys the node. Then the machine crashes, and check(SimEnv&, bool completed) restarts a
// node and verifies; `completed` says that the operation ended before its crash point, and it is true in the last round
// and in no other. Stops at the first failure, with seed and crash point in its trace. Returns the number of the last
// point.
template <typename Operation, typename Check>
uint64_t ForEachCrashPoint(const CrashPoints& points, Operation operation, Check check) {
  for (uint64_t n = points.first; n <= points.most; n += points.step) {
    SCOPED_TRACE(testing::Message() << "power cut at change " << n << ", seed " << points.seed);
    SimEnv env(points.seed * 1000003 + n, points.order);
    CrashPoint point(env, n);
    operation(env, point);
    const bool completed = !env.faults().power_is_cut();
    if (testing::Test::HasFailure()) return n;
    env.Crash();
    check(env, completed);
    if (completed || testing::Test::HasFailure()) return n;
  }
  ADD_FAILURE() << "not complete after " << points.most << " changes, seed " << points.seed;
  return points.most;
}

}  // namespace lockstep::sim
