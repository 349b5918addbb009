// Inspecting a pool from outside: a healthy one has no problems, whatever state a crash has left it in, and each kind
// of damage, on the device or in the index, is named. Nothing is changed by it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "logstore/index.h"
#include "logstore/inspect.h"
#include "logstore/logstore.h"
#include "logstore/pool.h"
#include "sim/await.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/simulated_pool.h"

namespace lockstep::test {
namespace {

using block::kBlockSize;

class Inspecting : public testing::Test {
 protected:
  void SetUp() override {
    media_ = &env_.AddDisk("disk", 9 << 20);
    auto disk = env_.OpenDisk("disk", 0);
    ASSERT_TRUE(Await(logstore::Format(**disk, id_, {.segment_size = 512 << 10})).ok());
    disk->reset();
    auto pool = Open();
    Apply(*pool, {block::CreateVolume{volume_, 8 << 20}, block::CreateVolume{other_, 4 << 20}});
    last_ = Fill(*pool, 600);
    Apply(*pool, {block::TakePoint{point_, {volume_}}});
    last_ = Fill(*pool, 40);
    Close(std::move(pool));
  }
  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(env_, std::move(task));
  }
  std::unique_ptr<block::Pool> Open() {
    auto disk = env_.OpenDisk("disk", 0);
    auto pool = Await(logstore::Open(std::move(*disk), "index", logstore::Options::Tiny(), SeamsOf(env_)));
    EXPECT_TRUE(pool.ok()) << pool.status().ToString();
    return std::move(*pool);
  }
  void Close(std::unique_ptr<block::Pool> pool) {
    sim::Await(env_, pool->Close());
  }
  void Apply(block::Pool& pool, std::vector<block::Change> changes) {
    ASSERT_TRUE(Await(pool.Apply({{env_.random().NextUuid()}, std::move(changes)})).ok());
  }
  void Discard(block::Pool& pool, uint64_t block, uint64_t count) {
    auto volume = *pool.OpenVolume(volume_);
    block::Request r;
    r.op = block::Request::Op::kDiscard;
    r.offset = block * kBlockSize;
    r.length = count * kBlockSize;
    EXPECT_TRUE(RunOn(env_, *volume, r).ok());
  }
  // Overwrites a part of the volume; answers the last entry.
  block::SequenceNumber Fill(block::Pool& pool, uint64_t writes) {
    auto volume = *pool.OpenVolume(volume_);
    AlignedMemory memory(8 * kBlockSize);
    const io::Buffer buffer = memory.buffer();
    for (uint64_t i = 0; i < writes; ++i) {
      std::memset(memory.data(), static_cast<int>(i % 251), memory.size());
      block::Request r;
      r.op = block::Request::Op::kWrite;
      r.offset = i * 8 % 400 * kBlockSize;
      r.length = memory.size();
      r.buffers = {&buffer, 1};
        EXPECT_TRUE(RunOn(env_, *volume, r).ok());
    }
    EXPECT_TRUE(Await(pool.Flush()).ok());
    return pool.Info().last;
  }
  Result<std::unique_ptr<logstore::Index>> OpenIndex(bool read_only) {
    const logstore::IndexOptions options{256 << 10, 64 << 10, &env_.background()};
    return (read_only ? logstore::Index::OpenReadOnly : logstore::Index::Open)(env_.files(), "index", options,
                                                                              env_.log());
  }
  logstore::Inspection Inspect(bool with_index = true) {
    auto index = OpenIndex(true);
    EXPECT_TRUE(index.ok()) << index.status().ToString();
    std::vector<logstore::DeviceFile> files;
    files.push_back({"disk", std::move(*env_.OpenDisk("disk", 0))});
    auto pool = Await(logstore::FindDevices(std::move(files), {}, env_.loop(), env_.log()));
    EXPECT_TRUE(pool.ok()) << pool.status().ToString();
    auto found = Await(logstore::Inspect(*pool, with_index ? index->get() : nullptr));
    EXPECT_TRUE(found.ok()) << found.status().ToString();
    return std::move(*found);
  }
  // Changes the index as no fold would.
  void Damage(const std::function<void(logstore::Index&, logstore::Index::Batch&)>& how) {
    auto index = OpenIndex(false);
    ASSERT_TRUE(index.ok()) << index.status().ToString();
    logstore::Index::Batch batch;
    how(**index, batch);
    ASSERT_TRUE((*index)->Write(batch).ok());
    ASSERT_TRUE((*index)->Persist().ok());
  }
  void ExpectSound(bool with_index = true) {
    const logstore::Inspection found = Inspect(with_index);
    for (const std::string& problem : found.problems) ADD_FAILURE() << problem;
  }
  void ExpectProblem(const std::string& part, bool with_index = true) {
    const logstore::Inspection found = Inspect(with_index);
    const bool named = std::any_of(found.problems.begin(), found.problems.end(),
                                   [&](const std::string& p) { return p.find(part) != std::string::npos; });
    EXPECT_TRUE(named) << "none with: " << part;
    for (const std::string& problem : found.problems) {
      if (!named) ADD_FAILURE() << problem;
    }
  }
  // Some block that the index maps.
  struct Mapped {
    logstore::ChunkKey key;
    logstore::ChunkVersions record;
    uint32_t slot = 0;
    logstore::Version& version() { return record[slot]; }
    uint64_t block() const { return key.chunk * logstore::kChunkBlocks + slot; }
  };
  Mapped Some(const logstore::Index& index) {
    Mapped some;
    EXPECT_TRUE(index
                    .VisitCurrent(logstore::kNoLayer,
                                  [&](logstore::LayerId layer, uint64_t block, const logstore::Version& v) {
                                    if (!v.is_data()) return true;
                                    some.key = {layer, block / logstore::kChunkBlocks};
                                    some.slot = static_cast<uint32_t>(block % logstore::kChunkBlocks);
                                    return false;
                                  })
                    .ok());
    EXPECT_TRUE(index.LookupRecord(some.key, logstore::Index::Tier::kDisk, some.record).ok());
    EXPECT_TRUE(some.version().is_data());
    return some;
  }
  Mapped Some() {
    auto index = OpenIndex(true);
    return Some(**index);
  }
  logstore::HistoryRecord SomeHistory(const logstore::Index& index) {
    logstore::HistoryRecord some;
    EXPECT_TRUE(index
                    .VisitHistory(logstore::kNoLayer,
                                  [&](const logstore::HistoryRecord& r) {
                                    some = r;
                                    return !r.version.is_data();
                                  })
                    .ok());
    EXPECT_TRUE(some.version.is_data());
    return some;
  }

