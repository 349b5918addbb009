// Points and what is made of them: clones, revert, differences, copying up.
#include <algorithm>
#include <memory>

#include "tests/contract/block/suite.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it
using Op = Request::Op;

TEST_P(BlockContract, APointNeverChanges) {
  const VolumeId id = Create();
  const VolumePtr volume = Open(id);
  ASSERT_TRUE(Write(*volume, 0, 8, 1).ok());
  const PointId point = Take({id});
  const VolumePtr frozen = OpenAt(point, id);
  ASSERT_TRUE(Write(*volume, 0, 2, 2).ok());
  ASSERT_TRUE(Clear(*volume, Op::kDiscard, 2, 2).ok());
  ASSERT_TRUE(Clear(*volume, Op::kWriteZeroes, 4, 2).ok());
  ASSERT_TRUE(Write(*volume, 20, 2, 3).ok());
  EXPECT_TRUE(Holds(*frozen, 0, 8, 1));
  EXPECT_TRUE(Holds(*frozen, 8, kVolumeBlocks - 8, 0));
  ASSERT_TRUE(Apply({DeleteVolume{id}}).ok());
  EXPECT_TRUE(Holds(*frozen, 0, 8, 1));
  EXPECT_TRUE(PointHolds(point, id, 7, 1));
}

TEST_P(BlockContract, APointIsReadOnly) {
  const VolumeId id = Create();
  ASSERT_TRUE(Write(*Open(id), 0, 1, 1).ok());
  const PointId point = Take({id});
  const VolumePtr frozen = OpenAt(point, id);
  EXPECT_TRUE(frozen->read_only());
  EXPECT_FALSE(Write(*frozen, 0, 1, 2).ok());
  EXPECT_FALSE(Clear(*frozen, Op::kDiscard, 0, 1).ok());
  EXPECT_FALSE(Clear(*frozen, Op::kWriteZeroes, 0, 1).ok());
  EXPECT_TRUE(Holds(*frozen, 0, 1, 1));
  EXPECT_TRUE(VolumeHolds(id, 0, 1, 1));
}

TEST_P(BlockContract, PointsAreListedInTheirOrderAndGoneWhenReleased) {
  const VolumeId a = Create(), b = Create();
  std::vector<PointId> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(Take({b, a}));
    ASSERT_TRUE(Write(*Open(a), 0, 1, 1).ok());
  }
  ASSERT_TRUE(Apply({ReleasePoint{ids[2]}}).ok());
  const std::vector<PointInfo> points = pool_->Points();
  ASSERT_EQ(points.size(), 4u);
  EXPECT_EQ(points[1].id, ids[1]);
  EXPECT_EQ(points[2].id, ids[3]);
  EXPECT_EQ(points[0].volumes, (std::vector<VolumeId>{b, a}));
  for (size_t i = 1; i < points.size(); ++i) EXPECT_LT(points[i - 1].position, points[i].position);
  EXPECT_EQ(pool_->OpenPoint(ids[2], a).status().code(), Code::kNotFound);
}

