#include "io/posix/uring.h"

#include <poll.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/assert.h"
#include "io/posix/system.h"

namespace lockstep::io {
namespace {

void PrepareTransfer(io_uring_sqe& sqe, int fd, const DiskRequest& request, uint64_t moved,
                     const std::vector<iovec>& rest) {
  const auto* vectors = reinterpret_cast<const iovec*>(request.buffers.data());
  auto count = static_cast<unsigned>(request.buffers.size());
  if (moved != 0) {
    vectors = rest.data();
    count = static_cast<unsigned>(rest.size());
  }
  const uint64_t offset = request.offset + moved;
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

}  // namespace

Result<std::unique_ptr<Uring>> Uring::Create() {
  std::unique_ptr<Uring> ring(new Uring());
  LS_RETURN_IF_ERROR(ring->Init());
  return ring;
}

Uring::Uring() {
  for (unsigned i = 0; i < kSlots; ++i) slots_[i].next_free = static_cast<uint16_t>(i + 1);
}

Status Uring::Init() {
  // COOP_TASKRUN spares the interrupts that would announce a completion to a thread that is about to enter the kernel
  // anyway; kernels before 5.19 do not know it.
  int error = ::io_uring_queue_init(kEntries, &ring_, IORING_SETUP_COOP_TASKRUN);
  if (error == -EINVAL) error = ::io_uring_queue_init(kEntries, &ring_, 0);
  if (error != 0)
    return NotSupported(fmt::format("io_uring is not available here: {}", FromErrno(-error, "setup").message()));
  has_ring_ = true;
  // Before 5.11 a wait with an end would need a request of its own.
  if ((ring_.features & IORING_FEAT_EXT_ARG) == 0) return NotSupported("io_uring of this kernel is older than 5.11");
  return {};
}

Uring::~Uring() {
  LS_ASSERT(in_kernel_ == 0 && waiting_.empty());
  if (has_ring_) ::io_uring_queue_exit(&ring_);
}

void Uring::Submit(Disk& disk, DiskRequest& request) {
  ++disk.in_flight;
  if (free_slot_ == kSlots) return waiting_.push_back({&disk, &request});
  Start(disk, request);
  if (gathered_ >= kTogether) Enter();
}

void Uring::Start(Disk& disk, DiskRequest& request) {
  const unsigned index = free_slot_;
  Slot& slot = slots_[index];
  free_slot_ = slot.next_free;
  slot.disk = &disk;
  slot.request = &request;
  slot.moved = 0;
  ++in_kernel_;
  Prepare(index);
}

io_uring_sqe& Uring::NextEntry() {
  io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
  LS_ASSERT(sqe != nullptr);  // there is an entry for each slot, each has one request, and one entry is left
  return *sqe;
}

void Uring::Prepare(unsigned index) {
  Slot& slot = slots_[index];
  const DiskRequest& request = *slot.request;
  const int fd = slot.disk->file.fd.get();
  io_uring_sqe& sqe = NextEntry();
  switch (request.op) {
    case DiskRequest::Op::kRead:
    case DiskRequest::Op::kWrite: PrepareTransfer(sqe, fd, request, slot.moved, slot.rest); break;
    case DiskRequest::Op::kFlush: ::io_uring_prep_fsync(&sqe, fd, IORING_FSYNC_DATASYNC); break;
    case DiskRequest::Op::kDiscard:
      ::io_uring_prep_fallocate(&sqe, fd, DiscardMode(), static_cast<off_t>(request.offset),
                                static_cast<off_t>(request.length));
      break;
  }
  ::io_uring_sqe_set_data64(&sqe, index);
  ++gathered_;
}

void Uring::Enter() {
  gathered_ = 0;
  if (::io_uring_sq_ready(&ring_) != 0) Refused(::io_uring_submit(&ring_));
}

bool Uring::WaitAndComplete(int descriptor, int timeout) {
  const bool readable = timeout == 0 || refused_;
  if (timeout == 0)
    Enter();
  else
    Sleep(descriptor, timeout);
  Complete();
  return readable || !watching_;
}

void Uring::Sleep(int descriptor, int timeout) {
  if (refused_) {
    // Not for long, and not in the ring: nothing may come there that would end it.
    pollfd wait{descriptor, POLLIN, 0};
    ::poll(&wait, 1, 1);
    return Enter();
  }
  if (!watching_) {
    // Asked once, answered once; at once when the descriptor is readable already.
    io_uring_sqe& sqe = NextEntry();
    ::io_uring_prep_poll_add(&sqe, descriptor, POLLIN);
    ::io_uring_sqe_set_data64(&sqe, kDescriptor);
    watching_ = true;
  }
  gathered_ = 0;
  __kernel_timespec limit{timeout / 1000, (timeout % 1000) * 1000000LL};
  io_uring_cqe* first = nullptr;
  Refused(::io_uring_submit_and_wait_timeout(&ring_, &first, 1, timeout < 0 ? nullptr : &limit, nullptr));
}

// EAGAIN or EBUSY: the kernel is short of memory, or of room for completions. They come by themselves; what we prepared
// stays in the ring.
void Uring::Refused(int error) {
  const bool before = std::exchange(refused_, error == -EAGAIN || error == -EBUSY);
  if (!refused_ || before) return;
  for (const Slot& slot : slots_)
    if (slot.request)
      return slot.disk->log.Warn("disk {}: io_uring takes no requests now, trying again: {}", slot.disk->file.path,
                                 FromErrno(-error, "submit").message());
}

void Uring::Complete() {
  io_uring_cqe* cqe = nullptr;
  while (::io_uring_peek_cqe(&ring_, &cqe) == 0) {
    const uint64_t what = ::io_uring_cqe_get_data64(cqe);
    const int result = cqe->res;
    ::io_uring_cqe_seen(&ring_, cqe);
    if (what == kDescriptor)
      watching_ = false;
    else
      End(static_cast<unsigned>(what), result);
  }
}

void Uring::End(unsigned index, int result) {
  if (Retry(index, result)) return;
  Slot& slot = slots_[index];
  DiskRequest& request = *slot.request;
  if (result < 0 && !(request.op == DiskRequest::Op::kDiscard && DiscardUnsupported(-result)))
    request.status = DiskError(slot.disk->file, request, -result);
  --slot.disk->in_flight;
  slot.request = nullptr;
  slot.next_free = static_cast<uint16_t>(free_slot_);
  free_slot_ = index;
  --in_kernel_;
  if (!waiting_.empty()) {
    const Waiting next = waiting_.front();
    waiting_.pop_front();
    Start(*next.disk, *next.request);
  }
  request.done(request);
}

// Starts again what was interrupted or transferred in part. False if the request has ended.
bool Uring::Retry(unsigned index, int result) {
  Slot& slot = slots_[index];
  DiskRequest& request = *slot.request;
  const bool transfer = request.op == DiskRequest::Op::kRead || request.op == DiskRequest::Op::kWrite;
  if (result < 0 && result != -EAGAIN && result != -EINTR) return false;
  if (result >= 0 && !transfer) return false;
  if (result == 0) {
    const DiskFile& file = slot.disk->file;
    request.status = IoError(fmt::format("{} ends at {}, before its size of {}: was it truncated?", file.path,
                                         request.offset + slot.moved, file.size));
    return false;
  }
  if (result > 0) {
    slot.moved += static_cast<uint64_t>(result);
    if (slot.moved >= request.length) return false;
    slot.rest = RemainingVectors(request, slot.moved);
  }
  Prepare(index);
  return true;
}

}  // namespace lockstep::io
