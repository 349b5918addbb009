// Change streams where it gets narrow: pools that need the space which a follower holds back, power cuts, damaged logs.
// What every engine's streams must do is in tests/contract/block/change_suite.cc.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <utility>

#include "block/change_stream.h"
#include "logstore/log_marks.h"
#include "logstore/logstore.h"
#include "logstore/pool.h"
#include "sim/await.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/simulated_pool.h"

namespace lockstep::test {
namespace {

using block::kBlockSize;
using block::SequenceNumber;

constexpr uint64_t kFollowedBlocks = 64;
constexpr uint64_t kSegmentBytes = 256 << 10;

// One volume, and a copy of it that follows. A block holds one number throughout.
class Changes : public testing::Test {
 protected:
  void Start(uint64_t seed, uint64_t segments, uint64_t budget = 1 << 20) {
    End();
    env_ = std::make_unique<sim::SimEnv>(
        seed, seed % 2 ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled);
    env_->set_disk_timing({.shuffled = seed % 2 == 0});
    random_ = sim::SimRandom(seed);
    media_ = &env_->AddDisk("disk", (1 << 20) + segments * kSegmentBytes);
    options_ = logstore::Options::Tiny();
    options_.change_budget_bytes = budget;
    {
      auto disk = env_->OpenDisk("disk", 0);
      ASSERT_TRUE(Await(logstore::Format(**disk, {env_->random().NextUuid()}, {.segment_size = kSegmentBytes})).ok());
    }
    ASSERT_TRUE(Open().ok());
    volume_ = {env_->random().NextUuid()};
    base_ = {env_->random().NextUuid()};
    const block::CreateVolume create{volume_, kFollowedBlocks * kBlockSize};
    ASSERT_TRUE(Apply({create, block::TakePoint{base_, {volume_}}}).ok());
    copy_.assign(kFollowedBlocks, 0);
    upto_ = durable_ = pool_->Find(base_)->position - 1;
    told_ = upto_;
    beyond_.clear();
    tag_ = 0;
  }
  void TearDown() override { End(); }
  void End() {
    Close();
    env_.reset();
  }

  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(*env_, std::move(task));
  }
  Status Open() {
    auto disk = env_->OpenDisk("disk", 0);
    if (!disk.ok()) return disk.status();
    auto pool = Await(logstore::Open(std::move(*disk), "index", options_, SeamsOf(*env_)));
    if (pool.ok()) pool_ = std::move(*pool);
    return pool.status();
  }
  void Close() {
    stream_.reset();
    if (!pool_) return;
    sim::Await(*env_, pool_->Close());
    pool_.reset();
  }
  Status Apply(std::vector<block::Change> changes) {
    return Await(pool_->Apply({{env_->random().NextUuid()}, std::move(changes)}));
  }
  Status Run(block::Request& request) {
    const auto volume = pool_->OpenVolume(volume_);
    return RunOn(*env_, **volume, request);
  }
  // A hole when `tag` is 0.
  Status Write(uint64_t first, uint64_t count, uint32_t tag) {
    AlignedMemory memory(count * kBlockSize);
    for (uint64_t at = 0; at < memory.size(); at += 4) std::memcpy(memory.data() + at, &tag, 4);
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.op = tag == 0 ? block::Request::Op::kDiscard : block::Request::Op::kWrite;
    r.offset = first * kBlockSize;
    r.length = count * kBlockSize;
    if (tag != 0) r.buffers = {&buffer, 1};
    return Run(r);
  }
  Status WriteSome() {
    const uint64_t first = random_.Below(kFollowedBlocks);
    const uint64_t count = 1 + random_.Below(std::min<uint64_t>(8, kFollowedBlocks - first));
    return Write(first, count, random_.OneIn(10) ? 0 : ++tag_);
  }
  std::vector<uint32_t> Content() {
    AlignedMemory memory(kFollowedBlocks * kBlockSize);
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.length = memory.size();
    r.buffers = {&buffer, 1};
    EXPECT_TRUE(Run(r).ok());
    std::vector<uint32_t> tags(kFollowedBlocks);
    for (uint64_t b = 0; b < kFollowedBlocks; ++b) std::memcpy(&tags[b], memory.data() + b * kBlockSize, 4);
    return tags;
  }