// The promise on which consistent replicas of a group rest.
TEST_P(BlockContract, APointOfSeveralVolumesHoldsAPrefixOfDependentWrites) {
  constexpr size_t kVolumes = 3;
  struct Writer {
    std::vector<VolumePtr> volumes;
    std::vector<uint64_t> next_block = std::vector<uint64_t>(kVolumes);
    PendingWrite write{0, 1};
    uint64_t acknowledged = 0;
    bool stop = false;
    void Submit() {
      const size_t v = acknowledged % kVolumes;
      write.request.offset = (acknowledged / kVolumes) * kBlock;
      Paint(write.memory.bytes(), acknowledged / kVolumes, acknowledged + 1);
      volumes[v]->Submit(write.request);
    }
  } writer;
  std::vector<VolumeId> ids;
  for (size_t i = 0; i < kVolumes; ++i) {
    ids.push_back(Create());
    writer.volumes.push_back(Open(ids.back()));
  }
  writer.write.request.context = &writer;
  writer.write.request.done = [](Request& r) {
    auto& w = *static_cast<Writer*>(r.context);
    if (r.status.ok()) ++w.acknowledged;
    if (w.stop || !r.status.ok() || w.acknowledged == kVolumes * kVolumeBlocks) {
      w.write.finished = true;
    } else {
      w.Submit();
    }
  };
  writer.Submit();
  std::vector<std::pair<PointId, uint64_t>> points;  // and how many writes had been acknowledged by then
  for (int i = 0; i < 8; ++i) {
    const uint64_t target = writer.acknowledged + 1 + random_.Below(10);
    ASSERT_TRUE(factory_->RunUntil([&] { return writer.acknowledged >= target; }));
    const uint64_t acknowledged = writer.acknowledged;
    points.emplace_back(Take(ids), acknowledged);
  }
  writer.stop = true;
  ASSERT_TRUE(factory_->RunUntil([&writer] { return writer.write.finished; }));
  for (const auto& [point, acknowledged] : points) {
    uint64_t present = 0;
    while (present < kVolumes * kVolumeBlocks &&
           PointHolds(point, ids[present % kVolumes], present / kVolumes, present + 1)) {
      ++present;
    }
    EXPECT_GE(present, acknowledged);
    for (uint64_t n = present; n < kVolumes * kVolumeBlocks; ++n) {
      ASSERT_TRUE(PointHolds(point, ids[n % kVolumes], n / kVolumes, 0)) << "write " << n << " without " << present;
    }
  }
}

TEST_P(BlockContract, ACloneBeginsAsThePointAndGoesItsOwnWay) {
  const VolumeId source = Create();
  ASSERT_TRUE(Write(*Open(source), 0, 8, 1).ok());
  const PointId point = Take({source});
  ASSERT_TRUE(Write(*Open(source), 0, 2, 2).ok());
  const VolumeId clone = CloneOf(point, source);
  EXPECT_EQ(pool_->Find(clone)->size, kVolumeBlocks * kBlock);
  EXPECT_TRUE(VolumeHolds(clone, 0, 8, 1));
  ASSERT_TRUE(Write(*Open(clone), 1, 2, 3).ok());
  ASSERT_TRUE(Clear(*Open(clone), Op::kDiscard, 4, 1).ok());
  ASSERT_TRUE(Write(*Open(source), 5, 1, 4).ok());
  EXPECT_TRUE(VolumeHolds(clone, 0, 1, 1));
  EXPECT_TRUE(VolumeHolds(clone, 1, 2, 3));
  EXPECT_TRUE(VolumeHolds(clone, 4, 1, 0));
  EXPECT_TRUE(VolumeHolds(clone, 5, 3, 1));
  EXPECT_TRUE(VolumeHolds(source, 0, 2, 2));
  EXPECT_TRUE(VolumeHolds(source, 2, 3, 1));
  EXPECT_TRUE(VolumeHolds(source, 5, 1, 4));
  EXPECT_TRUE(PointHolds(point, source, 4, 1));
}

TEST_P(BlockContract, ACloneMayBeLargerThanItsSource) {
  const VolumeId source = Create(8);
  ASSERT_TRUE(Write(*Open(source), 0, 8, 1).ok());
  const PointId point = Take({source});
  // What the source gets beyond its size at the point is not the clone's.
  ASSERT_TRUE(Apply({ResizeVolume{source, 32 * kBlock}}).ok());
  ASSERT_TRUE(Write(*Open(source), 8, 24, 2).ok());
  const VolumeId clone = NewVolumeId();
  ASSERT_TRUE(Apply({Clone{point, source, clone, 16 * kBlock}}).ok());
  EXPECT_EQ(pool_->Find(clone)->size, 16 * kBlock);
  EXPECT_TRUE(VolumeHolds(clone, 0, 8, 1));
  EXPECT_TRUE(VolumeHolds(clone, 8, 8, 0));
}

