// The real machine: two loops with a thread each, an executor, files, disks and networks.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "io/env.h"
#include "io/posix/epoll_loop.h"
#include "io/posix/executor.h"
#include "io/posix/files.h"
#include "io/posix/network.h"
#include "io/posix/resolver.h"
#include "io/posix/system.h"

namespace lockstep::io {

// Opens `path` as Env::OpenDisk does, for the owner loop `loop`. On any thread.
enum class DiskEngine { kAutomatic /* io_uring if it is there, else threads */, kUring, kThreads };
Result<std::unique_ptr<Disk>> OpenPosixDisk(EpollLoop& loop, const std::string& path, uint64_t create_size,
                                            DiskEngine engine, Log& log);

class PosixEnv final : public Env {
 public:
  struct Options {
    LogLevel log_level = LogLevel::kInfo;
    SpdlogLog::Format log_format = SpdlogLog::DetectFormat();
    size_t executor_threads = 4;
    DiskEngine disk_engine = DiskEngine::kAutomatic;
  };
  // The loops do not run yet: what is posted to them waits.
  static Result<std::unique_ptr<PosixEnv>> Create(const Options& options);
  // As Stop.
  ~PosixEnv() override;

  // Starts the threads of both loops. Everything that lives on a loop is from now on touched there only.
  void Start();
  // Starts the data loop's thread and runs the control loop on this one, until StopControl.
  void StartAndRunControl();
  void StopControl() { control_loop_->Stop(); }
  // Ends the executor after the work it has, then the loops, and waits for their threads. REQUIRES: the node is
  // destroyed; not called on a loop.
  void Stop();

  Clock& clock() override { return clock_; }
  Random& random() override { return random_; }
  Log& log() override { return log_; }
  Loop& data_loop() override { return *data_loop_; }
  Loop& control_loop() override { return *control_loop_; }
  Network& data_network() override { return data_network_; }
  Network& control_network() override { return control_network_; }
  Resolver* control_resolver() override { return &control_resolver_; }
  Executor& executor() override { return executor_; }
  FileSystem& files() override { return files_; }
  // On any thread; the disk itself belongs to the data loop.
  Result<std::unique_ptr<Disk>> OpenDisk(const std::string& path, uint64_t create_size) override;

 private:
  PosixEnv(const Options& options, std::unique_ptr<EpollLoop> data, std::unique_ptr<EpollLoop> control);

  const DiskEngine disk_engine_;
  PosixClock clock_;
  OsRandom random_;
  SpdlogLog log_;
  std::unique_ptr<EpollLoop> data_loop_, control_loop_;
  PosixNetwork data_network_, control_network_;
  PosixResolver control_resolver_;
  PosixFiles files_;
  ThreadExecutor executor_;
  std::thread data_thread_, control_thread_;
};

}  // namespace lockstep::io
