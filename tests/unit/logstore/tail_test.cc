// Followers near the end of the log: what they are told comes from memory, and is the same as what the devices say.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "block/change_stream.h"
#include "logstore/logstore.h"
#include "logstore/pool.h"
#include "sim/await.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/simulated_pool.h"

namespace lockstep::test {
namespace {

using block::kBlockSize;
using block::SequenceNumber;
using Events = std::vector<block::StreamEvent>;

constexpr uint64_t kTailBlocks = 64;       // of each volume
constexpr uint64_t kTailBytes = 256 << 10;  // in memory

// Counts what is read from a disk.
class CountingDisk final : public io::Disk {
 public:
  CountingDisk(std::unique_ptr<io::Disk> disk, uint64_t& bytes) : disk_(std::move(disk)), bytes_(bytes) {}
  uint64_t size() const override { return disk_->size(); }
  uint32_t block_size() const override { return disk_->block_size(); }
  void Submit(io::DiskRequest& request) override {
    if (request.op == io::DiskRequest::Op::kRead) bytes_ += request.length;
    disk_->Submit(request);
  }
  Status RefreshSize() override { return disk_->RefreshSize(); }

 private:
  const std::unique_ptr<io::Disk> disk_;
  uint64_t& bytes_;
};

// A copy of some volumes that follows. A block holds one number throughout.
struct Copy {
  std::vector<block::VolumeId> volumes;
  std::map<block::VolumeId, std::vector<uint32_t>> blocks = {};
  SequenceNumber upto = 0, told = 0, newest = 0;
  Events beyond = {};            // told, and not known to be durable
  std::vector<uint32_t> tags = {};  // of `beyond`
  size_t holes = 0, structures = 0, writes = 0;
  std::unique_ptr<block::ChangeStream> stream = nullptr;
};

class Tail : public testing::Test {
 protected:
  void Start(uint64_t seed, uint64_t segment_bytes = 256 << 10, uint64_t segments = 400) {
    TearDown();
    env_ = std::make_unique<sim::SimEnv>(
        seed, seed % 2 ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled);
    random_ = sim::SimRandom(seed);
    media_ = &env_->AddDisk("disk", (1 << 20) + segments * segment_bytes);
    options_ = logstore::Options::Tiny();
    options_.change_budget_bytes = 100 << 20;
    options_.change_tail_bytes = kTailBytes;
    {
      auto disk = env_->OpenDisk("disk", 0);
      ASSERT_TRUE(Await(logstore::Format(**disk, {env_->random().NextUuid()}, {.segment_size = segment_bytes})).ok());
    }
    ASSERT_TRUE(Open().ok());
    volumes_.clear();
    for (int i = 0; i < 4; ++i) {
      volumes_.push_back({env_->random().NextUuid()});
      ASSERT_TRUE(Apply({block::CreateVolume{volumes_.back(), kTailBlocks * kBlockSize}}).ok());
    }
    base_ = {env_->random().NextUuid()};
    ASSERT_TRUE(Apply({block::TakePoint{base_, volumes_}}).ok());
  }
  void TearDown() override {
    copies_.clear();
    Close();
    env_.reset();
  }
  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(*env_, std::move(task));
  }
  Status Open() {
    auto disk = env_->OpenDisk("disk", 0);
    if (!disk.ok()) return disk.status();
    auto counting = std::make_unique<CountingDisk>(std::move(*disk), bytes_read_);
    auto pool = Await(logstore::Open(std::move(counting), "index", options_, SeamsOf(*env_)));
    if (pool.ok()) pool_ = std::move(*pool);
    return pool.status();
  }
  void Close() {
    for (Copy* copy : copies_) copy->stream.reset();
    if (!pool_) return;
    sim::Await(*env_, pool_->Close());
    pool_.reset();
  }
  Status Apply(std::vector<block::Change> changes) {
    return Await(pool_->Apply({{env_->random().NextUuid()}, std::move(changes)}));
  }
  Status Run(block::VolumeId id, block::Request& request) {
    const auto volume = pool_->OpenVolume(id);
    return RunOn(*env_, **volume, request);
  }
  static void Paint(AlignedMemory& memory, uint32_t tag) {
    for (uint64_t at = 0; at < memory.size(); at += 4) std::memcpy(memory.data() + at, &tag, 4);
  }
  // A hole when `tag` is 0.
  Status Write(block::VolumeId id, uint64_t first, uint64_t count, uint32_t tag) {
    AlignedMemory memory(count * kBlockSize);
    Paint(memory, tag);
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.op = tag == 0 ? block::Request::Op::kDiscard : block::Request::Op::kWrite;
    r.offset = first * kBlockSize;
    r.length = count * kBlockSize;
    if (tag != 0) r.buffers = {&buffer, 1};
    return Run(id, r);
  }
  Status WriteSome() {
    const block::VolumeId id = volumes_[random_.Below(volumes_.size())];
    const uint64_t first = random_.Below(kTailBlocks);
    const uint64_t count = 1 + random_.Below(std::min<uint64_t>(20, kTailBlocks - first));
    return Write(id, first, count, random_.OneIn(8) ? 0 : ++tag_);
  }
  // Structure that concerns all volumes, one, or none of them.
  Status ChangeSome() {
    const block::PointId point{env_->random().NextUuid()};
    switch (random_.Below(3)) {
      case 0: return Apply({block::TakePoint{point, volumes_}});
      case 1: return Apply({block::SetContent{volumes_[random_.Below(4)], base_, volumes_[random_.Below(4)]}});
      default: return Apply({block::CreateVolume{{env_->random().NextUuid()}, kBlockSize}});
    }
  }
  std::vector<uint32_t> Content(block::VolumeId id) {
    AlignedMemory memory(kTailBlocks * kBlockSize);
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.length = memory.size();
    r.buffers = {&buffer, 1};
    EXPECT_TRUE(Run(id, r).ok());
    std::vector<uint32_t> tags(kTailBlocks);
    for (uint64_t b = 0; b < kTailBlocks; ++b) std::memcpy(&tags[b], memory.data() + b * kBlockSize, 4);
    return tags;
  }

