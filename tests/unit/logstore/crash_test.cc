// Goal: prove that the engine loses something. Histories of writes, holes, flushes and every kind of transaction are
// cut by power failures, at every single I/O or at random ones, with the caches torn apart from a seed; what a restart
// finds is held against the model of pool_model.h.
#include <gtest/gtest.h>

#include "tests/unit/logstore/crash_everywhere.h"

namespace lockstep::test {
namespace {

TEST(CrashEverywhere, Writes) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    for (uint32_t i = 0; i < 8; ++i) n.Write(i % 2 ? ids.a : ids.b, i * 4, 1 + i % 3, 300 + i);
    n.Flush();
    for (uint32_t i = 0; i < 4; ++i) n.Write(ids.a, i, 1, 400 + i);
    n.Settle();
  });
}
TEST(CrashEverywhere, Holes) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    n.Write(ids.a, 1, 30, 0);
    n.Write(ids.a, 5, 2, 500);
    n.Write(ids.b, 0, kBlocks, 0);
    n.Flush();
  });
}
TEST(CrashEverywhere, CreateDeleteResize) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    (void)n.Apply({block::CreateVolume{ids.c, 4 * kBlockSize}, block::ResizeVolume{ids.a, (kBlocks + 8) * kBlockSize}});
    n.Write(ids.a, kBlocks, 1, 600);
    n.Settle();
    (void)n.Apply({block::DeleteVolume{ids.b}, block::DeleteVolume{ids.c}});
  });
}
TEST(CrashEverywhere, MakeSmaller) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    n.Write(ids.a, 20, 8, 610);
    (void)n.Apply({block::ResizeVolume{ids.a, 10 * kBlockSize}, block::ResizeVolume{ids.b, 4 * kBlockSize}});
    (void)n.Apply({block::ResizeVolume{ids.a, kBlocks * kBlockSize}});
    n.Write(ids.a, 30, 2, 611);
    n.Flush();
  });
}
TEST(CrashEverywhere, GroupSnapshot) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    n.Write(ids.a, 0, 2, 700);
    n.Write(ids.b, 0, 2, 701);
    (void)n.Apply({block::TakePoint{ids.q, {ids.a, ids.b}}, block::Clone{ids.q, ids.a, ids.c, 0},
                   block::Clone{ids.q, ids.b, ids.d, 0}});
    n.Settle();
  });
}
TEST(CrashEverywhere, RevertAndRelease) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    (void)n.Apply({block::SetContent{ids.a, ids.p, ids.a}, block::SetContent{ids.b, ids.p, ids.a}});
    (void)n.Apply({block::ReleasePoint{ids.p}});
    n.Flush();
  });
}
TEST(CrashEverywhere, GivingBackWhatNothingHolds) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    n.Write(ids.a, 0, kBlocks, 800);  // behind the point
    (void)n.Apply({block::TakePoint{ids.q, {ids.a}}});
    n.Write(ids.a, 5, 30, 801);
    n.Settle();
    (void)n.Apply({block::SetContent{ids.a, ids.p, ids.a}, block::DeleteVolume{ids.b}});
    n.AwaitSwept();
    (void)n.Apply({block::ReleasePoint{ids.q}});
    n.AwaitSwept();
    n.Flush();
  });
}
TEST(CrashEverywhere, CopyUp) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    (void)n.Apply({block::Clone{ids.p, ids.a, ids.c, 0}});
    (void)n.CopyUp(ids.c);
    n.Flush();
  });
}
TEST(CrashEverywhere, Cleaning) {
  // Ten segments of 64 blocks. The point keeps blocks alive all over them, so they do not die by themselves.
  bool moved = false;
  CrashEverywhere(
      [&moved](Node& n, const Ids& ids) {
        for (uint32_t i = 0; i < 150 && n.moved() == 0; ++i) {
          n.Write(i % 2 ? ids.a : ids.b, i * 7 % (kBlocks - 2), 2, 300 + i);
          if (i == 20) (void)n.Apply({block::TakePoint{ids.q, {ids.a}}});
          n.Settle();
        }
        moved = moved || n.moved() != 0;
        n.Flush();
      },
      (1 << 20) + 10 * (256 << 10), 256 << 10);
  EXPECT_TRUE(moved);
}
TEST(CrashEverywhere, Reopening) {
  // The recovery itself is cut, again and again, and the one after it.
  std::vector<Step> history;
  size_t certain = 0;
  sim::ForEachCrashPoint(
      {.seed = 12},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        history.clear();
        Node::Format(env);
        {
          Node node(env, &history);
          ASSERT_TRUE(node.Open().ok());
          const Ids ids(env);
          ASSERT_TRUE(node.Apply({block::CreateVolume{ids.a, kBlocks * kBlockSize}}).ok());
          for (uint32_t i = 0; i < 60; ++i) node.Write(ids.a, i % kBlocks, 1, 100 + i), node.Settle();
          ASSERT_TRUE(node.Apply({block::TakePoint{ids.p, {ids.a}}}).ok());
          certain = node.certain();
        }
        env.Crash();
        point.Arm();
        Node node(env, &history);
        (void)node.Open();
      },
      [&](sim::SimEnv& env, bool) { ExpectPrefix(env, history, certain); });
}

