// A node's life on a simulated machine, for crash tests: what is done to its pool goes into a history, and after a
// crash the pool must show a prefix of that which contains all that was certain.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "logstore/index.h"
#include "logstore/logstore.h"
#include "sim/env.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/simulated_pool.h"
#include "tests/unit/logstore/pool_model.h"

namespace lockstep::test {

using block::kBlockSize;

inline constexpr uint64_t kBlocks = 40;  // of each volume: a few chunks, so that they are rewritten often

inline void Paint(std::byte* block, uint32_t tag) {
  std::memset(block, 0, kBlockSize);
  if (tag == 0) return;
  for (size_t i = 0; i < kBlockSize; i += 4) std::memcpy(block + i, &tag, 4);
}
// The tag of a block that holds one pattern throughout; UINT32_MAX for a torn one.
inline uint32_t TagOf(const std::byte* block) {
  uint32_t tag, other;
  std::memcpy(&tag, block, 4);
  for (size_t i = 0; i < kBlockSize; i += 4) {
    std::memcpy(&other, block + i, 4);
    if (other != tag) return UINT32_MAX;
  }
  return tag;
}

// One node's life on a machine: an open pool, the history so far and what of it is certain.
class Node {
 public:
  // `disks`: where the pool may be, in any order; those that there are not are left out.
  explicit Node(sim::SimEnv& env, std::vector<Step>* history, std::vector<std::string> disks = {"disk"})
      : env_(env), history_(history), disks_(std::move(disks)) {}
  ~Node() {
    if (!pool_) return;
    // The loop must unwind what is in flight; after a power cut that ends in errors.
    env_.loop().RunUntil([&] { return in_flight_ == 0; });
    volumes_.clear();
    sim::Await(env_, pool_->Close());
    pool_.reset();
  }

  static void Format(sim::SimEnv& env, uint64_t disk_size = 64 << 20, uint64_t segment_size = 512 << 10) {
    env.AddDisk("disk", disk_size);
    auto disk = env.OpenDisk("disk", 0);
    const block::PoolId id{env.random().NextUuid()};
    const Status s = sim::Await(env, logstore::Format(**disk, id, {.segment_size = segment_size}));
    ASSERT_TRUE(s.ok()) << s.ToString();
  }
  Status Open() {
    logstore::Opening opening;
    opening.index_directory = "index";
    for (const std::string& name : disks_) {
      auto disk = env_.OpenDisk(name, 0);
      if (disk.status().code() == Code::kNotFound) continue;
      if (!disk.ok()) return disk.status();
      opening.devices.push_back({name, std::move(*disk)});
    }
    auto pool = sim::Await(env_, logstore::OpenDevices(
                                  std::move(opening), logstore::Options::Tiny(), SeamsOf(env_)));
    if (!pool.ok()) return pool.status();
    pool_ = std::move(*pool);
    return {};
  }

  // Submits and does not wait.
  void Write(block::VolumeId volume, uint64_t first, uint64_t count, uint32_t tag) {
    struct Pending {
      explicit Pending(uint64_t blocks) : memory(blocks * kBlockSize), buffer(memory.buffer()) {}
      AlignedMemory memory;
      io::Buffer buffer;
      block::Request request;
      Node* node = nullptr;
      size_t step = 0;
      std::shared_ptr<block::Volume> volume;
    };
    auto handle = pool_->OpenVolume(volume);
    ASSERT_TRUE(handle.ok());
    auto* p = new Pending(count);
    for (uint64_t b = 0; b < count; ++b) Paint(p->memory.bytes().data() + b * kBlockSize, tag);
    p->node = this;
    p->volume = *handle;
    p->request.op = tag == 0 ? block::Request::Op::kDiscard : block::Request::Op::kWrite;
    p->request.offset = first * kBlockSize;
    p->request.length = count * kBlockSize;
    if (tag != 0) p->request.buffers = {&p->buffer, 1};
    p->request.context = p;
    p->request.done = [](block::Request& r) {
      const std::unique_ptr<Pending> own(static_cast<Pending*>(r.context));
      --own->node->in_flight_;
      if (r.status.code() != Code::kNoSpace) return;
      // Refused, so it never was.
      std::get<WriteStep>((*own->node->history_)[own->step]).count = 0;
      ++own->node->refused_;
    };
    ++in_flight_;
    p->step = history_->size();
    history_->push_back(WriteStep{volume, first, count, tag});
    p->volume->Submit(p->request);
  }
  void Settle() {
    env_.loop().RunUntil([&] { return in_flight_ == 0; });
  }
  // What was submitted and has completed is certain after this answers OK.
  bool Flush() {
    Settle();
    const size_t covered = history_->size();
    if (!sim::Await(env_, pool_->Flush()).ok()) return false;
    certain_ = covered;
    return true;
  }
  Status Apply(std::vector<block::Change> changes) {
    block::Transaction t{{env_.random().NextUuid()}, std::move(changes)};
    history_->push_back(TransactionStep{t});
    const size_t covered = history_->size();
    const Status s = sim::Await(env_, pool_->Apply(t));
    // A refusal changes nothing; an I/O error may have left it in the log.
    if (s.ok())
      certain_ = in_flight_ == 0 ? covered : certain_;
    else if (s.code() != Code::kIoError)
      history_->pop_back();
    return s;
  }
  Status CopyUp(block::VolumeId volume) {
    return sim::Await(env_, pool_->CopyUp(volume, 0, kBlocks * kBlockSize)).status();
  }
  // Until what was let go has been swept out of the index, or the power is gone.
  void AwaitSwept() {
    env_.loop().RunUntil([this] { return !pool_->Info().freeing || env_.faults().power_is_cut(); });
  }
  // Until no chain of clones is deep without shortcuts, or the power is gone.
  void AwaitFlattened() {
    env_.loop().RunUntil([this] { return !pool_->Info().flattening || env_.faults().power_is_cut(); });
  }
  Result<block::DeviceId> AddDevice(const std::string& name) {
    auto disk = env_.OpenDisk(name, 0);
    if (!disk.ok()) return disk.status();
    return sim::Await(env_, pool_->AddDevice(std::move(*disk), name));
  }
  Status RemoveDevice(const std::string& path, block::DrainOptions options = {}) {
    return sim::Await(env_, pool_->RemoveDevice(DeviceAt(path), std::move(options)));
  }
  Result<uint64_t> Grow() { return sim::Await(env_, pool_->Grow()); }
  Status Export(std::string note) { return sim::Await(env_, pool_->Export(std::move(note))); }
  // Nil when it is none of the pool's.
  block::DeviceId DeviceAt(const std::string& path) const {
    for (const block::DeviceInfo& device : pool_->Devices())
      if (device.path == path) return device.id;
    return {};
  }
  block::Pool& pool() { return *pool_; }
  sim::SimEnv& env() { return env_; }
  size_t certain() const { return certain_; }
  size_t refused() const { return refused_; }
  uint64_t moved() const { return pool_->Info().moved; }
  // Every count of the engine agrees with what it counts.
  void ExpectSound() {
    const auto report = sim::Await(env_, logstore::Check(*pool_));
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    for (const std::string& problem : report->problems) ADD_FAILURE() << problem;
  }