  // From now on.
  Copy Begin(std::vector<block::VolumeId> volumes) {
    Copy copy{std::move(volumes)};
    for (const block::VolumeId v : copy.volumes) copy.blocks[v] = Content(v);
    copy.upto = copy.told = copy.newest = pool_->Info().last;
    return copy;
  }
  Status Follow(Copy& copy) {
    auto opened = pool_->Changes(copy.volumes, copy.upto + 1);
    if (opened.ok()) {
      copy.stream = std::move(*opened);
      copy.newest = copy.upto;
    }
    return opened.status();
  }
  void Do(Copy& copy, const block::StreamEvent& event, uint32_t tag) {
    if (const auto* w = std::get_if<block::StreamWrite>(&event)) {
      for (uint64_t b = 0; b < w->crcs.size(); ++b) copy.blocks.at(w->volume).at(w->offset / kBlockSize + b) = tag;
    } else if (const auto* h = std::get_if<block::StreamHole>(&event)) {
      for (uint64_t b = 0; b < h->length / kBlockSize; ++b)
        copy.blocks.at(h->volume).at(h->offset / kBlockSize + b) = 0;
    } else {
      for (const block::Change& change : std::get<block::StreamStructure>(event).changes)
        if (const auto* set = std::get_if<block::SetContent>(&change)) copy.blocks.at(set->volume) = base_content_;
    }
  }
  void Take(Copy& copy, const block::StreamEvent& event) {
    const SequenceNumber sequence = std::visit([](const auto& e) { return e.sequence; }, event);
    ASSERT_GT(sequence, copy.newest);
    copy.newest = sequence;
    uint32_t tag = 0;
    if (const auto* w = std::get_if<block::StreamWrite>(&event)) {
      ++copy.writes;
      ASSERT_TRUE(copy.blocks.contains(w->volume));
      ASSERT_EQ(w->data.size(), w->crcs.size() * kBlockSize);
      std::memcpy(&tag, w->data.data(), 4);
      for (size_t b = 0; b < w->crcs.size(); ++b)
        ASSERT_EQ(Crc32c(w->data.subspan(b * kBlockSize, kBlockSize)), w->crcs[b]);
    } else {
      ++(std::holds_alternative<block::StreamHole>(event) ? copy.holes : copy.structures);
    }
    copy.beyond.push_back(event);
    copy.tags.push_back(tag);
  }
  // One answer; what is durable is applied.
  Status Pull(Copy& copy) {
    const auto batch = Await(copy.stream->Next());
    LS_RETURN_IF_ERROR(batch.status());
    for (const block::StreamEvent& event : batch->events) Take(copy, event);
    copy.told = batch->upto;
    size_t n = 0;
    for (; n < copy.beyond.size(); ++n) {
      if (std::visit([](const auto& e) { return e.sequence; }, copy.beyond[n]) > batch->durable) break;
      Do(copy, copy.beyond[n], copy.tags[n]);
    }
    copy.beyond.erase(copy.beyond.begin(), copy.beyond.begin() + static_cast<ptrdiff_t>(n));
    copy.tags.erase(copy.tags.begin(), copy.tags.begin() + static_cast<ptrdiff_t>(n));
    copy.upto = std::min(copy.told, batch->durable);
    copy.stream->Confirm(copy.upto);
    return {};
  }
  // Without a word to the devices but a flush.
  void Drain(Copy& copy) {
    const SequenceNumber target = pool_->Info().last;
    block::Request flush;
    flush.op = block::Request::Op::kFlush;
    ASSERT_TRUE(Run(volumes_[0], flush).ok());
    while (copy.upto < target) {
      const Status pulled = Pull(copy);
      ASSERT_TRUE(pulled.ok()) << pulled.ToString();
      if (HasFailure()) return;
    }
  }
  void Compare(Copy& copy) {
    for (const block::VolumeId v : copy.volumes) ASSERT_EQ(copy.blocks.at(v), Content(v));
  }
  uint64_t Reads() const { return env_->faults().count(sim::IoKind::kDiskRead); }
  logstore::LogPool& pool() { return static_cast<logstore::LogPool&>(*pool_); }

