// The contract of block::Pool and block::Volume as tests, for any engine.
//
// To put an engine through it, write one file <engine>_test.cc here: a PoolFactory of the engine and
//
//   INSTANTIATE_TEST_SUITE_P(MyEngine, BlockContract, testing::Values(Engine{"MyEngine", &MakeMyFactory}), EngineName);
//
// Every test gets a factory of its own and prints the seed that it was made with.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "block/pool.h"
#include "io/loop.h"
#include "sim/random.h"
#include "tests/support/aligned_memory.h"

namespace lockstep::test {

// Makes one pool on storage of its own, and opens it again.
class PoolFactory {
 public:
  virtual ~PoolFactory() = default;  // the pool is gone by then
  // The pool's loop, which the test's thread drives with RunUntil.
  virtual io::Loop& loop() = 0;
  // A new, empty pool with room for about `size` bytes of data. Called once.
  virtual std::unique_ptr<block::Pool> Create(uint64_t size) = 0;
  // The same pool opened again. The former object has been destroyed without a flush.
  virtual std::unique_ptr<block::Pool> Reopen() = 0;
  // Runs the loop until done() holds; false if that will never be because nothing is left to run.
  virtual bool RunUntil(const std::function<bool()>& done) = 0;
};

struct Engine {
  std::string name;
  std::function<std::unique_ptr<PoolFactory>(uint64_t seed)> make;
};
inline void PrintTo(const Engine& engine, std::ostream* out) { *out << engine.name; }
inline std::string EngineName(const testing::TestParamInfo<Engine>& info) { return info.param.name; }

inline constexpr uint64_t kBlock = block::kBlockSize;

using VolumePtr = std::shared_ptr<block::Volume>;

// Speaks of blocks and tags: a tagged block's bytes follow from the tag and the block's number, so that one which is
// lost, stale or misplaced is seen. Tag 0 is zeroes.
class BlockContract : public testing::TestWithParam<Engine> {
 public:
  static constexpr uint64_t kPoolSize = uint64_t{256} << 20;
  static constexpr uint64_t kVolumeBlocks = 64;

  void SetUp() override;
  void TearDown() override;
  // Everything anew: another factory, another pool.
  void Restart(uint64_t seed);

  // Waiting.
  template <typename T>
  T Await(Task<T> task) {
    std::optional<T> result;
    Spawn(std::move(task), [&result](T r) { result.emplace(std::move(r)); });
    const bool finished = factory_->RunUntil([&result] { return result.has_value(); });
    LS_ASSERT(finished);
    return std::move(*result);
  }
  Status Execute(block::Volume& volume, block::Request& request);

  // Structure.
  block::VolumeId NewVolumeId() { return {random_.NextUuid()}; }
  block::PointId NewPointId() { return {random_.NextUuid()}; }
  Status Apply(std::vector<block::Change> changes);
  block::VolumeId Create(uint64_t blocks = kVolumeBlocks);
  block::PointId Take(std::vector<block::VolumeId> volumes);
  block::VolumeId CloneOf(block::PointId point, block::VolumeId source);
  VolumePtr Open(block::VolumeId volume);
  VolumePtr OpenAt(block::PointId point, block::VolumeId volume);
  void Reopen();
  void ClosePool();
  uint64_t UsedBy(block::VolumeId volume);  // VolumeInfo::used, brought up to date

  // Data.
  static void Paint(std::span<std::byte> to, uint64_t first_block, uint64_t tag);
  Status Write(block::Volume& volume, uint64_t first, uint64_t count, uint64_t tag, bool fua = false);
  Status Clear(block::Volume& volume, block::Request::Op op, uint64_t first, uint64_t count);
  Status Flush(block::Volume& volume);
  Result<std::vector<std::byte>> Read(block::Volume& volume, uint64_t first, uint64_t count);
  testing::AssertionResult Holds(block::Volume& volume, uint64_t first, uint64_t count, uint64_t tag);
  testing::AssertionResult VolumeHolds(block::VolumeId volume, uint64_t first, uint64_t count, uint64_t tag);
  testing::AssertionResult PointHolds(block::PointId point, block::VolumeId volume, uint64_t first, uint64_t tag);

  // What can be seen of a pool's structure, as text to compare.
  static std::string Picture(const block::Pool& pool);
  std::string Picture() const { return Picture(*pool_); }

  uint64_t seed_ = 0;
  sim::SimRandom random_{0};
  std::unique_ptr<PoolFactory> factory_;
  std::unique_ptr<block::Pool> pool_;
};

// A write in flight; the test waits for the ones it started.
struct PendingWrite {
  PendingWrite(uint64_t first, uint64_t count) : memory(count * kBlock), buffer(memory.buffer()) {
    request.op = block::Request::Op::kWrite;
    request.offset = first * kBlock;
    request.length = count * kBlock;
    request.buffers = {&buffer, 1};
    request.context = this;
    request.done = [](block::Request& r) {
      auto& self = *static_cast<PendingWrite*>(r.context);
      self.finished = true;
    };
  }
  PendingWrite(const PendingWrite&) = delete;
  AlignedMemory memory;
  io::Buffer buffer;
  block::Request request;
  bool finished = false;
};

}  // namespace lockstep::test
