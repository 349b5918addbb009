// Pool: transactions, volumes, what is refused, what survives being opened again.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/contract/block/suite.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it

TEST_P(BlockContract, VolumesAreListedByIdAndFound) {
  std::vector<VolumeId> ids = {Create(4), Create(8), Create(16)};
  std::sort(ids.begin(), ids.end());
  const auto volumes = pool_->Volumes();
  ASSERT_EQ(volumes.size(), 3u);
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(volumes[i].id, ids[i]);
    EXPECT_EQ(pool_->Find(ids[i])->size, volumes[i].size);
  }
  EXPECT_EQ(pool_->Find(NewVolumeId()).status().code(), Code::kNotFound);
  EXPECT_EQ(pool_->Find(NewPointId()).status().code(), Code::kNotFound);
  EXPECT_EQ(pool_->OpenVolume(NewVolumeId()).status().code(), Code::kNotFound);
  EXPECT_EQ(pool_->OpenPoint(NewPointId(), ids[0]).status().code(), Code::kNotFound);
}

TEST_P(BlockContract, AVolumeGrowsByZeroes) {
  const VolumeId id = Create(8);
  const VolumePtr volume = Open(id);
  ASSERT_TRUE(Write(*volume, 0, 8, 1).ok());
  const PointId before = Take({id});
  ASSERT_TRUE(Apply({ResizeVolume{id, 20 * kBlock}}).ok());
  EXPECT_EQ(volume->size(), 20 * kBlock);
  EXPECT_TRUE(Holds(*volume, 0, 8, 1));
  EXPECT_TRUE(Holds(*volume, 8, 12, 0));
  ASSERT_TRUE(Write(*volume, 19, 1, 2).ok());
  EXPECT_TRUE(Holds(*volume, 19, 1, 2));
  EXPECT_EQ(OpenAt(before, id)->size(), 8 * kBlock);
}

TEST_P(BlockContract, AVolumeThatIsMadeSmallerDropsWhatLiesBeyondButPointsKeepIt) {
  const VolumeId id = Create(64);
  VolumePtr volume = Open(id);
  ASSERT_TRUE(Write(*volume, 0, 64, 1).ok());
  const PointId before = Take({id});
  ASSERT_TRUE(Write(*volume, 30, 4, 2).ok());
  ASSERT_TRUE(Apply({ResizeVolume{id, 20 * kBlock}}).ok());
  EXPECT_EQ(volume->size(), 20 * kBlock);
  EXPECT_EQ(pool_->Find(id)->size, 20 * kBlock);
  EXPECT_TRUE(Holds(*volume, 0, 20, 1));
  EXPECT_EQ(Write(*volume, 20, 1, 3).code(), Code::kInvalidArgument);
  EXPECT_EQ(Write(*volume, 19, 2, 3).code(), Code::kInvalidArgument);
  EXPECT_TRUE(Holds(*volume, 19, 1, 1)) << "and nothing of such a request is done";
  EXPECT_TRUE(Holds(*OpenAt(before, id), 0, 64, 1));
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  EXPECT_EQ(pool_->Find(id)->used, 20 * kBlock);
  const PointId small = Take({id});
  ASSERT_TRUE(Apply({ResizeVolume{id, 64 * kBlock}}).ok());
  EXPECT_TRUE(Holds(*volume, 0, 20, 1));
  EXPECT_TRUE(Holds(*volume, 20, 44, 0)) << "what comes back is zeroes";
  EXPECT_EQ(OpenAt(small, id)->size(), 20 * kBlock);
  volume.reset();
  Reopen();
  EXPECT_TRUE(VolumeHolds(id, 20, 44, 0));
  EXPECT_TRUE(Holds(*OpenAt(before, id), 0, 64, 1));
  ASSERT_TRUE(Apply({SetContent{id, before, id}}).ok());
  EXPECT_TRUE(VolumeHolds(id, 0, 64, 1));
}

