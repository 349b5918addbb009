// A raw device: a block device, or a file used as one. Bytes are addressed by offset; everything is aligned.
//
// Durability. A completed write is visible to later reads but survives a crash only if a flush that was submitted after
// its completion has completed with OK, or if it was submitted with `durable`. Without that, after a crash, each
// block_size() piece of it may be old, new or, for the pieces of several unflushed writes, any of them. After an I/O
// error of a write its range is undefined until rewritten; after a failed flush every unflushed write may be lost, and
// further flushes prove nothing about those (users treat the device as failed until it is reopened).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"

namespace lockstep::io {

// A piece of memory; laid out as POSIX's struct iovec.
struct Buffer {
  std::byte* data;
  size_t size;
};

// One request, owned by the caller and untouched by it until `done` has been called. No allocation is made for it.
struct DiskRequest {
  enum class Op : uint8_t { kRead, kWrite, kFlush, kDiscard };
  Op op = Op::kRead;
  bool durable = false;  // kWrite: as if followed by a flush of this write (and of no other)
  uint64_t offset = 0;   // multiple of block_size()
  uint64_t length = 0;   // multiple of block_size(); for reads and writes the sum of the buffers
  // Read into or written from, in order; at most kMaxBuffers; addresses and sizes are multiples of kMemoryAlignment.
  std::span<const Buffer> buffers;
  // Called once on the disk's loop, never inside Submit. May destroy the request or submit it again.
  void (*done)(DiskRequest& request) = nullptr;
  void* context = nullptr;
  Status status;                // the outcome, when `done` is called; a short transfer is an error
  DiskRequest* next = nullptr;  // the disk's own, while it has the request
};

// One owner loop: Submit is called and completions come there. Requests may complete in any order; a caller that needs
// an order waits. Discarded ranges read as anything until written.
class Disk {
 public:
  static constexpr size_t kMaxBuffers = 1024;
  static constexpr size_t kMemoryAlignment = 4096;

  // REQUIRES: no request is in flight.
  virtual ~Disk() = default;
  virtual uint64_t size() const = 0;        // bytes, fixed while open but for RefreshSize
  virtual uint32_t block_size() const = 0;  // 512 or 4096: the unit that is written whole or torn at
  virtual void Submit(DiskRequest& request) = 0;
  // Looks whether the device has become larger since it was opened, and makes that its size. A short call to the
  // system; invalid-state: it has become smaller. An implementation that never grows need not do anything.
  virtual Status RefreshSize() { return {}; }
};

// What every implementation asks first: invalid-argument for a request that is misaligned, beyond the end of the disk
// or whose buffers do not add up. Such a request completes with this status and nothing is changed.
Status CheckRequest(const Disk& disk, const DiskRequest& request);

}  // namespace lockstep::io
