// Crashing at every single I/O of an operation.
#pragma once

#include <functional>
#include <vector>

#include "sim/crash_points.h"
#include "tests/unit/logstore/crash_node.h"

namespace lockstep::test {

struct Ids {
  block::VolumeId a, b, c, d;
  block::PointId p, q;
  explicit Ids(sim::SimEnv& env)
      : a{env.random().NextUuid()},
        b{env.random().NextUuid()},
        c{env.random().NextUuid()},
        d{env.random().NextUuid()},
        p{env.random().NextUuid()},
        q{env.random().NextUuid()} {}
};

// Prepares two volumes with content and a point, then crashes at I/O 1, 2, 3, ... of `operation`, and once not at all.
inline void CrashEverywhere(const std::function<void(Node&, const Ids&)>& operation, uint64_t disk_size = 64 << 20,
                            uint64_t segment_size = 512 << 10) {
  std::vector<Step> history;
  size_t certain = 0;
  sim::ForEachCrashPoint(
      {.seed = 11},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        history.clear();
        Node::Format(env, disk_size, segment_size);
        Node node(env, &history);
        ASSERT_TRUE(node.Open().ok());
        const Ids ids(env);
        const uint64_t size = kBlocks * kBlockSize;
        ASSERT_TRUE(node.Apply({block::CreateVolume{ids.a, size}, block::CreateVolume{ids.b, size}}).ok());
        for (uint32_t i = 0; i < 10; ++i) node.Write(i % 2 ? ids.a : ids.b, i * 3, 3, 100 + i);
        node.Settle();
        ASSERT_TRUE(node.Apply({block::TakePoint{ids.p, {ids.a, ids.b}}}).ok());
        node.Write(ids.a, 2, 5, 200);
        ASSERT_TRUE(node.Flush());
        point.Arm();
        operation(node, ids);
        certain = node.certain();
      },
      [&](sim::SimEnv& env, bool) {
        ExpectPrefix(env, history, certain);
        ExpectRebuildable(env, history);
      });
}

}  // namespace lockstep::test
