#include "io/posix/thread_disk.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/assert.h"

namespace lockstep::io {

ThreadDisk::ThreadDisk(EpollLoop& loop, DiskFile file) : loop_(loop), file_(std::move(file)), size_(file_.size) {
  for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Work(); });
}

ThreadDisk::~ThreadDisk() {
  LS_ASSERT(in_flight_ == 0);
  *alive_ = false;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadDisk::Submit(DiskRequest& request) {
  ++in_flight_;
  request.status = CheckRequest(*this, request);
  {
    std::lock_guard lock(mutex_);
    queue_.Push(request);
  }
  changed_.notify_one();
}

void ThreadDisk::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    DiskRequest* request = queue_.Pop();
    if (request == nullptr) return;
    lock.unlock();
    if (request->status.ok()) request->status = Execute(*request);
    lock.lock();
    finished_.Push(*request);
    if (std::exchange(completion_posted_, true)) continue;
    // One closure for all that finish until the loop gets to it. Posting with the lock held is safe: the loop calls
    // nobody from inside Post.
    loop_.Post([this, alive = alive_] {
      if (*alive) CompleteAll();
    });
  }
}

void ThreadDisk::CompleteAll() {
  RequestQueue batch;
  {
    std::lock_guard lock(mutex_);
    completion_posted_ = false;
    while (DiskRequest* request = finished_.Pop()) batch.Push(*request);
  }
  const std::shared_ptr<bool> alive = alive_;
  while (DiskRequest* request = batch.Pop()) {
    --in_flight_;
    request->done(*request);
    if (!*alive) return;
  }
}

Status ThreadDisk::Execute(const DiskRequest& request) const {
  int result = 0;
  switch (request.op) {
    case DiskRequest::Op::kRead:
    case DiskRequest::Op::kWrite: return Transfer(request);
    case DiskRequest::Op::kFlush: result = ::fdatasync(file_.fd.get()); break;
    case DiskRequest::Op::kDiscard:
      if (request.length == 0) return {};
      result = ::fallocate(file_.fd.get(), DiscardMode(), static_cast<off_t>(request.offset),
                           static_cast<off_t>(request.length));
      if (result != 0 && DiscardUnsupported(errno)) return {};
      break;
  }
  return result == 0 ? Status() : DiskError(file_, request, errno);
}

Status ThreadDisk::Transfer(const DiskRequest& request) const {
  const bool write = request.op == DiskRequest::Op::kWrite;
  const int flags = write && request.durable ? RWF_DSYNC : 0;
  uint64_t moved = 0;
  while (moved < request.length) {
    const std::vector<iovec> vectors = RemainingVectors(request, moved);
    const auto offset = static_cast<off_t>(request.offset + moved);
    const auto count = static_cast<int>(vectors.size());
    const ssize_t n = write ? ::pwritev2(file_.fd.get(), vectors.data(), count, offset, flags)
                            : ::preadv(file_.fd.get(), vectors.data(), count, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return DiskError(file_, request, errno);
    if (n == 0)
      return IoError(fmt::format("{} ends at {}, before its size of {}: was it truncated?", file_.path,
                                 request.offset + moved, file_.size));
    moved += static_cast<uint64_t>(n);
  }
  return {};
}

}  // namespace lockstep::io
