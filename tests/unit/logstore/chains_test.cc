// Goal: find a deep chain of clones that shows something else than what was written, or whose shortcuts lie. Chains
// are flattened under crashes at every I/O, while their layers are written to, moved by the cleaner and deleted, and
// with the index lost.
#include <gtest/gtest.h>

#include "logstore/index.h"
#include "logstore/pool.h"
#include "tests/unit/logstore/crash_everywhere.h"

namespace lockstep::test {
namespace {

const logstore::Structure& StructureOf(Node& node) {
  return static_cast<logstore::LogPool&>(node.pool()).structure();
}
size_t FlatLayers(Node& node) {
  size_t flat = 0;
  for (const auto& [id, layer] : StructureOf(node).layers()) flat += layer.shortcuts == logstore::kAllChunks;
  return flat;
}

// Clones of clones of a volume, each written to in its own way; answers the last.
block::VolumeId MakeChain(Node& node, block::VolumeId volume, uint32_t depth, bool keep) {
  sim::SimEnv& env = node.env();
  for (uint32_t i = 0; i < depth && !env.faults().power_is_cut(); ++i) {
    const block::PointId point{env.random().NextUuid()};
    const block::VolumeId clone{env.random().NextUuid()};
    std::vector<block::Change> changes;
    changes.push_back(block::TakePoint{point, {volume}});
    changes.push_back(block::Clone{point, volume, clone, 0});
    changes.push_back(block::ReleasePoint{point});
    if (!keep) changes.push_back(block::DeleteVolume{volume});
    if (!node.Apply(std::move(changes)).ok()) break;
    node.Write(clone, i * 7 % kBlocks, 1, 1000 + i);
    node.Write(clone, i * 11 % (kBlocks - 3), 3, i % 4 == 0 ? 0 : 2000 + i);
    if (keep) node.Write(volume, i * 5 % kBlocks, 1, 3000 + i);  // behind the clone, which does not see it
    node.Settle();
    volume = clone;
  }
  return volume;
}

TEST(CrashEverywhere, FlatteningAChain) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    MakeChain(n, ids.a, 6, true);
    n.AwaitFlattened();
    n.Flush();
  });
}
TEST(CrashEverywhere, FlatteningAndDeletingWhatIsBelow) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    const block::VolumeId last = MakeChain(n, ids.a, 5, false);
    n.AwaitFlattened();
    if (n.env().faults().power_is_cut()) return;
    n.Write(last, 0, 4, 77);
    (void)n.Apply({block::DeleteVolume{last}, block::ReleasePoint{ids.p}});
    n.AwaitSwept();
    n.Flush();
  });
}

class Chains : public testing::Test {
 protected:
  void SetUp() override {
    Node::Format(env_);
    node_ = std::make_unique<Node>(env_, &history_);
    ASSERT_TRUE(node_->Open().ok());
    ASSERT_TRUE(node_->Apply({block::CreateVolume{root_, kBlocks * block::kBlockSize}}).ok());
    for (uint32_t i = 0; i < 12; ++i) node_->Write(root_, i * 3, 2, 100 + i);
    node_->Settle();
  }
  void ExpectAsWritten() {
    PoolModel model;
    for (const Step& step : history_) Advance(model, step);
    const auto seen = node_->ReadAll();
    ASSERT_TRUE(seen);
    EXPECT_TRUE(*seen == model);
    node_->ExpectSound();
  }
  void Reopen() {
    node_.reset();
    node_ = std::make_unique<Node>(env_, &history_);
    const Status opened = node_->Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
  }

  sim::SimEnv env_{5};
  std::vector<Step> history_;
  std::unique_ptr<Node> node_;
  const block::VolumeId root_{env_.random().NextUuid()};
};

