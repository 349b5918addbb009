// AlignedVolume: any byte range behaves as on a plain array of bytes, also when requests in flight share blocks.
#include "block/align.h"

#include <cstring>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "block/filters/delay_volume.h"
#include "block/filters/error_volume.h"
#include "sim/clock.h"
#include "sim/loop.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/memory_pool.h"

namespace lockstep::block {
namespace {

using test::AlignedMemory;
using Op = Request::Op;

constexpr uint64_t kSize = 16 * kBlockSize;

// A request with memory of its own.
struct Io {
  Io(Op op, uint64_t offset, uint64_t length, uint8_t fill = 0) : bytes(length + kBlockSize) {
    std::memset(bytes.data(), fill, bytes.size());
    request.op = op;
    request.offset = offset;
    request.length = length;
    if (op == Op::kRead || op == Op::kWrite) {
      // Misaligned requests come with misaligned memory.
      const size_t skew = (offset | length) % kBlockSize == 0 ? 0 : 7;
      buffer = {bytes.data() + skew, length};
      request.buffers = {&buffer, 1};
    }
    request.context = this;
    request.done = [](Request& r) { static_cast<Io*>(r.context)->finished = true; };
  }
  Io(const Io&) = delete;
  AlignedMemory bytes;
  io::Buffer buffer{nullptr, 0};
  Request request;
  bool finished = false;
};

class AlignedVolumeTest : public testing::Test {
 protected:
  void SetUp() override {
    storage_ = std::make_shared<test::MemoryStorage>();
    storage_->now.volumes[id_].size = kSize;
    pool_ = std::make_unique<test::MemoryPool>(storage_, loop_);
    errors_ = std::make_shared<ErrorVolume>(*pool_->OpenVolume(id_), loop_);
    delays_ = std::make_shared<DelayVolume>(errors_, loop_);
    volume_ = std::make_unique<AlignedVolume>(delays_, loop_);
  }

  Status Run(Io& io) {
    volume_->Submit(io.request);
    EXPECT_FALSE(io.finished);
    EXPECT_TRUE(loop_.RunUntil([&io] { return io.finished; }));
    return io.request.status;
  }
  Status Write(uint64_t offset, uint64_t length, uint8_t fill) {
    Io io(Op::kWrite, offset, length, fill);
    return Run(io);
  }
  std::vector<uint8_t> ReadAll() {
    Io io(Op::kRead, 0, kSize);
    EXPECT_TRUE(Run(io).ok());
    const auto* p = reinterpret_cast<const uint8_t*>(io.buffer.data);
    return {p, p + kSize};
  }

