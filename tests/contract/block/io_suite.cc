// Volume: reads, writes, zeroes, discards, flushes, errors, requests in flight together.
#include <cstring>
#include <memory>

#include <gmock/gmock.h>

#include "tests/contract/block/suite.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it
using testing::ElementsAre;
using Op = Request::Op;

TEST_P(BlockContract, ANewVolumeReadsAsZeroesAndIsOneHole) {
  const VolumeId id = Create();
  const VolumePtr volume = Open(id);
  EXPECT_EQ(volume->size(), kVolumeBlocks * kBlock);
  EXPECT_FALSE(volume->read_only());
  EXPECT_TRUE(Holds(*volume, 0, kVolumeBlocks, 0));
  const auto extents = Await(volume->Allocated(0, volume->size(), 10));
  ASSERT_TRUE(extents.ok());
  EXPECT_THAT(*extents, ElementsAre(Extent{0, volume->size(), false}));
  EXPECT_EQ(UsedBy(id), 0u);
}

TEST_P(BlockContract, AReadSeesEveryCompletedWrite) {
  const VolumePtr volume = Open(Create());
  ASSERT_TRUE(Write(*volume, 0, 1, 1).ok());
  ASSERT_TRUE(Write(*volume, 7, 9, 2).ok());
  ASSERT_TRUE(Write(*volume, 9, 2, 3).ok());
  ASSERT_TRUE(Write(*volume, kVolumeBlocks - 1, 1, 4).ok());
  EXPECT_TRUE(Holds(*volume, 0, 1, 1));
  EXPECT_TRUE(Holds(*volume, 1, 6, 0));
  EXPECT_TRUE(Holds(*volume, 7, 2, 2));
  EXPECT_TRUE(Holds(*volume, 9, 2, 3));
  EXPECT_TRUE(Holds(*volume, 11, 5, 2));
  EXPECT_TRUE(Holds(*volume, kVolumeBlocks - 1, 1, 4));
}

TEST_P(BlockContract, ARequestMayHaveManyBuffers) {
  constexpr uint64_t kCount = 64;
  const VolumePtr volume = Open(Create(kCount));
  AlignedMemory memory(kCount * kBlock);
  Paint(memory.bytes(), 0, 5);
  // In memory the blocks lie backwards, so that the order of the buffers matters.
  std::vector<io::Buffer> buffers;
  for (uint64_t i = 0; i < kCount; ++i) buffers.push_back({memory.data() + (kCount - 1 - i) * kBlock, kBlock});
  Request request;
  request.op = Op::kWrite;
  request.length = kCount * kBlock;
  request.buffers = buffers;
  ASSERT_TRUE(Execute(*volume, request).ok());
  std::memset(memory.data(), 0, memory.size());
  request.op = Op::kRead;
  ASSERT_TRUE(Execute(*volume, request).ok());
  std::vector<std::byte> expected(kCount * kBlock);
  Paint(expected, 0, 5);
  EXPECT_EQ(std::memcmp(memory.data(), expected.data(), expected.size()), 0);
}

TEST_P(BlockContract, TheLargestTransferIsTakenAndALargerOneRefused) {
  constexpr uint64_t kBlocks = kMaxTransferSize / kBlock;
  const VolumePtr volume = Open(Create(kBlocks + 1));
  ASSERT_TRUE(Write(*volume, 1, kBlocks, 6).ok());
  EXPECT_TRUE(Holds(*volume, 1, kBlocks, 6));
  EXPECT_EQ(Write(*volume, 0, kBlocks + 1, 7).code(), Code::kInvalidArgument);
  EXPECT_TRUE(Holds(*volume, 0, 1, 0));
  EXPECT_TRUE(Holds(*volume, 1, 1, 6));
}

