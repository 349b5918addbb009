// Time that stands still until the simulation moves it.
#pragma once

#include <atomic>

#include "io/clock.h"

namespace lockstep::sim {

// Reading is thread-safe (libraries with threads of their own read it); moving it is the simulation's alone.
class SimClock final : public io::Clock {
 public:
  // 2026-01-01 00:00 UTC, so that dates in a trace look like dates.
  static constexpr int64_t kStartUs = 1767225600ll * 1000000;

  io::Instant Now() const override { return {now_ns_}; }
  io::WallTime Wall() const override { return {kStartUs + wall_offset_us_ + now_ns_ / 1000}; }

  void AdvanceTo(io::Instant to) {
    if (to.ns > now_ns_) now_ns_ = to.ns;
  }
  void Advance(io::Duration by) { AdvanceTo(Now() + by); }
  // The calendar is set forward or back by somebody; Now() does not notice.
  void StepWall(io::Duration by) { wall_offset_us_ += by.count() / 1000; }

 private:
  std::atomic<int64_t> now_ns_ = 1000000000;
  std::atomic<int64_t> wall_offset_us_ = 0;
};

}  // namespace lockstep::sim