  std::unique_ptr<sim::SimEnv> env_;
  sim::SimRandom random_{0};
  sim::SimDiskMedia* media_ = nullptr;
  logstore::Options options_;
  uint64_t bytes_read_ = 0;
  std::unique_ptr<block::Pool> pool_;
  std::vector<block::VolumeId> volumes_;
  block::PointId base_;
  const std::vector<uint32_t> base_content_ = std::vector<uint32_t>(kTailBlocks, 0);
  std::vector<Copy*> copies_;  // those that are to let go when the pool is closed
  uint32_t tag_ = 0;
};

TEST_F(Tail, FollowersAtTheEndDoNotNoticeThatTheDeviceCannotBeRead) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Start(seed);
    ASSERT_TRUE(Write(volumes_[0], 0, 20, ++tag_).ok());
    Copy one = Begin({volumes_[0]}), two = Begin({volumes_[1], volumes_[2]}), all = Begin(volumes_);
    copies_ = {&one, &two, &all};
    for (Copy* copy : copies_) ASSERT_TRUE(Follow(*copy).ok());
    const uint64_t reads = Reads();
    env_->faults().FailFrom(1, Only(sim::IoKind::kDiskRead));
    for (int i = 0; i < 300; ++i) {
      const Status done = random_.OneIn(12) ? ChangeSome() : WriteSome();
      ASSERT_TRUE(done.ok()) << done.ToString();
      for (Copy* copy : copies_)
        if (copy->told < pool_->Info().last && random_.OneIn(2)) {
          const Status pulled = Pull(*copy);
          ASSERT_TRUE(pulled.ok()) << "act " << i << ": " << pulled.ToString();
        }
      for (Copy* copy : copies_)
        if (i % 2 == 0) Drain(*copy);
      ASSERT_FALSE(HasFailure()) << "act " << i;
    }
    for (Copy* copy : copies_) Drain(*copy);
    EXPECT_EQ(Reads(), reads);
    env_->faults().Clear();
    for (Copy* copy : copies_) {
      Compare(*copy);
      EXPECT_GT(copy->writes, 20u);
      EXPECT_GT(copy->holes, 2u);
      EXPECT_GT(copy->structures, 2u);
    }
    ASSERT_FALSE(HasFailure());
    copies_.clear();
    for (Copy* copy : {&one, &two, &all}) copy->stream.reset();
  }
}