TEST_P(BlockContract, ACloneOutlivesItsPointAndItsSource) {
  const VolumeId source = Create();
  ASSERT_TRUE(Write(*Open(source), 0, 8, 1).ok());
  const PointId point = Take({source});
  ASSERT_TRUE(Apply({DeleteVolume{source}}).ok());
  const VolumeId clone = CloneOf(point, source);
  ASSERT_TRUE(Apply({ReleasePoint{point}}).ok());
  EXPECT_TRUE(VolumeHolds(clone, 0, 8, 1));
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  Reopen();
  EXPECT_TRUE(VolumeHolds(clone, 0, 8, 1));
  EXPECT_TRUE(VolumeHolds(clone, 8, 8, 0));
}

TEST_P(BlockContract, AChainOfClonesKeepsItsContentWhenWhatIsBetweenGoes) {
  constexpr uint64_t kDepth = 20;
  std::vector<VolumeId> chain = {Create()};
  std::vector<PointId> points;
  ASSERT_TRUE(Write(*Open(chain[0]), 0, kDepth + 1, 1).ok());
  for (uint64_t i = 0; i < kDepth; ++i) {
    points.push_back(Take({chain.back()}));
    chain.push_back(CloneOf(points.back(), chain[i]));
    ASSERT_TRUE(Write(*Open(chain.back()), i, 1, 100 + i).ok());
  }
  // From the middle outwards, every second one first.
  for (size_t i = 1; i < kDepth; i += 2) ASSERT_TRUE(Apply({DeleteVolume{chain[i]}, ReleasePoint{points[i]}}).ok());
  for (size_t i = 0; i < kDepth; i += 2) ASSERT_TRUE(Apply({ReleasePoint{points[i]}, DeleteVolume{chain[i]}}).ok());
  Reopen();
  const VolumePtr last = Open(chain.back());
  for (uint64_t i = 0; i < kDepth; ++i) EXPECT_TRUE(Holds(*last, i, 1, 100 + i));
  EXPECT_TRUE(Holds(*last, kDepth, 1, 1));
  EXPECT_TRUE(Holds(*last, kDepth + 1, 1, 0));
  EXPECT_EQ(pool_->Volumes().size(), 1u);
}

TEST_P(BlockContract, RevertBringsBackAPointAndKeepsTheOthers) {
  const VolumeId id = Create();
  const VolumePtr volume = Open(id);
  ASSERT_TRUE(Write(*volume, 0, 4, 1).ok());
  const PointId first = Take({id});
  ASSERT_TRUE(Write(*volume, 2, 4, 2).ok());
  const PointId second = Take({id});
  ASSERT_TRUE(Write(*volume, 4, 4, 3).ok());
  ASSERT_TRUE(Apply({SetContent{id, first, id}}).ok());
  EXPECT_TRUE(Holds(*volume, 0, 4, 1));
  EXPECT_TRUE(Holds(*volume, 4, 4, 0));
  EXPECT_TRUE(PointHolds(second, id, 5, 2));
  // And forward again, over new writes.
  ASSERT_TRUE(Write(*volume, 0, 8, 4).ok());
  ASSERT_TRUE(Apply({SetContent{id, second, id}}).ok());
  EXPECT_TRUE(Holds(*volume, 0, 2, 1));
  EXPECT_TRUE(Holds(*volume, 2, 4, 2));
  EXPECT_TRUE(Holds(*volume, 6, 2, 0));
  EXPECT_TRUE(PointHolds(first, id, 3, 1));
}

