// Scheduling. Every object of a node belongs to one loop; its methods are called and its callbacks run on that loop's
// thread, one after another, so it needs no lock. Other threads reach it with Post, or with co_await Switch().
#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/task.h"
#include "io/clock.h"

namespace lockstep::io {

using Closure = std::move_only_function<void()>;

enum class TimerId : uint64_t { kNone = 0 };

class Loop {
 public:
  virtual ~Loop() = default;

  // Runs `work` on the loop's thread, later: never inside the call. Closures posted by one thread run in their order.
  // Thread-safe. A loop that has stopped drops what is posted to it.
  virtual void Post(Closure work) = 0;

  // Runs `work` once, not before `delay` from now. On the loop's thread only.
  virtual TimerId After(Duration delay, Closure work) = 0;
  // Forgets a timer that has not run; one that has run, or kNone, is ignored. On the loop's thread only.
  virtual void Cancel(TimerId timer) = 0;

  // Runs `work` once before the loop next waits for events, after what is ready now has been handled. Lets an object
  // collect what arrives together and act once (group commit, one reply for many requests). On the loop's thread only.
  virtual void BeforeWait(Closure work) = 0;

  // True on the loop's own thread.
  virtual bool IsCurrent() const = 0;

  // co_await loop.Switch(): the coroutine goes on on this loop's thread; at once when it is there already.
  auto Switch() {
    struct Awaiter {
      Loop& loop;
      bool await_ready() const { return loop.IsCurrent(); }
      void await_suspend(std::coroutine_handle<> handle) {
        loop.Post([handle] { handle.resume(); });
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }
  // co_await loop.Sleep(d). On the loop's thread only.
  auto Sleep(Duration delay) {
    return SuspendWith([this, delay](auto resume) { After(delay, std::move(resume)); });
  }
};

// Where blocking or long work goes: library calls that wait for a disk (the index, the catalog), heavy computation.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `work` on some other thread (in simulation: on the only one, later). Thread-safe. What `work` touches is its
  // own until it has ended.
  virtual void Run(Closure work) = 0;

  // co_await executor.Call(loop, f): f() on the executor; then the coroutine goes on on `loop`. `f` lives in the
  // coroutine's frame until then.
  template <typename F>
  auto Call(Loop& loop, F& f) {
    return SuspendWith([this, &loop, &f](auto resume) {
      Run([&loop, &f, resume = std::move(resume)]() mutable {
        f();
        loop.Post(std::move(resume));
      });
    });
  }
};

}  // namespace lockstep::io
