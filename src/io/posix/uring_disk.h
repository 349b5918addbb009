// The disk engine of production: io_uring, by the ring of the loop.
#pragma once

#include <memory>

#include "io/posix/destruction.h"
#include "io/posix/epoll_loop.h"
#include "io/posix/uring.h"

namespace lockstep::io {

class UringDisk final : public Disk, private Deferred {
 public:
  // On any thread. not-supported when the kernel, or a container's filter, refuses io_uring: then `file` is untouched,
  // and ThreadDisk does the same.
  static Result<std::unique_ptr<Disk>> Create(EpollLoop& loop, DiskFile& file, Log& log);
  ~UringDisk() override;

  uint64_t size() const override { return disk_.file.size; }
  uint32_t block_size() const override { return disk_.file.block_size; }
  void Submit(DiskRequest& request) override;
  Status RefreshSize() override { return RefreshDiskSize(disk_.file, disk_.file.size); }

 private:
  UringDisk(EpollLoop& loop, Uring& ring, DiskFile file, Log& log);
  void RunDeferred() override;

  EpollLoop& loop_;
  Uring& ring_;
  Uring::Disk disk_;
  RequestQueue finished_;  // without the kernel: refused or empty; completed by RunDeferred
  Destruction destruction_;
};

}  // namespace lockstep::io