TEST_P(BlockContract, SetContentReplacesAllOfAVolumeByAnothers) {
  const VolumeId source = Create(16), target = Create(8);
  ASSERT_TRUE(Write(*Open(source), 0, 4, 1).ok());
  ASSERT_TRUE(Write(*Open(target), 0, 8, 2).ok());
  const PointId past = Take({target});
  const PointId point = Take({source});
  ASSERT_TRUE(Write(*Open(source), 0, 1, 3).ok());
  const VolumePtr held = Open(target);
  ASSERT_TRUE(Apply({SetContent{target, point, source}}).ok());
  EXPECT_EQ(held->size(), 16 * kBlock);
  EXPECT_TRUE(Holds(*held, 0, 4, 1));
  EXPECT_TRUE(Holds(*held, 4, 12, 0));
  EXPECT_TRUE(PointHolds(past, target, 7, 2));
  EXPECT_EQ(OpenAt(past, target)->size(), 8 * kBlock);
  ASSERT_TRUE(Write(*held, 1, 1, 4).ok());
  EXPECT_TRUE(VolumeHolds(source, 1, 1, 1));
  // A larger target stays as large as it is; what the source did not have is zeroes.
  const VolumeId large = Create(32);
  ASSERT_TRUE(Write(*Open(large), 0, 32, 5).ok());
  ASSERT_TRUE(Apply({SetContent{large, point, source}}).ok());
  EXPECT_EQ(pool_->Find(large)->size, 32 * kBlock);
  EXPECT_TRUE(VolumeHolds(large, 0, 4, 1));
  EXPECT_TRUE(VolumeHolds(large, 4, 28, 0));
}

TEST_P(BlockContract, DiffNamesEveryBlockThatDiffersAndNoneThatWasNotTouched) {
  const VolumeId id = Create();
  const VolumePtr volume = Open(id);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(Write(*volume, random_.Below(60), 1 + random_.Below(4), 1).ok());
    const PointId from = Take({id});
    const auto before = *Read(*volume, 0, kVolumeBlocks);
    std::vector<bool> touched(kVolumeBlocks);
    for (uint64_t i = 0; i < 6; ++i) {
      const uint64_t first = random_.Below(60), count = 1 + random_.Below(4);
      std::fill_n(touched.begin() + static_cast<std::ptrdiff_t>(first), count, true);
      if (random_.OneIn(3)) {
        ASSERT_TRUE(Clear(*volume, Op::kDiscard, first, count).ok());
      } else {
        ASSERT_TRUE(Write(*volume, first, count, 100 + random_.Below(1000)).ok());
      }
    }
    const auto after = *Read(*volume, 0, kVolumeBlocks);
    const PointId to = Take({id});
    const bool until_now = round % 2 == 0;
    const auto diff = Await(pool_->Diff(id, from, until_now ? std::nullopt : std::optional(to)));
    ASSERT_TRUE(diff.ok()) << diff.status().ToString();
    std::vector<bool> named(kVolumeBlocks);
    uint64_t end = 0;
    for (const Extent& e : *diff) {
      ASSERT_EQ((e.offset | e.length) % kBlock, 0u);
      ASSERT_GE(e.offset, end);
      end = e.offset + e.length;
      ASSERT_LE(end, volume->size());
      std::fill_n(named.begin() + static_cast<std::ptrdiff_t>(e.offset / kBlock), e.length / kBlock, true);
    }
    for (uint64_t b = 0; b < kVolumeBlocks; ++b) {
      const bool differs = !std::equal(before.begin() + static_cast<std::ptrdiff_t>(b * kBlock),
                                       before.begin() + static_cast<std::ptrdiff_t>((b + 1) * kBlock),
                                       after.begin() + static_cast<std::ptrdiff_t>(b * kBlock));
      EXPECT_TRUE(!differs || named[b]) << "round " << round << ", block " << b << " differs and is not named";
      EXPECT_TRUE(!named[b] || touched[b]) << "round " << round << ", block " << b << " is named but was not touched";
    }
  }
}

TEST_P(BlockContract, DiffIsRefusedWhereItsPointsDoNotFit) {
  const VolumeId a = Create(), b = Create();
  const PointId of_a = Take({a}), of_b = Take({b});
  EXPECT_EQ(Await(pool_->Diff(a, of_b, std::nullopt)).status().code(), Code::kNotFound);
  EXPECT_EQ(Await(pool_->Diff(a, NewPointId(), std::nullopt)).status().code(), Code::kNotFound);
  EXPECT_EQ(Await(pool_->Diff(NewVolumeId(), of_a, std::nullopt)).status().code(), Code::kNotFound);
  ASSERT_TRUE(Apply({SetContent{a, of_b, b}}).ok());
  EXPECT_EQ(Await(pool_->Diff(a, of_a, std::nullopt)).status().code(), Code::kNotSupported);
  const PointId later = Take({a});
  ASSERT_TRUE(Write(*Open(a), 3, 1, 1).ok());
  const auto diff = Await(pool_->Diff(a, later, std::nullopt));
  ASSERT_TRUE(diff.ok());
  EXPECT_EQ(*diff, (std::vector<Extent>{{3 * kBlock, kBlock, true}}));
}

