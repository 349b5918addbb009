// Goal: a point that was taken without a target can be shown, restored and forgotten later, for volumes, groups and
// lists, whatever has happened to them meanwhile; group relationships are made of pairs, and get more.

#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

using replication::AspectOperation;

class AspectsTest : public ControlTest {
 protected:
  AspectId Aspect(VolumeId source, const std::string& name = {}) {
    CreateAspectRequest request;
    request.name = name;
    request.source_element = source;
    return Must(Run(control().CreateAspect(std::move(request))));
  }
  AspectId GroupAspect(GroupId group, SyncType type = SyncType::kSnapshot) {
    CreateAspectRequest request;
    request.sync_type = type;
    request.source_group = group;
    return Must(Run(control().CreateAspect(std::move(request))));
  }
  static ModifyAspectsRequest Of(AspectOperation operation, std::vector<AspectRef> states) {
    ModifyAspectsRequest request;
    request.operation = operation;
    request.settings_states = std::move(states);
    return request;
  }
  Result<ModifyAspectsResult> Do(ModifyAspectsRequest request) {
    return Run(control().ModifyAspects(std::move(request)));
  }
  Code CodeOf(ModifyAspectsRequest request) { return Do(std::move(request)).status().code(); }
};

TEST_F(AspectsTest, AnAspectShowsItsMomentInTargetsThatComeLater) {
  const VolumeId a = Volume("a");
  Write(a, '1');
  const AspectId aspect = Aspect(a, "before");
  Write(a, '2');
  EXPECT_EQ(control().Aspect(aspect)->name, "before");
  EXPECT_EQ(PointsInEngine(), 1u);

  ModifyAspectsRequest copy = Of(AspectOperation::kCopyToTarget, {{aspect, a}});
  copy.element_names = {"a_then"};
  const ModifyAspectsResult made = Must(Do(copy));
  ASSERT_EQ(made.pairs.size(), 1u);
  EXPECT_FALSE(made.job);
  EXPECT_EQ(Read(made.target_elements[0]), '1');
  EXPECT_EQ(control().Volume(made.target_elements[0])->record.name, "a_then");
  EXPECT_EQ(StateOf(made.pairs[0]), CopyState::kSynchronized);
  EXPECT_EQ(PointsInEngine(), 1u) << "the pair holds the aspect's point";

  const VolumeId existing = Volume("existing");
  ModifyAspectsRequest attach = Of(AspectOperation::kAttachToTarget, {{aspect, a}});
  attach.target_elements = {existing};
  ASSERT_TRUE(Do(attach).ok());
  EXPECT_EQ(Read(existing), '1');
  EXPECT_EQ(CodeOf(attach), Code::kInUse) << "it is a target now";

  ASSERT_TRUE(Do(Of(AspectOperation::kDelete, {{aspect, a}})).ok());
  EXPECT_EQ(control().Aspect(aspect).status().code(), Code::kNotFound);
  EXPECT_EQ(PointsInEngine(), 1u) << "the pairs still hold it";
  ASSERT_TRUE(Modify(made.pairs[0], Operation::kDetach).ok());
  EXPECT_EQ(PointsInEngine(), 1u);
  ASSERT_TRUE(Modify(control().RelationshipOf(a, existing)->record.id, Operation::kDetach).ok());
  EXPECT_EQ(PointsInEngine(), 0u);
}