  sim::SimEnv env_{7};
  sim::SimDiskMedia* media_ = nullptr;
  const block::PoolId id_{env_.random().NextUuid()};
  const block::VolumeId volume_{env_.random().NextUuid()}, other_{env_.random().NextUuid()};
  const block::PointId point_{env_.random().NextUuid()};
  block::SequenceNumber last_ = 0;
};

TEST_F(Inspecting, AHealthyPoolIsDescribedAndHasNoProblems) {
  const logstore::Inspection found = Inspect();
  for (const std::string& problem : found.problems) ADD_FAILURE() << problem;
  ASSERT_TRUE(found.anchor) << "segments have been reused";
  ASSERT_TRUE(found.index);
  EXPECT_EQ(found.index->current, 400u);
  EXPECT_GT(found.index->history, 100u);
  EXPECT_EQ(found.log_to.next - 1, last_);
  EXPECT_EQ(found.structure.volumes().size(), 2u);
  EXPECT_EQ(found.structure.points().size(), 1u);
  ASSERT_EQ(found.segments.size(), 16u);
  EXPECT_GT(std::count_if(found.segments.begin(), found.segments.end(),
                          [](const auto& s) { return s.kind == logstore::InspectedSegment::Kind::kLog; }),
            2);
}

TEST_F(Inspecting, TheDeviceAloneIsEnough) {
  const logstore::Inspection found = Inspect(false);
  for (const std::string& problem : found.problems) ADD_FAILURE() << problem;
  EXPECT_FALSE(found.index);
  EXPECT_EQ(found.log_to.next - 1, last_);
  EXPECT_EQ(found.structure.volumes().size(), 2u);
}

TEST_F(Inspecting, WhateverACrashLeavesIsSound) {
  const block::PointId later{env_.random().NextUuid()};
  for (int round = 0; round < 12; ++round) {
    auto pool = Open();
    last_ = Fill(*pool, 30);
    if (round % 3 == 0) Discard(*pool, 40, 100);
    if (round == 2) Apply(*pool, {block::TakePoint{later, {volume_, other_}}});
    if (round == 7) Apply(*pool, {block::ReleasePoint{later}});
    Fill(*pool, static_cast<uint64_t>(round));
    Close(std::move(pool));
    env_.Crash();
    ExpectSound();
    ExpectSound(false);
  }
}

TEST_F(Inspecting, NothingIsChanged) {
  const auto sizes = [this] {
    std::map<std::string, uint64_t> all;
    const auto names = env_.files().List("index");
    for (const std::string& name : *names) all[name] = env_.files().Stat("index/" + name)->size;
    return all;
  };
  const auto before = sizes();
  Inspect();
  EXPECT_EQ(sizes(), before);
  const auto index = OpenIndex(true);
  logstore::Index::Batch batch;
  batch.PutLayer({.layer = 1, .used = 1});
  EXPECT_FALSE((*index)->Write(batch).ok());
}

TEST_F(Inspecting, ADamagedSuperblockCopyIsNamed) {
  media_->Corrupt(kBlockSize, 64, env_.fault_random());
  ExpectProblem("superblock copy 1");
}

TEST_F(Inspecting, ALostAnchorIsNamed) {
  media_->Corrupt(2 * kBlockSize, 64, env_.fault_random());
  media_->Corrupt(3 * kBlockSize, 64, env_.fault_random());
  ExpectProblem("no anchor");
  ExpectProblem("no anchor", false);
}

TEST_F(Inspecting, ALostAnchorCopyIsNamedAndTheOtherIsEnough) {
  media_->Corrupt(3 * kBlockSize, 64, env_.fault_random());
  EXPECT_TRUE(Inspect().anchor);
  ExpectProblem("copy 1 of the anchor's header");
}

TEST_F(Inspecting, ADamagedAnchorIsNamed) {
  const auto anchor = Inspect().anchor;
  ASSERT_TRUE(anchor);
  media_->Corrupt((anchor->second_area ? 128 : 4) * kBlockSize, 64, env_.fault_random());
  ExpectProblem("anchor: the anchor is damaged");
}

TEST_F(Inspecting, DamagedDataIsNamedWithItsVolumeAndBlock) {
  Mapped some = Some();
  media_->Corrupt(some.version().location * kBlockSize, 64, env_.fault_random());
  ExpectProblem("block " + std::to_string(some.block()) + " of volume " + volume_.ToString());
  ExpectProblem("it cannot be read");
}

TEST_F(Inspecting, DamagedDataIsNamedWithoutTheIndexToo) {
  const logstore::Inspection healthy = Inspect(false);
  const auto used = std::find_if(healthy.segments.begin(), healthy.segments.end(),
                                 [](const auto& s) { return s.in_use && s.blocks > 20; });
  ASSERT_NE(used, healthy.segments.end());
  // Block 2 of a segment is data: a batch's header comes first, and each write here has eight blocks.
  media_->Corrupt((healthy.superblock.first_block(used->segment) + 2) * kBlockSize, 64, env_.fault_random());
  ExpectProblem("does not match its checksum; it is lost, unless", false);
}

TEST_F(Inspecting, ADamagedOldVersionIsNamed) {
  logstore::HistoryRecord old;
  {
    const auto index = OpenIndex(true);
    old = SomeHistory(**index);
  }
  media_->Corrupt(old.version.location * kBlockSize, 64, env_.fault_random());
  ExpectProblem("an old version of block " + std::to_string(old.block));
}

TEST_F(Inspecting, ADamagedBatchHeaderIsNamedWithWhatItHides) {
  Mapped some = Some();
  const logstore::Inspection healthy = Inspect();
  // Its header is the block before the first of its eight, for each write here went out by itself.
  const uint64_t header = some.version().location - some.block() % 8 - 1;
  media_->Corrupt(header * kBlockSize, 64, env_.fault_random());
  ExpectProblem("block " + std::to_string(some.block()) + " of volume " + volume_.ToString());
  ExpectProblem("the batch that should speak of it is damaged");
}

TEST_F(Inspecting, ALogThatBreaksOffBeforeTheIndexIsNamed) {
  const logstore::Inspection healthy = Inspect();
  ASSERT_TRUE(healthy.anchor);
  ASSERT_GT(healthy.index->position.next, healthy.log_from.next + 1) << "the test needs log between anchor and index";
  const uint64_t from = healthy.superblock.first_block(healthy.log_from.segment) + healthy.log_from.block;
  media_->Corrupt(from * kBlockSize, 64, env_.fault_random());
  ExpectProblem("does not lead to entry");
  EXPECT_EQ(Inspect().log_to.next, healthy.log_to.next) << "it is followed from the index on all the same";
}

TEST_F(Inspecting, ABlockAtAnotherPlaceIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    Mapped some = Some(index);
    ++some.version().location;
    batch.PutChunk(some.key, some.record);
  });
  ExpectProblem("is said to be at device block");
}

