// Mutual exclusion between coroutines of one loop, in the order in which they asked. Blocks no thread.
#pragma once

#include <coroutine>
#include <deque>
#include <utility>

#include "base/assert.h"
#include "io/loop.h"

namespace lockstep::io {

// On one loop's thread only. Not recursive.
class AsyncMutex {
 public:
  explicit AsyncMutex(Loop& loop) : loop_(loop) {}
  // REQUIRES: nobody has it or waits for it.
  ~AsyncMutex() { LS_ASSERT(!held_ && waiting_.empty()); }

  // Gives it back when it is destroyed.
  class Guard {
   public:
    explicit Guard(AsyncMutex* mutex) : mutex_(mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() { Release(); }
    void Release() {
      if (AsyncMutex* mutex = std::exchange(mutex_, nullptr)) mutex->Unlock();
    }

   private:
    AsyncMutex* mutex_;
  };

  // const auto guard = co_await mutex.Lock();
  auto Lock() {
    struct Awaiter {
      AsyncMutex& mutex;
      bool await_ready() const noexcept { return !std::exchange(mutex.held_, true); }
      void await_suspend(std::coroutine_handle<> handle) { mutex.waiting_.push_back(handle); }
      Guard await_resume() const noexcept { return Guard(&mutex); }
    };
    return Awaiter{*this};
  }

 private:
  // Hands it to the next one, who goes on later: whoever unlocks runs to its end first.
  void Unlock() {
    if (waiting_.empty()) {
      held_ = false;
      return;
    }
    const std::coroutine_handle<> next = waiting_.front();
    waiting_.pop_front();
    loop_.Post([next] { next.resume(); });
  }

  Loop& loop_;
  bool held_ = false;
  std::deque<std::coroutine_handle<>> waiting_;
};

}  // namespace lockstep::io
