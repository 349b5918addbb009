// Windows: every position of a volume's past that can be gone back to.
#include <algorithm>

#include "tests/contract/block/suite.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it
using Op = Request::Op;

constexpr HistoryWindow kDay{86'400, 0};

// A volume whose block 0 holds tag k as of positions[k].
struct Written {
  VolumeId id;
  std::vector<SequenceNumber> positions;
};

class Windows {
 public:
  explicit Windows(BlockContract& test) : test_(test) {}
  SequenceNumber Now() { return test_.pool_->Info().last; }
  Written Volume(uint64_t writes) {
    Written w{test_.Create(), {}};
    EXPECT_TRUE(test_.Apply({SetHistory{{w.id}, kDay}}).ok());
    w.positions.push_back(Now());
    for (uint64_t tag = 1; tag <= writes; ++tag) Write(w, tag);
    return w;
  }
  void Write(Written& w, uint64_t tag) {
    EXPECT_TRUE(test_.Write(*test_.Open(w.id), 0, 1 + tag % 3, tag).ok());
    w.positions.push_back(Now());
  }
  // What block 0 of the volume held then.
  testing::AssertionResult Held(VolumeId id, SequenceNumber at, uint64_t tag) {
    const PointId point = test_.NewPointId();
    const Status taken = test_.Apply({TakePoint{point, {id}, at}});
    if (!taken.ok()) return testing::AssertionFailure() << taken.ToString();
    EXPECT_EQ(test_.pool_->Find(point)->position, at);
    const auto held = test_.PointHolds(point, id, 0, tag);
    EXPECT_TRUE(test_.Apply({ReleasePoint{point}}).ok());
    return held;
  }
  testing::AssertionResult HeldAll(const Written& w, size_t first = 0) {
    for (size_t k = first; k < w.positions.size(); ++k)
      if (const auto held = Held(w.id, w.positions[k], k); !held)
        return testing::AssertionFailure() << held.message() << ", at write " << k;
    return testing::AssertionSuccess();
  }
  uint64_t Live() {
    EXPECT_TRUE(test_.Await(test_.pool_->Flush()).ok());
    EXPECT_TRUE(test_.factory_->RunUntil([this] { return !test_.pool_->Info().freeing; }));
    return test_.pool_->Info().live;
  }
  void ExpectSound() {
    const auto report = test_.Await(test_.pool_->Check());
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->problems, std::vector<std::string>());
  }

 private:
  BlockContract& test_;
};

TEST_P(BlockContract, EveryPositionOfAWindowCanBeGoneBackTo) {
  Windows windows(*this);
  Written w = windows.Volume(60);
  EXPECT_TRUE(windows.HeldAll(w));
  ASSERT_TRUE(Await(pool_->Flush()).ok());
  EXPECT_TRUE(windows.HeldAll(w));
  Reopen();
  EXPECT_EQ(pool_->Find(w.id)->window, kDay);
  EXPECT_EQ(pool_->Find(w.id)->history_from, w.positions[0]);
  EXPECT_TRUE(windows.HeldAll(w));
  windows.Write(w, 61);
  EXPECT_TRUE(windows.HeldAll(w));
  windows.ExpectSound();
}

TEST_P(BlockContract, AWindowHoldsHolesAndSizesToo) {
  Windows windows(*this);
  const VolumeId id = Create(8);
  ASSERT_TRUE(Apply({SetHistory{{id}, kDay}}).ok());
  ASSERT_TRUE(Write(*Open(id), 0, 8, 1).ok());
  const SequenceNumber full = windows.Now();
  ASSERT_TRUE(Clear(*Open(id), Op::kDiscard, 0, 8).ok());
  const SequenceNumber empty = windows.Now();
  ASSERT_TRUE(Apply({ResizeVolume{id, 32 * kBlock}}).ok());
  const SequenceNumber large = windows.Now();
  ASSERT_TRUE(Write(*Open(id), 0, 32, 2).ok());
  const PointId points[] = {NewPointId(), NewPointId(), NewPointId()};
  ASSERT_TRUE(Apply({TakePoint{points[0], {id}, full}, TakePoint{points[1], {id}, empty},
                     TakePoint{points[2], {id}, large}}).ok());
  EXPECT_EQ(OpenAt(points[0], id)->size(), 8 * kBlock);
  EXPECT_TRUE(Holds(*OpenAt(points[0], id), 0, 8, 1));
  EXPECT_EQ(OpenAt(points[1], id)->size(), 8 * kBlock);
  EXPECT_TRUE(Holds(*OpenAt(points[1], id), 0, 8, 0));
  EXPECT_EQ(OpenAt(points[2], id)->size(), 32 * kBlock);
  EXPECT_TRUE(Holds(*OpenAt(points[2], id), 0, 32, 0));
}

