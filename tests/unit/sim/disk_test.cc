// The simulated disk: goal is that it is exactly as unreliable as io/disk.h allows and never more. Method: write blocks
// of known content, crash with many seeds, and compare the set of outcomes seen with the set allowed.
#include "sim/disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>

#include "tests/support/aligned_memory.h"

namespace lockstep::sim {
namespace {

constexpr uint64_t kBlock = 4096;
using Op = io::DiskRequest::Op;

// One request with its memory, all blocks filled with one letter.
class Request {
 public:
  Request(Op op, uint64_t block, uint64_t count, char fill = 0) : count_(count), memory_((count + 1) * kBlock) {
    std::fill(memory_.data(), memory_.data() + count * kBlock, std::byte(fill));
    buffer_ = {memory_.data(), count * kBlock};
    request.op = op;
    request.offset = block * kBlock;
    request.length = count * kBlock;
    if (op == Op::kRead || op == Op::kWrite) request.buffers = {&buffer_, 1};
    request.context = this;
    request.done = [](io::DiskRequest& r) { static_cast<Request*>(r.context)->done = true; };
  }
  Request(const Request&) = delete;
  std::string Letters() const {
    std::string s;
    for (uint64_t i = 0; i < count_; ++i) {
      const std::byte* b = memory_.data() + i * kBlock;
      EXPECT_TRUE(std::all_of(b, b + kBlock, [&](std::byte x) { return x == b[0]; }));
      s += b[0] == std::byte(0) ? '.' : static_cast<char>(b[0]);
    }
    return s;
  }
  io::DiskRequest request;
  bool done = false;

 private:
  uint64_t count_;
  test::AlignedMemory memory_;
  io::Buffer buffer_;
};

class SimDiskTest : public testing::Test {
 protected:
  SimDiskTest() { Open(0); }
  void Open(uint64_t seed) {
    disk_.reset();
    disk_ = std::make_unique<SimDisk>(SimDisk::Setup{"d", loop_, faults_, *media_, seed, {}, {}});
  }
  Status Do(Op op, uint64_t block, uint64_t count, char fill = 0) {
    Request r(op, block, count, fill);
    disk_->Submit(r.request);
    EXPECT_FALSE(r.done) << "completed inside Submit";
    EXPECT_TRUE(loop_.RunUntil([&] { return r.done; }));
    return r.request.status;
  }
  Status Write(uint64_t block, std::string letters) {
    for (char c : letters) LS_RETURN_IF_ERROR(Do(Op::kWrite, block++, 1, c));
    return {};
  }
  Status DurableWrite(uint64_t block, char fill) {
    Request r(Op::kWrite, block, 1, fill);
    r.request.durable = true;
    disk_->Submit(r.request);
    EXPECT_TRUE(loop_.RunUntil([&] { return r.done; }));
    return r.request.status;
  }
  Status Flush() { return Do(Op::kFlush, 0, 0); }
  std::string Read(uint64_t block, uint64_t count) {
    Request r(Op::kRead, block, count);
    disk_->Submit(r.request);
    EXPECT_TRUE(loop_.RunUntil([&] { return r.done; }));
    EXPECT_TRUE(r.request.status.ok()) << r.request.status.ToString();
    return r.Letters();
  }
  void Crash(uint64_t seed) {
    disk_.reset();
    SimRandom random(seed);
    media_->Crash(random);
    faults_.RestorePower();
    Open(seed);
  }
  // What blocks 0..count-1 may hold after the history that `history` writes, over many seeds.
  template <typename History>
  std::set<std::string> Outcomes(uint64_t count, History history) {
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      media_ = std::make_unique<SimDiskMedia>(1 << 20, kBlock);
      Open(seed);
      history();
      Crash(seed);
      const std::string after = Read(0, count);
      EXPECT_EQ(after, Read(0, count)) << "the outcome of a crash must not change afterwards";
      seen.insert(after);
    }
    return seen;
  }

