// Goal: windows, and what is made from the past, do what they say and refuse what they must.

#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

class HistoryTest : public ControlTest {
 protected:
  static Moment Ago(uint64_t seconds) {
    Moment moment;
    moment.seconds_ago = seconds;
    return moment;
  }
  void Pass(int seconds) { env_.loop().RunFor(std::chrono::seconds(seconds)); }
  Code Revert(std::vector<VolumeId> volumes, Moment moment, bool force = false) {
    return Run(control().RevertVolumes({std::move(volumes), moment, force})).code();
  }
};

TEST_F(HistoryTest, AWindowIsShownChangedAndClosed) {
  const VolumeId a = Volume("a"), b = Volume("b");
  EXPECT_EQ(control().Volume(a)->history_from, 0u);
  ASSERT_TRUE(Run(control().SetHistory({a, b}, {3600, kMiB})).ok());
  EXPECT_EQ(control().Volume(b)->window, (block::HistoryWindow{3600, kMiB}));
  const block::SequenceNumber from = control().Volume(a)->history_from;
  EXPECT_NE(from, 0u);
  EXPECT_EQ(control().Volume(a)->history_since.us, env_.clock().Wall().us);
  Restart();
  ASSERT_TRUE(Run(control().SetHistory({a}, {60, 0})).ok());
  EXPECT_EQ(control().Volume(a)->window, (block::HistoryWindow{60, 0}));
  EXPECT_EQ(control().Volume(a)->history_from, from);
  ASSERT_TRUE(Run(control().SetHistory({a}, {})).ok());
  EXPECT_EQ(control().Volume(a)->history_from, 0u);
  EXPECT_NE(control().Volume(b)->history_from, 0u);
}

TEST_F(HistoryTest, ClonesAreOfOneMoment) {
  const VolumeId a = Volume("a"), b = Volume("b");
  ASSERT_TRUE(Run(control().SetHistory({a, b}, {3600, 0})).ok());
  Write(a, '1');
  Write(b, '2');
  Pass(10);
  Write(a, '3');
  Pass(10);
  Write(b, '4');
  ASSERT_TRUE(Run(control().ResizeVolume(a, 2 * kMiB)).ok());
  const auto made = Must(Run(control().CloneVolumes({{a, b}, {"a_then", "b_then"}, Ago(5)})));
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(Read(made[0]), '3');
  EXPECT_EQ(Read(made[1]), '2');
  EXPECT_EQ(control().VolumeByName("a_then")->record.size, 2 * kMiB) << "as large as the source is now";
  EXPECT_EQ(media_["/dev/p"]->now.volumes[made[0]].size, 2 * kMiB);
  EXPECT_EQ(PointsInEngine(), 0u);
  // Now needs no window.
  const VolumeId c = Volume("c");
  Write(c, '5');
  EXPECT_EQ(Read(Must(Run(control().CloneVolumes({{c}, {"c_now"}, {}})))[0]), '5');
}

TEST_F(HistoryTest, ARevertCanBeTakenBack) {
  const VolumeId a = Volume("a");
  ASSERT_TRUE(Run(control().SetHistory({a}, {3600, 0})).ok());
  Write(a, '1');
  Pass(10);
  Write(a, '2');
  const block::SequenceNumber newest = media_["/dev/p"]->position;
  Pass(1);
  ASSERT_EQ(Revert({a}, Ago(6)), Code::kOk);
  EXPECT_EQ(Read(a), '1');
  Moment back;
  back.position = newest;
  ASSERT_EQ(Revert({a}, back), Code::kOk);
  EXPECT_EQ(Read(a), '2');
  EXPECT_EQ(PointsInEngine(), 0u);
}

TEST_F(HistoryTest, WhatCannotBeIsRefusedAndChangesNothing) {
  const VolumeId a = Volume("a"), b = Volume("b");
  const PoolId other = Must(Run(control().CreatePool({"q", "/dev/q", kMiB})));
  const VolumeId far = Must(Run(control().CreateVolumes({other, "far", 4096, 1})))[0];
  ASSERT_TRUE(Run(control().SetHistory({a}, {3600, 0})).ok());
  Write(a, '1');
  Pass(10);
  EXPECT_EQ(Run(control().SetHistory({}, {1, 0})).code(), Code::kInvalidArgument);
  EXPECT_EQ(Run(control().SetHistory({a, a}, {1, 0})).code(), Code::kInvalidArgument);
  EXPECT_EQ(Run(control().SetHistory({a, far}, {1, 0})).code(), Code::kInvalidArgument);
  EXPECT_EQ(Run(control().SetHistory({VolumeId{env_.random().NextUuid()}}, {1, 0})).code(), Code::kNotFound);
  EXPECT_EQ(Revert({b}, Ago(5)), Code::kInvalidState) << "it has no window";
  EXPECT_EQ(Revert({a, b}, Ago(5)), Code::kInvalidState);
  EXPECT_EQ(Revert({a}, Ago(3600)), Code::kInvalidState) << "longer than there was a window";
  EXPECT_EQ(Revert({a}, {}), Code::kInvalidArgument);
  Moment future;
  future.time = io::WallTime{env_.clock().Wall().us + 1'000'000};
  EXPECT_EQ(Revert({a}, future), Code::kInvalidArgument);
  const auto clone = [&](std::vector<std::string> names) {
    return Run(control().CloneVolumes({{a}, std::move(names), Ago(5)})).status().code();
  };
  EXPECT_EQ(clone({"b"}), Code::kAlreadyExists);
  EXPECT_EQ(clone({}), Code::kInvalidArgument);
  EXPECT_EQ(clone({"x", "y"}), Code::kInvalidArgument);
  // Clients would find other content; a target belongs to its relationship.
  node_->exports().connections[a] = 1;
  EXPECT_EQ(Revert({a}, Ago(5)), Code::kInUse);
  EXPECT_EQ(Revert({a}, Ago(5), true), Code::kOk);
  node_->exports().connections.clear();
  const VolumeId target = Replicate(SyncType::kSnapshot, a)->target_element;
  ASSERT_TRUE(Run(control().SetHistory({target}, {3600, 0})).ok());
  Pass(5);
  EXPECT_EQ(Revert({target}, Ago(2)), Code::kInUse);
  EXPECT_EQ(Read(a), '1');
  EXPECT_EQ(control().Volumes().size(), 4u);
}

}  // namespace
}  // namespace lockstep::control