  Status Follow() {
    auto opened = pool_->Changes({volume_}, upto_ + 1);
    if (opened.ok()) stream_ = std::move(*opened);
    return opened.status();
  }
  // One answer. Only what is durable is applied: the rest may not survive.
  Status Pull() {
    const auto batch = Await(stream_->Next());
    LS_RETURN_IF_ERROR(batch.status());
    for (const block::StreamEvent& event : batch->events) {
      if (const auto* w = std::get_if<block::StreamWrite>(&event)) {
        Step step{w->sequence, w->offset / kBlockSize, w->data.size() / kBlockSize, 0};
        std::memcpy(&step.tag, w->data.data(), 4);
        beyond_.push_back(step);
      } else if (const auto* h = std::get_if<block::StreamHole>(&event)) {
        beyond_.push_back({h->sequence, h->offset / kBlockSize, h->length / kBlockSize, 0});
      }
    }
    told_ = batch->upto;
    durable_ = batch->durable;
    size_t applied = 0;
    for (; applied < beyond_.size() && beyond_[applied].sequence <= durable_; ++applied)
      for (uint64_t b = 0; b < beyond_[applied].count; ++b)
        copy_.at(beyond_[applied].first + b) = beyond_[applied].tag;
    beyond_.erase(beyond_.begin(), beyond_.begin() + static_cast<ptrdiff_t>(applied));
    upto_ = std::min(told_, durable_);
    stream_->Confirm(upto_);
    return {};
  }
  void CatchUp() {
    const SequenceNumber target = pool_->Info().last;
    ASSERT_TRUE(Await(pool_->Flush()).ok());
    while (upto_ < target) {
      const Status pulled = Pull();
      ASSERT_TRUE(pulled.ok()) << pulled.ToString();
    }
    ASSERT_EQ(copy_, Content());
  }
  // What a crash leaves of the follower.
  void LoseBeyond() { beyond_.clear(); }

  struct Step {
    SequenceNumber sequence;
    uint64_t first, count;
    uint32_t tag;
  };
  std::unique_ptr<sim::SimEnv> env_;
  sim::SimRandom random_{0};
  sim::SimDiskMedia* media_ = nullptr;
  logstore::Options options_;
  std::unique_ptr<block::Pool> pool_;
  std::unique_ptr<block::ChangeStream> stream_;
  block::VolumeId volume_;
  block::PointId base_;
  std::vector<uint32_t> copy_;
  std::vector<Step> beyond_;
  SequenceNumber upto_ = 0, told_ = 0, durable_ = 0;
  uint32_t tag_ = 0;
};

TEST_F(Changes, AFollowerThatKeepsUpFollowsThroughALogThatIsReusedManyTimes) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Start(seed, 24);
    ASSERT_TRUE(Follow().ok());
    ASSERT_TRUE(Apply({block::ReleasePoint{base_}}).ok());
    // 24 segments hold some 1,500 blocks.
    for (int i = 0; i < 4000 && !HasFailure(); ++i) {
      ASSERT_TRUE(WriteSome().ok());
      while (told_ < pool_->Info().last && !random_.OneIn(16)) {
        const Status pulled = Pull();
        ASSERT_TRUE(pulled.ok()) << "write " << i << ": " << pulled.ToString();
      }
      if (i % 20 == 0) CatchUp();  // only what is durable can be confirmed
    }
    CatchUp();
    if (HasFailure()) return;
  }
}

TEST_F(Changes, WhatAStreamHoldsBackComesBackWhenItIsClosed) {
  Start(1, 40, 100 << 20);  // up to a quarter of the pool, then
  ASSERT_TRUE(Follow().ok());
  ASSERT_TRUE(Apply({block::ReleasePoint{base_}}).ok());
  ASSERT_TRUE(Write(0, kFollowedBlocks, 1).ok());
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  // Five segments' worth is overwritten, but nothing of it is freed.
  for (uint32_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(Write(0, kFollowedBlocks - 1, 2 + i).ok());
    ASSERT_TRUE(Await(pool_->Flush()).ok());
  }
  const auto settle = [this] {
    // Checkpoints come with what is written.
    for (uint32_t i = 0; i < 66; ++i) ASSERT_TRUE(Write(i % 2, 1, 100 + i).ok());
    ASSERT_TRUE(Await(pool_->Flush()).ok());
  };
  settle();
  const auto free = [this] { return static_cast<logstore::LogPool&>(*pool_).segments().free_count(); };
  const uint32_t held = free();
  stream_->Close();
  settle();
  EXPECT_GE(free(), held + 3);
  EXPECT_EQ(Pull().code(), Code::kCancelled);
  const auto report = Await(logstore::Check(*pool_));
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->problems.empty());
}

TEST_F(Changes, AFollowerThatSleepsNeverFillsThePool) {
  for (const uint64_t segments : {12, 24}) {
    Start(segments, segments, 100 << 20);
    ASSERT_TRUE(Follow().ok());
    ASSERT_TRUE(Apply({block::ReleasePoint{base_}}).ok());
    for (int i = 0; i < 3000; ++i) {
      const Status written = WriteSome();
      ASSERT_TRUE(written.ok()) << "write " << i << ": " << written.ToString();
    }
    EXPECT_EQ(Pull().code(), Code::kInvalidState);
    EXPECT_EQ(Follow().code(), Code::kInvalidState);
  }
}

