#include "block/align.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/units.h"

namespace lockstep::block {
namespace {

struct FreeMemory {
  void operator()(std::byte* p) const { std::free(p); }
};
using AlignedMemory = std::unique_ptr<std::byte, FreeMemory>;

AlignedMemory Allocate(uint64_t size) {
  auto* p = static_cast<std::byte*>(std::aligned_alloc(io::Disk::kMemoryAlignment, size));
  LS_ASSERT(p != nullptr);
  return AlignedMemory(p);
}

bool Aligned(const Request& request) { return ((request.offset | request.length) % kBlockSize) == 0; }

void CopyOut(std::span<const Buffer> to, const std::byte* from) {
  for (const Buffer& b : to) {
    std::memcpy(b.data, from, b.size);
    from += b.size;
  }
}

void CopyIn(std::byte* to, std::span<const Buffer> from) {
  for (const Buffer& b : from) {
    std::memcpy(to, b.data, b.size);
    to += b.size;
  }
}

uint64_t TotalSize(std::span<const Buffer> buffers) {
  uint64_t n = 0;
  for (const Buffer& b : buffers) n += b.size;
  return n;
}

bool Transfers(Request::Op op) { return op == Request::Op::kRead || op == Request::Op::kWrite; }

}  // namespace

AlignedVolume::AlignedVolume(std::shared_ptr<Volume> below, io::Loop& loop) : below_(std::move(below)), loop_(loop) {}

void AlignedVolume::Submit(Request& request) {
  const bool aligned = Aligned(request);
  const bool changes = request.op != Request::Op::kRead && request.op != Request::Op::kFlush;
  // The volume below judges aligned requests itself: it alone knows why one cannot be (a deleted volume, say).
  if (aligned && (!changes || request.length == 0)) return below_->Submit(request);
  if (request.op == Request::Op::kFlush) return below_->Submit(request);
  if (!aligned && !Fits(request)) {
    return PostDone(request, InvalidArgument(fmt::format("volume {}: the range {}+{} is outside the volume, empty, too "
                                                         "long or not what its buffers hold",
                                                         id().ToString(), request.offset, request.length)));
  }
  if (request.op == Request::Op::kRead) return SubmitRead(request);
  if (request.op == Request::Op::kDiscard && !aligned && !SubmitInnerBlocks(request)) return;
  Change& change = Track(request);
  if (partial_ > 0 && MustWait(change)) {
    change.waiting = true;
    ++waiting_;
    return;
  }
  Start(change);
}

bool AlignedVolume::Fits(const Request& request) const {
  const uint64_t end = size();
  if (request.length == 0 || request.offset > end || request.length > end - request.offset) return false;
  return !Transfers(request.op) ||
         (request.length <= kMaxTransferSize && TotalSize(request.buffers) == request.length);
}

void AlignedVolume::PostDone(Request& request, Status status) {
  request.status = std::move(status);
  loop_.Post([&request] { request.done(request); });
}

// Narrows a discard to the whole blocks in its range; false when there are none and it is done.
bool AlignedVolume::SubmitInnerBlocks(Request& request) {
  const uint64_t from = RoundUp(request.offset, kBlockSize);
  const uint64_t to = RoundDown(request.offset + request.length, kBlockSize);
  if (from >= to) {
    PostDone(request, Status::Ok());
    return false;
  }
  request.offset = from;
  request.length = to - from;
  return true;
}

AlignedVolume::Change& AlignedVolume::Track(Request& request) {
  if (free_ == nullptr) {
    changes_.push_back(std::make_unique<Change>());
    free_ = changes_.back().get();
  }
  Change& change = *free_;
  free_ = change.next;
  const uint64_t end = request.offset + request.length;
  change = Change{};
  change.owner = this;
  change.request = &request;
  change.first = request.offset / kBlockSize;
  change.last = (end - 1) / kBlockSize;
  change.partial_head = request.offset % kBlockSize != 0 || end < (change.first + 1) * kBlockSize;
  change.partial_tail = end % kBlockSize != 0;
  change.previous = newest_;
  (newest_ != nullptr ? newest_->next : oldest_) = &change;
  newest_ = &change;
  if (change.partial()) ++partial_;
  return change;
}

bool AlignedVolume::ChangesInPart(const Change& change, uint64_t first, uint64_t last) {
  return (change.partial_head && first <= change.first && change.first <= last) ||
         (change.partial_tail && first <= change.last && change.last <= last);
}

bool AlignedVolume::Conflict(const Change& a, const Change& b) {
  return ChangesInPart(a, b.first, b.last) || ChangesInPart(b, a.first, a.last);
}

bool AlignedVolume::MustWait(const Change& change) const {
  for (const Change* earlier = change.previous; earlier != nullptr; earlier = earlier->previous) {
    if (Conflict(*earlier, change)) return true;
  }
  return false;
}

void AlignedVolume::Start(Change& change) {
  Request& request = *change.request;
  if (!change.partial()) {
    change.done = std::exchange(request.done, [](Request& r) {
      auto& c = *static_cast<Change*>(r.context);
      r.done = c.done;
      r.context = c.context;
      c.owner->Finish(c);
      r.done(r);
    });
    change.context = std::exchange(request.context, &change);
    return below_->Submit(request);
  }
  Task<Status> work = request.op == Request::Op::kWrite ? WriteAround(change) : ZeroAround(change);
  Spawn(std::move(work), [this, &change](Status status) {
    Request& r = *change.request;
    r.status = std::move(status);
    Finish(change);
    r.done(r);
  });
}

void AlignedVolume::Finish(Change& change) {
  (change.previous != nullptr ? change.previous->next : oldest_) = change.next;
  (change.next != nullptr ? change.next->previous : newest_) = change.previous;
  if (change.partial()) --partial_;
  change.next = std::exchange(free_, &change);
  if (waiting_ > 0) StartWaiting();
}

void AlignedVolume::StartWaiting() {
  // Starting one never completes it inside the call, so the list does not change under the walk.
  for (Change* c = oldest_; c != nullptr; c = c->next) {
    if (!c->waiting || MustWait(*c)) continue;
    c->waiting = false;
    --waiting_;
    Start(*c);
  }
}

void AlignedVolume::SubmitRead(Request& request) {
  Spawn(ReadAround(request), [&request](Status status) {
    request.status = std::move(status);
    request.done(request);
  });
}

Task<Status> AlignedVolume::ReadAround(Request& request) {
  const uint64_t from = RoundDown(request.offset, kBlockSize);
  const uint64_t to = RoundUp(request.offset + request.length, kBlockSize);
  const AlignedMemory memory = Allocate(to - from);
  for (uint64_t at = from; at < to;) {
    const uint64_t n = std::min(to - at, kMaxTransferSize);
    const Buffer piece{memory.get() + (at - from), n};
    Request inner;
    inner.op = Request::Op::kRead;
    inner.offset = at;
    inner.length = n;
    inner.buffers = {&piece, 1};
    LS_CO_RETURN_IF_ERROR(co_await Run(*below_, inner));
    at += n;
  }
  CopyOut(request.buffers, memory.get() + (request.offset - from));
  co_return Status::Ok();
}

Task<Status> AlignedVolume::ReadBlock(uint64_t block, Buffer to) {
  Request inner;
  inner.op = Request::Op::kRead;
  inner.offset = block * kBlockSize;
  inner.length = kBlockSize;
  inner.buffers = {&to, 1};
  const Status status = co_await Run(*below_, inner);
  co_return status;
}

Task<Status> AlignedVolume::WritePieces(uint64_t offset, Buffer from, bool fua) {
  for (uint64_t at = 0; at < from.size;) {
    const Buffer piece{from.data + at, std::min<uint64_t>(from.size - at, kMaxTransferSize)};
    Request inner;
    inner.op = Request::Op::kWrite;
    inner.fua = fua;
    inner.offset = offset + at;
    inner.length = piece.size;
    inner.buffers = {&piece, 1};
    LS_CO_RETURN_IF_ERROR(co_await Run(*below_, inner));
    at += piece.size;
  }
  co_return Status::Ok();
}

Task<Status> AlignedVolume::WriteAround(Change& change) {
  const Request& request = *change.request;
  const uint64_t from = change.first * kBlockSize;
  const uint64_t size = (change.last + 1) * kBlockSize - from;
  const AlignedMemory memory = Allocate(size);
  if (change.partial_head) LS_CO_RETURN_IF_ERROR(co_await ReadBlock(change.first, {memory.get(), kBlockSize}));
  if (change.partial_tail && (change.last != change.first || !change.partial_head)) {
    const Buffer tail{memory.get() + size - kBlockSize, kBlockSize};
    LS_CO_RETURN_IF_ERROR(co_await ReadBlock(change.last, tail));
  }
  CopyIn(memory.get() + (request.offset - from), request.buffers);
  const Status status = co_await WritePieces(from, {memory.get(), size}, request.fua);
  co_return status;
}

// Write-zeroes: the blocks at the edges are rewritten, the whole ones between them zeroed.
Task<Status> AlignedVolume::ZeroAround(Change& change) {
  const Request& request = *change.request;
  const uint64_t end = request.offset + request.length;
  const AlignedMemory memory = Allocate(kBlockSize);
  const auto rewrite = [this, &request, end, &memory](uint64_t block) -> Task<Status> {
    LS_CO_RETURN_IF_ERROR(co_await ReadBlock(block, {memory.get(), kBlockSize}));
    const uint64_t start = block * kBlockSize;
    const uint64_t zero_from = std::max(start, request.offset) - start;
    const uint64_t zero_to = std::min(start + kBlockSize, end) - start;
    std::memset(memory.get() + zero_from, 0, zero_to - zero_from);
    const Status status = co_await WritePieces(start, {memory.get(), kBlockSize}, request.fua);
    co_return status;
  };
  if (change.partial_head) LS_CO_RETURN_IF_ERROR(co_await rewrite(change.first));
  if (change.partial_tail && (change.last != change.first || !change.partial_head)) {
    LS_CO_RETURN_IF_ERROR(co_await rewrite(change.last));
  }
  const uint64_t whole_from = (change.first + (change.partial_head ? 1 : 0)) * kBlockSize;
  const uint64_t whole_to = (change.last + (change.partial_tail ? 0 : 1)) * kBlockSize;
  if (whole_from >= whole_to) co_return Status::Ok();
  Request inner;
  inner.op = Request::Op::kWriteZeroes;
  inner.fua = request.fua;
  inner.offset = whole_from;
  inner.length = whole_to - whole_from;
  const Status status = co_await Run(*below_, inner);
  co_return status;
}

Task<Result<std::vector<Extent>>> AlignedVolume::Allocated(uint64_t offset, uint64_t length, size_t limit) {
  if (offset > size() || length > size() - offset || length == 0) {
    co_return InvalidArgument(fmt::format("volume {}: the range {}+{} is outside the volume or empty", id().ToString(),
                                          offset, length));
  }
  const uint64_t from = RoundDown(offset, kBlockSize);
  const uint64_t to = RoundUp(offset + length, kBlockSize);
  Result<std::vector<Extent>> extents = co_await below_->Allocated(from, to - from, limit);
  if (!extents.ok() || extents->empty()) co_return extents;
  Extent& head = extents->front();
  head.length -= offset - head.offset;
  head.offset = offset;
  Extent& tail = extents->back();
  tail.length = std::min(tail.offset + tail.length, offset + length) - tail.offset;
  co_return extents;
}

}  // namespace lockstep::block
