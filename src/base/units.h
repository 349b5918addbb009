// Sizes as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace lockstep {

inline constexpr uint64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB, kTiB = 1024 * kGiB;

// "64MiB", "10G", "4096": a number with an optional binary suffix K, M, G, T, P (each also with "iB" or "B"; all are
// powers of 1024), case ignored. invalid-argument for anything else, for zero digits and for what overflows 64 bits.
Result<uint64_t> ParseSize(std::string_view text);
// The largest unit that leaves at least 1, with at most two decimals: "1.5 GiB", "512 B".
std::string FormatSize(uint64_t bytes);

// "24h", "30m", "7d": a number with s, m, h, d or w; seconds without. invalid-argument for anything else, and for what
// overflows.
Result<uint64_t> ParseSeconds(std::string_view text);
// In the largest unit that divides it: "2d", "90m", "1s".
std::string FormatSeconds(uint64_t seconds);

constexpr uint64_t RoundUp(uint64_t v, uint64_t unit) {
  return (v + unit - 1) / unit * unit;
}
constexpr uint64_t RoundDown(uint64_t v, uint64_t unit) {
  return v / unit * unit;
}

}  // namespace lockstep
