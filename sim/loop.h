// One thread that plays every loop and every executor thread of a simulated node. Nothing waits: when nothing is ready,
// time jumps to the next timer.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

#include "io/loop.h"
#include "sim/clock.h"
#include "sim/random.h"

namespace lockstep::sim {

// The test's thread is the loop's thread. Not thread-safe, unlike a real loop: threads that a library starts by itself
// must not post here.
class SimLoop final : public io::Loop {
 public:
  enum class Order {
    kAsPosted,
    // Closures of one source run in their order, those of distinct sources in an order drawn from the seed. Sources
    // are what would be threads or devices in reality: the loop itself, each call on the executor, each disk.
    kShuffled,
  };
  using Source = uint64_t;

  SimLoop(SimClock& clock, uint64_t seed, Order order = Order::kAsPosted);
  ~SimLoop() override;
  SimLoop(const SimLoop&) = delete;

  void Post(io::Closure work) override;
  io::TimerId After(io::Duration delay, io::Closure work) override;
  void Cancel(io::TimerId timer) override;
  void BeforeWait(io::Closure work) override;
  bool IsCurrent() const override { return true; }

  Source NewSource() { return next_source_++; }
  void PostFrom(Source source, io::Closure work);

  // Runs what is ready, and what that makes ready, without letting time pass.
  void RunReady();
  // Runs until neither a closure nor a timer is left, or until `limit` of simulated time has passed (something sets
  // timers for ever). True if nothing is left.
  bool RunUntilIdle(io::Duration limit = std::chrono::hours(1));
  // Runs until predicate() holds; it is asked after every closure. False if it does not when nothing is left to run or
  // `limit` of simulated time has passed.
  template <typename Predicate>
  bool RunUntil(Predicate predicate, io::Duration limit = std::chrono::hours(1)) {
    const io::Instant end = clock_.Now() + limit;
    while (!predicate())
      if (!Step(end)) return predicate();
    return true;
  }
  // Runs whatever happens in the next `duration` of simulated time, and lets all of it pass.
  void RunFor(io::Duration duration);

  // A crash: destroys all that is waiting to run, unrun. Coroutines that wait in here are never resumed.
  void DropAll();

  uint64_t closures_run() const { return closures_run_; }

 private:
  using TimerKey = std::pair<int64_t, uint64_t>;  // due, id

  bool Step(io::Instant end);  // runs one closure or lets time pass; false if there is nothing up to `end`
  bool RunOneReady();
  bool RunBeforeWait();

  SimClock& clock_;
  SimRandom random_;
  const Order order_;
  Source current_source_ = 0;
  Source next_source_ = 1;
  std::map<Source, std::deque<io::Closure>> ready_;  // no empty queues
  std::vector<io::Closure> before_wait_;
  std::map<TimerKey, io::Closure> timers_;
  std::unordered_map<uint64_t, int64_t> timer_due_;
  uint64_t next_timer_ = 1;
  uint64_t closures_run_ = 0;
};

// Runs work on the loop, later, each piece as a thread of its own would: in any order among each other when the loop
// shuffles.
class SimExecutor final : public io::Executor {
 public:
  explicit SimExecutor(SimLoop& loop) : loop_(loop) {}
  void Run(io::Closure work) override { loop_.PostFrom(loop_.NewSource(), std::move(work)); }

 private:
  SimLoop& loop_;
};

}  // namespace lockstep::sim
