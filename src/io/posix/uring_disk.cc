#include "io/posix/uring_disk.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstddef>

#include <fmt/format.h>

#include "base/assert.h"

namespace lockstep::io {

Result<std::unique_ptr<Disk>> UringDisk::Create(EpollLoop& loop, DiskFile& file, Log& log) {
  std::unique_ptr<UringDisk> disk(new UringDisk(loop, log));
  LS_RETURN_IF_ERROR(disk->Init());
  disk->file_ = std::move(file);
  return std::unique_ptr<Disk>(std::move(disk));
}

Status UringDisk::Init() {
  // COOP_TASKRUN spares the interrupts that would announce a completion to a thread that is about to enter the kernel
  // anyway; kernels before 5.19 do not know it.
  int error = ::io_uring_queue_init(kEntries, &ring_, IORING_SETUP_COOP_TASKRUN);
  if (error == -EINVAL) error = ::io_uring_queue_init(kEntries, &ring_, 0);
  if (error != 0)
    return NotSupported(fmt::format("io_uring is not available here: {}", FromErrno(-error, "setup").message()));
  has_ring_ = true;
  event_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_.valid()) return FromErrno(errno, "open a disk (eventfd)");
  error = ::io_uring_register_eventfd(&ring_, event_.get());
  if (error != 0) return NotSupported(FromErrno(-error, "io_uring_register_eventfd").message());
  for (unsigned i = 0; i < kEntries; ++i) slots_[i].next_free = static_cast<uint16_t>(i + 1);
  return loop_.Watch(event_.get(), EPOLLIN | EPOLLET, *this);
}

UringDisk::~UringDisk() {
  *self_ = nullptr;
  LS_ASSERT(in_kernel_ == 0 && waiting_.empty() && finished_.empty());
  loop_.Cancel(retry_);
  if (event_.valid()) loop_.Unwatch(event_.get(), *this);
  if (has_ring_) ::io_uring_queue_exit(&ring_);
}

void UringDisk::Submit(DiskRequest& request) {
  request.status = CheckRequest(*this, request);
  const bool empty = request.length == 0 && request.op != DiskRequest::Op::kFlush;
  if (!request.status.ok() || empty) {
    finished_.Push(request);
    loop_.Defer(*this);
    return;
  }
  waiting_.Push(request);
  if (++gathered_ < kTogether) return FlushLater();
  Enter();
}

void UringDisk::FlushLater() {
  // What is submitted until the loop is about to wait goes along in the same system call, a few at a time.
  // By then the disk may be gone: what it was asked has entered the kernel with others, and has ended.
  if (!flush_pending_)
    loop_.BeforeWait([self = self_] {
      if (*self) (*self)->Flush();
    });
  flush_pending_ = true;
}

void UringDisk::StartWaiting() {
  while (free_slot_ < kEntries && !waiting_.empty()) {
    const unsigned index = free_slot_;
    Slot& slot = slots_[index];
    free_slot_ = slot.next_free;
    slot.request = waiting_.Pop();
    slot.moved = 0;
    ++in_kernel_;
    Prepare(index);
  }
}

void UringDisk::Prepare(unsigned index) {
  Slot& slot = slots_[index];
  const DiskRequest& request = *slot.request;
  io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
  LS_ASSERT(sqe != nullptr);  // there are as many entries as slots, and each slot has one request
  switch (request.op) {
    case DiskRequest::Op::kRead:
    case DiskRequest::Op::kWrite: PrepareTransfer(*sqe, slot); break;
    case DiskRequest::Op::kFlush: ::io_uring_prep_fsync(sqe, file_.fd.get(), IORING_FSYNC_DATASYNC); break;
    case DiskRequest::Op::kDiscard:
      ::io_uring_prep_fallocate(sqe, file_.fd.get(), DiscardMode(), static_cast<off_t>(request.offset),
                                static_cast<off_t>(request.length));
      break;
  }
  ::io_uring_sqe_set_data64(sqe, index);
}