TEST_F(AspectsTest, AFullCopyOfAnAspectIsAJob) {
  const VolumeId a = Volume("a");
  Write(a, '1');
  const AspectId aspect = Aspect(a);
  Write(a, '2');
  ModifyAspectsRequest copy = Of(AspectOperation::kCopyToTarget, {{aspect, a}});
  copy.options.settings.desired_copy_methodology = catalog::CopyMethodology::kFullCopy;
  EXPECT_EQ(CodeOf([&] {
              ModifyAspectsRequest attach = copy;
              attach.operation = AspectOperation::kAttachToTarget;
              return attach;
            }()),
            Code::kInvalidArgument)
      << "attaching copies nothing";
  copy.options.wait_for_copy_state = CopyState::kSynchronized;
  const ModifyAspectsResult made = Must(Do(copy));
  ASSERT_TRUE(made.job);
  EXPECT_EQ(StateOf(made.pairs[0]), CopyState::kUnsynchronized);
  ASSERT_TRUE(Run(control().WaitForJob(*made.job)).ok());
  EXPECT_EQ(StateOf(made.pairs[0]), CopyState::kSynchronized);
  EXPECT_EQ(Read(made.target_elements[0]), '1');
  copy.options.wait_for_copy_state = CopyState::kInactive;
  EXPECT_EQ(CodeOf(copy), Code::kInvalidArgument) << "activating would take another point";
}

TEST_F(AspectsTest, RestoringGoesBackAndIsRefusedUnderAHost) {
  const VolumeId a = Volume("a");
  Write(a, '1');
  const AspectId aspect = Aspect(a);
  Write(a, '2');
  node_->exports().connections[a] = 1;
  EXPECT_EQ(CodeOf(Of(AspectOperation::kRestore, {{aspect, a}})), Code::kInUse);
  EXPECT_EQ(Read(a), '2');
  node_->exports().connections.clear();
  ASSERT_TRUE(Do(Of(AspectOperation::kRestore, {{aspect, a}})).ok());
  EXPECT_EQ(Read(a), '1');
  EXPECT_EQ(control().Aspect(aspect)->state, catalog::AspectState::kRestored);
  Write(a, '3');
  ASSERT_TRUE(Do(Of(AspectOperation::kRestore, {{aspect, a}})).ok()) << "again";
  EXPECT_EQ(Read(a), '1');
}

TEST_F(AspectsTest, SizesAreThoseOfThePoint) {
  const VolumeId a = Volume("a", 4 * kMiB);
  Write(a, '1');
  const AspectId aspect = Aspect(a);
  ASSERT_TRUE(Run(control().ResizeVolume(a, kMiB, true)).ok());
  const ModifyAspectsResult made = Must(Do(Of(AspectOperation::kCopyToTarget, {{aspect, a}})));
  EXPECT_EQ(control().Volume(made.target_elements[0])->record.size, 4 * kMiB);
  const VolumeId small = Volume("small", kMiB);
  ModifyAspectsRequest attach = Of(AspectOperation::kAttachToTarget, {{aspect, a}});
  attach.target_elements = {small};
  EXPECT_EQ(CodeOf(attach), Code::kInvalidArgument) << "it is smaller than what it would show";
  ASSERT_TRUE(Do(Of(AspectOperation::kRestore, {{aspect, a}})).ok());
  EXPECT_EQ(control().Volume(a)->record.size, 4 * kMiB);
  ASSERT_TRUE(Run(control().ResizeVolume(a, 8 * kMiB)).ok());
  const ModifyAspectsResult again = Must(Do(Of(AspectOperation::kCopyToTarget, {{aspect, a}})));
  EXPECT_EQ(control().Volume(again.target_elements[0])->record.size, 4 * kMiB);
}

