// A whole simulated machine: what a node is built from in tests. It outlives the nodes: a crash is the destruction of a
// node followed by Crash(), a restart is a new node on the same SimEnv.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "io/env.h"
#include "sim/background.h"
#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/faults.h"
#include "sim/files.h"
#include "sim/log.h"
#include "sim/loop.h"
#include "sim/network.h"
#include "sim/random.h"
#include "sim/trace.h"

namespace lockstep::sim {

class SimEnv final : public io::Env {
 public:
  // Everything drawn at random follows from `seed`.
  explicit SimEnv(uint64_t seed, SimLoop::Order order = SimLoop::Order::kAsPosted);
  ~SimEnv() override;

  io::Clock& clock() override { return clock_; }
  io::Random& random() override { return node_random_; }
  Log& log() override { return log_; }
  io::Loop& data_loop() override { return loop_; }
  io::Loop& control_loop() override { return loop_; }
  io::Network& data_network() override { return network_; }
  io::Network& control_network() override { return network_; }
  io::Executor& executor() override { return executor_; }
  io::FileSystem& files() override { return files_; }
  // Disks have a name space of their own, apart from files(), and come into being durably. in-use while open.
  Result<std::unique_ptr<io::Disk>> OpenDisk(const std::string& path, uint64_t create_size) override;

  SimClock& sim_clock() { return clock_; }
  SimLoop& loop() { return loop_; }
  FaultPlan& faults() { return faults_; }
  SimBackground& background() { return background_; }
  Trace& trace() { return trace_; }  // all disk and file I/O, and what a test adds
  SimNetwork& network() { return network_; }
  SimLog& sim_log() { return log_; }
  SimFileMedia& file_media() { return file_media_; }
  // Draws for faults and for tests; apart from what the node draws.
  SimRandom& fault_random() { return fault_random_; }

  // Adds a disk; replaces nothing. Returns its media, which lives as long as this.
  SimDiskMedia& AddDisk(const std::string& path, uint64_t size, uint32_t block_size = 4096);
  SimDiskMedia* media(const std::string& path);  // null if there is no such disk
  // The disk is found at another path from now on. REQUIRES: it is there and not open, and nothing is at `to`.
  void RenameDisk(const std::string& from, const std::string& to);
  void set_disk_timing(DiskTiming timing) { timing_ = timing; }  // of disks opened from now on

  // The machine loses power and comes back. REQUIRES: the node and its disks are destroyed. Drops what is left on the
  // loop (a coroutine that waits there is leaked: let the node unwind, after CutPowerNow, before destroying it), resets
  // connections, takes the caches apart, restores the power and forgets the fault plan.
  void Crash();

 private:
  SimClock clock_;
  SimRandom node_random_, fault_random_;
  SimLog log_;
  Trace trace_;
  SimLoop loop_;
  SimExecutor executor_;
  FaultPlan faults_;
  SimFileMedia file_media_;
  SimFileSystem files_;
  SimNetwork network_;
  DiskTiming timing_;
  std::map<std::string, std::unique_ptr<SimDiskMedia>> disks_;
  SimBackground background_;  // ends before what its jobs use
  std::shared_ptr<std::set<std::string>> open_ = std::make_shared<std::set<std::string>>();
};

}  // namespace lockstep::sim