TEST_F(Tail, WhoFallsBehindReadsSegmentsAndComesBack) {
  Start(2);
  Copy copy = Begin({volumes_[0], volumes_[3]});
  copies_ = {&copy};
  ASSERT_TRUE(Follow(copy).ok());
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    // More than there is room for, of the followed volumes alone.
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(Write(volumes_[0], 0, kTailBlocks / 2, ++tag_).ok());
      ASSERT_TRUE(Write(volumes_[1], 0, kTailBlocks, ++tag_).ok());
    }
    const uint64_t before = Reads();
    Drain(copy);
    EXPECT_GT(Reads(), before);
    const uint64_t behind = Reads();
    env_->faults().FailFrom(1, Only(sim::IoKind::kDiskRead));
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(WriteSome().ok());
      Drain(copy);
    }
    EXPECT_EQ(Reads(), behind);
    env_->faults().Clear();
    Compare(copy);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(Tail, NothingIsKeptWhileNobodyFollowsAndLittleOfWhatOthersWrite) {
  Start(3);
  const logstore::LogTail& tail = pool().changes().tail();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(WriteSome().ok());
  EXPECT_EQ(tail.memory(), 0u);
  Copy copy = Begin({volumes_[0]});
  copies_ = {&copy};
  ASSERT_TRUE(Follow(copy).ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Write(volumes_[1], 0, kTailBlocks, ++tag_).ok());
  EXPECT_EQ(tail.memory(), 0u);
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(Write(volumes_[0], 0, kTailBlocks, ++tag_).ok());
    EXPECT_GT(tail.memory(), 0u);
    EXPECT_LE(tail.memory(), kTailBytes + kTailBytes / 8);
  }
  copy.stream->Close();
  EXPECT_EQ(tail.memory(), 0u);
  ASSERT_TRUE(Write(volumes_[0], 0, kTailBlocks, ++tag_).ok());
  EXPECT_EQ(tail.memory(), 0u);
  // And somebody follows again.
  copy = Begin({volumes_[0]});
  ASSERT_TRUE(Follow(copy).ok());
  ASSERT_TRUE(Write(volumes_[0], 3, 5, ++tag_).ok());
  EXPECT_GT(tail.memory(), 0u);
  Drain(copy);
  Compare(copy);
}

TEST_F(Tail, WhatWasHandedOutStaysWhenTheTailGoesOn) {
  Start(4);
  Copy copy = Begin({volumes_[0]});
  copies_ = {&copy};
  ASSERT_TRUE(Follow(copy).ok());
  const uint64_t reads = Reads();
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(Write(volumes_[0], 0, 8, ++tag_).ok());
    const uint32_t tag = tag_;
    std::optional<block::ChangeBatch> batch;
    while (!batch || batch->events.empty()) {
      auto next = Await(copy.stream->Next());
      ASSERT_TRUE(next.ok());
      batch = std::move(*next);
    }
    EXPECT_EQ(Reads(), reads);
    if (round == 4) {
      // Also when the stream is closed, until it is destroyed.
      copy.stream->Close();
    } else {
      for (int i = 0; i < 10; ++i) ASSERT_TRUE(Write(volumes_[0], 0, kTailBlocks, ++tag_).ok());
    }
    const auto& write = std::get<block::StreamWrite>(batch->events.at(0));
    ASSERT_EQ(write.data.size(), 8 * kBlockSize);
    for (size_t at = 0; at < write.data.size(); at += 4) {
      uint32_t found = 0;
      std::memcpy(&found, write.data.data() + at, 4);
      ASSERT_EQ(found, tag);
    }
    if (round == 4) break;
    copy.stream.reset();
    copy.upto = pool_->Info().last;
    ASSERT_TRUE(Follow(copy).ok());
  }
}

