// The tail of the log in memory, by itself, against a model that keeps everything.
#include "logstore/log_tail.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "base/checksum.h"
#include "logstore/log_writer.h"
#include "sim/random.h"
#include "tests/support/aligned_memory.h"

namespace lockstep::test {
namespace {

using block::SequenceNumber;
using logstore::EntryType;
using logstore::kBlockSize;
using logstore::LogPosition;
using logstore::LogTail;

constexpr uint32_t kMostEntryBlocks = 4;

class TailAlone : public testing::Test {
 protected:
  struct Told {
    SequenceNumber sequence;
    block::VolumeId volume;  // nil: a transaction
    uint32_t blocks, tag;
  };
  struct Batch {
    std::vector<Told> entries;
    LogPosition end;
  };

  void SetUp() override {
    block::Transaction transaction;
    for (int i = 0; i < 4; ++i) {
      volumes_.push_back({random_.NextUuid()});
      transaction.changes.push_back(block::CreateVolume{volumes_.back(), 64 * kBlockSize});
    }
    structure_.Apply(transaction, 1, {});
    end_.next = 2;
  }
  void Make(uint64_t budget) { tail_ = std::make_unique<LogTail>(structure_, budget, kMostEntryBlocks); }

  // A batch of entries of random volumes; an entry of `large` blocks is a transaction's.
  void WriteBatch(size_t entries, uint32_t large = 0) {
    std::vector<logstore::Append> appends(entries);
    std::vector<AlignedMemory> memory;
    memory.reserve(entries);
    std::vector<uint32_t> crcs;
    Batch batch;
    const LogPosition begin = end_;
    for (size_t i = 0; i < entries; ++i) {
      logstore::Append& a = appends[i];
      a.sequence = end_.next++;
      if (i + 1 < entries) a.next = &appends[i + 1];
      Told told{a.sequence, {}, 0, ++tag_};
      const bool transaction = large != 0 || random_.OneIn(20);
      if (transaction) {
        const uint32_t blocks = std::max(large, 1u);
        a.entry = {EntryType::kTransaction, logstore::kNoLayer, 0, blocks, blocks * kBlockSize};
      } else {
        told.volume = volumes_[random_.Below(volumes_.size())];
        const auto type = random_.OneIn(5) ? EntryType::kHole : EntryType::kWrite;
        const auto count = static_cast<uint32_t>(1 + random_.Below(kMostEntryBlocks));
        a.entry = {type, structure_.Find(told.volume)->top, random_.Below(60), count, 0};
      }
      told.blocks = a.entry.data_blocks();
      if (told.blocks != 0) {
        AlignedMemory& m = memory.emplace_back(told.blocks * kBlockSize);
        for (size_t at = 0; at < m.size(); at += 4) std::memcpy(m.data() + at, &told.tag, 4);
        a.buffers.push_back({m.data(), kBlockSize});  // in two parts
        if (told.blocks > 1) a.buffers.push_back({m.data() + kBlockSize, m.size() - kBlockSize});
        for (uint32_t b = 0; b < told.blocks; ++b)
          crcs.push_back(Crc32c({m.data() + size_t{b} * kBlockSize, kBlockSize}));
      }
      batch.entries.push_back(told);
    }
    ++end_.block;
    end_.previous_crc = ++tag_;
    batch.end = end_;
    batches_.push_back(batch);
    if (tail_->followed()) tail_->Keep(begin, end_, entries == 0 ? nullptr : appends.data(), crcs.data());
  }

  static void ExpectKept(const Told& told, const LogTail::Kept& kept) {
    ASSERT_EQ(kept.sequence, told.sequence);
    ASSERT_EQ(kept.data.size(), told.blocks * kBlockSize);
    for (uint32_t b = 0; b < told.blocks; ++b) {
      uint32_t tag = 0;
      std::memcpy(&tag, kept.data.data() + (size_t{b} + 1) * kBlockSize - 4, 4);
      ASSERT_EQ(tag, told.tag);
      ASSERT_EQ(kept.crcs[b], Crc32c(kept.data.subspan(size_t{b} * kBlockSize, kBlockSize)));
    }
  }
  // Everything from `from` on, by walking: what concerns `volumes` is there, once, in order.
  void ExpectWhole(SequenceNumber from, const std::unordered_set<block::VolumeId>& volumes) {
    const auto concerns = [&](const block::VolumeId& v) { return v.IsNil() || volumes.contains(v); };
    size_t batch = 0;
    LogTail::Piece piece;
    SequenceNumber next = from;
    while (next < end_.next) {
      tail_->Read(next, piece);
      ASSERT_GT(piece.end.next, next);
      size_t at = 0;
      for (; batch < batches_.size() && batches_[batch].end.next <= piece.end.next; ++batch) {
        for (const Told& told : batches_[batch].entries) {
          if (told.sequence < next || !concerns(told.volume)) continue;
          const auto of_others = [&](const LogTail::Kept& k) { return k.sequence < told.sequence; };
          while (at < piece.entries.size() && of_others(piece.entries[at])) ++at;
          ASSERT_LT(at, piece.entries.size()) << "entry " << told.sequence << " is missing";
          ExpectKept(told, piece.entries[at++]);
          if (HasFatalFailure()) return;
        }
        // A walk on the device could begin there.
        if (batches_[batch].end.next == piece.end.next && batch + 1 < batches_.size() &&
            batches_[batch + 1].end.next != piece.end.next) {
          ASSERT_EQ(piece.end, batches_[batch].end);
        }
      }
      next = piece.end.next;
    }
    ASSERT_EQ(next, end_.next);
  }

