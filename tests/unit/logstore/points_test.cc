// Goal: find a point, of thousands, that does not show what was written, or whose end does not give its space back.
#include <gtest/gtest.h>

#include "logstore/index.h"
#include "logstore/pool.h"
#include "tests/unit/logstore/crash_everywhere.h"

namespace lockstep::test {
namespace {

constexpr uint32_t kPoints = 3000;

// One volume and its points, taken, read and released in random order, beside a model of all of them.
class ManyPoints : public testing::Test {
 protected:
  void SetUp() override {
    Node::Format(env_, 256 << 20);
    Reopen();
    ASSERT_TRUE(node_->Apply({block::CreateVolume{volume_, kBlocks * block::kBlockSize}}).ok());
    blocks_.assign(kBlocks, 0);
  }
  void Reopen() {
    node_.reset();
    history_.clear();
    node_ = std::make_unique<Node>(env_, &history_);
    const Status opened = node_->Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
  }
  void Write() {
    const uint64_t first = random_.Below(kBlocks), count = 1 + random_.Below(std::min<uint64_t>(3, kBlocks - first));
    const uint32_t tag = random_.OneIn(8) ? 0 : ++tag_;
    node_->Write(volume_, first, count, tag);
    for (uint64_t b = first; b < first + count; ++b) blocks_[b] = tag;
  }
  void Take() {
    const block::PointId id{env_.random().NextUuid()};
    ASSERT_TRUE(node_->Apply({block::TakePoint{id, {volume_}}}).ok());
    points_.emplace_back(id, blocks_);
  }
  void ReadAny() {
    const auto& [id, blocks] = points_[random_.Below(points_.size())];
    const auto seen = node_->ReadPoint(id, volume_);
    ASSERT_TRUE(seen);
    ASSERT_EQ(seen->blocks, blocks) << "point " << id.ToString();
  }
  void ReleaseAny() {
    std::swap(points_[random_.Below(points_.size())], points_.back());
    ASSERT_TRUE(node_->Apply({block::ReleasePoint{points_.back().first}}).ok());
    points_.pop_back();
  }
  void ExpectAllThere() {
    const auto infos = node_->pool().Points();
    ASSERT_EQ(infos.size(), points_.size());
    for (size_t i = 0; i < std::min<size_t>(200, points_.size()); ++i) ReadAny();
    node_->ExpectSound();
  }

  sim::SimRandom random_{77};
  sim::SimEnv env_{7};
  std::vector<Step> history_;
  std::unique_ptr<Node> node_;
  const block::VolumeId volume_{env_.random().NextUuid()};
  std::vector<uint32_t> blocks_;
  std::vector<std::pair<block::PointId, std::vector<uint32_t>>> points_;
  uint32_t tag_ = 0;
};

TEST_F(ManyPoints, AreTakenReadAndReleasedInRandomOrder) {
  for (uint32_t i = 0; i < kPoints && !HasFailure(); ++i) {
    Write();
    if (random_.OneIn(3)) node_->Settle();
    Take();
    if (points_.size() > kPoints / 2 || random_.OneIn(5)) ReleaseAny();
    if (random_.OneIn(4) && !points_.empty()) ReadAny();
    if (i % 700 == 699) {
      node_->Settle();
      Reopen();
      ExpectAllThere();
    }
  }
  node_->Settle();
  ExpectAllThere();
  while (!points_.empty() && !HasFailure()) {
    ReleaseAny();
    if (random_.OneIn(20) && !points_.empty()) ReadAny();
    if (points_.size() % 500 == 0) node_->AwaitSwept(), node_->ExpectSound();
  }
  node_->AwaitSwept();
  ASSERT_TRUE(node_->Flush());
  EXPECT_EQ(node_->pool().Info().history, 0u);
  node_->ExpectSound();
}

TEST_F(ManyPoints, SurviveACrashAndALostIndex) {
  for (uint32_t i = 0; i < 1500 && !HasFailure(); ++i) {
    Write();
    Take();
    if (random_.OneIn(4)) ReleaseAny();
  }
  node_->Settle();
  node_.reset();
  env_.Crash();
  Reopen();
  ExpectAllThere();
  node_.reset();
  ASSERT_TRUE(logstore::Index::Destroy(env_.files(), "index").ok());
  Reopen();
  ExpectAllThere();
  // The new index knows of those that are released from now on, and of no others.
  for (uint32_t i = 0; i < 300; ++i) ReleaseAny();
  node_->AwaitSwept();
  Reopen();
  ExpectAllThere();
}

TEST_F(ManyPoints, AreWrittenToTheIndexOnceEach) {
  // What a fold writes of the structure does not grow with the points that were there before.
  auto& pool = static_cast<logstore::LogPool&>(node_->pool());
  for (uint32_t i = 0; i < 1000; ++i) Take();
  ASSERT_TRUE(node_->Flush());
  Write();
  ASSERT_TRUE(node_->Flush());
  logstore::Structure structure = pool.structure();
  EXPECT_TRUE(structure.TakeChangedPoints().empty());
  const size_t base = structure.EncodeBase().size();
  Take();
  ReleaseAny();
  structure = pool.structure();
  EXPECT_LE(structure.TakeChangedPoints().size(), 2u);
  EXPECT_LT(structure.EncodeBase().size(), base + 100);
  EXPECT_GT(structure.Encode().size(), base + 1000 * 56);
}

}  // namespace
}  // namespace lockstep::test
