#include "io/disk.h"

#include <fmt/format.h>

namespace lockstep::io {

Status CheckRequest(const Disk& disk, const DiskRequest& request) {
  if (request.op == DiskRequest::Op::kFlush) return {};
  const uint32_t block = disk.block_size();
  if (request.offset % block != 0 || request.length % block != 0)
    return InvalidArgument(fmt::format("disk request of {} bytes at {} is not aligned to the block size {}",
                                       request.length, request.offset, block));
  if (request.offset > disk.size() || request.length > disk.size() - request.offset)
    return InvalidArgument(fmt::format("disk request of {} bytes at {} is beyond the disk's end at {}", request.length,
                                       request.offset, disk.size()));
  if (request.op == DiskRequest::Op::kDiscard) return {};
  if (request.buffers.size() > Disk::kMaxBuffers)
    return InvalidArgument(fmt::format("disk request has {} buffers, {} are allowed", request.buffers.size(),
                                       Disk::kMaxBuffers));
  uint64_t sum = 0;
  for (const Buffer& b : request.buffers) {
    if (reinterpret_cast<uintptr_t>(b.data) % Disk::kMemoryAlignment != 0 || b.size % Disk::kMemoryAlignment != 0)
      return InvalidArgument(fmt::format("a disk request's buffer of {} bytes is not aligned to {}", b.size,
                                         Disk::kMemoryAlignment));
    sum += b.size;
  }
  if (sum != request.length)
    return InvalidArgument(fmt::format("disk request of {} bytes has buffers of {}", request.length, sum));
  return {};
}

}  // namespace lockstep::io
