// A virtual disk as targets and copiers see it.
//
// Ordering and durability. Requests in flight together may take effect in any order. A completed write is seen by every
// later read. It survives a crash only if a flush that was submitted after its completion has completed with OK, or if
// it carried `fua`. After a crash the volumes of a pool hold one prefix of its acknowledged writes: if a write
// survived, every write of any volume of the pool that was acknowledged before it was submitted survived too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/task.h"
#include "block/types.h"
#include "io/disk.h"

namespace lockstep::block {

using io::Buffer;

// One I/O, owned by the caller and untouched by it until `done`; the hot path allocates nothing for it.
struct Request {
  enum class Op : uint8_t { kRead, kWrite, kWriteZeroes, kDiscard, kFlush };
  Op op = Op::kRead;
  bool fua = false;     // kWrite, kWriteZeroes, kDiscard: complete only when durable
  uint64_t offset = 0;  // bytes; multiple of kBlockSize
  uint64_t length = 0;  // bytes; multiple of kBlockSize; not 0 but for kFlush; reads and writes: <= kMaxTransferSize
  // kRead: filled. kWrite: taken from. Their sizes add up to `length`; each address and size is a multiple of
  // io::Disk::kMemoryAlignment, so that they can go to the device as they are. At most 64.
  std::span<const Buffer> buffers;
  // Called once on the volume's loop, never inside Submit. May destroy the request or submit it again.
  void (*done)(Request& request) = nullptr;
  void* context = nullptr;
  Status status;  // the outcome, when `done` is called
  // invalid-argument: outside the volume or misaligned, nothing done. no-space: the pool is full, nothing done (reads
  // and discards still work). corrupted: a block's checksum does not match (the other blocks of the volume are still
  // readable). io-error: the device failed. not-found: the volume has been deleted.

  Request* next = nullptr;          // the engine's own, while it has the request
  uint64_t engine_scratch[4] = {};  // likewise
};

// One owner loop: calls and completions there. Obtained from Pool::OpenVolume or OpenPoint; the object stays valid
// while somebody holds it, even when the volume is deleted under it (requests then fail with not-found).
class Volume {
 public:
  virtual ~Volume() = default;
  virtual VolumeId id() const = 0;
  virtual uint64_t size() const = 0;  // bytes; may grow while open
  virtual bool read_only() const = 0;
  virtual void Submit(Request& request) = 0;
  // What is allocated in [offset, offset + length): adjoining extents in order that cover the range exactly, at most
  // `limit` of them (then the range is cut short after the last). Blocks below a discard or never written are holes.
  virtual Task<Result<std::vector<Extent>>> Allocated(uint64_t offset, uint64_t length, size_t limit) = 0;
};

// co_await Run(volume, request): submits and waits. The request's `done` and `context` are used for that.
inline auto Run(Volume& volume, Request& request) {
  struct Awaiter {
    Volume& volume;
    Request& request;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      request.context = handle.address();
      request.done = [](Request& r) { std::coroutine_handle<>::from_address(r.context).resume(); };
      volume.Submit(request);
    }
    Status await_resume() const { return request.status; }
  };
  return Awaiter{volume, request};
}

}  // namespace lockstep::block