// A client that changes its memory while it is being written: what is in the log counts.
TEST_F(Tail, ACopyThatIsNotWhatWasWrittenComesFromTheDevice) {
  Start(5);
  Close();
  env_->set_disk_timing({.min_delay = std::chrono::microseconds(50), .max_delay = std::chrono::microseconds(60)});
  ASSERT_TRUE(Open().ok());
  Copy copy = Begin({volumes_[0]});
  copies_ = {&copy};
  ASSERT_TRUE(Follow(copy).ok());
  for (int round = 0; round < 4; ++round) {
    AlignedMemory memory(4 * kBlockSize);
    Paint(memory, ++tag_);
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.op = block::Request::Op::kWrite;
    r.length = memory.size();
    r.buffers = {&buffer, 1};
    bool done = false;
    r.context = &done;
    r.done = [](block::Request& request) { *static_cast<bool*>(request.context) = true; };
    const uint64_t writes = env_->faults().count(sim::IoKind::kDiskWrite);
    const auto volume = pool_->OpenVolume(volumes_[0]);
    (*volume)->Submit(r);
    ASSERT_TRUE(env_->loop().RunUntil([&] { return env_->faults().count(sim::IoKind::kDiskWrite) > writes; }));
    ASSERT_FALSE(done);
    memory.data()[3 * kBlockSize + 17] ^= std::byte{1};
    ASSERT_TRUE(env_->loop().RunUntil([&done] { return done; }));
    const uint64_t reads = Reads();
    Drain(copy);
    EXPECT_GT(Reads(), reads);
    Compare(copy);
    // And then from memory again.
    ASSERT_TRUE(Write(volumes_[0], 9, 3, ++tag_).ok());
    const uint64_t later = Reads();
    Drain(copy);
    EXPECT_EQ(Reads(), later);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(Tail, OfVolumesThatJoinLaterTheOlderPartComesFromTheDevice) {
  Start(6);
  Copy first = Begin({volumes_[0]}), second = Begin({volumes_[0], volumes_[1]}), third = Begin({volumes_[0]});
  copies_ = {&first, &second, &third};
  ASSERT_TRUE(Follow(first).ok());
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(Write(volumes_[0], 2, 4, ++tag_).ok());
    ASSERT_TRUE(Write(volumes_[1], 2, 4, ++tag_).ok());
  }
  uint64_t reads = Reads();
  ASSERT_TRUE(Follow(third).ok());
  Drain(third);
  EXPECT_EQ(Reads(), reads);
  ASSERT_TRUE(Follow(second).ok());
  Drain(second);
  EXPECT_GT(Reads(), reads);
  Drain(first);
  for (Copy* copy : copies_) Compare(*copy);
  reads = Reads();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(Write(volumes_[1], 20 + static_cast<uint64_t>(i), 4, ++tag_).ok());
    ASSERT_TRUE(Write(volumes_[0], 20 + static_cast<uint64_t>(i), 4, ++tag_).ok());
  }
  for (Copy* copy : copies_) Drain(*copy);
  EXPECT_EQ(Reads(), reads);
  for (Copy* copy : copies_) Compare(*copy);
}

