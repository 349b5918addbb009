// Goal: a scrub finds what is bad, all of it and nothing else, whatever goes on beside it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "logstore/format.h"
#include "logstore/logstore.h"
#include "sim/await.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/simulated_pool.h"

namespace lockstep::test {
namespace {

using block::kBlockSize;
using block::ScrubOptions;
using block::ScrubReport;

class Scrubbing : public testing::Test {
 protected:
  void SetUp() override {
    media_ = &env_.AddDisk("disk", 17 << 20);  // 32 segments of 512 KiB and a bit
    auto disk = env_.OpenDisk("disk", 0);
    ASSERT_TRUE(Await(logstore::Format(**disk, {env_.random().NextUuid()}, {.segment_size = 512 << 10})).ok());
    disk->reset();
    env_.set_disk_timing({.max_delay = std::chrono::microseconds(200)});
    disk = env_.OpenDisk("disk", 0);
    auto pool = Await(logstore::Open(std::move(*disk), "index", logstore::Options::Tiny(), SeamsOf(env_)));
    ASSERT_TRUE(pool.ok());
    pool_ = std::move(*pool);
    Apply({block::CreateVolume{id_, 64 << 20}});
    volume_ = *pool_->OpenVolume(id_);
  }
  void TearDown() override {
    volume_.reset();
    sim::Await(env_, pool_->Close());
    pool_.reset();
  }

  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(env_, std::move(task));
  }
  void Apply(std::vector<block::Change> changes) {
    const Status applied = Await(pool_->Apply({{env_.random().NextUuid()}, std::move(changes)}));
    ASSERT_TRUE(applied.ok()) << applied.ToString();
  }
  Status Transfer(block::Volume& volume, block::Request::Op op, uint64_t block, uint64_t count, uint8_t fill = 0) {
    AlignedMemory memory(count * kBlockSize);
    std::memset(memory.data(), fill, memory.size());
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.op = op;
    r.offset = block * kBlockSize;
    r.length = count * kBlockSize;
    r.buffers = {&buffer, 1};
    return RunOn(env_, volume, r);
  }
  void Write(uint64_t block, uint64_t count, uint8_t fill) {
    const Status written = Transfer(*volume_, block::Request::Op::kWrite, block, count, fill);
    ASSERT_TRUE(written.ok()) << written.ToString();
  }
  Code Read(uint64_t block) { return Transfer(*volume_, block::Request::Op::kRead, block, 1).code(); }
  ScrubReport Scrub(ScrubOptions options = {}) {
    const bool stoppable = options.go_on != nullptr;
    auto report = Await(pool_->Scrub(std::move(options)));
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_TRUE(stoppable || report->position == report->end);
    return report.ok() ? *report : ScrubReport();
  }
  uint64_t LiveBlocks() { return pool_->Info().live / kBlockSize; }
  // Damages a block of the device, counted from the pool's first segment.
  void Damage(uint64_t block) {
    media_->Corrupt(logstore::kDataOffset + block * kBlockSize, 100, env_.fault_random());
  }
  size_t LinesWith(const std::string& text) {
    size_t count = 0;
    for (const auto& line : env_.sim_log().lines()) count += line.find(text) != std::string::npos;
    return count;
  }

  static constexpr uint64_t kFirst = logstore::kDataOffset / kBlockSize;

