// Disk requests as tasks: submit, wait, go on. On the disk's loop. And the memory that they need.
#pragma once

#include <memory>
#include <span>

#include "base/task.h"
#include "io/disk.h"

namespace lockstep::logstore {

struct FreeMemory {
  void operator()(std::byte* memory) const;
};
// Aligned for every device.
using DiskMemory = std::unique_ptr<std::byte, FreeMemory>;
// Holds anything. `bytes`: a multiple of the block size.
DiskMemory AllocateBlocks(size_t bytes);
DiskMemory AllocateZeros(size_t bytes);
// Rounded up to whole blocks.
uint64_t Padded(uint64_t bytes);

// co_await Transfer(disk, request): submits it and waits for its end. Uses its `done` and `context`.
Task<Status> Transfer(io::Disk& disk, io::DiskRequest& request);
// co_await ReadDisk(disk, ...): `to` is aligned for the device; offset and size are multiples of its block size.
Task<Status> ReadDisk(io::Disk& disk, uint64_t offset, std::span<std::byte> to);
// co_await WriteDisk(...), with `durable`.
Task<Status> WriteDisk(io::Disk& disk, uint64_t offset, std::span<const std::byte> from);
// The same for many requests, at most `depth` in flight at a time; waits for all of them. Each has its own outcome.
Task<void> TransferAll(io::Disk& disk, std::span<io::DiskRequest> requests, size_t depth);

}  // namespace lockstep::logstore
