// Blocks that were found bad, by whoever read them: each is named in the log once, however often it is met.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>

#include "base/log.h"
#include "block/integrity.h"

namespace lockstep::logstore {

// On the pool's loop.
class BadBlocks {
 public:
  using Listener = std::function<void(const block::BadBlock& bad)>;
  BadBlocks(block::PoolId pool, Log& log, Listener listener) : pool_(pool), log_(log), listener_(std::move(listener)) {}

  // `crc`: what the data should have; it tells the block from what was or will be at the same place.
  void Found(const block::BadBlock& bad, uint32_t crc);
  // One sentence.
  std::string Describe(const block::BadBlock& bad) const;

 private:
  const block::PoolId pool_;
  Log& log_;
  const Listener listener_;  // of those that are named
  std::set<std::pair<uint64_t, uint32_t>> named_;  // device block and checksum
};

}  // namespace lockstep::logstore
