// What volumes and points take, and what would come back.
#include "tests/contract/block/suite.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it
using Op = Request::Op;

constexpr uint64_t Blocks(uint64_t n) {
  return n * kBlock;
}

class SpaceOf {
 public:
  explicit SpaceOf(BlockContract& test) : test_(test) {}
  VolumeSpace Volume(VolumeId id) {
    const auto space = test_.Await(test_.pool_->Space(id));
    EXPECT_TRUE(space.ok()) << space.status().ToString();
    return space.ok() ? *space : VolumeSpace();
  }
  uint64_t Freed(const Removal& removal) {
    const auto freed = test_.Await(test_.pool_->WouldFree({removal}));
    EXPECT_TRUE(freed.ok()) << freed.status().ToString();
    return freed.ok() ? freed->at(0) : 0;
  }
  uint64_t Freed(PointId point) { return Freed(Removal{{}, {point}}); }
  // When everything that was freed has been taken off.
  PoolInfo Settled() {
    EXPECT_TRUE(test_.Await(test_.pool_->Flush()).ok());
    EXPECT_TRUE(test_.factory_->RunUntil([this] { return !test_.pool_->Info().freeing; }));
    return test_.pool_->Info();
  }

 private:
  BlockContract& test_;
};

TEST_P(BlockContract, AVolumeAloneIsAllItsOwn) {
  const VolumeId id = Create();
  SpaceOf space(*this);
  EXPECT_EQ(space.Volume(id).mapped, 0u);
  ASSERT_TRUE(Write(*Open(id), 0, 10, 1).ok());
  ASSERT_TRUE(Write(*Open(id), 5, 10, 2).ok());
  ASSERT_TRUE(Clear(*Open(id), Op::kDiscard, 0, 3).ok());
  EXPECT_EQ(space.Volume(id).mapped, Blocks(12));
  EXPECT_EQ(space.Volume(id).unique, Blocks(12));
  EXPECT_EQ(space.Volume(id).shared, 0u);
  const PoolInfo info = space.Settled();
  EXPECT_EQ(info.live, Blocks(12));
  EXPECT_EQ(info.mapped, Blocks(12));
  EXPECT_EQ(info.history, 0u);
  EXPECT_EQ(pool_->Find(id)->used, Blocks(12));
}

TEST_P(BlockContract, APointFreesWhatOnlyItSees) {
  const VolumeId id = Create();
  SpaceOf space(*this);
  ASSERT_TRUE(Write(*Open(id), 0, 10, 1).ok());
  const PointId a = Take({id});
  EXPECT_EQ(space.Freed(a), 0u);
  EXPECT_EQ(space.Volume(id).unique, 0u);
  EXPECT_EQ(space.Volume(id).shared, Blocks(10));
  ASSERT_TRUE(Write(*Open(id), 0, 4, 2).ok());  // replaces four that the point sees
  EXPECT_EQ(space.Freed(a), Blocks(4));
  EXPECT_EQ(space.Volume(id).unique, Blocks(4));
  const PointId b = Take({id});
  ASSERT_TRUE(Write(*Open(id), 2, 4, 3).ok());  // two of them only b sees, two both do
  EXPECT_EQ(space.Freed(a), Blocks(4));
  EXPECT_EQ(space.Freed(b), Blocks(2));
  EXPECT_EQ(space.Freed({{}, {a, b}}), Blocks(8));
  EXPECT_EQ(space.Freed({{id}, {a, b}}), Blocks(18));
  ASSERT_TRUE(Apply({ReleasePoint{a}}).ok());
  EXPECT_EQ(space.Freed(b), Blocks(4));
  const PoolInfo info = space.Settled();
  EXPECT_EQ(info.live, Blocks(14));
  EXPECT_EQ(info.mapped, Blocks(10));
  EXPECT_EQ(info.history, Blocks(4));
}

