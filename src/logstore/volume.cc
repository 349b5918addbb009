#include "logstore/volume.h"

#include <fmt/format.h>

#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {
namespace {

using block::Request;

Status CheckRange(block::VolumeId id, uint64_t size, uint64_t offset, uint64_t length) {
  if (offset % kBlockSize != 0 || length % kBlockSize != 0 || length == 0)
    return InvalidArgument(fmt::format("volume {}: offset {} and length {} must be multiples of {}", id.ToString(),
                                       offset, length, kBlockSize));
  if (offset > size || length > size - offset)
    return InvalidArgument(
        fmt::format("volume {}: {} bytes at {} are beyond its end at {}", id.ToString(), length, offset, size));
  return {};
}

Status CheckRequest(block::VolumeId id, uint64_t size, const Request& r) {
  if (r.op == Request::Op::kFlush) return {};
  LS_RETURN_IF_ERROR(CheckRange(id, size, r.offset, r.length));
  if (r.op != Request::Op::kRead && r.op != Request::Op::kWrite) return {};
  if (r.length > block::kMaxTransferSize)
    return InvalidArgument(
        fmt::format("volume {}: one request moves at most {} bytes", id.ToString(), block::kMaxTransferSize));
  uint64_t total = 0;
  for (const block::Buffer& b : r.buffers) {
    if (b.size % kBlockSize != 0 || reinterpret_cast<uintptr_t>(b.data) % io::Disk::kMemoryAlignment != 0)
      return InvalidArgument(fmt::format("volume {}: a buffer is not aligned to {}", id.ToString(), kBlockSize));
    total += b.size;
  }
  if (total != r.length)
    return InvalidArgument(fmt::format("volume {}: the buffers do not fit the length", id.ToString()));
  return {};
}

// Answers without work; never inside the call that asked.
void Answer(LogPool& pool, Request& request, Status status) {
  request.status = std::move(status);
  pool.seams().loop.Post([&request] { request.done(request); });
}

Status Gone(block::VolumeId id) {
  return NotFound(fmt::format("volume {} has been deleted", id.ToString()));
}

}  // namespace

uint64_t LogVolume::size() const {
  const VolumeRecord* v = pool_.structure().Find(id_);
  return v ? v->size : 0;
}

void LogVolume::Submit(Request& request) {
  const VolumeRecord* v = pool_.structure().Find(id_);
  if (!v) return Answer(pool_, request, Gone(id_));
  if (Status bad = CheckRequest(id_, v->size, request); !bad.ok()) return Answer(pool_, request, std::move(bad));
  switch (request.op) {
    case Request::Op::kRead:
      return pool_.reads().Read(id_, v->top, kNow, request);
    case Request::Op::kFlush:
      return pool_.writes().Flush(request);
    case Request::Op::kWrite:
    case Request::Op::kWriteZeroes:
    case Request::Op::kDiscard:
      return pool_.writes().Write(*v, request);
  }
}

Task<Result<std::vector<block::Extent>>> LogVolume::Allocated(uint64_t offset, uint64_t length, size_t limit) {
  const VolumeRecord* v = pool_.structure().Find(id_);
  if (!v) co_return Gone(id_);
  LS_CO_RETURN_IF_ERROR(CheckRange(id_, v->size, offset, length));
  co_return co_await pool_.Extents(v->top, kNow, offset, length, limit);
}

const PointMember* LogPointVolume::Member() const {
  const PointRecord* p = pool_.structure().Find(point_);
  return p ? Structure::Member(*p, id_) : nullptr;
}

uint64_t LogPointVolume::size() const {
  const PointMember* m = Member();
  return m ? m->size : 0;
}

void LogPointVolume::Submit(Request& request) {
  const PointMember* m = Member();
  if (!m) return Answer(pool_, request, NotFound(fmt::format("point {} has been released", point_.ToString())));
  if (Status bad = CheckRequest(id_, m->size, request); !bad.ok()) return Answer(pool_, request, std::move(bad));
  if (request.op == Request::Op::kFlush) return Answer(pool_, request, {});
  if (request.op != Request::Op::kRead)
    return Answer(pool_, request,
                  Status(Code::kPermissionDenied, fmt::format("point {} cannot be written to", point_.ToString())));
  pool_.reads().Read(id_, m->layer, pool_.structure().Find(point_)->position, request);
}

Task<Result<std::vector<block::Extent>>> LogPointVolume::Allocated(uint64_t offset, uint64_t length, size_t limit) {
  const PointMember* m = Member();
  if (!m) co_return NotFound(fmt::format("point {} has been released", point_.ToString()));
  LS_CO_RETURN_IF_ERROR(CheckRange(id_, m->size, offset, length));
  co_return co_await pool_.Extents(m->layer, pool_.structure().Find(point_)->position, offset, length, limit);
}

}  // namespace lockstep::logstore