TEST_F(AspectsTest, AGroupsAspectBecomesAGroupOfTargets) {
  const VolumeId a = Volume("a"), b = Volume("b"), c = Volume("c");
  Write(a, '1'), Write(b, '1');
  const GroupId group = Group("g", {a, b});
  const AspectId aspect = GroupAspect(group, SyncType::kClone);
  Write(a, '2'), Write(b, '2');
  EXPECT_EQ(CodeOf(Of(AspectOperation::kDelete, {{aspect, a}})), Code::kNotFound) << "it is of the group";
  ASSERT_TRUE(Do(Of(AspectOperation::kActivateConsistency, {{aspect, {}}})).ok());
  EXPECT_TRUE(control().Aspect(aspect)->consistency_enabled);
  const ModifyAspectsResult made = Must(Do(Of(AspectOperation::kCopyToTarget, {{aspect, {}}})));
  ASSERT_EQ(made.groups.size(), 1u);
  ASSERT_EQ(made.target_elements.size(), 2u);
  EXPECT_EQ(Read(made.target_elements[0]), '1');
  EXPECT_EQ(Read(made.target_elements[1]), '1');
  const GroupRelationshipView view = *control().GroupRelationship(made.groups[0]);
  EXPECT_EQ(view.record.sync_type, SyncType::kClone);
  EXPECT_EQ(view.consistency_state, 3) << "one instant";
  EXPECT_TRUE(control().Group(made.target_groups[0])->consistent_point_in_time);
  ASSERT_TRUE(Do(Of(AspectOperation::kRestore, {{aspect, {}}})).ok());
  EXPECT_EQ(Read(b), '1');
  ASSERT_TRUE(Modify(made.groups[0], Operation::kDetach).ok());
  ASSERT_TRUE(Run(control().AddMembers(group, {c})).ok());
  EXPECT_EQ(CodeOf(Of(AspectOperation::kCopyToTarget, {{aspect, {}}})), Code::kInvalidState) << "other members";
  ASSERT_TRUE(Run(control().DeleteGroup(group, true)).ok());
  EXPECT_EQ(CodeOf(Of(AspectOperation::kDelete, {{aspect, {}}})), Code::kNotFound) << "seen from the volumes now";
  ASSERT_TRUE(Do(Of(AspectOperation::kDelete, {{aspect, a}})).ok());
  EXPECT_TRUE(control().Aspect(aspect).ok()) << "it is about b, too";
  ASSERT_TRUE(Do(Of(AspectOperation::kDelete, {{aspect, b}})).ok());
  EXPECT_FALSE(control().Aspect(aspect).ok());
  EXPECT_EQ(PointsInEngine(), 0u);
}

TEST_F(AspectsTest, AListIsShownTogetherOrNotAtAll) {
  const VolumeId a = Volume("a"), b = Volume("b");
  Write(a, '1');
  const AspectId first = Aspect(a), second = Aspect(b);
  Write(a, '2');
  ModifyAspectsRequest list = Of(AspectOperation::kCopyToTarget, {{first, a}, {second, b}});
  list.as_list = true;
  list.element_names = {"x", "a"};
  EXPECT_EQ(CodeOf(list), Code::kAlreadyExists);
  EXPECT_EQ(control().Relationships().size(), 0u);
  list.element_names = {"x"};
  list.options.settings.desired_copy_methodology = catalog::CopyMethodology::kFullCopy;
  const ModifyAspectsResult made = Must(Do(list));
  EXPECT_EQ(made.pairs.size(), 2u);
  ASSERT_TRUE(made.job);
  EXPECT_EQ(control().Job(*made.job)->relationships.size(), 2u) << "one job for all";
  ASSERT_TRUE(Run(control().WaitForJob(*made.job)).ok());
  EXPECT_EQ(Read(made.target_elements[0]), '1');
  ModifyAspectsRequest restore = Of(AspectOperation::kRestore, {{first, a}});
  restore.as_list = true;
  EXPECT_EQ(CodeOf(restore), Code::kInvalidArgument) << "not an operation on lists";
  EXPECT_EQ(CodeOf(Of(AspectOperation::kDetach, {{first, a}})), Code::kNotSupported);
  ModifyAspectsRequest several = Of(AspectOperation::kCopyToTarget, {{first, a}});
  several.target_element_count = 3;
  const ModifyAspectsResult copies = Must(Do(several));
  EXPECT_EQ(copies.pairs.size(), 3u);
  EXPECT_EQ(copies.groups.size(), 1u) << "one to many";
}

