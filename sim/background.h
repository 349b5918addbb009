// A library's background work in simulation: on one real thread, because the library blocks while it waits for it, but
// handed over so that what reaches the simulated files does so in the same order every time: jobs run in Settle only,
// which the users call when a call into the library is over. So the simulation's thread and this one never do I/O
// together.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "io/background.h"

namespace lockstep::sim {

class SimBackground final : public io::Background {
 public:
  SimBackground() = default;
  // Finishes what was started.
  ~SimBackground() override;
  SimBackground(const SimBackground&) = delete;

  void Start(Job job) override;
  size_t Cancel(void* tag) override;
  void Settle() override;
  uint64_t NowMicros() override { return now_us_; }
  void SleepMicros(uint64_t duration) override { now_us_ += duration; }

 private:
  void Work();

  std::mutex mutex_;  // guards all below but the clock
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool running_ = false, settling_ = false, ending_ = false;
  std::thread thread_;  // begun with the first job
  std::atomic<uint64_t> now_us_ = 1767225600ull * 1000000;
};

}  // namespace lockstep::sim