TEST_P(BlockContract, ZeroesAndDiscardsReadAsZeroesAndAreHoles) {
  for (const Op op : {Op::kWriteZeroes, Op::kDiscard}) {
    const VolumePtr volume = Open(Create());
    ASSERT_TRUE(Write(*volume, 0, kVolumeBlocks, 1).ok());
    ASSERT_TRUE(Clear(*volume, op, 10, 20).ok());
    EXPECT_TRUE(Holds(*volume, 0, 10, 1));
    EXPECT_TRUE(Holds(*volume, 10, 20, 0));
    EXPECT_TRUE(Holds(*volume, 30, kVolumeBlocks - 30, 1));
    ASSERT_TRUE(Write(*volume, 12, 1, 2).ok());
    EXPECT_TRUE(Holds(*volume, 12, 1, 2));
    EXPECT_TRUE(Holds(*volume, 13, 17, 0));
    if (op != Op::kDiscard) continue;
    const auto extents = Await(volume->Allocated(0, volume->size(), 10));
    ASSERT_TRUE(extents.ok());
    EXPECT_THAT(*extents, ElementsAre(Extent{0, 10 * kBlock, true}, Extent{10 * kBlock, 2 * kBlock, false},
                                      Extent{12 * kBlock, kBlock, true}, Extent{13 * kBlock, 17 * kBlock, false},
                                      Extent{30 * kBlock, (kVolumeBlocks - 30) * kBlock, true}));
  }
}

TEST_P(BlockContract, ADiscardMayBeLongerThanATransfer) {
  constexpr uint64_t kBlocks = 3 * kMaxTransferSize / kBlock;
  const VolumePtr volume = Open(Create(kBlocks));
  ASSERT_TRUE(Write(*volume, 100, 4, 1).ok());
  ASSERT_TRUE(Write(*volume, kBlocks - 4, 4, 1).ok());
  ASSERT_TRUE(Clear(*volume, Op::kDiscard, 0, kBlocks).ok());
  EXPECT_TRUE(Holds(*volume, 100, 4, 0));
  EXPECT_TRUE(Holds(*volume, kBlocks - 4, 4, 0));
}

TEST_P(BlockContract, AllocatedIsCutShortAfterTheLimitAndStaysInItsRange) {
  const VolumePtr volume = Open(Create());
  for (uint64_t block = 0; block < 40; block += 4) ASSERT_TRUE(Write(*volume, block, 2, 1).ok());
  const auto first = Await(volume->Allocated(kBlock, 30 * kBlock, 3));
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(*first, ElementsAre(Extent{kBlock, kBlock, true}, Extent{2 * kBlock, 2 * kBlock, false},
                                  Extent{4 * kBlock, 2 * kBlock, true}));
  const auto inside = Await(volume->Allocated(5 * kBlock, kBlock, 3));
  ASSERT_TRUE(inside.ok());
  EXPECT_THAT(*inside, ElementsAre(Extent{5 * kBlock, kBlock, true}));
  EXPECT_EQ(Await(volume->Allocated(0, volume->size() + kBlock, 3)).status().code(), Code::kInvalidArgument);
}

TEST_P(BlockContract, ARequestOutsideTheVolumeOrMisalignedIsRefusedAndDoesNothing) {
  const VolumePtr volume = Open(Create());
  ASSERT_TRUE(Write(*volume, 0, kVolumeBlocks, 1).ok());
  AlignedMemory memory(4 * kBlock);
  std::memset(memory.data(), 0, memory.size());
  const io::Buffer block{memory.data(), kBlock};
  const io::Buffer crooked{memory.data() + 512, kBlock};
  struct Case {
    const char* what;
    uint64_t offset, length;
    const io::Buffer* buffer;
  };
  const uint64_t size = volume->size();
  for (const Case& c : {Case{"beyond the end", size, kBlock, &block},
                        Case{"across the end", size - kBlock, 2 * kBlock, &block},
                        Case{"overflowing", UINT64_MAX - kBlock + 1, kBlock, &block},
                        Case{"offset misaligned", 512, kBlock, &block}, Case{"length misaligned", 0, 512, &block},
                        Case{"empty", 0, 0, nullptr}, Case{"buffers too small", 0, 2 * kBlock, &block},
                        Case{"memory misaligned", 0, kBlock, &crooked}}) {
    for (const Op op : {Op::kRead, Op::kWrite, Op::kWriteZeroes, Op::kDiscard}) {
      const bool transfers = op == Op::kRead || op == Op::kWrite;
      const bool about_memory = c.buffer == &crooked || (c.length == 2 * kBlock && c.offset == 0);
      if (!transfers && about_memory) continue;
      Request request;
      request.op = op;
      request.offset = c.offset;
      request.length = c.length;
      if (transfers && c.buffer != nullptr) request.buffers = {c.buffer, 1};
      EXPECT_EQ(Execute(*volume, request).code(), Code::kInvalidArgument) << c.what << ", op " << static_cast<int>(op);
    }
  }
  EXPECT_TRUE(Holds(*volume, 0, kVolumeBlocks, 1));
}

