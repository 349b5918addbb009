// What the engine does when its disk, its index or its space lets it down: one clear error each, and nothing else
// harmed.
#include <gtest/gtest.h>

#include <cstring>

#include "logstore/format.h"
#include "logstore/logstore.h"
#include "sim/env.h"
#include "tests/support/aligned_memory.h"

namespace lockstep::test {
namespace {

using block::kBlockSize;

class Trouble : public testing::Test {
 protected:
  void SetUp() override {
    media_ = &env_.AddDisk("disk", 9 << 20);  // 16 segments of 512 KiB and a bit
    auto disk = env_.OpenDisk("disk", 0);
    ASSERT_TRUE(Await(logstore::Format(**disk, id_, {.segment_size = 512 << 10})).ok());
    disk->reset();
    ASSERT_TRUE(Open().ok());
    ASSERT_TRUE(Apply({block::CreateVolume{volume_id_, 64 << 20}}).ok());
    volume_ = *pool_->OpenVolume(volume_id_);
  }
  void TearDown() override { Close(); }

  template <typename T>
  T Await(Task<T> task) {
    std::optional<T> result;
    Spawn(std::move(task), [&result](T r) { result.emplace(std::move(r)); });
    LS_ASSERT(env_.loop().RunUntil([&result] { return result.has_value(); }));
    return std::move(*result);
  }
  Status Open() {
    auto disk = env_.OpenDisk("disk", 0);
    if (!disk.ok()) return disk.status();
    auto pool = Await(logstore::Open(std::move(*disk), "index", logstore::Options::Tiny(),
                                     {env_.loop(), env_.executor(), env_.files(), env_.random(), env_.log(),
                                      env_.clock()}));
    if (pool.ok()) pool_ = std::move(*pool);
    return pool.status();
  }
  void Close() {
    volume_.reset();
    if (!pool_) return;
    bool done = false;
    Spawn([](block::Pool& p, bool& d) -> Task<void> {
      co_await p.Close();
      d = true;
    }(*pool_, done));
    LS_ASSERT(env_.loop().RunUntil([&done] { return done; }));
    pool_.reset();
  }
  Status Apply(std::vector<block::Change> changes) {
    return Await(pool_->Apply({{env_.random().NextUuid()}, std::move(changes)}));
  }
  Status Do(block::Request::Op op, uint64_t block, uint64_t count, uint8_t fill = 0) {
    memory_ = std::make_unique<AlignedMemory>(count * kBlockSize);
    std::memset(memory_->data(), fill, memory_->size());
    const io::Buffer buffer = memory_->buffer();
    block::Request r;
    r.op = op;
    r.offset = block * kBlockSize;
    r.length = op == block::Request::Op::kFlush ? 0 : count * kBlockSize;
    if (op == block::Request::Op::kRead || op == block::Request::Op::kWrite) r.buffers = {&buffer, 1};
    const auto run = [](block::Volume& v, block::Request& request) -> Task<Status> {
      co_return co_await block::Run(v, request);
    };
    return Await(run(*volume_, r));
  }
  Status Write(uint64_t block, uint64_t count, uint8_t fill) {
    return Do(block::Request::Op::kWrite, block, count, fill);
  }
  Status Read(uint64_t block) { return Do(block::Request::Op::kRead, block, 1); }
  std::byte FirstByte() { return memory_->bytes()[0]; }

  std::vector<std::string> IndexFiles() {
    auto names = env_.files().List("index");
    EXPECT_TRUE(names.ok());
    return std::move(*names);
  }
  void LoseIndex() {
    for (const std::string& name : IndexFiles()) ASSERT_TRUE(env_.files().Remove("index/" + name).ok());
  }
  void CopyFiles(const std::string& from, const std::string& to) {
    ASSERT_TRUE(env_.files().CreateDirectory(to).ok());
    const auto names = env_.files().List(from);
    ASSERT_TRUE(names.ok());
    for (const std::string& name : *names) {
      const auto source = env_.files().Open(from + "/" + name, io::FileSystem::Mode::kRead);
      const auto target = env_.files().Open(to + "/" + name, io::FileSystem::Mode::kTruncate);
      ASSERT_TRUE(source.ok() && target.ok()) << name;
      std::vector<std::byte> bytes((*source)->Size().value());
      ASSERT_TRUE((*source)->Read(0, bytes).ok());
      ASSERT_TRUE((*target)->Write(0, bytes).ok());
      ASSERT_TRUE((*target)->Sync().ok());
    }
  }
  // Overwrites a small part of the volume with several times the pool's size.
  void ReuseSegments() {
    for (uint64_t i = 0; i < 600; ++i) ASSERT_TRUE(Write(i * 8 % 400, 8, static_cast<uint8_t>(i)).ok());
  }
  // Fills the pool; answers how many blocks went in.
  uint64_t FillUp() {
    uint64_t written = 0;
    while (Write(written % 8192, 8, 1).ok()) written += 8;
    return written;
  }