  sim::SimEnv env_{7};
  sim::SimDiskMedia* media_ = nullptr;
  const block::VolumeId id_{env_.random().NextUuid()};
  std::unique_ptr<block::Pool> pool_;
  std::shared_ptr<block::Volume> volume_;
};

TEST_F(Scrubbing, FindsExactlyWhatIsBadAndNamesItOnce) {
  Write(100, 3, 7);  // the pool's second batch: a header at block 2, data from block 3 on
  for (uint64_t i = 0; i < 300; ++i) Write(200 + i * 3, 2, static_cast<uint8_t>(i));
  EXPECT_EQ(Scrub().bad, 0u);
  Damage(4);
  const ScrubReport report = Scrub();
  EXPECT_EQ(report.blocks, 603u);
  EXPECT_EQ(report.blocks, LiveBlocks());
  EXPECT_EQ(report.bad, 1u);
  ASSERT_EQ(report.bad_blocks.size(), 1u);
  EXPECT_EQ(report.bad_blocks[0].volume, id_);
  EXPECT_EQ(report.bad_blocks[0].block, 101u);
  EXPECT_EQ(report.bad_blocks[0].device_block, kFirst + 4);
  const std::string named = "block 101 of volume " + id_.ToString();
  EXPECT_EQ(LinesWith(named), 1u);
  EXPECT_EQ(Read(101), Code::kCorrupted);
  EXPECT_EQ(Scrub().bad, 1u);
  EXPECT_EQ(LinesWith(named), 1u) << "however often it is met";
  Write(101, 1, 8);
  EXPECT_EQ(Scrub().bad, 0u) << "what is bad and dead is no concern";
}

TEST_F(Scrubbing, AnUnreadablePlaceIsOneBadBlock) {
  Write(100, 40, 7);
  media_->AddReadError(logstore::kDataOffset + 10 * kBlockSize, kBlockSize);
  const ScrubReport report = Scrub();
  EXPECT_EQ(report.blocks, 40u);
  ASSERT_EQ(report.bad, 1u);
  EXPECT_EQ(report.bad_blocks[0].block, 107u);
}

TEST_F(Scrubbing, AReadNamesEveryBadBlockOnce) {
  Write(100, 4, 7);
  Damage(4);
  Damage(6);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(Transfer(*volume_, block::Request::Op::kRead, 100, 4).code(), Code::kCorrupted);
  EXPECT_EQ(LinesWith("block 101 of volume " + id_.ToString()), 1u);
  EXPECT_EQ(LinesWith("block 103 of volume " + id_.ToString()), 1u);
  EXPECT_EQ(LinesWith("does not match its checksum"), 2u);
}

TEST_F(Scrubbing, ReadsWhatOnlyPointsAndClonesShow) {
  Write(100, 3, 7);
  const block::PointId point{env_.random().NextUuid()};
  Apply({block::TakePoint{point, {id_}}});
  Write(100, 3, 8);
  Damage(4);
  ScrubReport report = Scrub();
  ASSERT_EQ(report.bad_blocks.size(), 1u);
  EXPECT_TRUE(report.bad_blocks[0].volume.IsNil());
  EXPECT_EQ(report.bad_blocks[0].block, 101u);
  EXPECT_NE(report.bad_blocks[0].layer, 0u);
  const block::VolumeId clone{env_.random().NextUuid()};
  Apply({block::Clone{point, id_, clone, 0}});
  report = Scrub();
  ASSERT_EQ(report.bad_blocks.size(), 1u);
  EXPECT_EQ(report.bad_blocks[0].volume, clone);
  Apply({block::DeleteVolume{clone}, block::ReleasePoint{point}});
  EXPECT_EQ(Scrub().bad, 0u);
}

TEST_F(Scrubbing, ADamagedHeaderIsFoundAndTheDataBehindItIsRead) {
  Write(100, 3, 7);
  for (uint64_t i = 0; i < 20; ++i) Write(200 + i, 1, static_cast<uint8_t>(i));
  Damage(2);
  Damage(5);
  const ScrubReport report = Scrub();
  EXPECT_EQ(report.blocks, LiveBlocks());
  ASSERT_EQ(report.bad, 2u);
  EXPECT_EQ(report.bad_blocks[0].layer, 0u);
  EXPECT_EQ(report.bad_blocks[0].device_block, kFirst + 2);
  EXPECT_EQ(report.bad_blocks[1].volume, id_);
  EXPECT_EQ(report.bad_blocks[1].block, 102u);
}

TEST_F(Scrubbing, AReadThatFailsOnceIsNotABadBlock) {
  for (uint64_t i = 0; i < 40; ++i) Write(i * 5, 4, static_cast<uint8_t>(i));
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  for (uint64_t n = 1; n < 60; ++n) {
    env_.faults().FailAt(n, sim::Only(sim::IoKind::kDiskRead));
    const ScrubReport report = Scrub();
    EXPECT_EQ(report.bad, 0u) << n;
    EXPECT_EQ(report.blocks, LiveBlocks()) << n;
    env_.faults().Clear();
  }
}

TEST_F(Scrubbing, StoppedAndGoneOnWithItReadsEverythingOnce) {
  for (uint64_t i = 0; i < 900; ++i) Write(i * 2, 1, static_cast<uint8_t>(i));
  Damage(4);
  Damage(500);
  const ScrubReport whole = Scrub();
  ASSERT_GE(whole.bad, 1u);
  uint64_t blocks = 0, bad = 0, runs = 0, position = 0;
  for (bool over = false; !over; ++runs) {
    ASSERT_LT(runs, 1000u);
    ScrubOptions options;
    options.from = position;
    // A single piece each time.
    options.go_on = [from = position](const ScrubReport& r) { return r.position == from || r.blocks == 0; };
    const ScrubReport report = Scrub(std::move(options));
    ASSERT_GT(report.position, position);
    position = report.position;
    blocks += report.blocks;
    bad += report.bad;
    over = report.position == report.end;
  }
  EXPECT_GT(runs, 5u);
  EXPECT_EQ(blocks, whole.blocks);
  EXPECT_EQ(bad, whole.bad);
}

TEST_F(Scrubbing, KeepsItsRateAndStopsPromptly) {
  for (uint64_t i = 0; i < 64; ++i) Write(i * 16, 16, static_cast<uint8_t>(i));  // 4 MiB
  ScrubOptions options;
  options.bytes_per_second = 1 << 20;
  const io::Instant begin = env_.clock().Now();
  const ScrubReport report = Scrub(options);
  const double seconds = std::chrono::duration<double>(env_.clock().Now() - begin).count();
  EXPECT_GE(report.bytes_read, 4u << 20);
  const double at_the_limit = static_cast<double>(report.bytes_read) / (1 << 20);
  EXPECT_GE(seconds, at_the_limit * 0.9);
  EXPECT_LE(seconds, at_the_limit * 1.3);

  options.bytes_per_second = 1000;  // a piece would take a quarter of an hour
  const io::Instant again = env_.clock().Now();
  options.go_on = [&](const ScrubReport&) { return env_.clock().Now() - again < std::chrono::seconds(1); };
  const ScrubReport stopped = Scrub(options);
  EXPECT_LT(stopped.position, stopped.end);
  EXPECT_LT(env_.clock().Now() - again, std::chrono::milliseconds(1200));
}

TEST_F(Scrubbing, BesideRandomWritesAndTheCleanerItFindsNothing) {
  constexpr uint64_t kVolumeBlocks = 2600;  // of about 4000 that the pool has
  for (uint64_t i = 0; i < kVolumeBlocks; i += 8) Write(i, 8, static_cast<uint8_t>(i));
  bool over = false;
  uint64_t runs = 0, blocks = 0, positions = 0;
  const auto scrub_on = [](block::Pool& pool, bool& end, uint64_t& count, uint64_t& read,
                           uint64_t& steps) -> Task<Status> {
    while (!end) {
      ScrubOptions options;
      options.bytes_per_second = 48 << 20;  // slow enough that segments are cleaned and reused under its hands
      options.go_on = [&steps](const ScrubReport&) {
        ++steps;
        return true;
      };
      const auto report = co_await pool.Scrub(std::move(options));
      LS_CO_RETURN_IF_ERROR(report.status());
      if (report->bad != 0) co_return Corrupted("a sound block was called bad");
      read += report->blocks;
      ++count;
    }
    co_return Status();
  };
  std::optional<Status> scrubbed;
  Spawn(scrub_on(*pool_, over, runs, blocks, positions), [&](Status s) { scrubbed = std::move(s); });
  std::vector<block::PointId> points;
  for (uint64_t i = 0; i < 6000; ++i) {
    Write(env_.fault_random().Below(kVolumeBlocks - 2), 1 + i % 2, static_cast<uint8_t>(i));
    if (i % 500 == 250) {
      points.push_back({env_.random().NextUuid()});
      Apply({block::TakePoint{points.back(), {id_}}});
    }
    if (i % 500 == 350) Apply({block::ReleasePoint{points.back()}});
  }
  over = true;
  ASSERT_TRUE(env_.loop().RunUntil([&] { return scrubbed.has_value(); }));
  EXPECT_TRUE(scrubbed->ok()) << scrubbed->ToString();
  EXPECT_GT(pool_->Info().moved, 0u) << "the cleaner had nothing to do";
  EXPECT_GT(runs, 1u);
  EXPECT_GT(blocks, kVolumeBlocks);
  const auto check = Await(pool_->Check());
  ASSERT_TRUE(check.ok());
  EXPECT_TRUE(check->problems.empty());
}

}  // namespace
}  // namespace lockstep::test