TEST_P(BlockContract, AFlushOrADurableWriteMovesTheDurablePosition) {
  const VolumePtr volume = Open(Create());
  ASSERT_TRUE(Write(*volume, 0, 4, 1).ok());
  const SequenceNumber written = pool_->Info().last;
  ASSERT_TRUE(Flush(*volume).ok());
  EXPECT_GE(pool_->Info().durable, written);
  ASSERT_TRUE(Write(*volume, 4, 4, 2, true).ok());
  EXPECT_EQ(pool_->Info().durable, pool_->Info().last);
  EXPECT_GT(pool_->Info().last, written);
}

TEST_P(BlockContract, OverlappingWritesInFlightLeaveOneOfThemInEachBlock) {
  constexpr uint64_t kWrites = 100;
  const VolumePtr volume = Open(Create());
  std::vector<std::unique_ptr<PendingWrite>> writes;
  std::vector<std::vector<uint64_t>> candidates(kVolumeBlocks);
  for (uint64_t tag = 1; tag <= kWrites; ++tag) {
    const uint64_t first = random_.Below(kVolumeBlocks - 8);
    const uint64_t count = 1 + random_.Below(8);
    writes.push_back(std::make_unique<PendingWrite>(first, count));
    Paint(writes.back()->memory.bytes(), first, tag);
    for (uint64_t b = first; b < first + count; ++b) candidates[b].push_back(tag);
    volume->Submit(writes.back()->request);
  }
  for (auto& write : writes) {
    ASSERT_TRUE(factory_->RunUntil([&write] { return write->finished; }));
    EXPECT_TRUE(write->request.status.ok());
  }
  for (uint64_t b = 0; b < kVolumeBlocks; ++b) {
    bool found = candidates[b].empty() && Holds(*volume, b, 1, 0);
    for (const uint64_t tag : candidates[b]) found = found || Holds(*volume, b, 1, tag);
    EXPECT_TRUE(found) << "block " << b << " holds none of the writes that went there";
    EXPECT_EQ(*Read(*volume, b, 1), *Read(*volume, b, 1));
  }
}

TEST_P(BlockContract, ARequestMayBeSubmittedAgainFromItsCompletion) {
  struct Chain {
    PendingWrite write{0, 1};
    Volume* volume = nullptr;
    uint64_t left = 50;
  } chain;
  const VolumePtr volume = Open(Create());
  chain.volume = volume.get();
  chain.write.request.context = &chain;
  chain.write.request.done = [](Request& r) {
    auto& c = *static_cast<Chain*>(r.context);
    if (!r.status.ok() || --c.left == 0) {
      c.write.finished = true;
      return;
    }
    r.offset += kBlock;
    Paint(c.write.memory.bytes(), r.offset / kBlock, 9);
    c.volume->Submit(r);
  };
  Paint(chain.write.memory.bytes(), 0, 9);
  volume->Submit(chain.write.request);
  ASSERT_TRUE(factory_->RunUntil([&chain] { return chain.write.finished; }));
  ASSERT_TRUE(chain.write.request.status.ok());
  EXPECT_TRUE(Holds(*volume, 0, 50, 9));
  EXPECT_TRUE(Holds(*volume, 50, 14, 0));
}

TEST_P(BlockContract, ADeletedVolumeStaysValidForItsHoldersAndFailsTheirRequests) {
  const VolumeId id = Create();
  const VolumePtr volume = Open(id);
  ASSERT_TRUE(Write(*volume, 0, 1, 1).ok());
  ASSERT_TRUE(Apply({DeleteVolume{id}}).ok());
  EXPECT_EQ(Write(*volume, 0, 1, 2).code(), Code::kNotFound);
  EXPECT_EQ(Read(*volume, 0, 1).status().code(), Code::kNotFound);
  EXPECT_EQ(Clear(*volume, Op::kDiscard, 0, 1).code(), Code::kNotFound);
  EXPECT_EQ(volume->id(), id);
}

TEST_P(BlockContract, TwoOpenedObjectsOfAVolumeShowTheSameContent) {
  const VolumeId id = Create();
  const VolumePtr one = Open(id);
  const VolumePtr other = Open(id);
  ASSERT_TRUE(Write(*one, 3, 1, 1).ok());
  EXPECT_TRUE(Holds(*other, 3, 1, 1));
  ASSERT_TRUE(Write(*other, 3, 1, 2).ok());
  EXPECT_TRUE(Holds(*one, 3, 1, 2));
}

}  // namespace
}  // namespace lockstep::test
