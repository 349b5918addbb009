// The disk engine where io_uring is refused (seccomp filters of containers, kernel.io_uring_disabled): a few threads
// that make blocking calls. The same contract, more slowly.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "io/posix/disk_file.h"
#include "io/posix/epoll_loop.h"

namespace lockstep::io {

class ThreadDisk final : public Disk {
 public:
  static constexpr size_t kThreads = 4;

  ThreadDisk(EpollLoop& loop, DiskFile file);
  ~ThreadDisk() override;

  uint64_t size() const override { return size_; }
  uint32_t block_size() const override { return file_.block_size; }
  void Submit(DiskRequest& request) override;
  Status RefreshSize() override { return RefreshDiskSize(file_, size_); }

 private:
  void Work();
  Status Execute(const DiskRequest& request) const;
  Status Transfer(const DiskRequest& request) const;
  void CompleteAll();

  EpollLoop& loop_;
  const DiskFile file_;  // with the size that it was opened with
  uint64_t size_;        // the loop's
  size_t in_flight_ = 0;                    // the loop's
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // the loop's; what is posted looks here first

  std::mutex mutex_;  // guards the four below
  RequestQueue queue_, finished_;
  bool completion_posted_ = false;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
};

}  // namespace lockstep::io
