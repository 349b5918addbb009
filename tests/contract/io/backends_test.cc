#include "tests/contract/io/backends.h"

#include <chrono>
#include <filesystem>
#include <future>

#include "io/posix/env.h"
#include "sim/env.h"

namespace lockstep::contract {
namespace {

class SimWorld final : public World {
 public:
  SimWorld() : env_(testing::UnitTest::GetInstance()->random_seed() + 1) {}
  io::Env& env() override { return env_; }
  std::string Path(const std::string& name) override { return "/" + name; }
  void ResizeDisk(const std::string& path, uint64_t size) override { env_.media(path)->Grow(size); }
  void OnLoop(std::function<void()> work) override {
    bool ran = false;
    env_.loop().Post([&] {
      work();
      ran = true;
    });
    ASSERT_TRUE(env_.loop().RunUntil([&] { return ran; }));
  }
  bool WaitFor(std::function<bool()> predicate) override {
    return env_.loop().RunUntil(std::move(predicate), std::chrono::seconds(10));
  }

 private:
  sim::SimEnv env_;
};

class PosixWorld final : public World {
 public:
  PosixWorld(std::unique_ptr<io::PosixEnv> env, std::filesystem::path directory)
      : env_(std::move(env)), directory_(std::move(directory)) {
    env_->Start();
  }
  ~PosixWorld() override {
    env_->Stop();
    std::filesystem::remove_all(directory_);
  }
  io::Env& env() override { return *env_; }
  std::string Path(const std::string& name) override { return (directory_ / name).string(); }
  void ResizeDisk(const std::string& path, uint64_t size) override { std::filesystem::resize_file(path, size); }
  void OnLoop(std::function<void()> work) override {
    std::promise<void> ran;
    env_->data_loop().Post([&] {
      work();
      ran.set_value();
    });
    ran.get_future().wait();
  }
  bool WaitFor(std::function<bool()> predicate) override {
    auto waiter = std::make_shared<Waiter>(env_->data_loop(), std::move(predicate));
    std::future<bool> result = waiter->result.get_future();
    env_->data_loop().Post([waiter] { Ask(waiter); });
    return result.get();
  }

 private:
  struct Waiter {
    Waiter(io::Loop& l, std::function<bool()> p) : loop(l), predicate(std::move(p)) {}
    io::Loop& loop;
    std::function<bool()> predicate;
    int rounds_left = 10000;
    std::promise<bool> result;
  };
  // Looks once in a millisecond, on the loop itself, so that a predicate may read what callbacks write.
  static void Ask(std::shared_ptr<Waiter> waiter) {
    const bool holds = waiter->predicate();
    if (holds || --waiter->rounds_left == 0) return waiter->result.set_value(holds);
    waiter->loop.After(std::chrono::milliseconds(1), [waiter] { Ask(waiter); });
  }

  std::unique_ptr<io::PosixEnv> env_;
  const std::filesystem::path directory_;
};

}  // namespace

std::string BackendName(const testing::TestParamInfo<Backend>& info) {
  switch (info.param) {
    case Backend::kSim: return "Sim";
    case Backend::kPosixUring: return "PosixUring";
    case Backend::kPosixThreads: return "PosixThreads";
  }
  return "";
}

std::unique_ptr<World> MakeWorld(Backend backend) {
  if (backend == Backend::kSim) return std::make_unique<SimWorld>();
  io::PosixEnv::Options options;
  options.log_level = LogLevel::kError;
  options.disk_engine = backend == Backend::kPosixUring ? io::DiskEngine::kUring : io::DiskEngine::kThreads;
  std::unique_ptr<io::PosixEnv> env = std::move(io::PosixEnv::Create(options)).value();
  std::string directory = (std::filesystem::current_path() / "io-contract-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) return nullptr;
  const Status probe = env->OpenDisk(directory + "/probe", 4096).status();
  if (probe.code() == Code::kNotSupported) {
    std::filesystem::remove_all(directory);
    return nullptr;
  }
  return std::make_unique<PosixWorld>(std::move(env), directory);
}

}  // namespace lockstep::contract