  SimClock clock_;
  SimLoop loop_{clock_, 1};
  FaultPlan faults_;
  std::unique_ptr<SimDiskMedia> media_ = std::make_unique<SimDiskMedia>(1 << 20, kBlock);
  std::unique_ptr<SimDisk> disk_;
};

TEST_F(SimDiskTest, ReadsWhatWasWrittenBeforeAnyFlush) {
  ASSERT_TRUE(Write(3, "ab").ok());
  EXPECT_EQ(Read(2, 4), ".ab.");
  EXPECT_EQ(media_->unflushed_blocks(), 2u);
}

TEST_F(SimDiskTest, KeepsFlushedBlocksThroughEveryCrash) {
  EXPECT_EQ(Outcomes(2, [&] {
              ASSERT_TRUE(Write(0, "ab").ok());
              ASSERT_TRUE(Flush().ok());
            }),
            (std::set<std::string>{"ab"}));
}

TEST_F(SimDiskTest, KeepsLosesOrMixesUnflushedBlocks) {
  EXPECT_EQ(Outcomes(2, [&] { ASSERT_TRUE(Do(Op::kWrite, 0, 2, 'a').ok()); }),
            (std::set<std::string>{"..", "a.", ".a", "aa"}));
}

TEST_F(SimDiskTest, MayBringBackAnyUnflushedVersionButNothingOlderThanTheLastFlush) {
  EXPECT_EQ(Outcomes(1, [&] {
              ASSERT_TRUE(Write(0, "x").ok());
              ASSERT_TRUE(Write(0, "a").ok());
              ASSERT_TRUE(Flush().ok());
              ASSERT_TRUE(Write(0, "b").ok());
              ASSERT_TRUE(Write(0, "c").ok());
            }),
            (std::set<std::string>{"a", "b", "c"}));
}

TEST_F(SimDiskTest, MakesADurableWriteStableAndNoOther) {
  EXPECT_EQ(Outcomes(2, [&] {
              ASSERT_TRUE(Write(1, "a").ok());
              ASSERT_TRUE(Write(0, "x").ok());
              ASSERT_TRUE(DurableWrite(0, 'b').ok());
            }),
            (std::set<std::string>{"b.", "ba"}));
}

TEST_F(SimDiskTest, DoesNotCoverWithAFlushAWriteThatCompletedAfterItsSubmission) {
  EXPECT_EQ(Outcomes(1, [&] {
              Request write(Op::kWrite, 0, 1, 'a'), flush(Op::kFlush, 0, 0);
              disk_->Submit(write.request);
              disk_->Submit(flush.request);
              ASSERT_TRUE(loop_.RunUntil([&] { return write.done && flush.done; }));
            }),
            (std::set<std::string>{".", "a"}));
}

TEST_F(SimDiskTest, MayKeepAWriteThatWasInFlightWhenThePowerFailed) {
  EXPECT_EQ(Outcomes(1, [&] {
              faults_.CutPowerAt(1);
              EXPECT_EQ(Write(0, "a").code(), Code::kIoError);
              EXPECT_TRUE(faults_.power_is_cut());
              EXPECT_EQ(Write(0, "b").code(), Code::kIoError);
            }),
            (std::set<std::string>{".", "a"}));
}

TEST_F(SimDiskTest, LosesProtectionOfWhatAFailedFlushShouldHaveCovered) {
  EXPECT_EQ(Outcomes(1, [&] {
              ASSERT_TRUE(Write(0, "a").ok());
              faults_.FailAt(1, Only(IoKind::kDiskFlush));
              EXPECT_EQ(Flush().code(), Code::kIoError);
              ASSERT_TRUE(Flush().ok());
            }),
            (std::set<std::string>{".", "a"}));
}

TEST_F(SimDiskTest, FailsTheIosItWasToldToAndNoOthers) {
  faults_.FailAt(2, Only(IoKind::kDiskWrite));
  EXPECT_TRUE(Write(0, "a").ok());
  EXPECT_EQ(Write(1, "b").code(), Code::kIoError);
  EXPECT_TRUE(Write(1, "b").ok());
  faults_.FailFrom(1, Only(IoKind::kDiskWrite));
  EXPECT_EQ(Write(0, "x").code(), Code::kIoError);
  EXPECT_EQ(Write(0, "x").code(), Code::kIoError);
  EXPECT_EQ(Read(1, 1), "b");
  EXPECT_EQ(faults_.count(IoKind::kDiskWrite), 5u);
}

TEST_F(SimDiskTest, HangsAndGoesOnWhenReleased) {
  faults_.HangAt(1);
  Request r(Op::kWrite, 0, 1, 'a');
  disk_->Submit(r.request);
  EXPECT_TRUE(loop_.RunUntilIdle());
  EXPECT_FALSE(r.done);
  disk_->ReleaseHung();
  EXPECT_TRUE(loop_.RunUntil([&] { return r.done; }));
  EXPECT_EQ(Read(0, 1), "a");
}

TEST_F(SimDiskTest, CompletesOutOfOrderWhenShuffled) {
  bool differs = false;
  for (uint64_t seed = 0; seed < 10 && !differs; ++seed) {
    Open(seed);
    disk_->set_timing({.shuffled = true});
    Request first(Op::kRead, 0, 1), second(Op::kRead, 1, 1);
    disk_->Submit(first.request);
    disk_->Submit(second.request);
    loop_.RunUntil([&] { return first.done || second.done; });
    differs = second.done;
    loop_.RunUntilIdle();
    EXPECT_TRUE(first.done && second.done);
  }
  EXPECT_TRUE(differs);
}

TEST_F(SimDiskTest, TakesTheTimeItWasTold) {
  disk_->set_timing({.min_delay = std::chrono::milliseconds(2), .max_delay = std::chrono::milliseconds(3)});
  const io::Instant start = clock_.Now();
  ASSERT_TRUE(Write(0, "a").ok());
  EXPECT_GE(clock_.Now() - start, std::chrono::milliseconds(2));
  EXPECT_LE(clock_.Now() - start, std::chrono::milliseconds(3));
}

TEST_F(SimDiskTest, FailsReadsOfALatentErrorUntilItIsRewritten) {
  ASSERT_TRUE(Write(0, "abc").ok());
  media_->AddReadError(kBlock, 1);
  EXPECT_EQ(Read(0, 1), "a");
  EXPECT_EQ(Do(Op::kRead, 0, 3).code(), Code::kIoError);
  ASSERT_TRUE(Write(1, "n").ok());
  EXPECT_EQ(Read(0, 3), "anc");
}

TEST_F(SimDiskTest, CorruptsSilently) {
  ASSERT_TRUE(Do(Op::kWrite, 0, 1, 'a').ok());
  SimRandom random(1);
  media_->Corrupt(10, 20, random);
  std::vector<std::byte> bytes(kBlock);
  ASSERT_TRUE(media_->Read(0, bytes));
  for (size_t i = 0; i < kBlock; ++i) EXPECT_EQ(bytes[i] == std::byte('a'), i < 10 || i >= 30) << i;
}

TEST_F(SimDiskTest, RefusesRequestsThatAreMisalignedOrBeyondTheEnd) {
  EXPECT_EQ(Do(Op::kRead, (1 << 20) / kBlock, 1).code(), Code::kInvalidArgument);
  Request r(Op::kWrite, 0, 1, 'a');
  r.request.offset = 100;
  disk_->Submit(r.request);
  EXPECT_TRUE(loop_.RunUntil([&] { return r.done; }));
  EXPECT_EQ(r.request.status.code(), Code::kInvalidArgument);
}

TEST_F(SimDiskTest, CostsMemoryOnlyForWhatIsStored) {
  media_ = std::make_unique<SimDiskMedia>(uint64_t{1} << 50, kBlock);
  Open(0);
  ASSERT_TRUE(Write((uint64_t{1} << 38) - 1, "z").ok());
  ASSERT_TRUE(Flush().ok());
  ASSERT_TRUE(Do(Op::kDiscard, 0, 1024).ok());
  EXPECT_EQ(Read((uint64_t{1} << 38) - 2, 2), ".z");
  EXPECT_EQ(media_->stored_bytes(), kBlock);
}

}  // namespace
}  // namespace lockstep::sim
