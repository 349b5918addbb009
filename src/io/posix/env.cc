#include "io/posix/env.h"

#include "io/posix/disk_file.h"
#include "io/posix/thread_disk.h"
#include "io/posix/uring_disk.h"

namespace lockstep::io {

Result<std::unique_ptr<Disk>> OpenPosixDisk(EpollLoop& loop, const std::string& path, uint64_t create_size,
                                            DiskEngine engine, Log& log) {
  LS_ASSIGN_OR_RETURN(DiskFile file, OpenDiskFile(path, create_size, log));
  if (engine != DiskEngine::kThreads) {
    Result<std::unique_ptr<Disk>> disk = UringDisk::Create(loop, file, log);
    if (disk.ok() || engine == DiskEngine::kUring) return disk;
    log.Info("disk {}: {}; using threads instead", path, disk.status().message());
  }
  return std::unique_ptr<Disk>(std::make_unique<ThreadDisk>(loop, std::move(file)));
}

Result<std::unique_ptr<PosixEnv>> PosixEnv::Create(const Options& options) {
  LS_ASSIGN_OR_RETURN(std::unique_ptr<EpollLoop> data, EpollLoop::Create());
  LS_ASSIGN_OR_RETURN(std::unique_ptr<EpollLoop> control, EpollLoop::Create());
  return std::unique_ptr<PosixEnv>(new PosixEnv(options, std::move(data), std::move(control)));
}

PosixEnv::PosixEnv(const Options& options, std::unique_ptr<EpollLoop> data, std::unique_ptr<EpollLoop> control)
    : disk_engine_(options.disk_engine),
      log_(options.log_level, options.log_format),
      data_loop_(std::move(data)),
      control_loop_(std::move(control)),
      data_network_(*data_loop_, log_),
      control_network_(*control_loop_, log_),
      control_resolver_(*control_loop_),
      executor_(options.executor_threads) {}

PosixEnv::~PosixEnv() { Stop(); }

void PosixEnv::Start() {
  data_thread_ = std::thread([this] { data_loop_->Run(); });
  control_thread_ = std::thread([this] { control_loop_->Run(); });
}

void PosixEnv::StartAndRunControl() {
  data_thread_ = std::thread([this] { data_loop_->Run(); });
  control_loop_->Run();
}

void PosixEnv::Stop() {
  // The executor first: what it ends is posted to the loops, which are still there.
  executor_.Stop();
  control_loop_->Stop();
  if (control_thread_.joinable()) control_thread_.join();
  data_loop_->Stop();
  if (data_thread_.joinable()) data_thread_.join();
}

Result<std::unique_ptr<Disk>> PosixEnv::OpenDisk(const std::string& path, uint64_t create_size) {
  return OpenPosixDisk(*data_loop_, path, create_size, disk_engine_, log_);
}

}  // namespace lockstep::io