TEST_F(AspectsTest, WrongRequestsChangeNothing) {
  const VolumeId a = Volume("a");
  const GroupId empty = Group("empty", {}), full = Group("full", {a});
  CreateAspectRequest request;
  EXPECT_EQ(Run(control().CreateAspect(request)).status().code(), Code::kInvalidArgument) << "no source";
  request.source_group = empty;
  EXPECT_EQ(Run(control().CreateAspect(request)).status().code(), Code::kInvalidArgument) << "no members";
  request.source_group = full;
  request.source_element = a;
  EXPECT_EQ(Run(control().CreateAspect(request)).status().code(), Code::kInvalidArgument) << "both";
  request.source_group.reset();
  request.consistency = 3;
  EXPECT_EQ(Run(control().CreateAspect(request)).status().code(), Code::kInvalidArgument) << "of one volume";
  request.consistency.reset();
  request.sync_type = SyncType::kMirror;
  EXPECT_EQ(Run(control().CreateAspect(request)).status().code(), Code::kNotSupported);
  EXPECT_TRUE(control().Aspects().empty());
  const AspectId aspect = Aspect(a, "n");
  request.sync_type = SyncType::kSnapshot;
  request.name = "n";
  EXPECT_EQ(Run(control().CreateAspect(request)).status().code(), Code::kAlreadyExists);
  EXPECT_EQ(CodeOf(Of(AspectOperation::kActivateConsistency, {{aspect, a}})), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(Of(static_cast<AspectOperation>(9), {{aspect, a}})), Code::kInvalidArgument);
  ModifyAspectsRequest both = Of(AspectOperation::kCopyToTarget, {{aspect, a}});
  both.target_element_count = 1;
  both.target_elements = {Volume("t")};
  EXPECT_EQ(CodeOf(both), Code::kInvalidArgument);
  EXPECT_EQ(PointsInEngine(), 1u);
  Restart();
  EXPECT_EQ(control().Aspect(aspect)->name, "n");
}

TEST_F(AspectsTest, PairsBecomeAGroupAndAGroupGetsPairs) {
  const VolumeId a = Volume("a"), b = Volume("b"), c = Volume("c");
  const ReplicaResult one = Must(Replicate(SyncType::kSnapshot, a)), two = Must(Replicate(SyncType::kSnapshot, b));
  GroupFromPairsRequest request;
  request.relationship_name = "r";
  request.pairs = {one.synchronization, two.synchronization};
  const GroupReplicaResult made = Must(Run(control().CreateGroupFromPairs(request)));
  EXPECT_EQ(control().Group(*made.source_group)->members, (std::vector{a, b}));
  EXPECT_EQ(control().Group(made.target_group)->members, (std::vector{one.target_element, two.target_element}));
  EXPECT_FALSE(control().Group(made.target_group)->consistent_point_in_time) << "two points";
  EXPECT_EQ(Run(control().CreateGroupFromPairs(request)).status().code(), Code::kAlreadyExists) << "the name";
  request.relationship_name = "s";
  EXPECT_EQ(Run(control().CreateGroupFromPairs(request)).status().code(), Code::kInUse) << "in a group already";
  EXPECT_EQ(control().Groups().size(), 2u) << "nothing is left of what was refused";

  AddElementsRequest add;
  add.synchronized = made.synchronization;
  add.source_elements = {a};
  EXPECT_EQ(Run(control().AddElementsToGroup(add)).status().code(), Code::kInvalidArgument) << "a source already";
  add.source_elements = {c};
  const ListReplicaResult added = Must(Run(control().AddElementsToGroup(add)));
  ASSERT_EQ(added.synchronizations.size(), 1u);
  const GroupRelationshipView view = *control().GroupRelationship(made.synchronization);
  EXPECT_EQ(view.pairs.size(), 3u);
  EXPECT_EQ(view.state, CopyState::kSynchronized);
  EXPECT_EQ(control().Group(*made.source_group)->members.size(), 3u);
  ASSERT_TRUE(Modify(made.synchronization, Operation::kResyncReplica).ok());
  EXPECT_EQ(PointsInEngine(), 1u) << "one instant from now on";
  ASSERT_TRUE(Modify(made.synchronization, Operation::kActivateConsistency).ok());
  add.source_elements = {Volume("d")};
  EXPECT_EQ(Run(control().AddElementsToGroup(add)).status().code(), Code::kInvalidState) << "another instant";
  add.options.settings.consistency_exempt = true;
  ASSERT_TRUE(Run(control().AddElementsToGroup(add)).ok());
  EXPECT_EQ(control().GroupRelationship(made.synchronization)->consistency_state, 3);
}

