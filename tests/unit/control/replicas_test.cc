// Goal: replicas of elements, lists and groups come out as asked, and every rule on the parameters is kept.

#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

using catalog::CopyMethodology;
using ReplicasTest = ControlTest;

TEST_F(ReplicasTest, ASnapshotHoldsTheContentOfItsMomentAndIsWritable) {
  const VolumeId a = Volume("a");
  Write(a, '1');
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a));
  Write(a, '2');
  EXPECT_EQ(Read(made.target_element), '1');
  Write(made.target_element, '3');
  EXPECT_EQ(Read(a), '2');
  EXPECT_FALSE(made.job);
  const RelationshipView view = *control().Relationship(made.synchronization);
  EXPECT_EQ(view.record.state, CopyState::kSynchronized);
  EXPECT_EQ(view.record.mode, catalog::Mode::kSynchronous);
  EXPECT_EQ(view.percent_synced, 100);
  EXPECT_EQ(view.sync_state, 11);
  EXPECT_EQ(view.copy_type, 4);
  EXPECT_EQ(control().Volume(made.target_element)->record.name, "a_snapshot_1");
  EXPECT_EQ(control().RelationshipOf(a, made.target_element)->record.id, made.synchronization);
}

TEST_F(ReplicasTest, ACloneWithoutFullCopyIsSynchronizedAtOnce) {
  const VolumeId a = Volume("a");
  const ReplicaResult made = Must(Replicate(SyncType::kClone, a));
  EXPECT_FALSE(made.job);
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kSynchronized);
  EXPECT_EQ(control().Relationship(made.synchronization)->record.mode, catalog::Mode::kAsynchronous);
  EXPECT_EQ(control().Relationship(made.synchronization)->sync_state, 6);
}

TEST_F(ReplicasTest, ASuppliedTargetTakesTheContent) {
  const VolumeId a = Volume("a"), b = Volume("b", 2 * kMiB);
  Write(a, '1');
  Write(b, 'x');
  CreateElementReplicaRequest request{{}, "", a, b};
  EXPECT_EQ(Must(Run(control().CreateElementReplica(request))).target_element, b);
  EXPECT_EQ(Read(b), '1');
  EXPECT_EQ(control().Volume(b)->record.size, 2 * kMiB);
}

TEST_F(ReplicasTest, TargetsThatCannotBeAreRefused) {
  const VolumeId a = Volume("a"), b = Volume("b"), c = Volume("c"), small = Volume("small", 4096);
  const auto code = [&](VolumeId source, VolumeId target) {
    return Run(control().CreateElementReplica({{}, "", source, target})).status().code();
  };
  EXPECT_EQ(code(a, a), Code::kInvalidArgument) << "itself";
  EXPECT_EQ(code(a, small), Code::kInvalidArgument) << "too small";
  EXPECT_EQ(code(a, VolumeId{env_.random().NextUuid()}), Code::kNotFound);
  EXPECT_EQ(code(VolumeId{env_.random().NextUuid()}, b), Code::kNotFound);
  node_->exports().connections[b] = 1;
  EXPECT_EQ(code(a, b), Code::kInUse) << "exposed to a host";
  node_->exports().connections.clear();
  ASSERT_EQ(code(a, b), Code::kOk);
  EXPECT_EQ(code(c, b), Code::kInUse) << "a target already";
  EXPECT_EQ(code(c, a), Code::kInUse) << "a source";
  EXPECT_EQ(code(b, a), Code::kInvalidArgument) << "a cycle";
  EXPECT_EQ(code(b, c), Code::kOk) << "multi-hop";
  EXPECT_EQ(code(c, a), Code::kInvalidArgument) << "a longer cycle";
}

