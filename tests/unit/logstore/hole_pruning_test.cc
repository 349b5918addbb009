// Goal: a hole is forgotten that somebody still needs. And the other: holes that nobody needs pile up.
#include "logstore/hole_pruning.h"

#include <gtest/gtest.h>

#include "sim/env.h"

namespace lockstep::logstore {
namespace {

constexpr SequenceNumber kCloned = 10, kPointTaken = 50;

block::TransactionId Id(uint8_t n) {
  Uuid u;
  u.bytes[0] = n;
  return {u};
}

class HolesOfAClone : public testing::Test {
 protected:
  void SetUp() override {
    Do(1, {block::CreateVolume{volume_, 1 << 30}, block::TakePoint{point_, {volume_}}});
    Do(kCloned, {block::Clone{point_, volume_, clone_, 0}});
    layer_ = structure_.Find(clone_)->top;
    ASSERT_NE(structure_.layer(layer_).parent, kNoLayer);
    ASSERT_TRUE(env_.files().CreateDirectory("index").ok());
    index_ = *Index::Open(env_.files(), "index", {1 << 20, 8 << 20, &env_.background()}, env_.log());
  }
  void Do(SequenceNumber at, std::vector<block::Change> changes) {
    structure_.Apply({Id(static_cast<uint8_t>(at)), std::move(changes)}, at, {});
  }
  void TakePointOfClone(SequenceNumber at) { Do(at, {block::TakePoint{{Id(200).uuid}, {clone_}}}); }
  void Discard(SequenceNumber birth, uint64_t block, uint64_t count) {
    holes_.push_back({birth, layer_, block, count});
  }
  // In the index: what the clone holds in a chunk.
  void Hold(uint64_t chunk, uint32_t from, uint32_t to, SequenceNumber birth, uint64_t location) {
    ChunkVersions versions;
    ASSERT_TRUE(index_->LookupRecord({layer_, chunk}, Index::Tier::kDisk, versions).ok());
    for (uint32_t slot = from; slot < to; ++slot)
      versions[slot] = {birth, location == kHole ? kHole : location + slot, 1};
    Index::Batch batch;
    batch.PutChunk({layer_, chunk}, versions);
    ASSERT_TRUE(index_->Write(batch).ok());
  }
  std::vector<SequenceNumber> Covered() {
    HolePruning pruning(structure_, holes_);
    pruning.DropCovered();
    return Sorted(pruning);
  }
  std::vector<SequenceNumber> Overwritten(SequenceNumber after = 0, size_t most = 100) {
    HolePruning pruning(structure_, holes_);
    const auto last = pruning.DropOverwritten(*index_, after, most);
    EXPECT_TRUE(last.ok());
    last_ = last.ok() ? *last : 0;
    return Sorted(pruning);
  }
  // What was dropped; and it is not there any more.
  std::vector<SequenceNumber> Sorted(const HolePruning& pruning) {
    std::vector<SequenceNumber> dropped = pruning.dropped();
    std::sort(dropped.begin(), dropped.end());
    for (const HoleRecord& hole : holes_) EXPECT_FALSE(std::binary_search(dropped.begin(), dropped.end(), hole.birth));
    return dropped;
  }
  using Births = std::vector<SequenceNumber>;

  sim::SimEnv env_{1};
  Structure structure_;
  const block::VolumeId volume_{Id(201).uuid}, clone_{Id(202).uuid};
  const block::PointId point_{Id(203).uuid};
  LayerId layer_ = kNoLayer;
  std::unique_ptr<Index> index_;
  std::vector<HoleRecord> holes_;
  SequenceNumber last_ = 0;
};

TEST_F(HolesOfAClone, ThatNewerOnesCoverGo) {
  Discard(20, 100, 10);
  Discard(21, 0, 50);
  Discard(22, 105, 10);
  Discard(23, 100, 5);   // with 22 it covers 20
  Discard(24, 40, 11);   // a part of 21 only
  Discard(25, 99, 17);   // covers 22, 23
  Discard(26, 0, 40);    // with 24 it covers 21
  EXPECT_EQ(Covered(), (Births{20, 21, 22, 23}));
  EXPECT_EQ(Covered(), Births()) << "what is left is needed";
}

TEST_F(HolesOfAClone, AHundredRoundsOfTheSameDiscardsAreOne) {
  for (SequenceNumber round = 0; round < 20; ++round)
    for (uint64_t i = 0; i < 4; ++i) Discard(11 + round * 4 + i, i * 100, 50);
  EXPECT_EQ(Covered().size(), 76u);
  EXPECT_EQ(holes_.size(), 4u);
}

TEST_F(HolesOfAClone, StayWhereAPointSeesThem) {
  TakePointOfClone(kPointTaken);
  Discard(20, 0, 10);
  Discard(30, 0, 10);  // covers 20, before the point
  Discard(60, 0, 10);  // covers 30, which the point sees
  Discard(70, 0, 10);  // covers 60
  EXPECT_EQ(Covered(), (Births{20, 60}));
}

TEST_F(HolesOfAClone, InWhosePlaceThereIsDataGo) {
  Discard(20, 0, 20);
  Discard(21, 20, 4);
  Discard(22, 64, 2);
  Hold(0, 0, 16, 30, 5000);
  Hold(1, 0, 4, 31, 6000);
  Hold(1, 4, 8, 21, kHole);  // itself
  Hold(4, 0, 1, 33, 7000);
  Hold(4, 1, 2, 22, kHole);  // half of it is itself
  EXPECT_EQ(Overwritten(), (Births{20}));
  Hold(1, 4, 6, 40, 8000);
  Hold(1, 6, 8, 41, kHole);  // a newer one
  EXPECT_EQ(Overwritten(), (Births{21}));
  Hold(4, 1, 2, 21, 9000);  // which is older
  EXPECT_EQ(Overwritten(), Births());
}

TEST_F(HolesOfAClone, InWhosePlaceThereIsDataStayWhereAPointSeesThem) {
  TakePointOfClone(kPointTaken);
  Discard(20, 0, 4);
  Discard(60, 16, 4);
  Hold(0, 0, 4, 70, 5000);
  Hold(1, 0, 4, 70, 6000);
  EXPECT_EQ(Overwritten(), (Births{60}));
}

TEST_F(HolesOfAClone, AreLookedAtInTurns) {
  for (SequenceNumber birth = 20; birth < 30; ++birth) {
    Discard(birth, (birth - 20) * kChunkBlocks, 4);
    Hold(birth - 20, 0, 4, 50, 5000);
  }
  EXPECT_EQ(Overwritten(0, 3), (Births{20, 21, 22}));
  EXPECT_EQ(last_, 22u);
  EXPECT_EQ(Overwritten(27, 3), (Births{23, 28, 29}));
  EXPECT_EQ(last_, 23u);
  EXPECT_EQ(Overwritten(last_, 100).size(), 4u);
  EXPECT_EQ(Overwritten(last_, 100), Births()) << "none are left";
}

}  // namespace
}  // namespace lockstep::logstore
