#include "logstore/disk_io.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "base/assert.h"
#include "logstore/format.h"

namespace lockstep::logstore {

void FreeMemory::operator()(std::byte* memory) const {
  std::free(memory);
}

DiskMemory AllocateBlocks(size_t bytes) {
  DiskMemory memory(static_cast<std::byte*>(std::aligned_alloc(io::Disk::kMemoryAlignment, bytes)));
  LS_ASSERT(memory);
  return memory;
}
DiskMemory AllocateZeros(size_t bytes) {
  DiskMemory memory = AllocateBlocks(bytes);
  std::memset(memory.get(), 0, bytes);
  return memory;
}

uint64_t Padded(uint64_t bytes) {
  return (bytes + kBlockSize - 1) / kBlockSize * kBlockSize;
}

Task<Status> Transfer(io::Disk& disk, io::DiskRequest& request) {
  co_await SuspendWith([&](auto resume) {
    using Resume = decltype(resume);
    request.context = new Resume(std::move(resume));
    request.done = [](io::DiskRequest& r) {
      std::unique_ptr<Resume> go_on(static_cast<Resume*>(r.context));
      (*go_on)();
    };
    disk.Submit(request);
  });
  co_return request.status;
}

Task<Status> ReadDisk(io::Disk& disk, uint64_t offset, std::span<std::byte> to) {
  const io::Buffer buffer{to.data(), to.size()};
  io::DiskRequest request;
  request.op = io::DiskRequest::Op::kRead;
  request.offset = offset;
  request.length = to.size();
  request.buffers = {&buffer, 1};
  co_return co_await Transfer(disk, request);
}

Task<Status> WriteDisk(io::Disk& disk, uint64_t offset, std::span<const std::byte> from) {
  const io::Buffer buffer{const_cast<std::byte*>(from.data()), from.size()};
  io::DiskRequest request;
  request.op = io::DiskRequest::Op::kWrite;
  request.durable = true;
  request.offset = offset;
  request.length = from.size();
  request.buffers = {&buffer, 1};
  co_return co_await Transfer(disk, request);
}

namespace {

// Requests under way, and the coroutine that waits for them. Lives in its frame.
struct Group {
  io::Disk& disk;
  std::span<io::DiskRequest> requests;
  size_t next = 0, outstanding = 0;
  std::move_only_function<void()> ended;

  void SubmitNext() {
    io::DiskRequest& r = requests[next++];
    r.context = this;
    r.done = [](io::DiskRequest& request) { static_cast<Group*>(request.context)->OneDone(); };
    ++outstanding;
    disk.Submit(r);
  }
  void OneDone() {
    --outstanding;
    if (next < requests.size()) return SubmitNext();
    if (outstanding != 0) return;
    auto go_on = std::exchange(ended, {});  // the group goes with the coroutine
    go_on();
  }
};

}  // namespace

Task<void> TransferAll(io::Disk& disk, std::span<io::DiskRequest> requests, size_t depth) {
  if (requests.empty()) co_return;
  Group group{disk, requests, 0, 0, {}};
  co_await SuspendWith([&](auto resume) {
    group.ended = std::move(resume);
    while (group.next < requests.size() && group.outstanding < depth) group.SubmitNext();
  });
}

}  // namespace lockstep::logstore