TEST_F(AspectsTest, ADifferentKindOfPairDoesNotJoin) {
  const VolumeId a = Volume("a"), b = Volume("b");
  GroupFromPairsRequest request;
  request.pairs = {Must(Replicate(SyncType::kSnapshot, a)).synchronization,
                   Must(Replicate(SyncType::kClone, b)).synchronization};
  EXPECT_EQ(Run(control().CreateGroupFromPairs(request)).status().code(), Code::kInvalidArgument);
  request.pairs = {request.pairs[0], request.pairs[0]};
  EXPECT_EQ(Run(control().CreateGroupFromPairs(request)).status().code(), Code::kInvalidArgument);
  request.pairs = {};
  EXPECT_EQ(Run(control().CreateGroupFromPairs(request)).status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(control().Groups().empty());
}

TEST_F(AspectsTest, OneJobFollowsPairsThatBecomeAGroup) {
  const VolumeId a = Volume("a"), b = Volume("b");
  GroupFromPairsRequest request;
  request.pairs = {Must(FullClone(a)).synchronization, Must(FullClone(b)).synchronization};
  request.wait_for_copy_state = CopyState::kSynchronized;
  const GroupReplicaResult made = Must(Run(control().CreateGroupFromPairs(request)));
  ASSERT_TRUE(made.job);
  const catalog::JobRecord done = Must(Run(control().WaitForJob(*made.job)));
  EXPECT_EQ(done.state, catalog::JobState::kCompleted);
  EXPECT_EQ(done.relationships.size(), 2u);
  EXPECT_EQ(done.group_relationship, made.synchronization);
  EXPECT_EQ(control().GroupRelationship(made.synchronization)->state, CopyState::kSynchronized);
}

TEST_F(AspectsTest, WhatTargetsHoldIsConfirmedWhenItIsThere) {
  const VolumeId a = Volume("a", 8 * kMiB);
  const ReplicaResult made = Must(FullClone(a));
  const std::optional<JobId> job = Must(Run(control().ConfirmTargetData(made.synchronization, 0)));
  ASSERT_TRUE(job) << "it is being copied";
  EXPECT_EQ(Run(control().ConfirmTargetData(made.synchronization, 1)).status().code(), Code::kTimeout);
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kUnsynchronized);
  const Result<std::optional<JobId>> waited = Run(control().ConfirmTargetData(made.synchronization, 3600'000'000));
  ASSERT_TRUE(waited.ok()) << waited.status().ToString();
  EXPECT_FALSE(*waited);
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kSynchronized);
  ASSERT_TRUE(Modify(made.synchronization, Operation::kFracture).ok());
  EXPECT_EQ(Run(control().ConfirmTargetData(made.synchronization, 0)).status().code(), Code::kInvalidState);
  EXPECT_EQ(Run(control().ConfirmTargetData(RelationshipId(), 0)).status().code(), Code::kNotFound);
}

TEST_F(AspectsTest, OnlyWhatCanBeATargetIsOffered) {
  const VolumeId a = Volume("a"), free = Volume("free"), small = Volume("small", 4096);
  const VolumeId busy = Volume("busy");
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a));
  node_->exports().connections[busy] = 1;
  EXPECT_TRUE(control().MayPair(a, free).ok());
  EXPECT_EQ(control().MayPair(a, small).code(), Code::kInvalidArgument);
  EXPECT_EQ(control().MayPair(a, busy).code(), Code::kInUse);
  EXPECT_EQ(control().MayPair(a, made.target_element).code(), Code::kInUse);
  EXPECT_EQ(control().MayPair(a, a).code(), Code::kInvalidArgument);
  EXPECT_EQ(control().MayPair(free, a).code(), Code::kInUse) << "a source of others";
  EXPECT_EQ(control().MayPair(made.target_element, a).code(), Code::kInvalidArgument) << "it comes from there";
}

}  // namespace
}  // namespace lockstep::control
