// Which blocks of a segment are live, one bit each: so that the cleaner need not ask the index about every block. Kept
// in memory only, for the segments that have been taken since the pool was opened, as far as the budget goes (32 MiB
// are enough for 1 TiB); of all others nothing is known, and the index is asked.
//
// Changed together with the segments' counts, so it is exact as of the last fold. On the pool's loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "logstore/live_changes.h"

namespace lockstep::logstore {

class LiveBits {
 public:
  static constexpr size_t kBudgetBytes = 32 << 20;

  explicit LiveBits(const Superblock& superblock, size_t budget_bytes = kBudgetBytes)
      : superblock_(superblock),
        words_((superblock.segment_blocks() + 63) / 64),
        most_(budget_bytes / (words_ * sizeof(uint64_t))),
        bits_(superblock.segment_count) {}

  // There are more segments.
  void Resize(uint32_t segments) { bits_.resize(segments); }
  // The segment has no live block now. Once the budget is spent it is not followed.
  void Begin(uint32_t segment);
  // Nothing is known of it any more.
  void Forget(uint32_t segment);
  void Apply(const LiveChanges& changes);

  // Bit i % 64 of word i / 64 is that of the segment's block i; empty: nothing is known.
  const std::vector<uint64_t>& Find(uint32_t segment) const { return bits_[segment]; }

 private:
  const Superblock superblock_;
  const size_t words_, most_;
  std::vector<std::vector<uint64_t>> bits_;
  size_t followed_ = 0;
};

}  // namespace lockstep::logstore
