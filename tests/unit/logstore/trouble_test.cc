// What the engine does when its disk, its index or its space lets it down: one clear error each, and nothing else
// harmed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "logstore/disk_io.h"
#include "logstore/format.h"
#include "logstore/index.h"
#include "logstore/logstore.h"
#include "logstore/segment_scan.h"
#include "sim/await.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/simulated_pool.h"

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
    return sim::Await(env_, std::move(task));
  }
  Status Open() {
    auto disk = env_.OpenDisk("disk", 0);
    if (!disk.ok()) return disk.status();
    auto pool = Await(logstore::Open(std::move(*disk), "index", logstore::Options::Tiny(), SeamsOf(env_)));
    if (pool.ok()) pool_ = std::move(*pool);
    return pool.status();
  }
  void Close() {
    volume_.reset();
    if (!pool_) return;
    sim::Await(env_, pool_->Close());
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
    return RunOn(env_, *volume_, r);
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

  // The power fails, and the disk happens to keep all that was written to it.
  void CrashKeepingEverything() {
    env_.faults().CutPowerNow();
    Close();
    media_->CompleteFlush(media_->FlushMark());
    env_.Crash();
  }
  // Where on the disk a block is that holds `fill` throughout; 0: nowhere.
  uint64_t Find(uint8_t fill) {
    const std::vector<std::byte> wanted(kBlockSize, std::byte{fill});
    std::vector<std::byte> block(kBlockSize);
    for (uint64_t at = media_->size() - kBlockSize; at != 0; at -= kBlockSize) {
      media_->ReadStable(at, block);
      if (block == wanted) return at;
    }
    return 0;
  }
  void PutBehindItsBack(uint64_t offset, uint8_t fill) {
    const auto id = media_->BeginWrite(offset, std::vector<std::byte>(kBlockSize, std::byte{fill}));
    media_->CompleteWrite(id, true);
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

TEST_F(Trouble, APoolInWhichNothingElseFitsCanStillBeEmptied) {
  FillUp();
  // Changes that bring nothing back use up what was kept for changes.
  uint64_t size = 64 << 20;
  Status last;
  for (int i = 0; i < 4000 && last.ok(); ++i) last = Apply({block::ResizeVolume{volume_id_, size += kBlockSize}});
  EXPECT_EQ(last.code(), Code::kNoSpace) << "the reserve is not used up, so nothing was tried";
  ASSERT_TRUE(Apply({block::DeleteVolume{volume_id_}}).ok());
  const block::VolumeId other{env_.random().NextUuid()};
  ASSERT_TRUE(Apply({block::CreateVolume{other, 64 << 20}}).ok());
  volume_ = *pool_->OpenVolume(other);
  EXPECT_GT(FillUp() * kBlockSize, pool_->Info().size * 7 / 10) << "all space has come back";
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

TEST_F(Trouble, WhatACrashLeftOfABatchNeverBecomesWholeAgain) {
  // Two batches, not flushed; the crash loses the data of the first and keeps all else.
  ASSERT_TRUE(Write(0, 1, 0x31).ok());
  ASSERT_TRUE(Write(1, 1, 0x32).ok());
  CrashKeepingEverything();
  const uint64_t lost = Find(0x31);
  ASSERT_NE(lost, 0u);
  PutBehindItsBack(lost, 0);
  const auto expect_both_lost = [this] {
    volume_ = *pool_->OpenVolume(volume_id_);
    for (const uint64_t block : {0, 1}) {
      ASSERT_TRUE(Read(block).ok());
      EXPECT_EQ(FirstByte(), std::byte{0}) << block;
    }
  };
  ASSERT_TRUE(Open().ok());
  expect_both_lost();
  // The guest writes the same again, to the same place of the log; the next crash keeps that data and nothing else.
  CrashKeepingEverything();
  PutBehindItsBack(lost, 0x31);
  ASSERT_TRUE(Open().ok());
  expect_both_lost();
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

// A diff between two points, and one up to now, while the points go and the block is written again, after any number of
// steps of the loop.
TEST_F(Trouble, ADiffNamesEverythingOrSaysThatAPointHasGone) {
  ReuseSegments();
  size_t gone = 0;
  for (uint64_t steps = 0; steps < 60; steps += 3) {
    const block::PointId first{env_.random().NextUuid()}, second{env_.random().NextUuid()};
    const bool to_now = steps % 2 != 0;
    ASSERT_TRUE(Apply({block::TakePoint{first, {volume_id_}}}).ok());
    ASSERT_TRUE(Write(7, 1, 1).ok());
    ASSERT_TRUE(Apply({block::TakePoint{second, {volume_id_}}}).ok());
    ReuseSegments();  // the log between them is gone, so the index is asked
    std::optional<Result<std::vector<block::Extent>>> found;
    Spawn(pool_->Diff(volume_id_, first, to_now ? std::nullopt : std::optional(second)),
          [&](Result<std::vector<block::Extent>> extents) { found.emplace(std::move(extents)); });
    const uint64_t until = env_.loop().closures_run() + steps;
    env_.loop().RunUntil([&] { return found || env_.loop().closures_run() >= until; });
    if (to_now) {
      ASSERT_TRUE(Write(7, 1, 2).ok());
    } else {
      ASSERT_TRUE(Apply({block::ReleasePoint{second}}).ok());
    }
    ASSERT_TRUE(Await(pool_->Flush()).ok());
    ASSERT_TRUE(env_.loop().RunUntil([&] { return found.has_value(); }));
    if (!found->ok()) {
      ASSERT_EQ(found->status().code(), Code::kNotFound);
      ASSERT_FALSE(to_now);
      ++gone;
    } else {
      EXPECT_TRUE(std::any_of((*found)->begin(), (*found)->end(), [](const block::Extent& e) {
        return e.offset <= 7 * kBlockSize && 8 * kBlockSize <= e.offset + e.length;
      })) << "after " << steps << " steps";
    }
    ASSERT_TRUE(Apply({block::ReleasePoint{first}}).ok());
    if (to_now) {
      ASSERT_TRUE(Apply({block::ReleasePoint{second}}).ok());
    }
  }
  EXPECT_GT(gone, 0u) << "no point went in the midst of it, so nothing was tried";
}

// Once segments have been reused, an index is made from the newest anchor and from what the segments say.
class RebuiltIndex : public Trouble {
 protected:
  void SetUp() override {
    Trouble::SetUp();
    ReuseSegments();
  }
  // What ReuseSegments leaves behind.
  void ExpectContent() {
    volume_ = *pool_->OpenVolume(volume_id_);
    for (uint64_t i = 550; i < 600; ++i) {
      ASSERT_TRUE(Read(i * 8 % 400).ok());
      ASSERT_EQ(FirstByte(), std::byte{static_cast<uint8_t>(i)}) << "block " << i * 8 % 400;
    }
    const auto report = Await(logstore::Check(*pool_));
    ASSERT_TRUE(report.ok());
    for (const std::string& problem : report->problems) ADD_FAILURE() << problem;
  }
  void EraseAnchor() {
    auto disk = env_.OpenDisk("disk", 0);
    AlignedMemory zeroes(2 * kBlockSize);
    std::memset(zeroes.data(), 0, zeroes.size());
    ASSERT_TRUE(Await(logstore::WriteDisk(**disk, 2 * kBlockSize, zeroes.bytes())).ok());
  }
  // The headers of all batches in their order, of the segment that holds most.
  uint32_t FullestLogSegment(std::vector<logstore::SegmentBatch>& batches) {
    auto disk = env_.OpenDisk("disk", 0);
    const logstore::Superblock superblock{id_, 512 << 10, 16, 0};
    uint32_t best = 0;
    for (uint32_t s = 0; s < 16; ++s) {
      auto found = Await(logstore::ScanSegment(**disk, superblock, s));
      if (!found.ok() || found->size() <= batches.size() || found->front().header.moved()) continue;
      batches = std::move(*found);
      best = s;
    }
    return best;
  }
};

TEST_F(RebuiltIndex, AfterItWasLost) {
  Close();
  LoseIndex();
  ASSERT_TRUE(Open().ok());
  ExpectContent();
  // And it is an index like any other: it goes on from there, again and again.
  for (int i = 0; i < 3; ++i) {
    ReuseSegments();
    Close();
    if (i != 1) LoseIndex();
    ASSERT_TRUE(Open().ok());
    ExpectContent();
  }
}

TEST_F(RebuiltIndex, InsteadOfAnOldOne) {
  Close();
  CopyFiles("index", "backup");
  ASSERT_TRUE(Open().ok());
  volume_ = *pool_->OpenVolume(volume_id_);
  ReuseSegments();
  Close();
  LoseIndex();
  CopyFiles("backup", "index");
  ASSERT_TRUE(Open().ok());
  ExpectContent();
}

TEST_F(RebuiltIndex, WithHolesWhoseEntriesAreGone) {
  const block::PointId before{env_.random().NextUuid()}, after{env_.random().NextUuid()};
  // Old data that stays where it is, partly discarded; then much that pushes the hole's segment out.
  for (uint64_t i = 0; i < 200; i += 8) ASSERT_TRUE(Write(1000 + i, 8, 77).ok());
  ASSERT_TRUE(Apply({block::TakePoint{before, {volume_id_}}}).ok());
  ASSERT_TRUE(Do(block::Request::Op::kDiscard, 1040, 100).ok());
  ASSERT_TRUE(Apply({block::TakePoint{after, {volume_id_}}}).ok());
  for (int i = 0; i < 4; ++i) ReuseSegments();
  ASSERT_TRUE(Apply({block::ReleasePoint{before}}).ok());
  for (int i = 0; i < 2; ++i) ReuseSegments();
  Close();
  LoseIndex();
  ASSERT_TRUE(Open().ok());
  ExpectContent();
  for (const uint64_t block : {1040u, 1090u, 1139u}) {
    ASSERT_TRUE(Read(block).ok());
    EXPECT_EQ(FirstByte(), std::byte{0}) << block;
  }
  volume_ = *pool_->OpenPoint(after, volume_id_);
  ASSERT_TRUE(Read(1100).ok());
  EXPECT_EQ(FirstByte(), std::byte{0});
  ASSERT_TRUE(Read(1000).ok());
  EXPECT_EQ(FirstByte(), std::byte{77});
}

TEST_F(RebuiltIndex, WithACloneThatWasDiscardedInForALongTime) {
  constexpr uint64_t kBlocks = 160;
  for (uint64_t i = 0; i < kBlocks; i += 8) ASSERT_TRUE(Write(2000 + i, 8, 77).ok());
  const block::PointId before{env_.random().NextUuid()}, amid{env_.random().NextUuid()};
  const block::VolumeId clone{env_.random().NextUuid()};
  ASSERT_TRUE(Apply({block::TakePoint{before, {volume_id_}}, block::Clone{before, volume_id_, clone, 0}}).ok());
  std::vector<uint8_t> model(kBlocks, 77), then;
  sim::SimRandom random(3);
  for (int round = 0; round < 60; ++round) {
    volume_ = *pool_->OpenVolume(clone);
    for (int i = 0; i < 20; ++i) {
      const uint64_t first = random.Below(kBlocks - 8), count = 1 + random.Below(8);
      const auto fill = static_cast<uint8_t>(random.OneIn(3) ? 1 + random.Below(200) : 0);
      const auto op = fill == 0 ? block::Request::Op::kDiscard : block::Request::Op::kWrite;
      ASSERT_TRUE(Do(op, 2000 + first, count, fill).ok());
      std::fill_n(model.begin() + static_cast<ptrdiff_t>(first), count, fill);
    }
    if (round == 30) {
      ASSERT_TRUE(Apply({block::TakePoint{amid, {clone}}}).ok());
      then = model;
    }
    volume_ = *pool_->OpenVolume(volume_id_);
    if (round % 5 == 4) ReuseSegments();  // which makes anchors
  }
  for (int i = 0; i < 3; ++i) ReuseSegments();
  Close();
  {
    auto index = logstore::Index::Open(env_.files(), "index", {1 << 20, 8 << 20, &env_.background()}, env_.log());
    ASSERT_TRUE(index.ok());
    const auto holes = (*index)->Holes(0, 10'000);
    ASSERT_TRUE(holes.ok());
    EXPECT_LT(holes->size(), 2 * kBlocks) << "of about 800 discards";
    EXPECT_GT(holes->size(), 20u) << "there is nothing to be got wrong";
  }
  LoseIndex();
  ASSERT_TRUE(Open().ok());
  ExpectContent();
  const auto expect = [this](const std::vector<uint8_t>& state) {
    for (uint64_t i = 0; i < state.size(); ++i) {
      ASSERT_TRUE(Read(2000 + i).ok());
      ASSERT_EQ(FirstByte(), std::byte{state[i]}) << i;
    }
  };
  volume_ = *pool_->OpenVolume(clone);
  expect(model);
  volume_ = *pool_->OpenPoint(amid, clone);
  expect(then);
}

TEST_F(RebuiltIndex, OfAFullPoolWhichCanThenBeEmptied) {
  for (int round = 0; round < 3; ++round) {
    FillUp();
    Close();
    LoseIndex();
    ASSERT_TRUE(Open().ok());
    ASSERT_TRUE(Apply({block::DeleteVolume{volume_id_}, block::CreateVolume{volume_id_, 64 << 20}}).ok()) << round;
    volume_ = *pool_->OpenVolume(volume_id_);
    EXPECT_GT(FillUp() * kBlockSize, pool_->Info().size * 7 / 10) << "not all space has come back";
  }
}

TEST_F(RebuiltIndex, AlsoWhenThatIsInterrupted) {
  Close();
  LoseIndex();
  for (uint64_t n = 1;; n += 7) {
    env_.faults().CutPowerAt(n);
    const Status opened = Open();
    const bool through = !env_.faults().power_is_cut();
    Close();
    env_.Crash();
    if (through) break;
    ASSERT_FALSE(opened.ok());
  }
  ASSERT_TRUE(Open().ok());
  ExpectContent();
}

TEST_F(RebuiltIndex, NotWithoutAnAnchorAndNothingIsChanged) {
  Close();
  CopyFiles("index", "present");
  LoseIndex();
  EraseAnchor();
  const Status opened = Open();
  EXPECT_EQ(opened.code(), Code::kCorrupted) << opened.ToString();
  EXPECT_NE(opened.message().find("no anchor"), std::string::npos) << opened.message();
  EXPECT_EQ(Open().code(), Code::kCorrupted);
  if (env_.files().List("index").ok()) LoseIndex();
  CopyFiles("present", "index");
  ASSERT_TRUE(Open().ok());
  ExpectContent();
}

TEST_F(RebuiltIndex, NotOfADamagedDevice) {
  // A header in the middle of a segment that is in use: what it led to is lost, and that must not pass in silence.
  for (uint64_t i = 0; i < 30; ++i) ASSERT_TRUE(Write(4000 + i, 1, static_cast<uint8_t>(i)).ok());
  ReuseSegments();
  Close();
  LoseIndex();
  std::vector<logstore::SegmentBatch> batches;
  const uint32_t segment = FullestLogSegment(batches);
  ASSERT_GT(batches.size(), 10u) << segment;
  const logstore::SegmentBatch& b = batches[batches.size() / 2];
  media_->Corrupt((b.data_location - b.header.header_blocks()) * kBlockSize, 64, env_.fault_random());
  const Status opened = Open();
  EXPECT_EQ(opened.code(), Code::kCorrupted) << opened.ToString();
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
