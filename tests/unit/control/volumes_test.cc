// Goal: pools, volumes and exports do what they say, refuse what they must, and are there after a restart.

#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

using VolumesTest = ControlTest;

TEST_F(VolumesTest, VolumesAreMadeByCountAndFoundByName) {
  const auto made = Must(Run(control().CreateVolumes({pool_, "db", 5000, 3})));
  ASSERT_EQ(made.size(), 3u);
  EXPECT_EQ(control().VolumeByName("db_2")->record.id, made[1]);
  EXPECT_EQ(control().Volume(made[0])->record.size, 8192u) << "rounded up to whole blocks";
  EXPECT_EQ(VolumesInEngine(), 3u);
}

TEST_F(VolumesTest, GeneratedNamesAreFree) {
  Volume("volume_1");
  const auto made = Must(Run(control().CreateVolumes({{}, "", 4096, 2})));
  EXPECT_EQ(control().Volume(made[0])->record.name, "volume_2");
  EXPECT_EQ(control().Volume(made[1])->record.name, "volume_3");
}

TEST_F(VolumesTest, BadVolumesAreRefusedAndChangeNothing) {
  Volume("a");
  const auto code = [&](CreateVolumesRequest request) { return Run(control().CreateVolumes(request)).status().code(); };
  EXPECT_EQ(code({pool_, "a", kMiB, 1}), Code::kAlreadyExists);
  EXPECT_EQ(code({pool_, "b", 0, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({pool_, "b", block::kMaxVolumeSize + 1, 1}), Code::kTooLarge);
  EXPECT_EQ(code({pool_, "b", kMiB, 0}), Code::kInvalidArgument);
  EXPECT_EQ(code({pool_, "b", kMiB, 1001}), Code::kInvalidArgument);
  EXPECT_EQ(code({PoolId{env_.random().NextUuid()}, "b", kMiB, 1}), Code::kNotFound);
  EXPECT_EQ(code({pool_, std::string(200, 'x'), kMiB, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({pool_, "new\nline", kMiB, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({pool_, "\xc0\x80", kMiB, 1}), Code::kInvalidArgument);
  EXPECT_EQ(control().Volumes().size(), 1u);
  EXPECT_EQ(VolumesInEngine(), 1u);
}

TEST_F(VolumesTest, VolumesGrowAndAreRenamedAndDeleted) {
  const VolumeId a = Volume("a"), b = Volume("b");
  EXPECT_TRUE(Run(control().ResizeVolume(a, 2 * kMiB)).ok());
  EXPECT_EQ(media_["/dev/p"]->now.volumes[a].size, 2 * kMiB);
  EXPECT_EQ(Run(control().ResizeVolume(a, kMiB)).code(), Code::kInvalidState);
  EXPECT_EQ(Run(control().RenameVolume(a, "b")).code(), Code::kAlreadyExists);
  EXPECT_TRUE(Run(control().RenameVolume(a, "c")).ok());
  EXPECT_FALSE(control().VolumeByName("a").ok());
  EXPECT_TRUE(Run(control().DeleteVolume(b)).ok());
  EXPECT_EQ(Run(control().DeleteVolume(b)).code(), Code::kNotFound);
  EXPECT_EQ(VolumesInEngine(), 1u);
}

TEST_F(VolumesTest, SpaceIsAskedOfTheEngine) {
  const VolumeId a = Volume("a");
  Write(a, 'x');
  const VolumeId target = Replicate(SyncType::kSnapshot, a)->target_element;
  EXPECT_EQ(Must(Run(control().SpaceOf(a))).shared, block::kBlockSize);
  EXPECT_EQ(Must(Run(control().SpaceOf(target))).mapped, block::kBlockSize);
  Write(a, 'y');
  EXPECT_EQ(Must(Run(control().SpaceOf(a))).unique, block::kBlockSize);
  EXPECT_EQ(Must(Run(control().SpaceOf(a))).shared, 0u);
  const std::vector<PointView> points = control().Points();
  ASSERT_EQ(points.size(), 1u);
  const PointId point = points[0].record.id;
  // The target holds what the point holds, so releasing it frees nothing; a point that is gone is left out.
  const auto freed = Must(Run(control().FreedByPoints(pool_, {point, PointId{env_.random().NextUuid()}})));
  EXPECT_EQ(freed, (std::map<PointId, uint64_t>{{point, 0}}));
  EXPECT_EQ(Run(control().SpaceOf(VolumeId{env_.random().NextUuid()})).status().code(), Code::kNotFound);
  EXPECT_EQ(Run(control().FreedByPoints(PoolId{env_.random().NextUuid()}, {})).status().code(), Code::kNotFound);
}

TEST_F(VolumesTest, AVolumeInUseIsNotDeleted) {
  const VolumeId a = Volume("a");
  const ExportId id = Must(Run(control().CreateExport({a, "", false})));
  EXPECT_EQ(Run(control().DeleteVolume(a)).code(), Code::kInUse);
  ASSERT_TRUE(Run(control().DeleteExport(id, false)).ok());
  const VolumeId target = Replicate(SyncType::kSnapshot, a)->target_element;
  EXPECT_EQ(Run(control().DeleteVolume(a)).code(), Code::kInUse);
  EXPECT_EQ(Run(control().DeleteVolume(target)).code(), Code::kInUse);
  EXPECT_EQ(Run(control().ResizeVolume(target, 2 * kMiB)).code(), Code::kInUse);
}

TEST_F(VolumesTest, ADeletedVolumeLeavesItsGroups) {
  const VolumeId a = Volume("a"), b = Volume("b");
  const GroupId keeps = Group("keeps", {a, b});
  const GroupId goes = Must(Run(control().CreateGroup({"goes", {a}, {}, true, {}, {}})));
  ASSERT_TRUE(Run(control().DeleteVolume(a)).ok());
  EXPECT_EQ(control().Group(keeps)->members, std::vector<VolumeId>{b});
  EXPECT_FALSE(control().Group(goes).ok());
}

TEST_F(VolumesTest, ExportsArePublishedAndSurviveARestart) {
  const VolumeId a = Volume("a");
  Must(Run(control().CreateExport({a, "disk", true})));
  ASSERT_TRUE(node_->exports().published.contains("disk"));
  EXPECT_TRUE(node_->exports().published["disk"].read_only);
  EXPECT_EQ(Run(control().CreateExport({a, "disk", false})).status().code(), Code::kAlreadyExists);
  Restart();
  EXPECT_TRUE(node_->exports().published.contains("disk"));
  EXPECT_TRUE(control().ExportByName("disk")->published);
}

TEST_F(VolumesTest, AnExportWithClientsIsDeletedByForceOnly) {
  const VolumeId a = Volume("a");
  const ExportId id = Must(Run(control().CreateExport({a, "", false})));
  node_->exports().connections[a] = 1;
  EXPECT_EQ(Run(control().DeleteExport(id, false)).code(), Code::kInUse);
  EXPECT_TRUE(Run(control().DeleteExport(id, true)).ok());
  EXPECT_TRUE(node_->exports().published.empty());
}

TEST_F(VolumesTest, PoolsAndVolumesAreThereAfterARestart) {
  const VolumeId a = Volume("a");
  Write(a, 'x');
  Restart();
  EXPECT_EQ(control().PoolByName("p")->record.id, pool_);
  EXPECT_TRUE(control().PoolByName("p")->state.ok());
  EXPECT_EQ(Read(a), 'x');
}

TEST_F(VolumesTest, APoolThatDoesNotOpenIsShownAndTheOthersWork) {
  const PoolId other = Must(Run(control().CreatePool({"q", "/dev/q", kMiB})));
  const VolumeId a = Volume("a");
  const auto lost = media_.extract("/dev/p");
  Restart();
  EXPECT_EQ(control().Pool(pool_)->state.code(), Code::kNotFound);
  EXPECT_EQ(Run(control().ResizeVolume(a, 2 * kMiB)).code(), Code::kInvalidState);
  EXPECT_TRUE(Run(control().CreateVolumes({other, "b", 4096, 1})).ok());
}

TEST_F(VolumesTest, AnotherPoolAtThePathIsNotTakenForTheRightOne) {
  media_["/dev/p"]->id = PoolId{env_.random().NextUuid()};
  Restart();
  EXPECT_EQ(control().Pool(pool_)->state.code(), Code::kCorrupted);
}

TEST_F(VolumesTest, AnExistingPoolIsTakenInWithItsVolumes) {
  Volume("a");
  Volume("b");
  media_["/dev/copy"] = std::make_shared<test::MemoryStorage>(*media_["/dev/p"]);
  EXPECT_EQ(Run(control().AddPool("again", "/dev/copy")).status().code(), Code::kAlreadyExists) << "the same pool id";
  media_["/dev/copy"]->id = PoolId{env_.random().NextUuid()};
  for (auto& [id, volume] : std::exchange(media_["/dev/copy"]->now.volumes, {})) {
    media_["/dev/copy"]->now.volumes[VolumeId{env_.random().NextUuid()}] = volume;
  }
  EXPECT_TRUE(Run(control().AddPool("again", "/dev/copy")).ok());
  EXPECT_TRUE(control().VolumeByName("again_volume").ok());
  EXPECT_TRUE(control().VolumeByName("again_volume_2").ok());
}

TEST_F(VolumesTest, WhatOnlyTheEngineHasIsReportedAndLeftAlone) {
  media_["/dev/p"]->now.volumes[VolumeId{env_.random().NextUuid()}].size = 4096;
  Restart();
  EXPECT_TRUE(env_.sim_log().Has("a volume that the catalog does not know"));
  EXPECT_EQ(VolumesInEngine(), 1u);
}

TEST_F(VolumesTest, ListenersHearWhatChanged) {
  std::vector<ChangeKind> kinds;
  const uint64_t subscription = control().Subscribe([&](const ChangeEvent& event) { kinds.push_back(event.kind); });
  const VolumeId a = Volume("a");
  ASSERT_TRUE(Run(control().RenameVolume(a, "b")).ok());
  ASSERT_TRUE(Run(control().DeleteVolume(a)).ok());
  control().Unsubscribe(subscription);
  Volume("c");
  EXPECT_EQ(kinds, (std::vector{ChangeKind::kCreated, ChangeKind::kModified, ChangeKind::kDeleted}));
}

TEST_F(VolumesTest, ACatalogThatCannotBeWrittenRefusesChangesAndLosesNothing) {
  const VolumeId a = Volume("a");
  env_.faults().FailFrom(1, sim::Only(sim::IoKind::kFileSync));
  EXPECT_FALSE(Run(control().CreateVolumes({pool_, "b", 4096, 1})).ok());
  EXPECT_EQ(Run(control().RenameVolume(a, "c")).code(), Code::kUnavailable);
  env_.faults().Clear();
  Restart();
  EXPECT_TRUE(control().VolumeByName("a").ok());
  EXPECT_EQ(VolumesInEngine(), control().Volumes().size());
}

}  // namespace
}  // namespace lockstep::control