TEST_F(Chains, OfAHundredClonesAreFlattenedAndShowWhatWasWritten) {
  MakeChain(*node_, root_, 100, true);
  ASSERT_TRUE(node_->pool().Info().flattening);
  ExpectAsWritten();
  node_->AwaitFlattened();
  EXPECT_TRUE(StructureOf(*node_).deep().empty());
  EXPECT_EQ(FlatLayers(*node_), 100 / logstore::kMostLayers);
  ExpectAsWritten();
  // What is flat stays so, and nothing is made again.
  Reopen();
  EXPECT_EQ(FlatLayers(*node_), 100 / logstore::kMostLayers);
  node_->AwaitFlattened();
  ExpectAsWritten();
}
TEST_F(Chains, ThatAreShallowGetNoShortcuts) {
  MakeChain(*node_, root_, logstore::kMostLayers - 1, true);
  EXPECT_FALSE(node_->pool().Info().flattening);
  EXPECT_EQ(FlatLayers(*node_), 0u);
  MakeChain(*node_, root_, 1, true);  // beside them
  EXPECT_FALSE(node_->pool().Info().flattening);
}
TEST_F(Chains, GoOnWhereTheyWereWhenThePoolIsClosedMeanwhile) {
  MakeChain(*node_, root_, 9, true);
  bool begun = false;
  env_.loop().RunUntil([&] {
    for (const auto& [id, layer] : StructureOf(*node_).layers()) begun = begun || layer.shortcuts != 0;
    return begun;
  });
  ASSERT_TRUE(begun);
  EXPECT_FALSE(StructureOf(*node_).deep().empty());
  Reopen();
  ExpectAsWritten();
  node_->AwaitFlattened();
  EXPECT_EQ(FlatLayers(*node_), 2u);
  ExpectAsWritten();
}
TEST_F(Chains, KeepTheirContentWhileLayersBelowAreWrittenAndDiscarded) {
  const block::VolumeId tip = MakeChain(*node_, root_, 8, true);
  node_->AwaitFlattened();
  for (uint32_t round = 0; round < 6; ++round) {
    for (const auto& info : node_->pool().Volumes())
      if (info.id != tip) node_->Write(info.id, round * 6, 6, round % 2 ? 0 : 5000 + round);
    ASSERT_TRUE(node_->Flush());
    ExpectAsWritten();
  }
  // Those between are deleted; what the last one needs of them stays.
  for (const auto& info : node_->pool().Volumes())
    if (info.id != tip) {
      ASSERT_TRUE(node_->Apply({block::DeleteVolume{info.id}}).ok());
    }
  node_->AwaitSwept();
  ExpectAsWritten();
  ASSERT_TRUE(node_->Apply({block::DeleteVolume{tip}}).ok());
  node_->AwaitSwept();
  ASSERT_TRUE(node_->Flush());
  EXPECT_EQ(node_->pool().Info().live, 0u);
  ExpectAsWritten();
}
TEST_F(Chains, ShowHolesOverWhatIsFarBelow) {
  const block::VolumeId tip = MakeChain(*node_, root_, 8, true);
  node_->AwaitFlattened();
  node_->Write(tip, 0, kBlocks, 0);
  ASSERT_TRUE(node_->Flush());
  ExpectAsWritten();
  const block::VolumeId further = MakeChain(*node_, tip, 4, true);
  node_->AwaitFlattened();
  node_->Write(further, 3, 30, 0);
  ASSERT_TRUE(node_->Flush());
  ExpectAsWritten();
}
TEST_F(Chains, AreFlattenedAgainWhenTheIndexIsLost) {
  MakeChain(*node_, root_, 9, true);
  node_->AwaitFlattened();
  ASSERT_TRUE(node_->Flush());
  node_.reset();
  ASSERT_TRUE(logstore::Index::Destroy(env_.files(), "index").ok());
  Reopen();
  EXPECT_EQ(FlatLayers(*node_), 0u);
  ExpectAsWritten();
  node_->AwaitFlattened();
  EXPECT_EQ(FlatLayers(*node_), 2u);
  ExpectAsWritten();
}
TEST_F(Chains, AreMadeOfRevertsToo) {
  for (uint32_t i = 0; i < 10; ++i) {
    const block::PointId point{env_.random().NextUuid()};
    ASSERT_TRUE(node_->Apply({block::TakePoint{point, {root_}}, block::SetContent{root_, point, root_}}).ok());
    node_->Write(root_, i * 3, 5, 700 + i);
    node_->Settle();
  }
  node_->AwaitFlattened();
  EXPECT_EQ(FlatLayers(*node_), 2u);
  ExpectAsWritten();
}