// A random history of several lives.
class RandomLife {
 public:
  RandomLife(uint64_t seed, sim::SimLoop::Order order) : random_(seed), env_(seed * 7919, order) {
    env_.set_disk_timing({.shuffled = order == sim::SimLoop::Order::kShuffled});
  }

  void Run() {
    Node::Format(env_);
    for (int life = 0; life < 5 && !testing::Test::HasFatalFailure(); ++life) {
      Live();
      env_.Crash();
      ExpectPrefix(env_, history_, certain_);
      certain_ = history_.size();  // opening makes durable what it has found
      if (random_.OneIn(3)) env_.Crash();
    }
  }

 private:
  void Live() {
    Node node(env_, &history_);
    const Status opened = node.Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    now_ = {};
    for (const Step& s : history_) Advance(now_, s);
    env_.faults().CutPowerAt(1 + random_.Below(120));
    for (int i = 0; i < 400 && !env_.faults().power_is_cut(); ++i) {
      const size_t before = history_.size();
      Act(node);
      for (size_t s = before; s < history_.size(); ++s) Advance(now_, history_[s]);
    }
    node.Settle();
    certain_ = std::max(certain_, node.certain());
  }

  void Act(Node& node) {
    const uint64_t what = random_.Below(20);
    if (now_.volumes.empty() || (what == 0 && now_.volumes.size() < 5)) {
      (void)node.Apply({block::CreateVolume{{env_.random().NextUuid()}, kBlocks * kBlockSize}});
    } else if (what == 1) {
      node.Flush();
    } else if (what == 2) {
      block::TakePoint take{{env_.random().NextUuid()}, {}};
      for (const auto& [id, v] : now_.volumes)
        if (take.volumes.empty() || random_.OneIn(2)) take.volumes.push_back(id);
      (void)node.Apply({take});
    } else if (what <= 5 && !now_.points.empty()) {
      ActOnPoint(node, what);
    } else if (what == 6 && now_.volumes.size() > 2) {
      (void)node.Apply({block::DeleteVolume{AnyVolume()}});
    } else if (what == 7) {
      (void)node.CopyUp(AnyVolume());
    } else {
      const uint64_t first = random_.Below(kBlocks), count = 1 + random_.Below(std::min<uint64_t>(20, kBlocks - first));
      node.Write(AnyVolume(), first, count, random_.OneIn(6) ? 0 : ++tag_);
      if (random_.OneIn(3)) node.Settle();
    }
  }
  void ActOnPoint(Node& node, uint64_t what) {
    auto point = now_.points.begin();
    std::advance(point, static_cast<long>(random_.Below(now_.points.size())));
    const block::VolumeId source = point->second.begin()->first;
    if (what == 3 && now_.points.size() > 2)
      (void)node.Apply({block::ReleasePoint{point->first}});
    else if (what == 4 && now_.volumes.size() < 6)
      (void)node.Apply({block::Clone{point->first, source, {env_.random().NextUuid()}, 0}});
    else
      (void)node.Apply({block::SetContent{AnyVolume(), point->first, source}});
  }
  block::VolumeId AnyVolume() {
    auto it = now_.volumes.begin();
    std::advance(it, static_cast<long>(random_.Below(now_.volumes.size())));
    return it->first;
  }

  sim::SimRandom random_;
  sim::SimEnv env_;
  std::vector<Step> history_;
  PoolModel now_;
  size_t certain_ = 0;
  uint32_t tag_ = 0;
};

