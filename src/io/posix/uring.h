// The ring of io_uring that all disks of a loop share. The loop sleeps in it while they are at work: one system call
// then hands over what was submitted and waits for what completes, and no descriptor has to be signalled in between.
#pragma once

#include <liburing.h>

#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "base/log.h"
#include "io/posix/disk_file.h"

namespace lockstep::io {

// On the loop's thread, but for Create. The loop owns it, and it outlives the disks.
class Uring {
 public:
  // A disk's part in it.
  struct Disk {
    explicit Disk(Log& l) : log(l) {}
    DiskFile file;
    Log& log;
    size_t in_flight = 0;  // submitted and not done
  };

  // On any thread. not-supported when the kernel, or a container's filter, refuses io_uring.
  static Result<std::unique_ptr<Uring>> Create();
  // REQUIRES: no request is in flight.
  ~Uring();
  Uring(const Uring&) = delete;

  // The request has been checked and is not empty. It completes inside WaitAndComplete.
  void Submit(Disk& disk, DiskRequest& request);

  // Whether requests are in flight: then, and only then, the loop waits here.
  bool busy() const { return in_kernel_ != 0; }
  // Hands over what was submitted, waits until a request completes or `descriptor` is readable, `timeout` milliseconds
  // at most (0: not at all; -1: without an end), and completes what can be. Whether the descriptor may be readable.
  bool WaitAndComplete(int descriptor, int timeout);
  // Completes what can be, without waiting and without a system call.
  void Complete();

 private:
  static constexpr unsigned kEntries = 1024;
  static constexpr unsigned kSlots = kEntries - 1;  // requests that the kernel has at once; more wait in order
  static constexpr uint64_t kDescriptor = kSlots;   // in the place of a slot: the descriptor that is waited for
  // Requests that wait for one another to share a system call. More of them would leave the device idle while it could
  // work on the first: at depth 32 four make a third more random reads a second than all, for the same CPU time.
  static constexpr unsigned kTogether = 4;

  // A request that the kernel has.
  struct Slot {
    Disk* disk = nullptr;
    DiskRequest* request = nullptr;
    uint64_t moved = 0;       // bytes of earlier, short transfers
    std::vector<iovec> rest;  // what is left, after a short transfer
    uint16_t next_free = 0;
  };
  struct Waiting {
    Disk* disk;
    DiskRequest* request;
  };

  Uring();
  Status Init();
  void Start(Disk& disk, DiskRequest& request);
  io_uring_sqe& NextEntry();
  void Prepare(unsigned slot);
  void Enter();
  void Sleep(int descriptor, int timeout);
  void End(unsigned slot, int result);
  bool Retry(unsigned slot, int result);
  void Refused(int error);

  io_uring ring_{};
  bool has_ring_ = false;
  bool watching_ = false;  // our question about the descriptor has not been answered
  bool refused_ = false;   // the kernel took nothing when it was entered last
  std::array<Slot, kSlots> slots_;
  unsigned free_slot_ = 0;  // kSlots: none
  size_t in_kernel_ = 0;
  std::deque<Waiting> waiting_;  // for a slot
  unsigned gathered_ = 0;        // prepared since we last entered the kernel
};

}  // namespace lockstep::io