TEST_F(Inspecting, ABlockOutsideThePoolIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    Mapped some = Some(index);
    some.version().location = 3;
    batch.PutChunk(some.key, some.record);
  });
  ExpectProblem("outside all segments");
}

TEST_F(Inspecting, AnotherChecksumIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    Mapped some = Some(index);
    ++some.version().crc;
    batch.PutChunk(some.key, some.record);
  });
  ExpectProblem("has another checksum");
}

TEST_F(Inspecting, ALostMappingIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    Mapped some = Some(index);
    some.version() = {};
    batch.PutChunk(some.key, some.record);
  });
  ExpectProblem("and nothing has replaced it; but the index does not show it");
}

TEST_F(Inspecting, AMappingOfTheFutureIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    Mapped some = Some(index);
    some.version().birth = 1000000;
    batch.PutChunk(some.key, some.record);
  });
  ExpectProblem("was written as entry 1000000, but it holds only those before");
}

TEST_F(Inspecting, AMappingOfNobodyIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    Mapped some = Some(index);
    batch.PutChunk({77, some.key.chunk}, some.record);
  });
  ExpectProblem("is of layer 77, which does not exist");
}

TEST_F(Inspecting, LostHistoryIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) { batch.DropHistory(SomeHistory(index)); });
  ExpectProblem("live blocks, but");
}