  sim::SimRandom random_{1};
  logstore::Structure structure_;
  std::vector<block::VolumeId> volumes_;
  std::unique_ptr<LogTail> tail_;
  LogPosition end_;
  std::vector<Batch> batches_;
  uint32_t tag_ = 0;
};

TEST_F(TailAlone, HoldsTheNewestWithinItsBudget) {
  constexpr uint64_t kBudget = 32 * kBlockSize;
  Make(kBudget);
  const std::unordered_set<block::VolumeId> followed{volumes_[0], volumes_[2]};
  EXPECT_EQ(tail_->Follow(followed, end_), end_.next);
  uint64_t dropped = 0;
  for (int i = 0; i < 2000; ++i) {
    const SequenceNumber before = tail_->first();
    WriteBatch(random_.Below(12));
    ASSERT_GE(tail_->first(), before);
    dropped += tail_->first() != before;
    // Blocks, and what says whose they are.
    ASSERT_LE(tail_->memory(), kBudget * 5 / 4);
    if (i % 10 != 0) continue;
    ASSERT_LE(tail_->first(), end_.next);
    ASSERT_LE(tail_->near_first().next, end_.next);
    ExpectWhole(tail_->first(), followed);
    ExpectWhole(tail_->first() + random_.Below(end_.next - tail_->first() + 1), followed);
    ASSERT_FALSE(HasFatalFailure()) << "batch " << i;
  }
  EXPECT_GT(dropped, 100u);
  tail_->Unfollow(followed);
  EXPECT_EQ(tail_->memory(), 0u);
}

TEST_F(TailAlone, WhatAStreamHasInHandStaysWhatItIs) {
  Make(16 * kBlockSize);
  const std::unordered_set<block::VolumeId> followed(volumes_.begin(), volumes_.end());
  tail_->Follow(followed, end_);
  for (int i = 0; i < 50; ++i) {
    WriteBatch(8);
    LogTail::Piece piece;
    const SequenceNumber from = tail_->first();
    tail_->Read(from, piece);
    for (int k = 0; k < 20; ++k) WriteBatch(8);
    ASSERT_GT(tail_->first(), piece.end.next);
    size_t at = 0;
    for (const Batch& batch : batches_)
      for (const Told& told : batch.entries)
        if (at < piece.entries.size() && told.sequence == piece.entries[at].sequence)
          ExpectKept(told, piece.entries[at++]);
    ASSERT_EQ(at, piece.entries.size());
    ASSERT_GT(at, 0u);
  }
}

TEST_F(TailAlone, AnEntryThatIsLargerThanAllOfItIsNotKept) {
  Make(16 * kBlockSize);
  const std::unordered_set<block::VolumeId> followed{volumes_[1]};
  tail_->Follow(followed, end_);
  WriteBatch(5);
  WriteBatch(1, 9);  // larger than others, and kept
  EXPECT_LT(tail_->first(), end_.next);
  ExpectWhole(tail_->first(), followed);
  WriteBatch(3, 17);
  EXPECT_EQ(tail_->first(), end_.next);
  EXPECT_EQ(tail_->near_first(), end_);
  for (int i = 0; i < 5; ++i) WriteBatch(4);
  ExpectWhole(tail_->first(), followed);
}

TEST_F(TailAlone, EveryStreamKnowsFromWhereOnItsVolumesAreKept) {
  Make(64 * kBlockSize);
  const std::unordered_set<block::VolumeId> one{volumes_[0]}, both{volumes_[0], volumes_[1]};
  const SequenceNumber first = end_.next;
  EXPECT_EQ(tail_->Follow(one, end_), first);
  WriteBatch(3);
  EXPECT_EQ(tail_->Follow(one, end_), first);  // somebody has followed since
  const SequenceNumber later = end_.next;
  EXPECT_EQ(tail_->Follow(both, end_), later);
  WriteBatch(3);
  ExpectWhole(first, one);
  ExpectWhole(later, both);
  tail_->Unfollow(both);
  WriteBatch(3);
  EXPECT_EQ(tail_->Follow(both, end_), end_.next);  // there is a gap
  tail_->Unfollow(one);
  tail_->Unfollow(one);
  EXPECT_TRUE(tail_->followed());
  tail_->Unfollow(both);
  EXPECT_FALSE(tail_->followed());
  Make(0);
  EXPECT_EQ(tail_->Follow(one, end_), logstore::kNow);
  EXPECT_FALSE(tail_->followed());
}

}  // namespace
}  // namespace lockstep::test
