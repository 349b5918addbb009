#include "target/nbd/operation.h"

#include <bit>
#include <cstdlib>

#include "base/assert.h"

namespace lockstep::nbd {

BufferPool::~BufferPool() {
  for (const auto& list : free_)
    for (std::byte* p : list) std::free(p);
}

size_t BufferPool::ClassOf(size_t size) {
  const size_t units = (size + kSmallest - 1) / kSmallest;
  return static_cast<size_t>(std::bit_width(units - 1));
}

io::Buffer BufferPool::Take(size_t size) {
  const size_t which = ClassOf(size);
  LS_ASSERT(size > 0 && which < kClasses);
  const size_t bytes = kSmallest << which;
  auto& list = free_[which];
  if (!list.empty()) {
    std::byte* p = list.back();
    list.pop_back();
    kept_ -= bytes;
    return {p, bytes};
  }
  auto* p = static_cast<std::byte*>(std::aligned_alloc(io::Disk::kMemoryAlignment, bytes));
  LS_ASSERT(p != nullptr);
  return {p, bytes};
}

void BufferPool::Give(io::Buffer buffer) {
  if (kept_ + buffer.size > keep_bytes_) return std::free(buffer.data);
  kept_ += buffer.size;
  free_[ClassOf(buffer.size)].push_back(buffer.data);
}

OperationPool::~OperationPool() {
  // In an orderly end nothing is left; in a simulated crash operations are, and their requests will never come back.
  for (const std::unique_ptr<Operation>& operation : all_)
    if (operation->memory.data != nullptr) buffers_.Give(operation->memory);
}

Operation& OperationPool::Take(Connection& connection, const RequestHeader& header, size_t size) {
  Operation* operation = free_.Pop();
  if (operation == nullptr) {
    all_.push_back(std::make_unique<Operation>());
    operation = all_.back().get();
  }
  operation->connection = &connection;
  operation->header = header;
  operation->received = 0;
  operation->error = Error::kNone;
  operation->payload = {nullptr, 0};
  operation->memory = size > 0 ? buffers_.Take(size) : io::Buffer{nullptr, 0};
  operation->data = {operation->memory.data, size};
  return *operation;
}

void OperationPool::Give(Operation& operation) {
  if (operation.memory.data != nullptr) buffers_.Give(operation.memory);
  operation.memory = {nullptr, 0};
  free_.Push(operation);
}

}  // namespace lockstep::nbd