TEST_F(ReplicasTest, TheOptionsKeepTheirRules) {
  const VolumeId a = Volume("a"), b = Volume("b");
  const PoolId other = Must(Run(control().CreatePool({"q", "/dev/q", kMiB})));
  const auto code = [&](SyncType type, auto change, bool supplied = false) {
    CreateElementReplicaRequest request{{}, "", a, {}};
    if (supplied) request.target_element = b;
    request.options.sync_type = type;
    change(request);
    return Run(control().CreateElementReplica(request)).status().code();
  };
  using R = CreateElementReplicaRequest;
  const SyncType s = SyncType::kSnapshot;
  const auto nothing = [](R&) {};
  EXPECT_EQ(code(SyncType::kMirror, nothing), Code::kNotSupported);
  EXPECT_EQ(code(SyncType::kTokenizedClone, nothing), Code::kNotSupported);
  EXPECT_EQ(code(static_cast<SyncType>(5), nothing), Code::kInvalidArgument);
  EXPECT_EQ(code(s, [](R& r) { r.options.mode = catalog::Mode::kAdaptive; }), Code::kNotSupported);
  EXPECT_EQ(code(s, [](R& r) { r.options.mode = static_cast<catalog::Mode>(9); }), Code::kInvalidArgument);
  EXPECT_EQ(code(s, [](R& r) { r.options.has_target_setting_goal = true; }, true), Code::kInvalidArgument);
  EXPECT_EQ(code(s, [&](R& r) { r.options.target_pool = pool_; }, true), Code::kInvalidArgument);
  EXPECT_EQ(code(s, [&](R& r) { r.options.target_pool = other; }), Code::kNotSupported);
  EXPECT_EQ(code(s, [](R& r) { r.options.has_collections = true; }), Code::kNotSupported);
  EXPECT_EQ(code(s, [](R& r) { r.options.settings.target_element_supplier = 5; }), Code::kInvalidArgument);
  EXPECT_EQ(code(s, [](R& r) { r.options.settings.target_element_supplier = 1; }), Code::kNotSupported);
  EXPECT_EQ(code(s, [](R& r) { r.options.settings.target_element_supplier = 6; }), Code::kInvalidArgument);
  EXPECT_EQ(code(s, [](R& r) { r.options.settings.on_group_or_list_error = 2; }), Code::kNotSupported);
  EXPECT_EQ(code(s, [](R& r) { r.options.settings.auto_delete = true; }), Code::kNotSupported);
  EXPECT_EQ(code(s, [](R& r) { r.options.wait_for_copy_state = CopyState::kFractured; }), Code::kInvalidArgument);
  EXPECT_EQ(code(s, [](R& r) { r.element_name = "b"; }), Code::kAlreadyExists);
  EXPECT_EQ(code(s, [](R& r) { r.element_name = "x"; }, true), Code::kInvalidArgument);
  EXPECT_EQ(control().Relationships().size(), 0u);
  EXPECT_EQ(PointsInEngine(), 0u);
  EXPECT_EQ(code(s, [&](R& r) { r.options.target_pool = pool_; r.element_name = "x"; }), Code::kOk);
}

TEST_F(ReplicasTest, AStoppedReplicaStartsWithActivate) {
  const VolumeId a = Volume("a");
  for (const CopyState wait : {CopyState::kInitialized, CopyState::kInactive, CopyState::kPrepared}) {
    ReplicaOptions options;
    options.wait_for_copy_state = wait;
    const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a, options));
    EXPECT_EQ(StateOf(made.synchronization), wait);
    EXPECT_FALSE(control().Volume(made.target_element)->host_accessible);
    Write(a, '5');
    ASSERT_TRUE(Modify(made.synchronization, Operation::kActivate).ok());
    EXPECT_EQ(StateOf(made.synchronization), CopyState::kSynchronized);
    EXPECT_EQ(Read(made.target_element), '5');
  }
}

TEST_F(ReplicasTest, AListIsOnePoint) {
  const VolumeId a = Volume("a"), b = Volume("b");
  CreateListReplicaRequest request;
  request.source_elements = {a, b};
  request.element_names = {"a1"};
  const ListReplicaResult made = Must(Run(control().CreateListReplica(request)));
  ASSERT_EQ(made.target_elements.size(), 2u);
  EXPECT_EQ(control().Volume(made.target_elements[0])->record.name, "a1");
  EXPECT_EQ(control().Volume(made.target_elements[1])->record.name, "b_snapshot_1");
  EXPECT_EQ(PointsInEngine(), 1u);
  EXPECT_EQ(control().Points().front().relationships.size(), 2u);
}

