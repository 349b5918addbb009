// The memory of the hot path: one object per request in flight and the aligned buffer of its data, both reused, so that
// a server in steady state allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "block/volume.h"
#include "target/nbd/transmission.h"

namespace lockstep::nbd {

class Connection;

// Aligned memory in power-of-two sizes. Keeps what is given back, up to a limit.
class BufferPool {
 public:
  explicit BufferPool(size_t keep_bytes) : keep_bytes_(keep_bytes) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // At least `size` bytes, aligned to io::Disk::kMemoryAlignment. REQUIRES: 0 < size <= kMaximumPayload.
  io::Buffer Take(size_t size);
  void Give(io::Buffer buffer);

 private:
  static constexpr size_t kSmallest = 4096;
  static constexpr size_t kClasses = 14;  // 4 KiB ... 32 MiB
  static size_t ClassOf(size_t size);

  const size_t keep_bytes_;
  size_t kept_ = 0;  // bytes
  std::array<std::vector<std::byte*>, kClasses> free_;
};

// One request of a client, from its header until its reply has been handed to the stream.
struct Operation {
  Connection* connection = nullptr;
  RequestHeader header;
  block::Request request;
  io::Buffer memory{nullptr, 0};  // the pool's
  io::Buffer data{nullptr, 0};    // the part of it that the request is about
  size_t received = 0;            // of a write's payload
  Error error = Error::kNone;
  ReplyHeader reply;
  io::Buffer payload{nullptr, 0};  // what follows the reply's header; inside `memory`
  Operation* next = nullptr;
};

// First in, first out, through Operation::next.
class OperationQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  void Push(Operation& operation) {
    operation.next = nullptr;
    (tail_ != nullptr ? tail_->next : head_) = &operation;
    tail_ = &operation;
  }
  Operation* Pop() {
    Operation* operation = head_;
    if (operation == nullptr) return nullptr;
    head_ = operation->next;
    if (head_ == nullptr) tail_ = nullptr;
    return operation;
  }

 private:
  Operation* head_ = nullptr;
  Operation* tail_ = nullptr;
};

class OperationPool {
 public:
  explicit OperationPool(size_t keep_bytes) : buffers_(keep_bytes) {}
  ~OperationPool();

  // With `size` bytes of memory; none if 0.
  Operation& Take(Connection& connection, const RequestHeader& header, size_t size);
  void Give(Operation& operation);

 private:
  BufferPool buffers_;
  OperationQueue free_;
  std::vector<std::unique_ptr<Operation>> all_;
};

}  // namespace lockstep::nbd
