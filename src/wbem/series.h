// A sequence that is made while it is read: a coroutine that yields one element after another and ends with a status.
// Nothing is held but the element at hand and the coroutine's own variables, so a walk over many objects may pause for
// as long as its reader likes and costs no more memory than a walk over few.
//
//   Series<Instance> Volumes(std::vector<Id> ids) {       // parameters by value: they live as long as the series
//     for (Id id : ids) {
//       Instance volume = Make(id);
//       co_yield volume;                                  // a variable, which the reader may move from
//     }
//     co_return Status();
//   }
//   while (Instance* volume = series.Next()) ...;
//   if (!series.status().ok()) ...;
//
// Synchronous: no co_await within. One thread. Destroying a series that has not ended abandons it.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "base/status.h"

namespace lockstep::wbem {

template <typename T>
class [[nodiscard]] Series {
 public:
  struct promise_type {
    T* element = nullptr;  // in the coroutine's frame
    Status status;
    Series get_return_object() { return Series(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    std::suspend_always yield_value(T& v) noexcept {
      element = &v;
      return {};
    }
    void return_value(Status s) { status = std::move(s); }
    void unhandled_exception() const noexcept { std::terminate(); }
    void await_transform() = delete;  // no co_await within
  };

  Series(Series&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Series& operator=(Series&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Series() {
    if (handle_) handle_.destroy();
  }

  // The next element, which may be moved from, and is there until the next call; nullptr at the end, again and again.
  T* Next() {
    handle_.promise().element = nullptr;
    if (!handle_.done()) handle_.resume();
    return handle_.promise().element;
  }
  // How it ended; OK before that.
  const Status& status() const { return handle_.promise().status; }

 private:
  explicit Series(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace lockstep::wbem
