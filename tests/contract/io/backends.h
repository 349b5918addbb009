// The worlds that the contract suites run on: the simulated one, and the real one with either disk engine. A World lets
// a test act on its loop and wait for what it started, without knowing which it is.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "io/env.h"

namespace lockstep::contract {

enum class Backend { kSim, kPosixUring, kPosixThreads };
std::string BackendName(const testing::TestParamInfo<Backend>& info);

class World {
 public:
  virtual ~World() = default;
  virtual io::Env& env() = 0;
  // A path for a disk or a file that does not exist yet; removed at the end.
  virtual std::string Path(const std::string& name) = 0;
  // Makes the device behind a disk larger, or smaller, whether it is open or not.
  virtual void ResizeDisk(const std::string& path, uint64_t size) = 0;
  // Runs `work` on the data loop and returns when it has run.
  virtual void OnLoop(std::function<void()> work) = 0;
  // Returns when `predicate`, asked on the loop, holds. False after ten seconds (of the world's time).
  virtual bool WaitFor(std::function<bool()> predicate) = 0;
};

// Skips the test when the backend is not available here (io_uring in some containers).
std::unique_ptr<World> MakeWorld(Backend backend);

class ContractTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    world_ = MakeWorld(GetParam());
    if (world_ == nullptr) GTEST_SKIP() << "not available on this machine";
  }
  io::Env& env() { return world_->env(); }
  void OnLoop(std::function<void()> work) { world_->OnLoop(std::move(work)); }
  bool WaitFor(std::function<bool()> predicate) { return world_->WaitFor(std::move(predicate)); }
  std::string Path(const std::string& name) { return world_->Path(name); }

  std::unique_ptr<World> world_;
};

#define LS_CONTRACT_ON_ALL(suite)                                                                           \
  INSTANTIATE_TEST_SUITE_P(On, suite,                                                                       \
                           testing::Values(Backend::kSim, Backend::kPosixUring, Backend::kPosixThreads), \
                           BackendName)

// For what does not depend on the disk engine.
#define LS_CONTRACT_ON_BOTH(suite) \
  INSTANTIATE_TEST_SUITE_P(On, suite, testing::Values(Backend::kSim, Backend::kPosixUring), BackendName)

}  // namespace lockstep::contract