  sim::SimClock clock_;
  sim::SimLoop loop_{clock_, 1};
  VolumeId id_{{{1}}};
  std::shared_ptr<test::MemoryStorage> storage_;
  std::unique_ptr<test::MemoryPool> pool_;
  std::shared_ptr<ErrorVolume> errors_;
  std::shared_ptr<DelayVolume> delays_;
  std::unique_ptr<AlignedVolume> volume_;
};

TEST_F(AlignedVolumeTest, BehavesAsAnArrayOfBytes) {
  constexpr uint64_t kSeed = 20261120;
  std::cout << "seed " << kSeed << "\n";
  sim::SimRandom random(kSeed);
  std::vector<uint8_t> expected(kSize);
  for (int i = 0; i < 500; ++i) {
    const uint64_t offset = random.Below(kSize);
    uint64_t length = 1 + random.Below(std::min<uint64_t>(kSize - offset, 3 * kBlockSize));
    const auto fill = static_cast<uint8_t>(1 + random.Below(255));
    const auto at = expected.begin() + static_cast<std::ptrdiff_t>(offset);
    switch (random.Below(4)) {
      case 0: {
        Io read(Op::kRead, offset, length);
        ASSERT_TRUE(Run(read).ok());
        ASSERT_TRUE(std::equal(at, at + static_cast<std::ptrdiff_t>(length),
                               reinterpret_cast<const uint8_t*>(read.buffer.data)));
        break;
      }
      case 1: {
        Io zero(Op::kWriteZeroes, offset, length);
        ASSERT_TRUE(Run(zero).ok());
        std::fill_n(at, length, 0);
        break;
      }
      case 2: {
        Io discard(Op::kDiscard, offset, length);
        ASSERT_TRUE(Run(discard).ok());
        const uint64_t from = (offset + kBlockSize - 1) / kBlockSize * kBlockSize;
        const uint64_t to = (offset + length) / kBlockSize * kBlockSize;
        if (from < to) std::fill(expected.begin() + static_cast<std::ptrdiff_t>(from),
                                 expected.begin() + static_cast<std::ptrdiff_t>(to), 0);
        break;
      }
      default:
        ASSERT_TRUE(Write(offset, length, fill).ok());
        std::fill_n(at, length, fill);
    }
  }
  EXPECT_EQ(ReadAll(), expected);
}

TEST_F(AlignedVolumeTest, WritesToPartsOfOneBlockInFlightTogetherAllTakeEffect) {
  std::vector<std::unique_ptr<Io>> all;
  for (uint64_t i = 0; i < kBlockSize / 64; ++i) {
    all.push_back(std::make_unique<Io>(Op::kWrite, kBlockSize + i * 64, 64, static_cast<uint8_t>(i + 1)));
    volume_->Submit(all.back()->request);
  }
  ASSERT_TRUE(loop_.RunUntilIdle());
  const auto bytes = ReadAll();
  for (uint64_t i = 0; i < kBlockSize; ++i) ASSERT_EQ(bytes[kBlockSize + i], i / 64 + 1);
}

TEST_F(AlignedVolumeTest, AReadModifyWriteDoesNotUndoAWholeWriteOfItsBlock) {
  for (const bool partial_first : {true, false}) {
    ASSERT_TRUE(Write(0, kSize, 9).ok());
    Io partial(Op::kWrite, 100, 50, 1);
    Io whole(Op::kWrite, 0, 2 * kBlockSize, 2);
    volume_->Submit(partial_first ? partial.request : whole.request);
    volume_->Submit(partial_first ? whole.request : partial.request);
    ASSERT_TRUE(loop_.RunUntil([&] { return partial.finished && whole.finished; }));
    const auto bytes = ReadAll();
    EXPECT_EQ(bytes[99], 2);
    EXPECT_EQ(bytes[120], partial_first ? 2 : 1);
    EXPECT_EQ(bytes[150], 2);
    EXPECT_EQ(bytes[kBlockSize], 2);
  }
}

TEST_F(AlignedVolumeTest, OnlyRequestsThatShareAPartialBlockWait) {
  delays_->Hold({Op::kRead});  // the read-modify-write stands still in its first half
  Io partial(Op::kWrite, kBlockSize + 1, 10, 1);
  Io elsewhere(Op::kWrite, 4 * kBlockSize, kBlockSize, 2);
  Io same_block(Op::kWrite, kBlockSize, kBlockSize, 3);
  Io behind(Op::kDiscard, 0, 3 * kBlockSize);
  for (Io* io : {&partial, &elsewhere, &same_block, &behind}) volume_->Submit(io->request);
  ASSERT_TRUE(loop_.RunUntilIdle());
  EXPECT_TRUE(elsewhere.finished);
  EXPECT_FALSE(partial.finished || same_block.finished || behind.finished);
  delays_->Release();
  ASSERT_TRUE(loop_.RunUntilIdle());
  EXPECT_TRUE(partial.finished && same_block.finished && behind.finished);
}

TEST_F(AlignedVolumeTest, AMiddleOfWholeBlocksIsNotWaitedFor) {
  delays_->Hold({Op::kRead});
  Io partial(Op::kWrite, 1, 4 * kBlockSize, 1);  // changes blocks 0 and 4 in part, 1 to 3 whole
  Io middle(Op::kWrite, 2 * kBlockSize, kBlockSize, 2);
  volume_->Submit(partial.request);
  volume_->Submit(middle.request);
  ASSERT_TRUE(loop_.RunUntilIdle());
  EXPECT_TRUE(middle.finished);
  delays_->Release();
  ASSERT_TRUE(loop_.RunUntilIdle());
  EXPECT_TRUE(partial.finished);
}

TEST_F(AlignedVolumeTest, AFailedHalfFailsTheWriteAndLetsTheNextOneGo) {
  ErrorVolume::Fault fault;
  fault.ops = {Op::kRead};
  fault.count = 1;
  fault.status = Corrupted("block 0 does not match its checksum");
  errors_->Add(fault);
  Io first(Op::kWrite, 1, 10, 1), second(Op::kWrite, 20, 10, 2);
  volume_->Submit(first.request);
  volume_->Submit(second.request);
  ASSERT_TRUE(loop_.RunUntilIdle());
  EXPECT_EQ(first.request.status.code(), Code::kCorrupted);
  EXPECT_TRUE(second.request.status.ok());
  const auto bytes = ReadAll();
  EXPECT_EQ(bytes[1], 0);
  EXPECT_EQ(bytes[20], 2);
}

TEST_F(AlignedVolumeTest, RefusesWhatIsOutside) {
  for (const Op op : {Op::kRead, Op::kWrite, Op::kWriteZeroes, Op::kDiscard}) {
    Io beyond(op, kSize - 10, 11), far(op, kSize + 1, 1), empty(op, 5, 0);
    EXPECT_EQ(Run(beyond).code(), Code::kInvalidArgument);
    EXPECT_EQ(Run(far).code(), Code::kInvalidArgument);
    EXPECT_EQ(Run(empty).code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(ReadAll(), std::vector<uint8_t>(kSize));
}

TEST_F(AlignedVolumeTest, ADeletedVolumeIsReportedAsSuch) {
  storage_->now.volumes.clear();
  EXPECT_EQ(Write(0, kBlockSize, 1).code(), Code::kNotFound);
  Io read(Op::kRead, 0, kBlockSize);
  EXPECT_EQ(Run(read).code(), Code::kNotFound);
}

TEST_F(AlignedVolumeTest, AllocatedIsClippedToTheBytesAskedFor) {
  ASSERT_TRUE(Write(kBlockSize, kBlockSize, 1).ok());
  std::optional<Result<std::vector<Extent>>> result;
  Spawn(volume_->Allocated(100, 2 * kBlockSize, 10), [&result](auto r) { result.emplace(std::move(r)); });
  ASSERT_TRUE(loop_.RunUntil([&result] { return result.has_value(); }));
  ASSERT_TRUE(result->ok());
  EXPECT_THAT(**result, testing::ElementsAre(Extent{100, kBlockSize - 100, false}, Extent{kBlockSize, kBlockSize, true},
                                             Extent{2 * kBlockSize, 100, false}));
}

TEST_F(AlignedVolumeTest, ErrorFilterFailsWhatItIsToldTo) {
  ErrorVolume::Fault fault;
  fault.ops = {Op::kWrite};
  fault.offset = 2 * kBlockSize;
  fault.length = kBlockSize;
  fault.skip = 1;
  fault.count = 2;
  fault.status = IoError("the disk is gone");
  const auto id = errors_->Add(fault);
  EXPECT_TRUE(Write(0, kBlockSize, 1).ok());
  EXPECT_TRUE(Write(2 * kBlockSize, kBlockSize, 1).ok());
  EXPECT_EQ(Write(0, kSize, 2).code(), Code::kIoError);
  EXPECT_TRUE(Write(3 * kBlockSize, kBlockSize, 1).ok());
  EXPECT_EQ(Write(2 * kBlockSize, kBlockSize, 2).code(), Code::kIoError);
  EXPECT_TRUE(Write(2 * kBlockSize, kBlockSize, 3).ok());
  EXPECT_EQ(errors_->failed(), 2u);
  errors_->Remove(id);
}

TEST_F(AlignedVolumeTest, DelayFilterTakesItsTime) {
  delays_->Delay({Op::kWrite}, std::chrono::seconds(3));
  const io::Instant before = clock_.Now();
  ASSERT_TRUE(Write(0, kBlockSize, 1).ok());
  EXPECT_GE(clock_.Now() - before, std::chrono::seconds(3));
  delays_->Delay({Op::kWrite}, io::Duration::zero());
  const io::Instant later = clock_.Now();
  ASSERT_TRUE(Write(0, kBlockSize, 1).ok());
  EXPECT_EQ(clock_.Now(), later);
}

}  // namespace
}  // namespace lockstep::block
