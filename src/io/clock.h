// Time, as handed to a node. Two kinds that do not mix: an Instant orders events inside one process, a WallTime is what
// a person's calendar says and may jump.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace lockstep::io {

using Duration = std::chrono::nanoseconds;

// Monotonic; its zero means nothing.
struct Instant {
  int64_t ns = 0;
  auto operator<=>(const Instant&) const = default;
  friend Duration operator-(Instant a, Instant b) { return Duration(a.ns - b.ns); }
  friend Instant operator+(Instant a, Duration d) { return {a.ns + d.count()}; }
};

// Microseconds since 1970-01-01 00:00 UTC.
struct WallTime {
  int64_t us = 0;
  auto operator<=>(const WallTime&) const = default;
};

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
  virtual WallTime Wall() const = 0;
};

}  // namespace lockstep::io
