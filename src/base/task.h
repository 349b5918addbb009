// Coroutines for everything that is not the hot path. A Task is lazy: it runs when awaited, on the caller's thread, and
// resumes its awaiter on whatever thread it finished on (normally the loop that owns the awaited object; see
// io::Loop::Switch). Awaited at most once. Destroying a Task that has started and not finished is a programmer error:
// whoever starts one lets it end. Exceptions do not cross it; one that escapes terminates the process.
//
// A coroutine takes its parameters by value, or by reference only where its contract says who keeps them alive.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/assert.h"

namespace lockstep {

template <typename T>
class Task;

namespace internal {

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    return handle.promise().continuation;
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() const noexcept { std::terminate(); }
};

template <typename T>
struct TaskPromise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <typename U>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T Take() { return std::move(*value); }
};

template <>
struct TaskPromise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void Take() const noexcept {}
};

}  // namespace internal

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::TaskPromise<T>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> handle;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
        handle.promise().continuation = awaiting;
        return handle;
      }
      T await_resume() { return handle.promise().Take(); }
    };
    LS_ASSERT(handle_);
    return Awaiter{handle_};
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace internal {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

}  // namespace internal

// Starts `task` now, on this thread, and lets it run to its end unobserved. The caller of the work must know by other
// means that it has ended before it destroys what the task uses.
inline void Spawn(Task<void> task) {
  [](Task<void> t) -> internal::Detached { co_await std::move(t); }(std::move(task));
}

// Starts `task` now and calls `done(result)` on the thread that it finishes on.
template <typename T, typename Done>
void Spawn(Task<T> task, Done done) {
  [](Task<T> t, Done d) -> internal::Detached {
    T result = co_await std::move(t);
    d(std::move(result));
  }(std::move(task), std::move(done));
}

// Suspends the coroutine and hands its continuation to `start(resume)`, where resume() may be called once, from
// anywhere.
template <typename Start>
auto SuspendWith(Start start) {
  struct Awaiter {
    Start start;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      // `start` may resume and so destroy this awaiter before it returns: nothing of it is touched afterwards.
      Start moved = std::move(start);
      moved([handle]() mutable { handle.resume(); });
    }
    void await_resume() const noexcept {}
  };
  return Awaiter{std::move(start)};
}

}  // namespace lockstep
