#include "logstore/bad_blocks.h"

#include <fmt/format.h>

namespace lockstep::logstore {
namespace {

constexpr size_t kMostNamed = 10'000;  // then some may be named again

}  // namespace

void BadBlocks::Found(const block::BadBlock& bad, uint32_t crc) {
  if (named_.size() >= kMostNamed) named_.clear();
  if (!named_.emplace(bad.device_block, crc).second) return;
  log_.Error("{}", Describe(bad));
  if (listener_) listener_(bad);
}

std::string BadBlocks::Describe(const block::BadBlock& bad) const {
  if (bad.layer == 0)
    return fmt::format("pool {}: the log cannot be read from device block {} to the end of its segment",
                       pool_.ToString(), bad.device_block);
  const std::string whose = bad.volume.IsNil() ? fmt::format("layer {}, which no volume shows now", bad.layer)
                                               : fmt::format("volume {}", bad.volume.ToString());
  return fmt::format("pool {}: block {} of {} does not match its checksum or cannot be read, at device block {}",
                     pool_.ToString(), bad.block, whose, bad.device_block);
}

}  // namespace lockstep::logstore