TEST_P(BlockContract, MakingSmallerStandsFirstInItsTransaction) {
  const VolumeId a = Create(16), b = Create(16);
  ASSERT_TRUE(Write(*Open(a), 0, 16, 1).ok());
  const PointId old = Take({a, b});
  const PointId point = NewPointId();
  const std::string before = Picture();
  EXPECT_EQ(Apply({TakePoint{point, {a}}, ResizeVolume{a, 8 * kBlock}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Apply({SetContent{a, old, a}, ResizeVolume{a, 8 * kBlock}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Apply({ResizeVolume{a, 32 * kBlock}, ResizeVolume{a, 8 * kBlock}}).code(), Code::kInvalidArgument);
  const VolumeId made = NewVolumeId();
  EXPECT_EQ(Apply({CreateVolume{made, 16 * kBlock}, ResizeVolume{made, 8 * kBlock}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Picture(), before);
  // Several at once, and a point behind it.
  ASSERT_TRUE(Apply({ResizeVolume{a, 8 * kBlock}, ResizeVolume{b, 4 * kBlock}, TakePoint{point, {a, b}},
                     Clone{point, a, made, 16 * kBlock}})
                  .ok());
  EXPECT_EQ(OpenAt(point, a)->size(), 8 * kBlock);
  EXPECT_TRUE(VolumeHolds(made, 0, 8, 1));
  EXPECT_TRUE(VolumeHolds(made, 8, 8, 0));
}

TEST_P(BlockContract, WritesThatAreUnderWayEndWhenAVolumeIsMadeSmaller) {
  const VolumeId id = Create(64);
  const VolumePtr volume = Open(id);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<PendingWrite>> writes;
    for (uint64_t at = 0; at < 64; at += 4) {
      writes.push_back(std::make_unique<PendingWrite>(at, 4));
      Paint(writes.back()->memory.bytes(), at, 7);
      volume->Submit(writes.back()->request);
    }
    ASSERT_TRUE(Apply({ResizeVolume{id, 10 * kBlock}}).ok());
    for (const auto& write : writes) {
      ASSERT_TRUE(factory_->RunUntil([&] { return write->finished; }));
      const Code code = write->request.status.code();
      EXPECT_TRUE(code == Code::kOk || code == Code::kInvalidArgument) << static_cast<int>(code);
    }
    ASSERT_TRUE(Apply({ResizeVolume{id, 64 * kBlock}}).ok());
    EXPECT_TRUE(Holds(*volume, 10, 54, 0)) << "whatever became of the writes";
  }
}

TEST_P(BlockContract, AVolumeMayBeAsLargeAsTheLimitAndTakesSpaceOnlyAsItIsWritten) {
  const VolumeId id = NewVolumeId();
  ASSERT_TRUE(Apply({CreateVolume{id, kMaxVolumeSize}}).ok());
  const VolumePtr volume = Open(id);
  const uint64_t last = kMaxVolumeSize / kBlock - 1;
  ASSERT_TRUE(Write(*volume, last, 1, 1).ok());
  EXPECT_TRUE(Holds(*volume, last, 1, 1));
  EXPECT_TRUE(Holds(*volume, last - 1, 1, 0));
  EXPECT_LE(UsedBy(id), kBlock);
}

// Every way in which a change can be wrong, in a pool that has volumes a and b, point p of a, and q of a and b.
struct InvalidChange {
  std::string what;
  Code code;
  Change change;
};

TEST_P(BlockContract, AnInvalidChangeInsideATransactionUndoesAllOfIt) {
  const VolumeId a = Create(), b = Create();
  const VolumeId unknown = NewVolumeId();
  ASSERT_TRUE(Write(*Open(a), 0, 4, 1).ok());
  const PointId p = Take({a}), q = Take({a, b});
  const PointId no_point = NewPointId();
  ASSERT_TRUE(Write(*Open(a), 0, 4, 2).ok());
  const uint64_t size = kVolumeBlocks * kBlock;
  const std::vector<InvalidChange> all = {
      {"create: id taken", Code::kAlreadyExists, CreateVolume{a, size}},
      {"create: no size", Code::kInvalidArgument, CreateVolume{unknown, 0}},
      {"create: size misaligned", Code::kInvalidArgument, CreateVolume{unknown, size + 512}},
      {"create: too large", Code::kInvalidArgument, CreateVolume{unknown, kMaxVolumeSize + kBlock}},
      {"delete: unknown", Code::kNotFound, DeleteVolume{unknown}},
      {"resize: unknown", Code::kNotFound, ResizeVolume{unknown, size}},
      {"resize: smaller, after other changes", Code::kInvalidArgument, ResizeVolume{a, size - kBlock}},
      {"resize: misaligned", Code::kInvalidArgument, ResizeVolume{a, size + 1}},
      {"resize: too large", Code::kInvalidArgument, ResizeVolume{a, kMaxVolumeSize + kBlock}},
      {"point: of nothing", Code::kInvalidArgument, TakePoint{no_point, {}}},
      {"point: of an unknown volume", Code::kNotFound, TakePoint{no_point, {a, unknown}}},
      {"point: twice the same volume", Code::kInvalidArgument, TakePoint{no_point, {a, b, a}}},
      {"point: id taken", Code::kAlreadyExists, TakePoint{p, {a}}},
      {"release: unknown", Code::kNotFound, ReleasePoint{no_point}},
      {"clone: unknown point", Code::kNotFound, Clone{no_point, a, unknown, 0}},
      {"clone: source not in the point", Code::kNotFound, Clone{p, b, unknown, 0}},
      {"clone: id taken", Code::kAlreadyExists, Clone{p, a, b, 0}},
      {"clone: smaller than its source", Code::kInvalidArgument, Clone{p, a, unknown, kBlock}},
      {"clone: size misaligned", Code::kInvalidArgument, Clone{p, a, unknown, size + 512}},
      {"set content: unknown volume", Code::kNotFound, SetContent{unknown, p, a}},
      {"set content: unknown point", Code::kNotFound, SetContent{a, no_point, a}},
      {"set content: source not in the point", Code::kNotFound, SetContent{a, p, b}},
  };
  const std::string before = Picture();
  for (const InvalidChange& invalid : all) {
    const TransactionId id{random_.NextUuid()};
    const Transaction transaction{id,
                                  {CreateVolume{NewVolumeId(), size}, TakePoint{NewPointId(), {a, b}},
                                   SetContent{a, q, a}, ReleasePoint{q}, invalid.change, DeleteVolume{b}}};
    EXPECT_EQ(Await(pool_->Apply(transaction)).code(), invalid.code) << invalid.what;
    EXPECT_EQ(Picture(), before) << invalid.what;
    EXPECT_FALSE(pool_->WasApplied(id)) << invalid.what;
    EXPECT_TRUE(VolumeHolds(a, 0, 4, 2)) << invalid.what;
  }
}

TEST_P(BlockContract, ATransactionNeedsAChangeAndAnUnusedId) {
  EXPECT_EQ(Apply({}).code(), Code::kInvalidArgument);
  const TransactionId id{random_.NextUuid()};
  ASSERT_TRUE(Await(pool_->Apply({id, {CreateVolume{NewVolumeId(), kBlock}}})).ok());
  const std::string before = Picture();
  EXPECT_FALSE(Await(pool_->Apply({id, {CreateVolume{NewVolumeId(), kBlock}}})).ok());
  EXPECT_EQ(Picture(), before);
}

TEST_P(BlockContract, ALaterChangeOfATransactionSeesWhatAnEarlierOneDid) {
  const VolumeId a = Create();
  ASSERT_TRUE(Write(*Open(a), 0, 1, 1).ok());
  const VolumeId made = NewVolumeId(), clone = NewVolumeId(), second = NewVolumeId();
  const PointId point = NewPointId(), of_clone = NewPointId();
  const Status status = Apply({CreateVolume{made, 4 * kBlock}, TakePoint{point, {a, made}}, Clone{point, a, clone, 0},
                               TakePoint{of_clone, {clone}}, Clone{of_clone, clone, second, 0}, ReleasePoint{of_clone},
                               DeleteVolume{clone}, ResizeVolume{made, 8 * kBlock}});
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_TRUE(VolumeHolds(second, 0, 1, 1));
  EXPECT_EQ(pool_->Find(made)->size, 8 * kBlock);
  EXPECT_EQ(pool_->OpenVolume(clone).status().code(), Code::kNotFound);
  EXPECT_EQ(pool_->Points().size(), 1u);
  EXPECT_EQ(pool_->Find(point)->volumes, (std::vector<VolumeId>{a, made}));
}

TEST_P(BlockContract, AThousandVolumesChangeInOneTransaction) {
  std::vector<Change> create, clone;
  std::vector<VolumeId> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.push_back(NewVolumeId());
    create.push_back(CreateVolume{ids.back(), 4 * kBlock});
  }
  ASSERT_TRUE(Apply(create).ok());
  ASSERT_TRUE(Write(*Open(ids[500]), 1, 1, 1).ok());
  const PointId point = NewPointId();
  clone.push_back(TakePoint{point, ids});
  for (const VolumeId id : ids) clone.push_back(Clone{point, id, NewVolumeId(), 0});
  ASSERT_TRUE(Apply(clone).ok());
  EXPECT_EQ(pool_->Volumes().size(), 2000u);
  EXPECT_TRUE(VolumeHolds(std::get<Clone>(clone[501]).volume, 1, 1, 1));
  EXPECT_TRUE(VolumeHolds(std::get<Clone>(clone[502]).volume, 1, 1, 0));
}

TEST_P(BlockContract, TheLastTransactionsAreRememberedAlsoAfterReopening) {
  constexpr size_t kRemembered = 1024;
  std::vector<TransactionId> ids;
  const VolumeId a = Create(1);
  for (size_t i = 0; i < kRemembered; ++i) {
    ids.push_back({random_.NextUuid()});
    ASSERT_TRUE(Await(pool_->Apply({ids.back(), {ResizeVolume{a, (i + 2) * kBlock}}})).ok());
  }
  const TransactionId never{random_.NextUuid()};
  for (int round = 0; round < 2; ++round) {
    for (const TransactionId id : ids) ASSERT_TRUE(pool_->WasApplied(id));
    EXPECT_FALSE(pool_->WasApplied(never));
    Reopen();
  }
}

TEST_P(BlockContract, ReopeningKeepsStructureAndEverythingFlushed) {
  const VolumeId a = Create(), b = Create(), gone = Create();
  ASSERT_TRUE(Write(*Open(a), 0, 8, 1).ok());
  const PointId point = Take({a, b});
  const VolumeId clone = CloneOf(point, a);
  ASSERT_TRUE(Write(*Open(a), 0, 4, 2).ok());
  ASSERT_TRUE(Write(*Open(clone), 6, 4, 3).ok());
  ASSERT_TRUE(Clear(*Open(a), Request::Op::kDiscard, 5, 1).ok());
  ASSERT_TRUE(Apply({DeleteVolume{gone}, ResizeVolume{b, 2 * kVolumeBlocks * kBlock}}).ok());
  ASSERT_TRUE(Write(*Open(b), kVolumeBlocks, 1, 4).ok());
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  const std::string before = Picture();
  const PoolId id = pool_->id();
  for (int round = 0; round < 3; ++round) {
    Reopen();
    EXPECT_EQ(pool_->id(), id);
    EXPECT_EQ(Picture(), before);
    EXPECT_TRUE(VolumeHolds(a, 0, 4, 2));
    EXPECT_TRUE(VolumeHolds(a, 4, 1, 1));
    EXPECT_TRUE(VolumeHolds(a, 5, 1, 0));
    EXPECT_TRUE(VolumeHolds(b, kVolumeBlocks, 1, 4));
    EXPECT_TRUE(VolumeHolds(clone, 0, 6, 1));
    EXPECT_TRUE(VolumeHolds(clone, 6, 4, 3));
    EXPECT_TRUE(PointHolds(point, a, 0, 1));
    ASSERT_TRUE(Write(*Open(b), static_cast<uint64_t>(round), 1, 7, true).ok());
  }
  EXPECT_TRUE(VolumeHolds(b, 0, 3, 7));
}

TEST_P(BlockContract, AFlushOfOneVolumeAloneMakesWhatWasAcknowledgedOfAllDurable) {
  const VolumeId a = Create(), b = Create();
  ASSERT_TRUE(Write(*Open(a), 0, 1, 1).ok());
  ASSERT_TRUE(Write(*Open(b), 0, 1, 2).ok());
  ASSERT_TRUE(Flush(*Open(b)).ok());
  Reopen();
  // The contract's prefix rule: the write to a was acknowledged before the one to b was submitted.
  EXPECT_TRUE(VolumeHolds(b, 0, 1, 2));
  EXPECT_TRUE(VolumeHolds(a, 0, 1, 1));
}

TEST_P(BlockContract, TheFiguresOfThePoolAddUp) {
  const PoolInfo empty = pool_->Info();
  EXPECT_EQ(empty.id, pool_->id());
  EXPECT_GT(empty.size, 0u);
  EXPECT_EQ(empty.used + empty.free, empty.size);
  const VolumeId id = Create();
  ASSERT_TRUE(Write(*Open(id), 0, kVolumeBlocks, 1).ok());
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  const PoolInfo info = pool_->Info();
  EXPECT_EQ(info.used + info.free, info.size);
  EXPECT_GE(info.last, empty.last + 2);
  EXPECT_EQ(info.durable, info.last);
  EXPECT_EQ(UsedBy(id), kVolumeBlocks * kBlock);
}

}  // namespace
}  // namespace lockstep::test