void UringDisk::PrepareTransfer(io_uring_sqe& sqe, Slot& slot) {
  const DiskRequest& request = *slot.request;
  const auto* vectors = reinterpret_cast<const iovec*>(request.buffers.data());
  auto count = static_cast<unsigned>(request.buffers.size());
  if (slot.moved != 0) {
    vectors = slot.rest.data();
    count = static_cast<unsigned>(slot.rest.size());
  }
  const int fd = file_.fd.get();
  const uint64_t offset = request.offset + slot.moved;
  const bool write = request.op == DiskRequest::Op::kWrite;
  if (count == 1 && write)
    ::io_uring_prep_write(&sqe, fd, vectors->iov_base, static_cast<unsigned>(vectors->iov_len), offset);
  else if (count == 1)
    ::io_uring_prep_read(&sqe, fd, vectors->iov_base, static_cast<unsigned>(vectors->iov_len), offset);
  else if (write)
    ::io_uring_prep_writev(&sqe, fd, vectors, count, offset);
  else
    ::io_uring_prep_readv(&sqe, fd, vectors, count, offset);
  if (write && request.durable) sqe.rw_flags = RWF_DSYNC;
}

void UringDisk::RunDeferred() {
  Destruction::Watch destruction(destruction_);
  RequestQueue finished;
  while (DiskRequest* request = finished_.Pop()) finished.Push(*request);
  while (DiskRequest* request = finished.Pop()) {
    request->done(*request);
    if (destruction.happened()) return;
  }
}

void UringDisk::Flush() {
  flush_pending_ = false;
  Enter();
}

void UringDisk::Enter() {
  gathered_ = 0;
  StartWaiting();
  const int submitted = ::io_uring_submit(&ring_);
  if (submitted >= 0) return;
  // EAGAIN or EBUSY: the kernel is short of memory, or of room for completions. They come by themselves; what we
  // prepared stays in the ring.
  if (retry_ != TimerId::kNone) return;
  log_.Warn("disk {}: io_uring takes no requests now, trying again: {}", file_.path,
            FromErrno(-submitted, "submit").message());
  retry_ = loop_.After(std::chrono::milliseconds(1), [this] {
    retry_ = TimerId::kNone;
    FlushLater();
  });
}

void UringDisk::OnReady(uint32_t) {
  Destruction::Watch destruction(destruction_);
  io_uring_cqe* cqe = nullptr;
  while (::io_uring_peek_cqe(&ring_, &cqe) == 0) {
    const auto slot = static_cast<unsigned>(::io_uring_cqe_get_data64(cqe));
    const int result = cqe->res;
    // The entry is given back before the callback, which may destroy the ring.
    ::io_uring_cqe_seen(&ring_, cqe);
    Complete(slot, result);
    if (destruction.happened()) return;
  }
}

void UringDisk::Complete(unsigned index, int result) {
  if (Retry(index, result)) return;
  Slot& slot = slots_[index];
  DiskRequest& request = *slot.request;
  if (result < 0 && !(request.op == DiskRequest::Op::kDiscard && DiscardUnsupported(-result)))
    request.status = DiskError(file_, request, -result);
  slot.request = nullptr;
  slot.next_free = static_cast<uint16_t>(free_slot_);
  free_slot_ = index;
  --in_kernel_;
  if (!waiting_.empty()) FlushLater();
  request.done(request);
}

// Starts again what was interrupted or transferred in part. False if the request has ended.
bool UringDisk::Retry(unsigned index, int result) {
  Slot& slot = slots_[index];
  DiskRequest& request = *slot.request;
  const bool transfer = request.op == DiskRequest::Op::kRead || request.op == DiskRequest::Op::kWrite;
  if (result < 0 && result != -EAGAIN && result != -EINTR) return false;
  if (result >= 0 && !transfer) return false;
  if (result == 0) {
    request.status = IoError(fmt::format("{} ends at {}, before its size of {}: was it truncated?", file_.path,
                                         request.offset + slot.moved, file_.size));
    return false;
  }
  if (result > 0) {
    slot.moved += static_cast<uint64_t>(result);
    if (slot.moved >= request.length) return false;
    slot.rest = RemainingVectors(request, slot.moved);
  }
  Prepare(index);
  FlushLater();
  return true;
}

}  // namespace lockstep::io