TEST_P(BlockContract, CopyUpMakesACloneOwnItsContentOnce) {
  const VolumeId source = Create();
  ASSERT_TRUE(Write(*Open(source), 0, 40, 1).ok());
  const PointId point = Take({source});
  const VolumeId clone = CloneOf(point, source);
  ASSERT_TRUE(Write(*Open(clone), 10, 10, 2).ok());
  EXPECT_EQ(UsedBy(clone), 10 * kBlock);
  const auto copied = Await(pool_->CopyUp(clone, 0, kVolumeBlocks * kBlock));
  ASSERT_TRUE(copied.ok()) << copied.status().ToString();
  EXPECT_EQ(*copied, 30 * kBlock);
  EXPECT_EQ(UsedBy(clone), 40 * kBlock);
  const auto again = Await(pool_->CopyUp(clone, 0, kVolumeBlocks * kBlock));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, 0u);
  ASSERT_TRUE(Apply({DeleteVolume{source}, ReleasePoint{point}}).ok());
  EXPECT_TRUE(VolumeHolds(clone, 0, 10, 1));
  EXPECT_TRUE(VolumeHolds(clone, 10, 10, 2));
  EXPECT_TRUE(VolumeHolds(clone, 20, 20, 1));
  EXPECT_EQ(Await(pool_->CopyUp(NewVolumeId(), 0, kBlock)).status().code(), Code::kNotFound);
  EXPECT_EQ(Await(pool_->CopyUp(clone, 0, (kVolumeBlocks + 1) * kBlock)).status().code(), Code::kInvalidArgument);
}

TEST_P(BlockContract, CopyUpNeverCoversAWriteThatHappensMeanwhile) {
  const VolumeId source = Create();
  ASSERT_TRUE(Write(*Open(source), 0, kVolumeBlocks, 1).ok());
  const PointId point = Take({source});
  for (int round = 0; round < 10; ++round) {
    const VolumeId id = CloneOf(point, source);
    const VolumePtr clone = Open(id);
    std::vector<std::unique_ptr<PendingWrite>> writes;
    std::vector<uint64_t> tags(kVolumeBlocks, 1);
    std::optional<Result<uint64_t>> copied;
    const uint64_t start_at = random_.Below(20);
    for (uint64_t i = 0; i < 20; ++i) {
      if (i == start_at) {
        Spawn(pool_->CopyUp(id, 0, kVolumeBlocks * kBlock), [&copied](Result<uint64_t> r) { copied.emplace(r); });
      }
      const uint64_t block = (i * 3) % kVolumeBlocks;
      tags[block] = 1000 + i;
      writes.push_back(std::make_unique<PendingWrite>(block, 1));
      Paint(writes.back()->memory.bytes(), block, tags[block]);
      clone->Submit(writes.back()->request);
      if (random_.OneIn(2)) {
        ASSERT_TRUE(factory_->RunUntil([&writes] { return writes.back()->finished; }));
      }
    }
    const auto all_done = [&] {
      return copied && std::all_of(writes.begin(), writes.end(), [](const auto& w) { return w->finished; });
    };
    ASSERT_TRUE(factory_->RunUntil(all_done));
    ASSERT_TRUE(copied->ok());
    for (uint64_t b = 0; b < kVolumeBlocks; ++b) ASSERT_TRUE(Holds(*clone, b, 1, tags[b]));
    EXPECT_EQ(UsedBy(id), kVolumeBlocks * kBlock);
  }
}

}  // namespace
}  // namespace lockstep::test
