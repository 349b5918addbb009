// Mutual exclusion for coroutines of one loop: one holder, the others wait in their order. Blocks no thread.
#pragma once

#include <deque>
#include <utility>

#include "base/assert.h"
#include "io/loop.h"

namespace lockstep::io {

// On its loop only. REQUIRES: nobody holds it or waits when it is destroyed.
class AsyncMutex {
 public:
  explicit AsyncMutex(Loop& loop) : loop_(loop) {}
  ~AsyncMutex() { LS_ASSERT(!held_ && waiting_.empty()); }

  // Held from the end of Lock until the object is destroyed or released.
  class Guard {
   public:
    explicit Guard(AsyncMutex& mutex) : mutex_(&mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() { Release(); }
    void Release() {
      if (AsyncMutex* m = std::exchange(mutex_, nullptr)) m->Unlock();
    }

   private:
    AsyncMutex* mutex_;
  };

  Task<Guard> Lock() {
    if (!held_) {
      held_ = true;
      co_return Guard(*this);
    }
    co_await SuspendWith([this](auto resume) { waiting_.push_back(std::move(resume)); });
    co_return Guard(*this);
  }
  bool held() const { return held_; }

 private:
  void Unlock() {
    LS_ASSERT(held_);
    if (waiting_.empty()) {
      held_ = false;
      return;
    }
    // It stays held: it passes to the first that waits, who goes on in a turn of its own.
    Closure next = std::move(waiting_.front());
    waiting_.pop_front();
    loop_.Post(std::move(next));
  }

  Loop& loop_;
  bool held_ = false;
  std::deque<Closure> waiting_;
};

}  // namespace lockstep::io