TEST_F(Changes, InAFullPoolTheFollowerLetsGoBeforeWritesAreRefused) {
  // 24 segments of 64 blocks. Another volume takes so much that what is left for the log is less than the budget, a
  // quarter of the pool.
  Start(3, 24, 100 << 20);
  const block::VolumeId ballast{env_->random().NextUuid()};
  ASSERT_TRUE(Apply({block::CreateVolume{ballast, 868 * kBlockSize}, block::ReleasePoint{base_}}).ok());
  const block::VolumeId followed = std::exchange(volume_, ballast);
  for (uint64_t b = 0; b < 868; b += 28) ASSERT_TRUE(Write(b, 28, 7).ok());
  volume_ = followed;
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  for (const bool followed_by_somebody : {false, true}) {
    SCOPED_TRACE(followed_by_somebody);
    upto_ = pool_->Info().last;
    if (followed_by_somebody) {
      ASSERT_TRUE(Follow().ok());
    }
    for (int i = 0; i < 400; ++i) {
      const Status written = WriteSome();
      ASSERT_TRUE(written.ok()) << "write " << i << ": " << written.ToString();
    }
  }
  EXPECT_EQ(Pull().code(), Code::kInvalidState);
}

TEST_F(Changes, AStreamFromAnOldPointGoesOnAfterPowerCuts) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Start(seed, 200, 100 << 20);
    for (int life = 0; life < 6; ++life) {
      const Status opened = Follow();
      ASSERT_TRUE(opened.ok()) << "life " << life << ": " << opened.ToString();
      env_->faults().CutPowerAt(1 + random_.Below(150));
      for (int i = 0; i < 120 && !env_->faults().power_is_cut(); ++i) {
        (void)WriteSome();
        if (random_.OneIn(8)) (void)Await(pool_->Flush());
        if (random_.OneIn(2) && told_ < pool_->Info().durable) (void)Pull();
      }
      LoseBeyond();
      Close();
      env_->Crash();
      const Status reopened = Open();
      ASSERT_TRUE(reopened.ok()) << reopened.ToString();
      // Behind what it was told to be durable, the same as if there had been no crash.
      ASSERT_LE(upto_, pool_->Info().last);
      const Status again = Follow();
      ASSERT_TRUE(again.ok()) << "life " << life << ": " << again.ToString();
      told_ = upto_;
      CatchUp();
      if (HasFailure()) return;
    }
  }
}

TEST_F(Changes, AfterReopeningALogThatHasBeenReusedIsTooOldAndNeverWrong) {
  uint64_t went_on = 0, too_old = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Start(seed, 24);
    for (int life = 0; life < 4; ++life) {
      // Nobody follows: the log may be freed at any time. The base is kept, so that its position is known.
      for (uint64_t i = random_.Below(120); i > 0; --i) ASSERT_TRUE(WriteSome().ok());
      Close();
      ASSERT_TRUE(Open().ok());
      Status status = Follow();
      const SequenceNumber target = pool_->Info().last;
      while (status.ok() && upto_ < target) status = Pull();
      if (status.ok()) {
        ++went_on;
        ASSERT_EQ(copy_, Content());
        stream_.reset();
        continue;
      }
      ASSERT_EQ(status.code(), Code::kInvalidState) << status.ToString();
      ++too_old;
      break;
    }
  }
  EXPECT_GT(went_on, 0u);
  EXPECT_GT(too_old, 0u);
}

TEST_F(Changes, AFailedPoolEndsTheWait) {
  Start(5, 24);
  ASSERT_TRUE(Follow().ok());
  ASSERT_TRUE(Write(0, 4, 1).ok());
  CatchUp();
  std::optional<Result<block::ChangeBatch>> answer;
  Spawn(stream_->Next(), [&answer](Result<block::ChangeBatch> r) { answer.emplace(std::move(r)); });
  env_->faults().CutPowerNow();
  EXPECT_FALSE(Write(1, 1, 2).ok());
  ASSERT_TRUE(env_->loop().RunUntil([&answer] { return answer.has_value(); }));
  EXPECT_EQ(answer->status().code(), Code::kIoError);
}

TEST(LogMarks, FindTheNearestAndStayFew) {
  logstore::LogMarks marks(16);
  logstore::LogPosition p;
  p.next = 10;
  marks.Begin(p);
  EXPECT_FALSE(marks.Before(9));
  EXPECT_EQ(marks.Before(10)->next, 10u);
  for (uint64_t i = 1; i <= 100'000; ++i) {
    p.next = 10 + i;
    marks.Advance(p, 8);
    ASSERT_LE(marks.size(), logstore::LogMarks::kMost);
    // Never too few, and not much too many.
    ASSERT_GE(marks.BlocksSince(10 + i / 2), (i - i / 2) * 8);
  }
  for (uint64_t from = 10; from <= 100'010; from += 7) {
    ASSERT_LE(marks.Before(from)->next, from);
    ASSERT_GE(marks.Before(from)->next + 200, from);
  }
  marks.Forget(50'000);
  EXPECT_FALSE(marks.Before(49'000));
  EXPECT_GE(marks.Before(60'000)->next, 50'000u);
  EXPECT_EQ(marks.first(), 10u);
}

}  // namespace
}  // namespace lockstep::test
