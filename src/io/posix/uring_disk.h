// The disk engine of production: io_uring, whose submissions of one round of the loop go to the kernel in one call.
#pragma once

#include <liburing.h>

#include <array>
#include <memory>
#include <vector>

#include "io/posix/disk_file.h"
#include "io/posix/destruction.h"
#include "io/posix/epoll_loop.h"

namespace lockstep::io {

class UringDisk final : public Disk, private FdHandler, private Deferred {
 public:
  // On any thread. not-supported when the kernel, or a container's filter, refuses
  // io_uring: then ThreadDisk does the same.
  static Result<std::unique_ptr<Disk>> Create(EpollLoop& loop, DiskFile& file, Log& log);
  ~UringDisk() override;

  uint64_t size() const override { return file_.size; }
  uint32_t block_size() const override { return file_.block_size; }
  void Submit(DiskRequest& request) override;
  Status RefreshSize() override { return RefreshDiskSize(file_, file_.size); }

 private:
  static constexpr unsigned kEntries = 256;  // requests that the kernel has at once; more wait in order
  // Requests that wait for one another to share a system call. More of them would leave the device idle while it could
  // work on the first: at depth 32 four make a third more random reads a second than all, for the same CPU time.
  static constexpr unsigned kTogether = 4;

  // A request that the kernel has.
  struct Slot {
    DiskRequest* request = nullptr;
    uint64_t moved = 0;        // bytes of earlier, short transfers
    std::vector<iovec> rest;   // what is left, after a short transfer
    uint16_t next_free = 0;
  };
  UringDisk(EpollLoop& loop, Log& log) : loop_(loop), log_(log) {}
  Status Init();
  void OnReady(uint32_t events) override;
  void RunDeferred() override;
  void FlushLater();
  void StartWaiting();
  void Prepare(unsigned slot);
  void PrepareTransfer(io_uring_sqe& sqe, Slot& slot);
  void Flush();
  void Enter();
  void Complete(unsigned slot, int result);
  bool Retry(unsigned slot, int result);

  EpollLoop& loop_;
  Log& log_;
  DiskFile file_;
  io_uring ring_{};
  bool has_ring_ = false;
  UniqueFd event_;  // written by the kernel for completions; watched edge-triggered, so never read
  std::array<Slot, kEntries> slots_;
  unsigned free_slot_ = 0;  // kEntries: none
  size_t in_kernel_ = 0;
  RequestQueue waiting_;   // for a slot
  RequestQueue finished_;  // without the kernel: refused or empty; completed by RunDeferred
  unsigned gathered_ = 0;  // submitted to us since we last entered the kernel
  bool flush_pending_ = false;
  const std::shared_ptr<UringDisk*> self_ = std::make_shared<UringDisk*>(this);  // null when it is gone
  TimerId retry_ = TimerId::kNone;
  Destruction destruction_;
};

}  // namespace lockstep::io
