#include "logstore/live_bits.h"

#include "base/assert.h"

namespace lockstep::logstore {

void LiveBits::Begin(uint32_t segment) {
  if (bits_[segment].empty()) {
    if (followed_ == most_) return;
    ++followed_;
  }
  bits_[segment].assign(words_, 0);
}

void LiveBits::Forget(uint32_t segment) {
  if (bits_[segment].empty()) return;
  std::vector<uint64_t>().swap(bits_[segment]);
  --followed_;
}

void LiveBits::Apply(const LiveChanges& changes) {
  // In this order: what was written and replaced within one fold is dead, and no place is used twice within one.
  for (const uint64_t location : changes.born()) {
    const uint32_t segment = superblock_.segment_of(location);
    if (bits_[segment].empty()) continue;
    const uint64_t block = location - superblock_.first_block(segment);
    LS_ASSERT((bits_[segment][block / 64] >> (block % 64) & 1) == 0);
    bits_[segment][block / 64] |= uint64_t{1} << (block % 64);
  }
  for (const uint64_t location : changes.died()) {
    const uint32_t segment = superblock_.segment_of(location);
    if (bits_[segment].empty()) continue;
    const uint64_t block = location - superblock_.first_block(segment);
    LS_ASSERT((bits_[segment][block / 64] >> (block % 64) & 1) == 1);
    bits_[segment][block / 64] &= ~(uint64_t{1} << (block % 64));
  }
}

}  // namespace lockstep::logstore
