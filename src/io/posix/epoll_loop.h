// The real loop: one thread that waits for everything: sockets, completions of disks, timers, and what other threads
// post; in epoll_wait, or in io_uring while disks are at work. See docs/decisions/002-event-loop.md.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "io/loop.h"
#include "io/posix/system.h"
#include "io/posix/unique_fd.h"
#include "io/posix/uring.h"

namespace lockstep::io {

// Something that has a file descriptor to watch.
class FdHandler {
 public:
  // `events` of epoll_ctl(2). May destroy the handler, and unwatch any other.
  virtual void OnReady(uint32_t events) = 0;

 protected:
  ~FdHandler() = default;
};

// An element of a ring of Deferred, or the ring itself.
struct DeferredLink {
  DeferredLink* next = nullptr;  // null when in no ring
  DeferredLink* previous = nullptr;

  DeferredLink() = default;
  DeferredLink(const DeferredLink&) = delete;
  ~DeferredLink() { Unlink(); }
  void Unlink() {
    if (next == nullptr) return;
    previous->next = next;
    next->previous = previous;
    next = previous = nullptr;
  }
};

// Something to be called soon, without an allocation: "later, not inside this call". Forgets itself when destroyed.
class Deferred : private DeferredLink {
 public:
  virtual void RunDeferred() = 0;

 protected:
  virtual ~Deferred() = default;

 private:
  friend class EpollLoop;
};

class EpollLoop final : public Loop {
 public:
  static Result<std::unique_ptr<EpollLoop>> Create();
  // REQUIRES: not running. What is left is destroyed, unrun.
  ~EpollLoop() override;
  EpollLoop(const EpollLoop&) = delete;

  // Runs on this thread, which is from now on the loop's, until Stop. Once. Before it ends it destroys what is left to
  // run, on this thread.
  void Run();
  // Lets Run end after what it is doing. Thread-safe.
  void Stop();

  void Post(Closure work) override;
  TimerId After(Duration delay, Closure work) override;
  void Cancel(TimerId timer) override;
  void BeforeWait(Closure work) override;
  bool IsCurrent() const override { return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

  // The ring of this loop's disks, made with the first of them; it lives as long as the loop. On any thread.
  // not-supported when there is no io_uring here.
  Result<Uring*> NeedRing();

  // The members below: on the loop's thread, or while the loop does not run.

  // Calls handler.OnReady when `events` (with EPOLLET: when they become so) until Unwatch. The handler stays where it
  // is. On other threads too, when the handler is ready to be called.
  Status Watch(int fd, uint32_t events, FdHandler& handler);
  // The handler is not called any more, not even for events that have already been collected.
  void Unwatch(int fd, FdHandler& handler);
  // Calls work.RunDeferred() once, later, before the loop waits. Nothing if it is queued already.
  void Defer(Deferred& work);

 private:
  class Ring {
   public:
    Ring() { Clear(); }
    bool empty() const { return head_.next == &head_; }
    void PushBack(Deferred& work);
    Deferred& PopFront();
    void TakeAll(Ring& from);

   private:
    void Clear() { head_.next = head_.previous = &head_; }
    DeferredLink head_;
  };
  struct Timer {
    int64_t due;
    uint64_t id;
    // A heap of these has the greatest on top, so the order is turned round: the earliest first, then the first set.
    bool operator<(const Timer& other) const { return due != other.due ? due > other.due : id > other.id; }
  };

  EpollLoop(UniqueFd epoll, UniqueFd wakeup);
  void WaitAndHandle();
  int WaitMilliseconds();
  bool PrepareToWait();
  void HandleEvents(int count);
  void RunPosted();
  void RunDeferred();
  void RunTimers();
  void RunBeforeWait();
  void DestroyLeftovers();

  const PosixClock clock_;
  const UniqueFd epoll_;
  const UniqueFd wakeup_;  // eventfd, watched edge-triggered, so it never needs to be read
  std::atomic<std::thread::id> thread_{};
  std::atomic<bool> stop_ = false;

  std::mutex ring_mutex_;  // guards what makes the ring
  std::unique_ptr<Uring> made_ring_;
  std::atomic<Uring*> ring_ = nullptr;  // that one

  std::mutex mutex_;  // guards the three below
  std::vector<Closure> posted_;
  bool waiting_ = false;  // or about to wait: the next Post must wake it
  bool ended_ = false;

  std::vector<Closure> running_;  // swapped with posted_, so that both keep their memory

  std::array<epoll_event, 256> events_;
  int events_count_ = 0;  // of events_, while they are handled
  Ring deferred_;
  std::vector<Closure> before_wait_, before_wait_running_;
  std::vector<Timer> timers_;  // a heap; cancelled ones stay until they are due
  std::unordered_map<uint64_t, Closure> timer_work_;
  uint64_t next_timer_ = 1;
};

}  // namespace lockstep::io