  sim::SimEnv env_{1};
  sim::SimDiskMedia* media_ = nullptr;
  const block::PoolId id_{env_.random().NextUuid()};
  const block::VolumeId volume_id_{env_.random().NextUuid()};
  std::unique_ptr<block::Pool> pool_;
  std::shared_ptr<block::Volume> volume_;
  std::unique_ptr<AlignedMemory> memory_;
};

TEST_F(Trouble, AFullPoolFailsWritesAndGoesOnReadingAndDeleting) {
  ASSERT_TRUE(Write(0, 1, 7).ok());
  const uint64_t written = FillUp();
  EXPECT_GT(written * kBlockSize, pool_->Info().size * 7 / 10) << "most of the pool can be used";
  EXPECT_EQ(Write(9000, 8, 9).code(), Code::kNoSpace);
  EXPECT_TRUE(Do(block::Request::Op::kFlush, 0, 0).ok());
  ASSERT_TRUE(Read(8).ok());
  EXPECT_EQ(FirstByte(), std::byte{1});
  EXPECT_TRUE(Do(block::Request::Op::kDiscard, 0, 8).ok());
  ASSERT_TRUE(Read(0).ok());
  EXPECT_EQ(FirstByte(), std::byte{0});
  EXPECT_TRUE(Apply({block::DeleteVolume{volume_id_}}).ok());
  Close();
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(pool_->Volumes().empty());
}

TEST_F(Trouble, ABadBlockIsOneErrorAndItsNeighboursAreReadable) {
  ASSERT_TRUE(Write(0, 3, 7).ok());
  ASSERT_TRUE(Do(block::Request::Op::kFlush, 0, 0).ok());
  // The pool's second batch: one header block, then the three data blocks.
  const uint64_t data = logstore::kDataOffset + 3 * kBlockSize;
  media_->Corrupt(data + kBlockSize, 100, env_.fault_random());
  EXPECT_TRUE(Read(0).ok());
  EXPECT_EQ(Read(1).code(), Code::kCorrupted);
  EXPECT_TRUE(Read(2).ok());
  ASSERT_TRUE(Write(1, 1, 8).ok());
  EXPECT_TRUE(Read(1).ok()) << "rewriting heals it";
}

TEST_F(Trouble, AFailedLogWriteStopsWritesAndLosesNothingDurable) {
  ASSERT_TRUE(Write(0, 1, 7).ok());
  ASSERT_TRUE(Do(block::Request::Op::kFlush, 0, 0).ok());
  env_.faults().FailAt(1, sim::Only(sim::IoKind::kDiskWrite));
  EXPECT_EQ(Write(1, 1, 8).code(), Code::kIoError);
  EXPECT_EQ(Write(2, 1, 8).code(), Code::kIoError);
  EXPECT_EQ(Do(block::Request::Op::kFlush, 0, 0).code(), Code::kIoError);
  EXPECT_EQ(Apply({block::DeleteVolume{volume_id_}}).code(), Code::kIoError);
  ASSERT_TRUE(Read(0).ok());
  EXPECT_EQ(FirstByte(), std::byte{7});
  Close();
  ASSERT_TRUE(Open().ok());
  volume_ = *pool_->OpenVolume(volume_id_);
  ASSERT_TRUE(Read(0).ok());
  EXPECT_EQ(FirstByte(), std::byte{7});
  EXPECT_TRUE(Write(1, 1, 8).ok());
}

TEST_F(Trouble, AFailedFlushIsNeverFollowedByASuccessfulOne) {
  ASSERT_TRUE(Write(0, 1, 7).ok());
  env_.faults().FailAt(1, sim::Only(sim::IoKind::kDiskFlush));
  EXPECT_EQ(Do(block::Request::Op::kFlush, 0, 0).code(), Code::kIoError);
  EXPECT_EQ(Do(block::Request::Op::kFlush, 0, 0).code(), Code::kIoError);
  EXPECT_EQ(Write(1, 1, 8).code(), Code::kIoError);
}

TEST_F(Trouble, AfterAFailedLogWriteTheIndexHoldsNothingThatTheLogDoesNot) {
  // A transaction takes effect in memory when it is queued. Whether one whose write failed reached the device is open
  // (block/pool.h); but index and log must agree on it, also when the index is made anew.
  const block::TransactionId id{env_.random().NextUuid()};
  env_.faults().FailAt(1, sim::Only(sim::IoKind::kDiskWrite));
  EXPECT_EQ(Await(pool_->Apply({id, {block::CreateVolume{{env_.random().NextUuid()}, 4096}}})).code(), Code::kIoError);
  EXPECT_FALSE(Await(pool_->Flush()).ok());
  Close();
  ASSERT_TRUE(Open().ok());
  const bool applied = pool_->WasApplied(id);
  EXPECT_EQ(pool_->Volumes().size(), applied ? 2u : 1u);
  Close();
  LoseIndex();
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(pool_->WasApplied(id), applied);
  EXPECT_EQ(pool_->Volumes().size(), applied ? 2u : 1u);
}

TEST_F(Trouble, AReadErrorIsOneErrorOnly) {
  ASSERT_TRUE(Write(0, 1, 7).ok());
  env_.faults().FailAt(1, sim::Only(sim::IoKind::kDiskRead));
  EXPECT_EQ(Read(0).code(), Code::kIoError);
  EXPECT_TRUE(Read(0).ok());
  EXPECT_TRUE(Write(1, 1, 8).ok());
}

TEST_F(Trouble, ALostIndexIsRebuiltFromTheLog) {
  for (uint8_t i = 1; i < 200; ++i) ASSERT_TRUE(Write(i * 5, 2, i).ok());
  ASSERT_TRUE(Do(block::Request::Op::kFlush, 0, 0).ok());
  Close();
  LoseIndex();
  ASSERT_TRUE(Open().ok());
  volume_ = *pool_->OpenVolume(volume_id_);
  for (uint8_t i = 1; i < 200; ++i) {
    ASSERT_TRUE(Read(i * 5).ok());
    EXPECT_EQ(FirstByte(), std::byte{i});
  }
}

TEST_F(Trouble, ADamagedIndexIsRebuiltFromTheLog) {
  for (uint8_t i = 1; i < 200; ++i) ASSERT_TRUE(Write(i * 5, 2, i).ok());
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  Close();
  for (const std::string& name : IndexFiles()) {
    if (!name.starts_with("MANIFEST")) continue;
    auto file = env_.files().Open("index/" + name, io::FileSystem::Mode::kReadWrite);
    const std::string garbage = "this is no manifest at all";
    ASSERT_TRUE((*file)->Write(0, std::as_bytes(std::span(garbage))).ok());
  }
  ASSERT_TRUE(Open().ok());
  volume_ = *pool_->OpenVolume(volume_id_);
  ASSERT_TRUE(Read(500).ok());
  EXPECT_EQ(FirstByte(), std::byte{100});
}

TEST_F(Trouble, AnIndexThatIsOldOrLostIsRefusedOnceSegmentsHaveBeenReused) {
  ReuseSegments();
  Close();
  CopyFiles("index", "backup");
  ASSERT_TRUE(Open().ok());
  volume_ = *pool_->OpenVolume(volume_id_);
  ReuseSegments();
  Close();
  CopyFiles("index", "present");

  LoseIndex();
  CopyFiles("backup", "index");
  const Status old = Open();
  EXPECT_EQ(old.code(), Code::kCorrupted);
  EXPECT_NE(old.message().find("an old one"), std::string::npos) << old.message();
  LoseIndex();
  EXPECT_EQ(Open().code(), Code::kCorrupted);
  EXPECT_EQ(Open().code(), Code::kCorrupted) << "nothing was made in its place";

  if (env_.files().List("index").ok()) LoseIndex();
  CopyFiles("present", "index");
  ASSERT_TRUE(Open().ok()) << "and nothing was changed";
  volume_ = *pool_->OpenVolume(volume_id_);
  ASSERT_TRUE(Read(392).ok());
}

TEST_F(Trouble, ALogThatLostSomethingDurableIsRefusedAndNotCut) {
  ASSERT_TRUE(Write(0, 1, 7).ok());
  ASSERT_TRUE(Do(block::Request::Op::kFlush, 0, 0).ok());
  for (uint8_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(Write(1 + i, 1, i).ok());
    ASSERT_TRUE(Do(block::Request::Op::kFlush, 0, 0).ok());
  }
  Close();
  LoseIndex();
  // The second batch holds the first write: header at block 2 of the first segment.
  media_->Corrupt(logstore::kDataOffset + 2 * kBlockSize, 64, env_.fault_random());
  const Status opened = Open();
  EXPECT_EQ(opened.code(), Code::kCorrupted) << opened.ToString();
}

TEST_F(Trouble, ADiskWithAPoolIsNotFormattedAgain) {
  Close();
  auto disk = env_.OpenDisk("disk", 0);
  EXPECT_EQ(Await(logstore::Format(**disk, {env_.random().NextUuid()}, {.segment_size = 512 << 10})).code(),
            Code::kInUse);
  EXPECT_EQ(*Await(logstore::Identify(**disk)), id_);
}

TEST_F(Trouble, ASmallOrEmptyDiskIsRefused) {
  env_.AddDisk("small", 2 << 20);
  auto disk = env_.OpenDisk("small", 0);
  EXPECT_EQ(Await(logstore::Format(**disk, {env_.random().NextUuid()}, {})).code(), Code::kInvalidArgument);
  EXPECT_EQ(Await(logstore::Identify(**disk)).status().code(), Code::kCorrupted);
}

}  // namespace
}  // namespace lockstep::test
