#include "sim/loop.h"

#include <iterator>

namespace lockstep::sim {

SimLoop::SimLoop(SimClock& clock, uint64_t seed, Order order) : clock_(clock), random_(seed), order_(order) {}

SimLoop::~SimLoop() { DropAll(); }

void SimLoop::Post(io::Closure work) { PostFrom(current_source_, std::move(work)); }

void SimLoop::PostFrom(Source source, io::Closure work) {
  ready_[order_ == Order::kAsPosted ? 0 : source].push_back(std::move(work));
}

io::TimerId SimLoop::After(io::Duration delay, io::Closure work) {
  const uint64_t id = next_timer_++;
  const int64_t due = (clock_.Now() + std::max(delay, io::Duration(0))).ns;
  timers_.emplace(TimerKey{due, id}, std::move(work));
  timer_due_.emplace(id, due);
  return io::TimerId{id};
}

void SimLoop::Cancel(io::TimerId timer) {
  const auto it = timer_due_.find(static_cast<uint64_t>(timer));
  if (it == timer_due_.end()) return;
  // The closure is destroyed only after both maps are whole again: its destructor may call back.
  auto node = timers_.extract(TimerKey{it->second, it->first});
  timer_due_.erase(it);
}

void SimLoop::BeforeWait(io::Closure work) { before_wait_.push_back(std::move(work)); }

bool SimLoop::RunOneReady() {
  if (ready_.empty()) return false;
  auto it = ready_.begin();
  if (ready_.size() > 1) std::advance(it, static_cast<ptrdiff_t>(random_.Below(ready_.size())));
  io::Closure work = std::move(it->second.front());
  it->second.pop_front();
  current_source_ = it->first;
  if (it->second.empty()) ready_.erase(it);
  ++closures_run_;
  work();
  work = nullptr;
  current_source_ = 0;
  return true;
}

bool SimLoop::RunBeforeWait() {
  if (before_wait_.empty()) return false;
  std::vector<io::Closure> batch = std::exchange(before_wait_, {});
  for (io::Closure& work : batch) {
    ++closures_run_;
    work();
  }
  return true;
}

bool SimLoop::Step(io::Instant end) {
  if (RunOneReady() || RunBeforeWait()) return true;
  if (timers_.empty() || timers_.begin()->first.first > end.ns) return false;
  auto node = timers_.extract(timers_.begin());
  timer_due_.erase(node.key().second);
  clock_.AdvanceTo({node.key().first});
  ++closures_run_;
  node.mapped()();
  return true;
}

void SimLoop::RunReady() {
  while (RunOneReady() || RunBeforeWait()) {
  }
}

bool SimLoop::RunUntilIdle(io::Duration limit) {
  const io::Instant end = clock_.Now() + limit;
  while (Step(end)) {
  }
  return timers_.empty();
}

void SimLoop::RunFor(io::Duration duration) {
  const io::Instant end = clock_.Now() + duration;
  while (Step(end)) {
  }
  clock_.AdvanceTo(end);
}

void SimLoop::DropAll() {
  // Destroying a closure may post, so this goes on until nothing is left.
  while (!ready_.empty() || !before_wait_.empty() || !timers_.empty()) {
    auto ready = std::exchange(ready_, {});
    auto before_wait = std::exchange(before_wait_, {});
    auto timers = std::exchange(timers_, {});
    timer_due_.clear();
  }
}

}  // namespace lockstep::sim
