// Discards of whole large volumes: what a fold has to take for them is bounded, and nothing of what they do is lost.
#include <gtest/gtest.h>

#include <cstring>

#include "logstore/logstore.h"
#include "logstore/memory.h"
#include "sim/await.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/simulated_pool.h"

namespace lockstep::test {
namespace {

using block::kBlockSize;

constexpr uint64_t kTiB = uint64_t{1} << 40;
constexpr uint64_t kVolume = 8 * kTiB;

class Discards : public testing::Test {
 protected:
  void SetUp() override {
    env_.AddDisk("disk", 40 << 20);
    auto disk = env_.OpenDisk("disk", 0);
    ASSERT_TRUE(Await(logstore::Format(**disk, {env_.random().NextUuid()}, {.segment_size = 1 << 20})).ok());
    disk->reset();
    Open();
    ASSERT_TRUE(Apply(block::CreateVolume{volume_, kVolume}).ok());
  }
  void TearDown() override { Close(); }
  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(env_, std::move(task));
  }
  void Open() {
    auto disk = env_.OpenDisk("disk", 0);
    auto pool = Await(logstore::Open(std::move(*disk), "index", logstore::Options::Tiny(), SeamsOf(env_)));
    ASSERT_TRUE(pool.ok()) << pool.status().ToString();
    pool_ = std::move(*pool);
  }
  void Close() {
    if (!pool_) return;
    sim::Await(env_, pool_->Close());
    pool_.reset();
  }
  Status Apply(block::Change change) {
    return Await(pool_->Apply({{env_.random().NextUuid()}, {std::move(change)}}));
  }
  Status Do(block::Request::Op op, uint64_t offset, uint64_t length, bool fua = false) {
    const io::Buffer buffer = memory_.buffer();
    block::Request r;
    r.op = op;
    r.offset = offset;
    r.length = length;
    r.fua = fua;
    if (op == block::Request::Op::kRead || op == block::Request::Op::kWrite) r.buffers = {&buffer, 1};
    const auto volume = pool_->OpenVolume(volume_);
    return RunOn(env_, **volume, r);
  }
  // A block every so often, over the whole volume.
  static constexpr uint64_t kApart = kVolume / 500 / kBlockSize * kBlockSize;
  void Scatter() {
    std::memset(memory_.data(), 7, kBlockSize);
    for (uint64_t at = 0; at < kVolume - kBlockSize; at += kApart)
      ASSERT_TRUE(Do(block::Request::Op::kWrite, at, kBlockSize).ok());
  }
  uint64_t BlocksThere() {
    uint64_t there = 0;
    for (uint64_t at = 0; at < kVolume - kBlockSize; at += kApart) {
      EXPECT_TRUE(Do(block::Request::Op::kRead, at, kBlockSize).ok());
      there += memory_.bytes()[0] == std::byte{7};
    }
    return there;
  }
  void ExpectConsistent() {
    const auto report = Await(pool_->Check());
    ASSERT_TRUE(report.ok());
    for (const std::string& problem : report->problems) ADD_FAILURE() << problem;
  }

  sim::SimEnv env_{3};
  const block::VolumeId volume_{env_.random().NextUuid()};
  std::unique_ptr<block::Pool> pool_;
  AlignedMemory memory_{kBlockSize};
};

TEST_F(Discards, AWholeVolumeGoesAndStaysGoneAfterACrash) {
  Scatter();
  ASSERT_GT(BlocksThere(), 490u);
  const block::SequenceNumber before = pool_->Info().last;
  ASSERT_TRUE(Do(block::Request::Op::kDiscard, 0, kVolume, true).ok());
  EXPECT_GE(pool_->Info().last - before, kVolume >> 34) << "one entry for each 16 GiB at least";
  EXPECT_EQ(BlocksThere(), 0u);
  ExpectConsistent();
  Close();
  env_.Crash();
  Open();
  EXPECT_EQ(BlocksThere(), 0u);
  ExpectConsistent();
  EXPECT_EQ(pool_->Info().mapped, 0u);
}

TEST_F(Discards, APartOfItLeavesTheRest) {
  Scatter();
  const uint64_t all = BlocksThere();
  ASSERT_TRUE(Do(block::Request::Op::kWriteZeroes, kApart, kVolume - 2 * kApart).ok());
  EXPECT_EQ(BlocksThere(), 2u) << "the first and the last, of " << all;
  ExpectConsistent();
}

TEST_F(Discards, APointKeepsWhatItHeld) {
  Scatter();
  const uint64_t all = BlocksThere();
  const block::PointId point{env_.random().NextUuid()};
  ASSERT_TRUE(Apply(block::TakePoint{point, {volume_}}).ok());
  ASSERT_TRUE(Do(block::Request::Op::kDiscard, 0, kVolume).ok());
  EXPECT_EQ(BlocksThere(), 0u);
  ASSERT_TRUE(Apply(block::SetContent{volume_, point, volume_}).ok());
  EXPECT_EQ(BlocksThere(), all);
  // Under the new layer everything is its parent's: the holes have to hide that.
  ASSERT_TRUE(Do(block::Request::Op::kDiscard, 0, kVolume).ok());
  EXPECT_EQ(BlocksThere(), 0u);
  ExpectConsistent();
}

TEST_F(Discards, AVolumeThatIsDeletedMeanwhileEndsThem) {
  Scatter();
  block::Request r;
  bool done = false;
  r.op = block::Request::Op::kDiscard;
  r.length = kVolume;
  r.context = &done;
  r.done = [](block::Request& request) { *static_cast<bool*>(request.context) = true; };
  (*pool_->OpenVolume(volume_))->Submit(r);
  ASSERT_TRUE(Apply(block::DeleteVolume{volume_}).ok());
  ASSERT_TRUE(env_.loop().RunUntil([&done] { return done; }));
  EXPECT_EQ(r.status.code(), Code::kNotFound);
  ExpectConsistent();
}

TEST(Memory, ABudgetIsDividedAndNotExceeded) {
  logstore::Options set;
  for (const uint64_t budget : {logstore::kLeastMemory, logstore::kUsualMemory, uint64_t{1} << 30}) {
    logstore::SetMemory(set, budget);
    EXPECT_LT(set.index_cache_bytes + 2 * set.index_memtable_bytes + 2 * set.fold_weight * 512 + set.change_tail_bytes,
              budget);
    EXPECT_GE(set.index_cache_bytes, budget / 4);
    EXPECT_LE(set.checkpoint_bytes, uint64_t{256} << 20);
  }
}

}  // namespace
}  // namespace lockstep::test