TEST_F(Inspecting, HistoryAtAnotherPlaceIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    logstore::HistoryRecord old = SomeHistory(index);
    ++old.version.location;
    batch.PutHistory(old.layer, old.block, old.version, old.death);
  });
  ExpectProblem("index: an old version of block");
}

TEST_F(Inspecting, WrongCountsAreNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    const auto segments = index.Segments();
    ASSERT_TRUE(segments.ok());
    logstore::SegmentCount count = segments->front();
    ++count.live;
    batch.PutSegment(count);
    batch.PutLayer({.layer = Some(index).key.layer, .used = 5});
  });
  ExpectProblem("are counted");
  ExpectProblem("holds 400 blocks, but 5 are counted");
}

TEST_F(Inspecting, ASegmentOfAnotherUseIsNamed) {
  Damage([](logstore::Index& index, logstore::Index::Batch& batch) {
    const auto segments = index.Segments();
    ASSERT_TRUE(segments.ok());
    for (logstore::SegmentCount count : *segments) {
      if (count.live == 0) continue;
      ++count.written;
      return batch.PutSegment(count);
    }
  });
  ExpectProblem("begins with entry");
}

TEST_F(Inspecting, ALostHoleIsNamed) {
  auto pool = Open();
  Discard(*pool, 16, 32);
  ASSERT_TRUE(Await(pool->Flush()).ok());
  Close(std::move(pool));
  ExpectSound();
  Damage([](logstore::Index& index, logstore::Index::Batch& batch) {
    const auto holes = index.Holes(0, 10);
    ASSERT_TRUE(holes.ok());
    ASSERT_FALSE(holes->empty());
    batch.DropHole(holes->back().birth);
  });
  ExpectProblem("discarded 32 blocks of layer");
}