TEST_F(ReplicasTest, AListWithOneBadMemberDoesNothing) {
  const VolumeId a = Volume("a"), b = Volume("b"), c = Volume("c"), small = Volume("small", 4096);
  CreateListReplicaRequest request;
  request.source_elements = {a, b};
  request.target_elements = {c, small};
  EXPECT_EQ(Run(control().CreateListReplica(request)).status().code(), Code::kInvalidArgument);
  request.target_elements = {c};
  EXPECT_EQ(Run(control().CreateListReplica(request)).status().code(), Code::kInvalidArgument) << "unequal";
  request.target_elements = {c, c};
  EXPECT_EQ(Run(control().CreateListReplica(request)).status().code(), Code::kInvalidArgument) << "twice";
  EXPECT_EQ(control().Relationships().size(), 0u);
  request.target_elements = {c};
  request.options.settings.unequal_lists_action = 3;
  EXPECT_EQ(Must(Run(control().CreateListReplica(request))).synchronizations.size(), 1u);
}

TEST_F(ReplicasTest, AGroupReplicaHasGroupsPairsAndNames) {
  const VolumeId a = Volume("a"), b = Volume("b");
  Write(a, '1');
  Write(b, '2');
  const GroupId group = Group("g", {b, a});
  CreateGroupReplicaRequest request;
  request.relationship_name = "nightly";
  request.consistency = 3;
  const GroupReplicaResult made = Must(ReplicateGroup(SyncType::kSnapshot, group, request));
  const GroupRelationshipView view = *control().GroupRelationshipByName("nightly");
  EXPECT_EQ(view.record.id, made.synchronization);
  EXPECT_EQ(view.state, CopyState::kSynchronized);
  EXPECT_EQ(view.percent_synced, 100);
  EXPECT_EQ(view.consistency_state, 3);
  ASSERT_EQ(view.pairs.size(), 2u);
  const catalog::GroupRecord targets = *control().Group(made.target_group);
  ASSERT_EQ(targets.members.size(), 2u);
  EXPECT_TRUE(targets.consistent_point_in_time);
  EXPECT_EQ(control().Volume(targets.members[0])->record.name, "nightly_1");
  EXPECT_EQ(Read(targets.members[0]), '2') << "the group's order";
  EXPECT_EQ(Read(targets.members[1]), '1');
  EXPECT_EQ(PointsInEngine(), 1u);
  EXPECT_EQ(ReplicateGroup(SyncType::kSnapshot, group, request).status().code(), Code::kAlreadyExists);
}

TEST_F(ReplicasTest, GroupParametersKeepTheirRules) {
  const VolumeId a = Volume("a"), b = Volume("b"), c = Volume("c");
  const GroupId group = Group("g", {a, b}), empty = Group("empty", {}), one = Group("one", {c});
  const auto code = [&](auto change) {
    CreateGroupReplicaRequest request;
    change(request);
    return Run(control().CreateGroupReplica(request)).status().code();
  };
  using R = CreateGroupReplicaRequest;
  EXPECT_EQ(code([](R&) {}), Code::kInvalidArgument) << "neither source";
  EXPECT_EQ(code([&](R& r) { r.source_group = group, r.source_element = a; }), Code::kInvalidArgument) << "both";
  EXPECT_EQ(code([&](R& r) { r.source_group = group, r.target_element_count = 2; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.source_element = a, r.target_element_count = 2, r.target_group = one; }),
            Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.source_element = a, r.target_element_count = 0; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.source_group = empty; }), Code::kInvalidArgument) << "nothing to copy";
  EXPECT_EQ(code([&](R& r) { r.source_group = group, r.target_group = group; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.source_group = group, r.target_group = one; }), Code::kInvalidArgument) << "unequal";
  EXPECT_EQ(code([&](R& r) { r.source_group = group, r.consistency = 4; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.source_group = group, r.target_group = one, r.options.target_pool = pool_; }),
            Code::kInvalidArgument);
  ASSERT_TRUE(Run(control().ModifyGroup({group, {}, {}, {}, {}, catalog::ReservedAs::kTargetOnly})).ok());
  EXPECT_EQ(code([&](R& r) { r.source_group = group; }), Code::kInvalidArgument) << "reserved";
  EXPECT_EQ(control().Relationships().size(), 0u);
  EXPECT_EQ(control().Groups().size(), 3u);
  ASSERT_TRUE(Run(control().ModifyGroup({group, {}, {}, {}, {}, catalog::ReservedAs::kSourceOnly})).ok());
  EXPECT_EQ(code([&](R& r) { r.source_group = group, r.target_group = empty; }), Code::kOk);
  EXPECT_EQ(control().Group(empty)->members.size(), 2u) << "targets are appended to an empty group";
  EXPECT_EQ(code([&](R& r) { r.source_group = group, r.target_group = empty; }), Code::kInUse);
}