// A pool so small that what dies has to come back all the time, and often does not suffice: 24 segments of 64 blocks
// for up to five volumes of 40 blocks, their clones and their points.
class SmallPool {
 public:
  SmallPool(uint64_t seed, sim::SimLoop::Order order) : random_(seed), env_(seed * 104'729, order) {
    env_.set_disk_timing({.shuffled = order == sim::SimLoop::Order::kShuffled});
  }

  void Run() {
    Node::Format(env_, (1 << 20) + 24 * (256 << 10), 256 << 10);
    for (int life = 0; life < 4 && !testing::Test::HasFatalFailure(); ++life) {
      Live();
      env_.Crash();
      ExpectPrefix(env_, history_, certain_);
      certain_ = history_.size();
      if (!testing::Test::HasFatalFailure() && random_.OneIn(2)) ExpectRebuildable(env_, history_);
    }
  }
  uint64_t moved() const { return moved_; }

 private:
  template <typename Map>
  typename Map::key_type AnyOf(const Map& map) {
    auto it = map.begin();
    std::advance(it, static_cast<long>(random_.Below(map.size())));
    return it->first;
  }
  void Live() {
    Node node(env_, &history_);
    const Status opened = node.Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    PoolModel now;
    for (const Step& s : history_) Advance(now, s);
    env_.faults().CutPowerAt(300 + random_.Below(1500));
    for (int i = 0; i < 1500 && !env_.faults().power_is_cut(); ++i) {
      const size_t before = history_.size();
      Act(node, now);
      for (size_t s = before; s < history_.size(); ++s) Advance(now, history_[s]);
    }
    node.Settle();
    moved_ += node.moved();
    certain_ = std::max(certain_, node.certain());
  }
  void Act(Node& node, const PoolModel& now) {
    const uint64_t what = random_.Below(60);
    if (what < 6) node.Settle();  // a transaction may overtake writes that wait for space
    if (now.volumes.size() < 3) {
      (void)node.Apply({block::CreateVolume{{env_.random().NextUuid()}, kBlocks * kBlockSize}});
    } else if (what < 2 && now.points.size() < 6) {
      block::TakePoint take{{env_.random().NextUuid()}, {}};
      for (const auto& [id, v] : now.volumes)
        if (take.volumes.empty() || random_.OneIn(2)) take.volumes.push_back(id);
      (void)node.Apply({take});
    } else if (what < 4 && now.points.size() > 2) {
      (void)node.Apply({block::ReleasePoint{AnyOf(now.points)}});
    } else if (what == 4 && !now.points.empty() && now.volumes.size() < 5) {
      const auto point = now.points.find(AnyOf(now.points));
      (void)node.Apply({block::Clone{point->first, point->second.begin()->first, {env_.random().NextUuid()}, 0}});
    } else if (what == 5 && now.volumes.size() > 3) {
      (void)node.Apply({block::DeleteVolume{AnyOf(now.volumes)}});
    } else if (what == 6) {
      node.Flush();
    } else if (what == 7) {
      (void)node.CopyUp(AnyOf(now.volumes));
    } else {
      const uint64_t first = random_.Below(kBlocks), count = 1 + random_.Below(std::min<uint64_t>(8, kBlocks - first));
      node.Write(AnyOf(now.volumes), first, count, random_.OneIn(12) ? 0 : ++tag_);
      if (random_.OneIn(3)) node.Settle();
    }
  }
  sim::SimRandom random_;
  sim::SimEnv env_;
  std::vector<Step> history_;
  size_t certain_ = 0;
  uint32_t tag_ = 0;
  uint64_t moved_ = 0;
};

class SmallPools : public testing::TestWithParam<uint64_t> {};

TEST_P(SmallPools, GiveSpaceBackAndSurvivePowerCuts) {
  uint64_t moved = 0;
  for (uint64_t seed = GetParam() * 2; seed < GetParam() * 2 + 2; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SmallPool pool(seed, seed % 2 ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled);
    pool.Run();
    moved += pool.moved();
    if (HasFailure()) return;
  }
  EXPECT_GT(moved, 0u) << "nothing was cleaned, so nothing was tried";
}
INSTANTIATE_TEST_SUITE_P(Seeds, SmallPools, testing::Range<uint64_t>(1, 9));

class RandomHistories : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomHistories, SurvivePowerCuts) {
  for (uint64_t seed = GetParam() * 5; seed < GetParam() * 5 + 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomLife(seed, seed % 2 ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled).Run();
    if (HasFailure()) return;
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomHistories, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace lockstep::test