TEST_F(Inspecting, AnotherStructureIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    const auto checkpoint = index.LoadCheckpoint();
    ASSERT_TRUE(checkpoint.ok() && *checkpoint);
    auto structure = logstore::Structure::Decode((*checkpoint)->structure);
    ASSERT_TRUE(structure.ok());
    structure->Apply({{env_.random().NextUuid()}, {block::ReleasePoint{point_}}}, 5, {});
    for (const auto& [point, record] : structure->TakeChangedPoints()) batch.PutPoint(point, record);
    const auto& c = **checkpoint;
    batch.PutCheckpoint(c.pool, c.position, structure->EncodeBase(), c.number, c.log_start, c.places);
  });
  ExpectProblem("the index does not know point " + point_.ToString());
}

TEST_F(Inspecting, ACheckpointWhereTheLogIsNotIsNamed) {
  Damage([](logstore::Index& index, logstore::Index::Batch& batch) {
    const auto checkpoint = index.LoadCheckpoint();
    ASSERT_TRUE(checkpoint.ok() && *checkpoint);
    logstore::Checkpoint c = **checkpoint;
    ++c.position.block;
    batch.PutCheckpoint(c.pool, c.position, "", c.number, c.log_start, c.places);
  });
  ExpectProblem("where the index stands");
}

TEST_F(Inspecting, AnIndexThatIsNoneOfThisPoolIsNamed) {
  Damage([this](logstore::Index& index, logstore::Index::Batch& batch) {
    const auto checkpoint = index.LoadCheckpoint();
    ASSERT_TRUE(checkpoint.ok() && *checkpoint);
    const auto& c = **checkpoint;
    batch.PutCheckpoint({env_.random().NextUuid()}, c.position, "", c.number, c.log_start, c.places);
  });
  ExpectProblem("index: it cannot be used: it is that of pool");
}

TEST_F(Inspecting, AnOldIndexIsNamed) {
  Damage([](logstore::Index& index, logstore::Index::Batch& batch) {
    const auto checkpoint = index.LoadCheckpoint();
    ASSERT_TRUE(checkpoint.ok() && *checkpoint);
    const auto& c = **checkpoint;
    batch.PutCheckpoint(c.pool, c.position, "", 1, c.log_start, c.places);
  });
  ExpectProblem("it is an old one, number 1");
}

TEST_F(Inspecting, TimeThatGoesBackIsNamed) {
  Damage([](logstore::Index&, logstore::Index::Batch& batch) {
    batch.PutMark({{1000}, 50});
    batch.PutMark({{2000}, 40});
  });
  ExpectProblem("by its time marks entry 40");
}

TEST_F(Inspecting, ADiskWithoutAPoolIsAnError) {
  env_.AddDisk("empty", 9 << 20);
  std::vector<logstore::DeviceFile> files;
  files.push_back({"empty", std::move(*env_.OpenDisk("empty", 0))});
  const auto pool = Await(logstore::FindDevices(std::move(files), {}, env_.loop(), env_.log()));
  EXPECT_EQ(pool.status().code(), Code::kCorrupted);
}

}  // namespace
}  // namespace lockstep::test