TEST_F(ReplicasTest, OneSourceCanHaveManyTargetsAtOnce) {
  const VolumeId a = Volume("a");
  CreateGroupReplicaRequest request;
  request.source_element = a;
  request.target_element_count = 3;
  const GroupReplicaResult made = Must(Run(control().CreateGroupReplica(request)));
  EXPECT_EQ(made.pairs.size(), 3u);
  EXPECT_FALSE(made.source_group);
  EXPECT_EQ(PointsInEngine(), 1u);
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kRestoreFromReplica), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kResyncReplica), Code::kOk);
  EXPECT_EQ(CodeOf(made.pairs[1], Operation::kRestoreFromReplica), Code::kOk);
}

TEST_F(ReplicasTest, AGroupOverTwoPoolsIsNotSupported) {
  const PoolId other = Must(Run(control().CreatePool({"q", "/dev/q", kMiB})));
  const VolumeId a = Volume("a"), b = Must(Run(control().CreateVolumes({other, "b", 4096, 1}))).front();
  EXPECT_EQ(ReplicateGroup(SyncType::kSnapshot, Group("g", {a, b})).status().code(), Code::kNotSupported);
  EXPECT_EQ(Run(control().CreateElementReplica({{}, "", b, a})).status().code(), Code::kNotSupported);
}

TEST_F(ReplicasTest, ElementsBecomeGroupsAndReplicasInOneCall) {
  const VolumeId a = Volume("a"), b = Volume("b");
  CreateGroupReplicaFromElementsRequest request;
  request.source_elements = {a, b};
  request.source_group_name = "src";
  request.target_group_name = "tgt";
  request.target_element_names = {"a_copy"};
  const GroupReplicaResult made = Must(Run(control().CreateGroupReplicaFromElements(request)));
  EXPECT_EQ(control().GroupByName("src")->members, (std::vector{a, b}));
  EXPECT_EQ(control().GroupByName("tgt")->members, made.target_elements);
  EXPECT_EQ(control().Volume(made.target_elements[0])->record.name, "a_copy");
  EXPECT_EQ(control().Volume(made.target_elements[1])->record.name, "src_snapshot_1");
}

TEST_F(ReplicasTest, FromElementsKeepsItsRulesAndLeavesNoGroupBehind) {
  const VolumeId a = Volume("a"), b = Volume("b"), c = Volume("c"), d = Volume("d");
  const GroupId empty = Group("empty", {}), same = Group("same", {b, a}), other = Group("other", {c});
  const auto code = [&](auto change) {
    CreateGroupReplicaFromElementsRequest request;
    request.source_elements = {a, b};
    change(request);
    return Run(control().CreateGroupReplicaFromElements(request)).status().code();
  };
  using R = CreateGroupReplicaFromElementsRequest;
  EXPECT_EQ(code([](R& r) { r.source_elements.clear(); }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.source_elements = {a, a}; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.source_group = other; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.source_group = empty, r.target_group = empty; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.target_pools = {pool_}, r.options.target_pool = pool_; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.target_elements = {c}; }), Code::kInvalidArgument) << "unequal";
  EXPECT_EQ(code([&](R& r) { r.target_elements = {c, d}, r.target_element_names = {"x"}; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](R& r) { r.target_element_names = {"a"}; }), Code::kAlreadyExists);
  EXPECT_EQ(code([&](R& r) { r.target_elements = {a, b}; }), Code::kInvalidArgument) << "sources as targets";
  EXPECT_EQ(control().Groups().size(), 3u);
  EXPECT_EQ(code([&](R& r) { r.source_group = same, r.target_elements = {c, d}; }), Code::kOk);
  EXPECT_EQ(control().Relationship(control().Volume(c)->target_of.value())->record.source, a);
  EXPECT_EQ(code([&](R& r) { r.source_group = empty, r.target_pools = {pool_}; }), Code::kOk);
  EXPECT_EQ(control().Group(empty)->members.size(), 2u);
}