TEST_P(BlockContract, AClonesOriginMayBeAPositionOfTheWindow) {
  Windows windows(*this);
  Written w = windows.Volume(20);
  const VolumeId clone = NewVolumeId();
  const PointId point = NewPointId();
  ASSERT_TRUE(
      Apply({TakePoint{point, {w.id}, w.positions[7]}, Clone{point, w.id, clone, 0}, ReleasePoint{point}}).ok());
  EXPECT_EQ(pool_->Find(clone)->history_from, 0u);
  EXPECT_TRUE(VolumeHolds(clone, 0, 1, 7));
  windows.Write(w, 21);
  // It outlives the window and the volume.
  ASSERT_TRUE(Apply({TrimHistory{w.id, windows.Now()}}).ok());
  windows.Live();
  EXPECT_TRUE(VolumeHolds(clone, 0, 1, 7));
  ASSERT_TRUE(Apply({DeleteVolume{w.id}}).ok());
  windows.Live();
  Reopen();
  EXPECT_TRUE(VolumeHolds(clone, 0, 1, 7));
  windows.ExpectSound();
}

TEST_P(BlockContract, ARevertBelongsToThePastLikeEveryWrite) {
  Windows windows(*this);
  Written w = windows.Volume(10);
  const auto revert = [&](SequenceNumber at) {
    const PointId point = NewPointId();
    ASSERT_TRUE(Apply({TakePoint{point, {w.id}, at}, SetContent{w.id, point, w.id}, ReleasePoint{point}}).ok());
  };
  revert(w.positions[4]);
  EXPECT_TRUE(VolumeHolds(w.id, 0, 1, 4));
  w.positions.push_back(0);  // 11: none
  ASSERT_TRUE(Write(*Open(w.id), 0, 1, 12).ok());
  w.positions.push_back(windows.Now());
  for (const int reopened : {0, 1}) {
    SCOPED_TRACE(reopened);
    for (size_t k = 0; k < w.positions.size(); ++k) {
      if (w.positions[k] == 0) continue;
      EXPECT_TRUE(windows.Held(w.id, w.positions[k], k)) << k;
    }
    if (!reopened) Reopen();
  }
  revert(w.positions[10]);  // the future that was given up
  EXPECT_TRUE(VolumeHolds(w.id, 0, 1, 10));
  revert(w.positions[12]);
  EXPECT_TRUE(VolumeHolds(w.id, 0, 1, 12));
  // And it goes when the window leaves it behind.
  ASSERT_TRUE(Apply({TrimHistory{w.id, windows.Now()}}).ok());
  const uint64_t live = windows.Live();
  EXPECT_EQ(live, Await(pool_->Space(w.id))->unique);
  EXPECT_EQ(live, pool_->Find(w.id)->used + pool_->Info().history);
  EXPECT_TRUE(VolumeHolds(w.id, 0, 1, 12));
  windows.ExpectSound();
}

