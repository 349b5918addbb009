// Load on volumes, as fio makes it: a number of requests of one size kept in flight all the time.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/task.h"
#include "block/volume.h"
#include "io/clock.h"
#include "io/loop.h"
#include "tests/support/aligned_memory.h"

namespace lockstep::bench {

struct Sample {
  io::Instant begin;
  io::Duration took;
  io::Instant end() const { return begin + took; }
};

struct Shape {
  bool write = true;
  bool random = true;
  uint64_t block = 4096;  // bytes of one request
  unsigned depth = 32;    // requests in flight over all volumes together
  uint64_t bytes = UINT64_MAX;  // ends after so many
  bool flush = false;           // each request is followed by a flush, and ends with it
};

// On the volumes' loop. Requests go to the volumes in turn.
class Load {
 public:
  // REQUIRES: the volumes hold at least one block each and are of the same size.
  Load(std::span<const std::shared_ptr<block::Volume>> volumes, io::Clock& clock, const Shape& shape, uint64_t seed);
  // REQUIRES: Stop has been called and answered, or Start never was.
  ~Load() = default;
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void Start();
  // Lets the requests in flight end, then calls `stopped`; at once when the load has ended by itself.
  void Stop(io::Closure stopped);
  // Calls `ended` when the load has ended by itself: after Shape::bytes, or after the first error.
  void WhenEnded(io::Closure ended) { ended_ = std::move(ended); }

  // What has completed, in the order of completion.
  const std::vector<Sample>& samples() const { return samples_; }
  const Status& status() const { return status_; }  // the first error

 private:
  struct Slot {
    Load* load = nullptr;
    block::Volume* volume = nullptr;
    block::Request request;
    io::Buffer buffer;
    io::Instant begin;
  };
  void Next(Slot& slot);
  void Done(Slot& slot);

  std::vector<std::shared_ptr<block::Volume>> volumes_;
  io::Clock& clock_;
  const Shape shape_;
  const uint64_t blocks_;  // of one volume
  std::mt19937_64 random_;
  test::AlignedMemory memory_;
  std::vector<Slot> slots_;
  uint64_t issued_ = 0;
  unsigned in_flight_ = 0;
  bool stopping_ = false;
  io::Closure stopped_, ended_;
  std::vector<Sample> samples_;
  Status status_;
};

// Runs a load until it has ended by itself or `limit` has passed. On the loop.
Task<void> Await(io::Loop& loop, Load& load, io::Duration limit);

// Of latencies in microseconds.
struct Latency {
  double median = 0, p99 = 0, longest = 0;
};
Latency Summarize(std::vector<Sample> samples);

}  // namespace lockstep::bench