  std::optional<ModelVolume> ReadPoint(block::PointId point, block::VolumeId volume) {
    ModelVolume seen;
    if (!ReadVolume(**pool_->OpenPoint(point, volume), seen)) return std::nullopt;
    return seen;
  }
  std::optional<PoolModel> ReadAll() {
    PoolModel seen;
    for (const auto& info : pool_->Volumes())
      if (!ReadVolume(**pool_->OpenVolume(info.id), seen.volumes[info.id])) return std::nullopt;
    for (const auto& point : pool_->Points())
      for (const auto& v : point.volumes)
        if (!ReadVolume(**pool_->OpenPoint(point.id, v), seen.points[point.id][v])) return std::nullopt;
    return seen;
  }

 private:
  bool ReadVolume(block::Volume& volume, ModelVolume& to) {
    const uint64_t blocks = volume.size() / kBlockSize;
    AlignedMemory memory(volume.size());
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.op = block::Request::Op::kRead;
    r.length = volume.size();
    r.buffers = {&buffer, 1};
    const Status s = RunOn(env_, volume, r);
    EXPECT_TRUE(s.ok()) << s.ToString();
    for (uint64_t b = 0; b < blocks; ++b) to.blocks.push_back(TagOf(memory.bytes().data() + b * kBlockSize));
    return s.ok();
  }

  sim::SimEnv& env_;
  std::vector<Step>* history_;
  const std::vector<std::string> disks_;
  std::unique_ptr<block::Pool> pool_;
  std::vector<std::shared_ptr<block::Volume>> volumes_;
  size_t in_flight_ = 0;
  size_t certain_ = 0;
  size_t refused_ = 0;
};

// Finds how much of the history the pool shows; fails when it is no prefix, or one without what is certain. Cuts the
// history there.
inline void ExpectPrefix(sim::SimEnv& env, std::vector<Step>& history, size_t certain,
                         std::vector<std::string> disks = {"disk"}) {
  Node node(env, &history, std::move(disks));
  const Status opened = node.Open();
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  const std::optional<PoolModel> seen = node.ReadAll();
  ASSERT_TRUE(seen);
  node.ExpectSound();
  PoolModel model;
  std::optional<size_t> match;
  for (size_t k = 0;; ++k) {
    if (k >= certain && model == *seen) match = k;  // the longest: steps that change nothing look like being there
    if (k == history.size()) break;
    Advance(model, history[k]);
  }
  ASSERT_TRUE(match) << "what survived is no prefix of the " << history.size() << " steps that holds the first "
                     << certain << ", which were durable";
  history.resize(*match);
}

// The devices alone lead to the same pool: its index is thrown away and made again. Where the space of what lies in
// the log has been reused, that is the anchor's work.
inline void ExpectRebuildable(sim::SimEnv& env, std::vector<Step>& history, std::vector<std::string> disks = {"disk"}) {
  std::optional<PoolModel> with_index;
  {
    Node node(env, &history, disks);
    ASSERT_TRUE(node.Open().ok());
    with_index = node.ReadAll();
    ASSERT_TRUE(with_index);
  }
  const Status gone = logstore::Index::Destroy(env.files(), "index");
  ASSERT_TRUE(gone.ok()) << gone.ToString();
  Node node(env, &history, std::move(disks));
  const Status opened = node.Open();
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  const std::optional<PoolModel> without = node.ReadAll();
  ASSERT_TRUE(without);
  ASSERT_TRUE(*without == *with_index) << "a rebuilt index shows something else";
  node.ExpectSound();
}

}  // namespace lockstep::test