TEST_P(BlockContract, WhatIsOutsideOfAWindowIsRefused) {
  Windows windows(*this);
  Written w = windows.Volume(5);
  const VolumeId without = Create();
  const auto take = [&](std::vector<VolumeId> volumes, SequenceNumber at) {
    return Apply({TakePoint{NewPointId(), std::move(volumes), at}}).code();
  };
  EXPECT_EQ(take({w.id}, w.positions[0] - 1), Code::kInvalidState);
  EXPECT_EQ(take({w.id}, windows.Now() + 1), Code::kInvalidState);
  EXPECT_EQ(take({without}, w.positions[2]), Code::kInvalidState);
  EXPECT_EQ(take({w.id, without}, w.positions[2]), Code::kInvalidState);
  EXPECT_EQ(take({NewVolumeId()}, w.positions[2]), Code::kNotFound);
  EXPECT_EQ(take({w.id}, windows.Now()), Code::kOk);
  EXPECT_EQ(Apply({SetHistory{{}, kDay}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Apply({SetHistory{{w.id, w.id}, kDay}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Apply({SetHistory{{NewVolumeId()}, kDay}}).code(), Code::kNotFound);
  EXPECT_EQ(Apply({TrimHistory{without, 1}}).code(), Code::kInvalidState);
  EXPECT_EQ(Apply({TrimHistory{NewVolumeId(), 1}}).code(), Code::kNotFound);
  EXPECT_EQ(Apply({TrimHistory{w.id, windows.Now() + 1}}).code(), Code::kInvalidState);
  // Opened by the same transaction, it has no past yet.
  EXPECT_EQ(Apply({SetHistory{{without}, kDay}, TakePoint{NewPointId(), {without}, windows.Now()}}).code(),
            Code::kInvalidState);
  EXPECT_EQ(pool_->Find(without)->history_from, 0u);
}

TEST_P(BlockContract, TrimmingGivesUpThePastAndNothingElse) {
  Windows windows(*this);
  Written w = windows.Volume(30);
  const PointId early = NewPointId();
  ASSERT_TRUE(Apply({TakePoint{early, {w.id}, w.positions[5]}}).ok());
  ASSERT_TRUE(Apply({TrimHistory{w.id, w.positions[12]}}).ok());
  EXPECT_EQ(pool_->Find(w.id)->history_from, w.positions[12]);
  ASSERT_TRUE(Apply({TrimHistory{w.id, w.positions[3]}}).ok());  // never backwards
  EXPECT_EQ(pool_->Find(w.id)->history_from, w.positions[12]);
  windows.Live();
  EXPECT_EQ(Apply({TakePoint{NewPointId(), {w.id}, w.positions[11]}}).code(), Code::kInvalidState);
  EXPECT_TRUE(windows.HeldAll(w, 12));
  EXPECT_TRUE(PointHolds(early, w.id, 0, 5));
  windows.ExpectSound();
  Reopen();
  EXPECT_TRUE(windows.HeldAll(w, 12));
  EXPECT_TRUE(PointHolds(early, w.id, 0, 5));
  // Other limits change nothing of what is there; none at all does.
  ASSERT_TRUE(Apply({SetHistory{{w.id}, {0, uint64_t{1} << 40}}}).ok());
  EXPECT_TRUE(windows.HeldAll(w, 12));
  ASSERT_TRUE(Apply({SetHistory{{w.id}, {}}}).ok());
  EXPECT_EQ(pool_->Find(w.id)->history_from, 0u);
  windows.Live();
  EXPECT_TRUE(PointHolds(early, w.id, 0, 5));
  EXPECT_TRUE(VolumeHolds(w.id, 0, 1, 30));
  ASSERT_TRUE(Apply({ReleasePoint{early}}).ok());
  EXPECT_EQ(windows.Live(), pool_->Find(w.id)->used);
  windows.ExpectSound();
}

TEST_P(BlockContract, AGroupGoesBackToOnePosition) {
  Windows windows(*this);
  const std::vector<VolumeId> group = {Create(), Create(), Create()};
  ASSERT_TRUE(Apply({SetHistory{group, kDay}}).ok());
  std::vector<SequenceNumber> positions = {windows.Now()};
  for (uint64_t tag = 1; tag <= 30; ++tag) {
    ASSERT_TRUE(Write(*Open(group[tag % 3]), 0, 1, tag).ok());
    positions.push_back(windows.Now());
  }
  const PointId point = NewPointId();
  ASSERT_TRUE(Apply({TakePoint{point, group, positions[17]}}).ok());
  EXPECT_TRUE(PointHolds(point, group[0], 0, 15));
  EXPECT_TRUE(PointHolds(point, group[1], 0, 16));
  EXPECT_TRUE(PointHolds(point, group[2], 0, 17));
  ASSERT_TRUE(Apply({SetContent{group[0], point, group[0]}, SetContent{group[1], point, group[1]},
                     SetContent{group[2], point, group[2]}}).ok());
  EXPECT_TRUE(VolumeHolds(group[1], 0, 1, 16));
  EXPECT_TRUE(windows.Held(group[1], positions[30], 28));
}

TEST_P(BlockContract, AWindowIsHeldByItsVolume) {
  Windows windows(*this);
  const VolumeId id = Create();
  ASSERT_TRUE(Apply({SetHistory{{id}, kDay}}).ok());
  for (uint64_t tag = 1; tag <= 10; ++tag) ASSERT_TRUE(Write(*Open(id), 0, 4, tag).ok());
  EXPECT_EQ(Await(pool_->Space(id))->mapped, 4 * kBlock);
  EXPECT_EQ(Await(pool_->Space(id))->unique, 40 * kBlock);
  EXPECT_EQ(windows.Live(), 40 * kBlock);
  EXPECT_EQ(pool_->Info().history, 36 * kBlock);
  // A point in the window holds nothing that the window does not.
  const PointId point = Take({id});
  ASSERT_TRUE(Write(*Open(id), 0, 4, 11).ok());
  EXPECT_EQ(Await(pool_->WouldFree({{{}, {point}}}))->at(0), 0u);
  EXPECT_EQ(Await(pool_->Space(id))->unique, 40 * kBlock);
  EXPECT_EQ(Await(pool_->Space(id))->shared, 0u);
  ASSERT_TRUE(Apply({DeleteVolume{id}}).ok());
  EXPECT_EQ(windows.Live(), 4 * kBlock);
  EXPECT_TRUE(PointHolds(point, id, 0, 10));
  windows.ExpectSound();
}

}  // namespace
}  // namespace lockstep::test