// Random lives of a pool in which clones of clones come and go, so small that the cleaner moves what chains lead to.
class DeepLives : public testing::TestWithParam<uint64_t> {
 protected:
  void Run(uint64_t seed) {
    sim::SimRandom random(seed);
    sim::SimEnv env(seed * 6151, seed % 2 ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled);
    std::vector<Step> history;
    Node::Format(env, (1 << 20) + 28 * (256 << 10), 256 << 10);
    for (int life = 0; life < 4 && !HasFailure(); ++life) {
      size_t certain = 0;
      {
        Node node(env, &history);
        const Status opened = node.Open();
        ASSERT_TRUE(opened.ok()) << opened.ToString();
        PoolModel now;
        for (const Step& s : history) Advance(now, s);
        env.faults().CutPowerAt(400 + random.Below(1600));
        for (int i = 0; i < 1200 && !env.faults().power_is_cut(); ++i) {
          const size_t before = history.size();
          Act(env, node, random, now);
          for (size_t s = before; s < history.size(); ++s) Advance(now, history[s]);
        }
        node.Settle();
        moved_ += node.moved();
        flat_ += FlatLayers(node);
        certain = node.certain();
      }
      env.Crash();
      ExpectPrefix(env, history, certain);
      if (!HasFailure() && random.OneIn(2)) ExpectRebuildable(env, history);
    }
  }
  template <typename Map>
  static typename Map::key_type AnyOf(sim::SimRandom& random, const Map& map) {
    auto it = map.begin();
    std::advance(it, static_cast<long>(random.Below(map.size())));
    return it->first;
  }
  void Act(sim::SimEnv& env, Node& node, sim::SimRandom& random, const PoolModel& now) {
    const uint64_t what = random.Below(50);
    if (what < 8) node.Settle();
    if (now.volumes.empty()) {
      (void)node.Apply({block::CreateVolume{{env.random().NextUuid()}, kBlocks * block::kBlockSize}});
    } else if (what < 3) {
      // The newest volume is cloned, and often the one that it came from goes.
      const block::PointId point{env.random().NextUuid()};
      const block::VolumeId clone{env.random().NextUuid()};
      const block::VolumeId source = now.volumes.contains(tip_) ? tip_ : AnyOf(random, now.volumes);
      std::vector<block::Change> changes;
      changes.push_back(block::TakePoint{point, {source}});
      changes.push_back(block::Clone{point, source, clone, 0});
      if (!random.OneIn(4) || now.points.size() > 3) changes.push_back(block::ReleasePoint{point});
      if (random.OneIn(2) || now.volumes.size() > 4) changes.push_back(block::DeleteVolume{source});
      if (node.Apply(std::move(changes)).ok()) tip_ = clone;
    } else if (what == 3 && !now.points.empty()) {
      (void)node.Apply({block::ReleasePoint{AnyOf(random, now.points)}});
    } else if (what == 4 && !now.points.empty()) {
      const auto point = now.points.find(AnyOf(random, now.points));
      (void)node.Apply({block::SetContent{AnyOf(random, now.volumes), point->first, point->second.begin()->first}});
    } else if (what == 5 && now.volumes.size() > 3) {
      (void)node.Apply({block::DeleteVolume{AnyOf(random, now.volumes)}});
    } else if (what == 6) {
      node.Flush();
    } else if (what == 7 && random.OneIn(3)) {
      node.AwaitFlattened();
    } else if (what == 8 && random.OneIn(4)) {
      (void)node.CopyUp(AnyOf(random, now.volumes));
    } else {
      const uint64_t first = random.Below(kBlocks), count = 1 + random.Below(std::min<uint64_t>(6, kBlocks - first));
      node.Write(AnyOf(random, now.volumes), first, count, random.OneIn(10) ? 0 : ++tag_);
      if (random.OneIn(3)) node.Settle();
    }
  }
  block::VolumeId tip_;
  uint32_t tag_ = 0;
  uint64_t moved_ = 0, flat_ = 0;
};

TEST_P(DeepLives, ShowAPrefixOfWhatWasDone) {
  for (uint64_t seed = GetParam() * 3; seed < GetParam() * 3 + 3; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Run(seed);
    if (HasFailure()) return;
  }
  EXPECT_GT(flat_, 0u) << "nothing was flattened, so nothing was tried";
  EXPECT_GT(moved_, 0u) << "nothing was cleaned, so nothing was tried";
}
INSTANTIATE_TEST_SUITE_P(Seeds, DeepLives, testing::Range<uint64_t>(1, 7));

}  // namespace
}  // namespace lockstep::test