TEST_F(ReplicasTest, GroupsKeepTheirRules) {
  const VolumeId a = Volume("a"), b = Volume("b"), c = Volume("c");
  const GroupId group = Group("g", {a});
  EXPECT_EQ(Run(control().CreateGroup({"g", {}, {}, {}, {}, {}})).status().code(), Code::kAlreadyExists);
  EXPECT_EQ(Run(control().CreateGroup({{}, {a, a}, {}, {}, {}, {}})).status().code(), Code::kInvalidArgument);
  const auto reserved = static_cast<catalog::ReservedAs>(7);
  EXPECT_EQ(Run(control().CreateGroup({{}, {}, {}, {}, {}, reserved})).status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(Run(control().AddMembers(group, {b, a})).ok());
  EXPECT_EQ(control().Group(group)->members, (std::vector{a, b}));
  EXPECT_EQ(Run(control().AddMembers(group, {})).code(), Code::kInvalidArgument);
  EXPECT_EQ(Run(control().AddMembers(GroupId{}, {a})).code(), Code::kNotFound);
  EXPECT_EQ(Run(control().RemoveMembers(group, {c}, {})).code(), Code::kInvalidState);
  EXPECT_EQ(Run(control().DeleteGroup(group, false)).code(), Code::kInUse);
  const GroupReplicaResult made = Must(ReplicateGroup(SyncType::kSnapshot, group));
  EXPECT_EQ(Run(control().DeleteGroup(group, true)).code(), Code::kInvalidState);
  EXPECT_EQ(Run(control().AddMembers(group, {c})).code(), Code::kInUse);
  EXPECT_TRUE(Run(control().AddMembers(group, {a})).ok()) << "already a member";
  EXPECT_EQ(Run(control().RemoveMembers(group, {a}, {})).code(), Code::kInUse);
  ASSERT_TRUE(Modify(made.synchronization, Operation::kReturnToResourcePool).ok());
  EXPECT_TRUE(Run(control().RemoveMembers(group, {a}, {})).ok());
  EXPECT_TRUE(Run(control().RemoveMembers(group, {b}, true)).ok());
  EXPECT_FALSE(control().Group(group).ok()) << "the last member left, and the call said so";
}

TEST_F(ReplicasTest, TheExportOfATargetFollowsItsState) {
  const VolumeId a = Volume("a");
  ReplicaOptions options;
  options.settings.read_only = catalog::ReadOnlyEnd::kSyncedElement;
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a, options));
  Must(Run(control().CreateExport({made.target_element, "t", false})));
  EXPECT_TRUE(node_->exports().published["t"].read_only) << "the relationship says so";
  ASSERT_TRUE(Modify(made.synchronization, Operation::kDeactivate).ok());
  EXPECT_FALSE(node_->exports().published.contains("t"));
  ASSERT_TRUE(Modify(made.synchronization, Operation::kActivate).ok());
  EXPECT_TRUE(node_->exports().published.contains("t"));
  ASSERT_TRUE(Modify(made.synchronization, Operation::kDetach).ok());
  EXPECT_FALSE(node_->exports().published["t"].read_only);
}

TEST_F(ReplicasTest, FiltersAreANDed) {
  const VolumeId a = Volume("a");
  Must(Replicate(SyncType::kSnapshot, a));
  const ReplicaResult clone = Must(Replicate(SyncType::kClone, a));
  Must(ReplicateGroup(SyncType::kClone, Group("g", {a})));
  ASSERT_TRUE(Modify(clone.synchronization, Operation::kSplit).ok());
  EXPECT_EQ(control().Relationships().size(), 3u);
  RelationshipFilter filter;
  filter.sync_type = SyncType::kClone;
  EXPECT_EQ(control().Relationships(filter).size(), 2u);
  EXPECT_EQ(control().GroupRelationships(filter).size(), 1u);
  filter.copy_state = CopyState::kSplit;
  EXPECT_EQ(control().Relationships(filter).size(), 1u);
  EXPECT_EQ(control().GroupRelationships(filter).size(), 0u);
  filter.locality = 3;
  EXPECT_EQ(control().Relationships(filter).size(), 0u);
  EXPECT_EQ(control().Relationships({RelationshipType::kGroupSynchronized, {}, {}, {}, {}}).size(), 0u);
}

}  // namespace
}  // namespace lockstep::control
