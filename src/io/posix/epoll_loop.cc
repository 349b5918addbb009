#include "io/posix/epoll_loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/assert.h"

namespace lockstep::io {

void EpollLoop::Ring::PushBack(Deferred& work) {
  DeferredLink& link = work;
  link.previous = head_.previous;
  link.next = &head_;
  head_.previous->next = &link;
  head_.previous = &link;
}

Deferred& EpollLoop::Ring::PopFront() {
  LS_ASSERT(!empty());
  auto& first = static_cast<Deferred&>(*head_.next);
  head_.next->Unlink();
  return first;
}

void EpollLoop::Ring::TakeAll(Ring& from) {
  LS_ASSERT(empty());
  if (from.empty()) return;
  head_.next = from.head_.next;
  head_.previous = from.head_.previous;
  head_.next->previous = head_.previous->next = &head_;
  from.Clear();
}

Result<std::unique_ptr<EpollLoop>> EpollLoop::Create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return FromErrno(errno, "create an event loop (epoll_create1)");
  UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup.valid()) return FromErrno(errno, "create an event loop (eventfd)");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wakeup.get(), &event) != 0)
    return FromErrno(errno, "create an event loop (epoll_ctl)");
  return std::unique_ptr<EpollLoop>(new EpollLoop(std::move(epoll), std::move(wakeup)));
}

EpollLoop::EpollLoop(UniqueFd epoll, UniqueFd wakeup) : epoll_(std::move(epoll)), wakeup_(std::move(wakeup)) {}

EpollLoop::~EpollLoop() {
  LS_ASSERT(thread_.load() == std::thread::id());
  DestroyLeftovers();
}

void EpollLoop::Post(Closure work) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    // When it has ended, `work` is destroyed after the lock is released: its destructor may post.
    if (!ended_) {
      posted_.push_back(std::move(work));
      wake = std::exchange(waiting_, false);
    }
  }
  if (wake) ::eventfd_write(wakeup_.get(), 1);
}

void EpollLoop::Stop() {
  stop_ = true;
  ::eventfd_write(wakeup_.get(), 1);
}

TimerId EpollLoop::After(Duration delay, Closure work) {
  const uint64_t id = next_timer_++;
  timers_.push_back({(clock_.Now() + std::max(delay, Duration(0))).ns, id});
  std::push_heap(timers_.begin(), timers_.end());
  timer_work_.emplace(id, std::move(work));
  return TimerId{id};
}

void EpollLoop::Cancel(TimerId timer) {
  // The closure is destroyed after the map is whole again: its destructor may call back.
  const auto node = timer_work_.extract(static_cast<uint64_t>(timer));
  // Timeouts are mostly set and cancelled, so the heap would otherwise fill with the dead.
  if (!node.empty() && timers_.size() > 64 && timers_.size() > 2 * timer_work_.size()) {
    std::erase_if(timers_, [this](const Timer& t) { return !timer_work_.contains(t.id); });
    std::make_heap(timers_.begin(), timers_.end());
  }
}

void EpollLoop::BeforeWait(Closure work) { before_wait_.push_back(std::move(work)); }

Status EpollLoop::Watch(int fd, uint32_t events, FdHandler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return FromErrno(errno, "watch a file descriptor (epoll_ctl)");
  return {};
}

void EpollLoop::Unwatch(int fd, FdHandler& handler) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (int i = 0; i < events_count_; ++i)
    if (events_[static_cast<size_t>(i)].data.ptr == &handler) events_[static_cast<size_t>(i)].data.ptr = nullptr;
}

void EpollLoop::Defer(Deferred& work) {
  if (work.next == nullptr) deferred_.PushBack(work);
}

Result<Uring*> EpollLoop::NeedRing() {
  std::lock_guard lock(ring_mutex_);
  if (!made_ring_) {
    LS_ASSIGN_OR_RETURN(made_ring_, Uring::Create());
    ring_.store(made_ring_.get(), std::memory_order_release);
  }
  return made_ring_.get();
}

void EpollLoop::Run() {
  LS_ASSERT(thread_.load() == std::thread::id() && !ended_);
  thread_ = std::this_thread::get_id();
  while (!stop_.load(std::memory_order_relaxed)) {
    WaitAndHandle();
    RunPosted();
    RunDeferred();
    RunTimers();
    RunBeforeWait();
  }
  DestroyLeftovers();
  thread_ = std::thread::id();
}

void EpollLoop::WaitAndHandle() {
  int timeout = PrepareToWait() ? WaitMilliseconds() : 0;
  Uring* const ring = ring_.load(std::memory_order_acquire);
  if (ring && ring->busy()) {
    if (!ring->WaitAndComplete(epoll_.get(), timeout)) return;
    timeout = 0;
  }
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout);
  LS_ASSERT(count >= 0 || errno == EINTR);
  HandleEvents(std::max(count, 0));
  // The ring may have been told of the same event, and would end its next wait for it.
  if (ring) ring->Complete();
}

// True if there is nothing to run now; from then on Post wakes the loop.
bool EpollLoop::PrepareToWait() {
  if (!deferred_.empty() || !before_wait_.empty()) return false;
  std::lock_guard lock(mutex_);
  waiting_ = posted_.empty();
  return waiting_;
}

// Rounded up: a timer never runs early.
int EpollLoop::WaitMilliseconds() {
  if (timers_.empty()) return -1;
  const int64_t ns = timers_.front().due - clock_.Now().ns;
  return static_cast<int>(std::clamp<int64_t>((ns + 999999) / 1000000, 0, INT_MAX));
}

void EpollLoop::HandleEvents(int count) {
  events_count_ = count;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    if (event.data.ptr != nullptr) static_cast<FdHandler*>(event.data.ptr)->OnReady(event.events);
  }
  events_count_ = 0;
}

void EpollLoop::RunPosted() {
  {
    std::lock_guard lock(mutex_);
    waiting_ = false;
    running_.swap(posted_);
  }
  for (Closure& work : running_) {
    work();
    work = nullptr;
  }
  running_.clear();
}

void EpollLoop::RunDeferred() {
  // Only what is queued now: what that queues comes in the next round, after new events.
  Ring batch;
  batch.TakeAll(deferred_);
  while (!batch.empty()) batch.PopFront().RunDeferred();
}

void EpollLoop::RunTimers() {
  if (timers_.empty()) return;
  const int64_t now = clock_.Now().ns;
  while (!timers_.empty() && timers_.front().due <= now) {
    const uint64_t id = timers_.front().id;
    std::pop_heap(timers_.begin(), timers_.end());
    timers_.pop_back();
    auto node = timer_work_.extract(id);
    if (!node.empty()) node.mapped()();
  }
}

void EpollLoop::RunBeforeWait() {
  while (!before_wait_.empty()) {
    before_wait_running_.swap(before_wait_);
    for (Closure& work : before_wait_running_) {
      work();
      work = nullptr;
    }
    before_wait_running_.clear();
  }
}

void EpollLoop::DestroyLeftovers() {
  std::vector<Closure> posted;
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    posted.swap(posted_);
  }
  posted.clear();
  // Destroying one closure may set a timer or cancel another.
  while (!timer_work_.empty() || !before_wait_.empty()) {
    auto timers = std::exchange(timer_work_, {});
    auto before_wait = std::exchange(before_wait_, {});
    timers_.clear();
  }
  while (!deferred_.empty()) deferred_.PopFront();
}

}  // namespace lockstep::io