TEST_F(Tail, FollowersGoOnAfterPowerCuts) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Start(seed);
    Copy one = Begin({volumes_[0]}), rest = Begin({volumes_[1], volumes_[2], volumes_[3]});
    copies_ = {&one, &rest};
    for (int life = 0; life < 5; ++life) {
      SCOPED_TRACE(testing::Message() << "life " << life);
      for (Copy* copy : copies_) {
        const Status opened = Follow(*copy);
        ASSERT_TRUE(opened.ok()) << opened.ToString();
        copy->told = copy->upto;
      }
      env_->faults().CutPowerAt(1 + random_.Below(200));
      for (int i = 0; i < 150 && !env_->faults().power_is_cut(); ++i) {
        (void)(random_.OneIn(12) ? ChangeSome() : WriteSome());
        if (random_.OneIn(8)) (void)Await(pool_->Flush());
        for (Copy* copy : copies_)
          if (random_.OneIn(3) && copy->told < pool_->Info().durable) (void)Pull(*copy);
        ASSERT_FALSE(HasFailure());
      }
      for (Copy* copy : copies_) {
        copy->beyond.clear();
        copy->tags.clear();
      }
      Close();
      env_->Crash();
      ASSERT_TRUE(Open().ok());
      for (Copy* copy : copies_) {
        ASSERT_LE(copy->upto, pool_->Info().last);
        ASSERT_TRUE(Follow(*copy).ok());
        copy->told = copy->upto;
        Drain(*copy);
        Compare(*copy);
        ASSERT_FALSE(HasFailure());
      }
    }
    copies_.clear();
    one.stream.reset();
    rest.stream.reset();
  }
}

// Little of volumes_[0] among much of a volume that nobody follows, held back by a stream that asks for neither.
class TailOfOthers : public Tail {
 protected:
  static constexpr uint64_t kBigBlocks = 1024;
  void SetUp() override {
    Start(7, 2 << 20, 160);
    big_ = {env_->random().NextUuid()};
    ASSERT_TRUE(Apply({block::CreateVolume{big_, 4 * kBigBlocks * kBlockSize}}).ok());
    copy_ = Begin({volumes_[0]});
    holder_ = Begin({volumes_[1]});
    copies_ = {&copy_, &holder_};
    ASSERT_TRUE(Follow(holder_).ok());
    for (uint64_t i = 0; i < 12; ++i) {
      ASSERT_TRUE(Write(volumes_[0], i, 1, ++tag_).ok());
      ASSERT_TRUE(Write(big_, (i % 4) * kBigBlocks, kBigBlocks, kBigTag).ok());
    }
    ASSERT_TRUE(Await(pool_->Flush()).ok());
  }
  void TearDown() override {
    copy_.stream.reset();
    holder_.stream.reset();
    Tail::TearDown();
  }
  static constexpr uint32_t kBigTag = 0xb16;
  block::VolumeId big_;
  Copy copy_, holder_;
};

TEST_F(TailOfOthers, IsLeftOutWhenSegmentsAreRead) {
  ASSERT_TRUE(Follow(copy_).ok());
  const uint64_t before = bytes_read_;
  Drain(copy_);
  EXPECT_LT(bytes_read_ - before, uint64_t{24} << 20);  // of 48 MiB
  EXPECT_EQ(copy_.writes, 12u);
  Compare(copy_);
}

TEST_F(TailOfOthers, MayBeDamagedAndIsNoConcernOfTheFollower) {
  std::vector<std::byte> block(kBlockSize);
  uint64_t damaged = 0;
  for (uint64_t at = 1 << 20; at < media_->size(); at += kBlockSize) {
    media_->ReadStable(at, block);
    uint32_t tag = 0;
    std::memcpy(&tag, block.data(), 4);
    if (tag != kBigTag) continue;
    media_->Corrupt(at, kBlockSize, env_->fault_random());
    ++damaged;
  }
  EXPECT_EQ(damaged, 12 * kBigBlocks);
  ASSERT_TRUE(Follow(copy_).ok());
  Drain(copy_);
  EXPECT_EQ(copy_.writes, 12u);
  Compare(copy_);
}

}  // namespace
}  // namespace lockstep::test
