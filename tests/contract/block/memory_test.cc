// The suite on the reference pool itself: what it demands is what the contract says, and can be had.
#include "sim/clock.h"
#include "sim/loop.h"
#include "tests/contract/block/suite.h"
#include "tests/support/memory_pool.h"

namespace lockstep::test {
namespace {

class MemoryFactory final : public PoolFactory {
 public:
  explicit MemoryFactory(uint64_t seed) : loop_(clock_, seed) {}
  io::Loop& loop() override { return loop_; }
  std::unique_ptr<block::Pool> Create(uint64_t size) override {
    storage_ = std::make_shared<MemoryStorage>();
    storage_->size = size;
    return Reopen();
  }
  std::unique_ptr<block::Pool> Reopen() override { return std::make_unique<MemoryPool>(storage_, loop_); }
  bool RunUntil(const std::function<bool()>& done) override { return loop_.RunUntil(done); }

 private:
  sim::SimClock clock_;
  sim::SimLoop loop_;
  std::shared_ptr<MemoryStorage> storage_;
};

std::unique_ptr<PoolFactory> MakeMemoryFactory(uint64_t seed) { return std::make_unique<MemoryFactory>(seed); }

INSTANTIATE_TEST_SUITE_P(Memory, BlockContract, testing::Values(Engine{"Memory", &MakeMemoryFactory}), EngineName);

}  // namespace
}  // namespace lockstep::test