TEST_P(BlockContract, ACloneSharesUntilItIsWritten) {
  const VolumeId source = Create();
  SpaceOf space(*this);
  ASSERT_TRUE(Write(*Open(source), 0, 10, 1).ok());
  const PointId point = Take({source});
  const VolumeId clone = CloneOf(point, source);
  EXPECT_EQ(space.Volume(clone).mapped, Blocks(10));
  EXPECT_EQ(space.Volume(clone).unique, 0u);
  EXPECT_EQ(space.Volume(clone).shared, Blocks(10));
  ASSERT_TRUE(Write(*Open(clone), 8, 4, 2).ok());
  ASSERT_TRUE(Clear(*Open(clone), Op::kWriteZeroes, 0, 1).ok());
  EXPECT_EQ(space.Volume(clone).mapped, Blocks(11));
  EXPECT_EQ(space.Volume(clone).unique, Blocks(4));
  EXPECT_EQ(space.Volume(clone).shared, Blocks(7));
  EXPECT_EQ(space.Freed(point), 0u);  // the clone holds what the point held
  ASSERT_TRUE(Apply({ReleasePoint{point}, DeleteVolume{source}}).ok());
  // What it hides is held as well, and would go with it.
  EXPECT_EQ(space.Volume(clone).mapped, Blocks(11));
  EXPECT_EQ(space.Volume(clone).unique, Blocks(14));
  EXPECT_EQ(space.Volume(clone).shared, 0u);
  EXPECT_EQ(space.Settled().live, Blocks(14));
  ASSERT_TRUE(Apply({DeleteVolume{clone}}).ok());
  EXPECT_EQ(space.Settled().live, 0u);
}

TEST_P(BlockContract, WhatWasWrittenBehindTheLastPointGoesWithTheVolume) {
  const VolumeId id = Create();
  SpaceOf space(*this);
  ASSERT_TRUE(Write(*Open(id), 0, 20, 1).ok());
  const PointId a = Take({id});
  ASSERT_TRUE(Write(*Open(id), 10, 20, 2).ok());
  const PointId b = Take({id});
  ASSERT_TRUE(Write(*Open(id), 0, kVolumeBlocks, 3).ok());
  EXPECT_EQ(space.Volume(id).unique, Blocks(kVolumeBlocks));
  ASSERT_TRUE(Apply({DeleteVolume{id}}).ok());
  EXPECT_EQ(space.Settled().live, Blocks(40));
  EXPECT_EQ(space.Freed(b), Blocks(20));
  ASSERT_TRUE(Apply({ReleasePoint{b}}).ok());
  EXPECT_EQ(space.Settled().live, Blocks(20));
  Reopen();
  EXPECT_EQ(space.Settled().live, Blocks(20));
  EXPECT_TRUE(PointHolds(a, id, 19, 1));
  ASSERT_TRUE(Apply({ReleasePoint{a}}).ok());
  EXPECT_EQ(space.Settled().live, 0u);
}

TEST_P(BlockContract, WhatARevertGivesUpComesBack) {
  const VolumeId id = Create();
  SpaceOf space(*this);
  ASSERT_TRUE(Write(*Open(id), 0, 8, 1).ok());
  const PointId point = Take({id});
  for (uint64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(Write(*Open(id), 4, 20, 2 + i).ok());
    ASSERT_TRUE(Apply({SetContent{id, point, id}}).ok());
    EXPECT_EQ(space.Settled().live, Blocks(8)) << "after revert " << i;
  }
  EXPECT_EQ(space.Volume(id).mapped, Blocks(8));
  EXPECT_EQ(space.Volume(id).shared, Blocks(8));
  EXPECT_EQ(space.Freed({{id}, {point}}), Blocks(8));
}

TEST_P(BlockContract, SpaceOfWhatIsNotThere) {
  const VolumeId id = Create();
  const PointId point = Take({id});
  EXPECT_EQ(Await(pool_->Space(NewVolumeId())).status().code(), Code::kNotFound);
  EXPECT_EQ(Await(pool_->WouldFree({{{id}, {}}, {{NewVolumeId()}, {}}})).status().code(), Code::kNotFound);
  EXPECT_EQ(Await(pool_->WouldFree({{{}, {NewPointId()}}})).status().code(), Code::kNotFound);
  const auto nothing = Await(pool_->WouldFree({{{id, id}, {point}}, {}}));
  ASSERT_TRUE(nothing.ok());
  EXPECT_EQ(*nothing, (std::vector<uint64_t>{0, 0}));
}

}  // namespace
}  // namespace lockstep::test
