// Memory that disks and volumes take, for tests.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

#include "base/assert.h"
#include "io/disk.h"

namespace lockstep::test {

class AlignedMemory {
 public:
  explicit AlignedMemory(size_t size)
      : data_(static_cast<std::byte*>(std::aligned_alloc(io::Disk::kMemoryAlignment,
                                                         (size + io::Disk::kMemoryAlignment - 1) /
                                                             io::Disk::kMemoryAlignment * io::Disk::kMemoryAlignment))),
        size_(size) {
    LS_ASSERT(data_ != nullptr);
  }
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::span<std::byte> bytes() { return {data_.get(), size_}; }
  io::Buffer buffer() { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_;
};

}  // namespace lockstep::test
