// What a change of the map makes of the segments: which blocks of the device become live, and which die.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "logstore/format.h"

namespace lockstep::logstore {

// A change of one segment's count.
struct LiveChange {
  int64_t blocks = 0;
  SequenceNumber youngest = 0;  // newest birth among the blocks added; 0: none was
};

class LiveChanges {
 public:
  // The block at `location`, written as entry `birth`, is live now.
  void Born(const Superblock& superblock, uint64_t location, SequenceNumber birth) {
    LiveChange& change = counts_[superblock.segment_of(location)];
    ++change.blocks;
    change.youngest = std::max(change.youngest, birth);
    born_.push_back(location);
  }
  // It was live, perhaps only since Born.
  void Died(const Superblock& superblock, uint64_t location) {
    --counts_[superblock.segment_of(location)].blocks;
    died_.push_back(location);
  }

  // The segment's record is to be written although nothing of it changes.
  void Mention(uint32_t segment) { counts_[segment]; }

  const std::unordered_map<uint32_t, LiveChange>& counts() const { return counts_; }  // by segment
  const std::vector<uint64_t>& born() const { return born_; }
  const std::vector<uint64_t>& died() const { return died_; }

 private:
  std::unordered_map<uint32_t, LiveChange> counts_;
  std::vector<uint64_t> born_, died_;
};

}  // namespace lockstep::logstore
