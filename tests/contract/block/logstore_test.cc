// The suite on the log store, on a simulated disk and file system: with everything small, so that folds, checkpoints
// and segment changes happen all the time, and as shipped.
#include "logstore/logstore.h"

#include <optional>

#include "sim/await.h"
#include "tests/contract/block/suite.h"
#include "tests/support/simulated_pool.h"

namespace lockstep::test {
namespace {

class LogStoreFactory final : public PoolFactory {
 public:
  LogStoreFactory(uint64_t seed, const logstore::Options& options, uint64_t segment_size)
      : env_(seed), options_(options), segment_size_(segment_size) {}
  io::Loop& loop() override { return env_.loop(); }

  std::unique_ptr<block::Pool> Create(uint64_t size) override {
    env_.AddDisk("disk", size + (1 << 20));
    auto disk = env_.OpenDisk("disk", 0);
    LS_ASSERT(disk.ok());
    const block::PoolId id{env_.random().NextUuid()};
    const Status formatted = Await(logstore::Format(**disk, id, {.segment_size = segment_size_}));
    LS_ASSERT(formatted.ok());
    return OpenOn(std::move(*disk));
  }
  std::unique_ptr<block::Pool> Reopen() override {
    auto disk = env_.OpenDisk("disk", 0);
    LS_ASSERT(disk.ok());
    return OpenOn(std::move(*disk));
  }
  bool RunUntil(const std::function<bool()>& done) override { return env_.loop().RunUntil(done); }

 private:
  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(env_, std::move(task));
  }
  std::unique_ptr<block::Pool> OpenOn(std::unique_ptr<io::Disk> disk) {
    auto pool = Await(logstore::Open(std::move(disk), "index", options_, test::SeamsOf(env_)));
    if (!pool.ok()) ADD_FAILURE() << pool.status().ToString();
    LS_ASSERT(pool.ok());
    return std::move(*pool);
  }

  sim::SimEnv env_;
  const logstore::Options options_;
  const uint64_t segment_size_;
};

std::unique_ptr<PoolFactory> MakeTiny(uint64_t seed) {
  return std::make_unique<LogStoreFactory>(seed, logstore::Options::Tiny(), 1 << 20);
}
std::unique_ptr<PoolFactory> MakeShipped(uint64_t seed) {
  return std::make_unique<LogStoreFactory>(seed, logstore::Options(), 16 << 20);
}

INSTANTIATE_TEST_SUITE_P(LogStore, BlockContract,
                         testing::Values(Engine{"Tiny", &MakeTiny}, Engine{"Shipped", &MakeShipped}), EngineName);

}  // namespace
}  // namespace lockstep::test
