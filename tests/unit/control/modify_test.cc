// Goal: every operation of ModifyReplicaSynchronization does to bytes, points and records what the table says, on
// pairs, groups and lists; and is refused where the table says so.

#include "replication/capabilities.h"
#include "replication/table.h"
#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

using ModifyTest = ControlTest;

TEST_F(ModifyTest, ResyncMakesASnapshotOfNow) {
  const VolumeId a = Volume("a");
  Write(a, '1');
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a));
  Write(a, '2');
  Write(made.target_element, 'x');
  ASSERT_TRUE(Modify(made.synchronization, Operation::kResyncReplica).ok());
  EXPECT_EQ(Read(made.target_element), '2');
  EXPECT_EQ(PointsInEngine(), 1u) << "the old point is released";
}

TEST_F(ModifyTest, RestoreBringsTheSourceBackAndResyncGoesOn) {
  const VolumeId a = Volume("a");
  Write(a, '1');
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a));
  Write(a, '2');
  ASSERT_TRUE(Modify(made.synchronization, Operation::kRestoreFromReplica).ok());
  EXPECT_EQ(Read(a), '1');
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kRestored);
  EXPECT_EQ(PointsInEngine(), 1u);
  Write(a, '3');
  EXPECT_EQ(Read(made.target_element), '1');
  ASSERT_TRUE(Modify(made.synchronization, Operation::kResyncReplica).ok());
  EXPECT_EQ(Read(made.target_element), '3');
}

TEST_F(ModifyTest, AGroupIsResyncedAndRestoredAtOnePoint) {
  const VolumeId a = Volume("a"), b = Volume("b");
  Write(a, '1'), Write(b, '1');
  const GroupReplicaResult made = Must(ReplicateGroup(SyncType::kClone, Group("g", {a, b})));
  Write(a, '2'), Write(b, '2');
  ASSERT_TRUE(Modify(made.synchronization, Operation::kResyncReplica).ok());
  EXPECT_EQ(PointsInEngine(), 1u);
  Write(a, '3'), Write(b, '3');
  ASSERT_TRUE(Modify(made.synchronization, Operation::kRestoreFromReplica).ok());
  EXPECT_EQ(Read(a), '2');
  EXPECT_EQ(Read(b), '2');
  EXPECT_EQ(control().GroupRelationship(made.synchronization)->state, CopyState::kRestored);
}

TEST_F(ModifyTest, DetachForgetsAndKeepsTheData) {
  const VolumeId a = Volume("a");
  Write(a, '1');
  const ReplicaResult made = Must(Replicate(SyncType::kClone, a));
  ASSERT_TRUE(Modify(made.synchronization, Operation::kDetach).ok());
  EXPECT_FALSE(control().Relationship(made.synchronization).ok());
  EXPECT_EQ(Read(made.target_element), '1');
  EXPECT_EQ(PointsInEngine(), 0u);
  EXPECT_TRUE(Run(control().DeleteVolume(a)).ok());
  EXPECT_EQ(Read(made.target_element), '1');
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kDetach), Code::kNotFound);
}

TEST_F(ModifyTest, DissolveLeavesAnAspectThatHoldsThePoint) {
  const VolumeId a = Volume("a"), b = Volume("b");
  const GroupId group = Group("g", {a, b});
  const GroupReplicaResult made = Must(ReplicateGroup(SyncType::kSnapshot, group));
  const ModifyResult result = Must(Modify(made.synchronization, Operation::kDissolve));
  ASSERT_EQ(result.settings_states.size(), 1u);
  const catalog::AspectRecord aspect = *control().Aspect(result.settings_states.front());
  EXPECT_EQ(aspect.source_group, group);
  EXPECT_EQ(aspect.sources, (std::vector{a, b}));
  EXPECT_EQ(PointsInEngine(), 1u);
  EXPECT_EQ(control().Points().front().aspects.size(), 1u);
  EXPECT_EQ(control().GroupRelationships().size(), 0u);
  ASSERT_TRUE(Run(control().DeleteAspect(aspect.id)).ok());
  EXPECT_EQ(PointsInEngine(), 0u);
}

TEST_F(ModifyTest, ReturnToResourcePoolDeletesTargetsTheirExportsAndTheirGroup) {
  const VolumeId a = Volume("a");
  const GroupReplicaResult made = Must(ReplicateGroup(SyncType::kSnapshot, Group("g", {a})));
  Must(Run(control().CreateExport({made.target_elements[0], "t", false})));
  node_->exports().connections[made.target_elements[0]] = 1;
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kReturnToResourcePool), Code::kInUse);
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kReturnToResourcePool, true), Code::kOk);
  EXPECT_TRUE(node_->exports().published.empty());
  EXPECT_EQ(VolumesInEngine(), 1u);
  EXPECT_EQ(PointsInEngine(), 0u);
  EXPECT_FALSE(control().Group(made.target_group).ok());
}

TEST_F(ModifyTest, DeactivateDropsASnapshotsContent) {
  const VolumeId a = Volume("a");
  Write(a, '1');
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a));
  ASSERT_TRUE(Modify(made.synchronization, Operation::kDeactivate).ok());
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kInactive);
  EXPECT_EQ(Read(made.target_element), '\0');
  EXPECT_EQ(PointsInEngine(), 0u);
  EXPECT_EQ(VolumesInEngine(), 2u) << "the empty volume that it was made of is gone";
  ASSERT_TRUE(Modify(made.synchronization, Operation::kActivate).ok());
  EXPECT_EQ(Read(made.target_element), '1');
}

TEST_F(ModifyTest, HostsAreNotSurprisedWithoutForce) {
  const VolumeId a = Volume("a");
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a));
  node_->exports().connections[made.target_element] = 1;
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kResyncReplica), Code::kInvalidState);
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kDeactivate), Code::kInvalidState);
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kResyncReplica, true), Code::kOk);
  node_->exports().connections = {{a, 1}};
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kRestoreFromReplica), Code::kInvalidState);
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kRestoreFromReplica, true), Code::kOk);
}

TEST_F(ModifyTest, RestoringOverAnotherTargetNeedsForceAndSkewsIt) {
  const VolumeId a = Volume("a");
  const ReplicaResult first = Must(Replicate(SyncType::kClone, a));
  const ReplicaResult second = Must(Replicate(SyncType::kSnapshot, first.target_element));
  EXPECT_EQ(CodeOf(second.synchronization, Operation::kRestoreFromReplica), Code::kInvalidState);
  EXPECT_EQ(CodeOf(second.synchronization, Operation::kRestoreFromReplica, true), Code::kOk);
  EXPECT_EQ(StateOf(first.synchronization), CopyState::kSkewed);
  EXPECT_EQ(CodeOf(first.synchronization, Operation::kResyncReplica), Code::kOk);
}

TEST_F(ModifyTest, AReplicaGrowsWithItsSource) {
  const VolumeId a = Volume("a");
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, a));
  ASSERT_TRUE(Run(control().ResizeVolume(a, 4 * kMiB)).ok());
  ASSERT_TRUE(Modify(made.synchronization, Operation::kResyncReplica).ok());
  EXPECT_EQ(control().Volume(made.target_element)->record.size, 4 * kMiB);
  EXPECT_EQ(media_["/dev/p"]->now.volumes[made.target_element].size, 4 * kMiB);
}

TEST_F(ModifyTest, ConsistencyIsSwitchedForGroupsOnly) {
  const VolumeId a = Volume("a"), b = Volume("b");
  const GroupReplicaResult made = Must(ReplicateGroup(SyncType::kSnapshot, Group("g", {a, b})));
  EXPECT_EQ(CodeOf(made.pairs[0], Operation::kActivateConsistency), Code::kInvalidArgument);
  ASSERT_EQ(CodeOf(made.synchronization, Operation::kActivateConsistency), Code::kOk);
  EXPECT_TRUE(control().GroupRelationship(made.synchronization)->record.consistency_enabled);
  EXPECT_EQ(CodeOf(made.pairs[0], Operation::kResyncReplica), Code::kInvalidState) << "breaks the group";
  ASSERT_EQ(CodeOf(made.pairs[0], Operation::kResyncReplica, true), Code::kOk);
  EXPECT_EQ(control().GroupRelationship(made.synchronization)->consistency_state, 4);
  ASSERT_EQ(CodeOf(made.synchronization, Operation::kResyncReplica), Code::kOk);
  EXPECT_EQ(control().GroupRelationship(made.synchronization)->consistency_state, 3);
  ASSERT_EQ(CodeOf(made.synchronization, Operation::kDeactivateConsistency), Code::kOk);
  EXPECT_FALSE(control().GroupRelationship(made.synchronization)->record.consistency_enabled);
}

TEST_F(ModifyTest, PairsJoinAndLeaveAGroup) {
  const VolumeId a = Volume("a"), b = Volume("b");
  const GroupId group = Group("g", {a});
  const GroupReplicaResult made = Must(ReplicateGroup(SyncType::kSnapshot, group));
  const ReplicaResult pair = Must(Replicate(SyncType::kSnapshot, b));
  const ReplicaResult clone = Must(Replicate(SyncType::kClone, b));
  const auto change = [&](Operation operation, RelationshipId id, bool force = false) {
    return Run(control().ModifyReplica({operation, made.synchronization, {}, {id}, force, {}})).status().code();
  };
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kAddSyncPair), Code::kInvalidArgument) << "no SyncPair";
  EXPECT_EQ(change(Operation::kAddSyncPair, clone.synchronization), Code::kInvalidArgument) << "another SyncType";
  ASSERT_TRUE(Modify(pair.synchronization, Operation::kSplit).ok());
  EXPECT_EQ(change(Operation::kAddSyncPair, pair.synchronization), Code::kInvalidState) << "another state";
  EXPECT_EQ(change(Operation::kAddSyncPair, pair.synchronization, true), Code::kOk);
  EXPECT_EQ(control().Group(group)->members, (std::vector{a, b}));
  EXPECT_EQ(control().GroupRelationship(made.synchronization)->state, CopyState::kMixed);
  EXPECT_EQ(change(Operation::kResyncReplica, pair.synchronization), Code::kInvalidArgument) << "has no SyncPair";
  EXPECT_EQ(change(Operation::kRemoveSyncPair, clone.synchronization), Code::kInvalidArgument) << "not in it";
  EXPECT_EQ(change(Operation::kRemoveSyncPair, pair.synchronization), Code::kOk);
  EXPECT_EQ(control().Group(group)->members, std::vector{a});
  EXPECT_TRUE(control().Relationship(pair.synchronization)->record.group.IsNil());
}

TEST_F(ModifyTest, AListIsChangedAsAWholeOrNotAtAll) {
  const VolumeId a = Volume("a"), b = Volume("b");
  const RelationshipId one = Must(Replicate(SyncType::kSnapshot, a)).synchronization;
  const RelationshipId two = Must(Replicate(SyncType::kSnapshot, b)).synchronization;
  const RelationshipId clone = Must(Replicate(SyncType::kClone, b)).synchronization;
  const auto change = [&](Operation operation, std::vector<RelationshipRef> refs) {
    return Run(control().ModifyList({operation, std::move(refs), {}, false, {}})).status().code();
  };
  EXPECT_EQ(change(Operation::kSplit, {}), Code::kInvalidArgument);
  EXPECT_EQ(change(Operation::kSplit, {one, clone}), Code::kInvalidArgument) << "two types";
  EXPECT_EQ(change(Operation::kSplit, {one, one}), Code::kInvalidArgument) << "twice";
  EXPECT_EQ(change(Operation::kActivateConsistency, {one, two}), Code::kInvalidArgument);
  ASSERT_TRUE(Modify(two, Operation::kDeactivate).ok());
  EXPECT_EQ(change(Operation::kSplit, {one, two}), Code::kInvalidState);
  EXPECT_EQ(StateOf(one), CopyState::kSynchronized) << "nothing was done";
  ASSERT_TRUE(Modify(two, Operation::kActivate).ok());
  EXPECT_EQ(change(Operation::kSplit, {one, two}), Code::kOk);
  EXPECT_EQ(StateOf(one), CopyState::kSplit);
  EXPECT_EQ(StateOf(two), CopyState::kSplit);
}

TEST_F(ModifyTest, WhatCannotBeWaitedForIsRefused) {
  const RelationshipId id = Must(Replicate(SyncType::kSnapshot, Volume("a"))).synchronization;
  const auto wait = [&](CopyState state) {
    return Run(control().ModifyReplica({Operation::kSplit, id, {}, {}, false, state})).status().code();
  };
  EXPECT_EQ(wait(CopyState::kFractured), Code::kInvalidArgument);
  EXPECT_EQ(wait(CopyState::kSplit), Code::kOk);
  EXPECT_EQ(CodeOf(id, static_cast<Operation>(0x8000)), Code::kInvalidArgument);
}

// The whole table on real relationships: each type is brought into each state that can be made by hand, then each
// operation is tried with and without Force.
class WholeTableTest : public ControlTest, public testing::WithParamInterface<std::pair<SyncType, CopyState>> {
 protected:
  // A relationship in that state, of a source of its own.
  RelationshipId Make(SyncType type, CopyState state, const std::string& name) {
    const VolumeId source = Volume(name);
    const auto after = [&](Operation operation) {
      const RelationshipId id = Must(Replicate(type, source)).synchronization;
      EXPECT_TRUE(Modify(id, operation, true).ok());
      return id;
    };
    switch (state) {
      case CopyState::kInitialized:
      case CopyState::kPrepared:
      case CopyState::kInactive: {
        ReplicaOptions options;
        options.wait_for_copy_state = state;
        return Must(Replicate(type, source, options)).synchronization;
      }
      case CopyState::kFractured: return after(Operation::kFracture);
      case CopyState::kSplit: return after(Operation::kSplit);
      case CopyState::kRestored: return after(Operation::kRestoreFromReplica);
      default: return Must(Replicate(type, source)).synchronization;
    }
  }
};

TEST_P(WholeTableTest, EveryOperationDoesWhatTheTableSays) {
  const auto [type, state] = GetParam();
  int n = 0;
  for (uint16_t number = replication::kFirstOperation; number <= replication::kLastOperation; ++number) {
    const Operation operation = static_cast<Operation>(number);
    for (const bool force : {false, true}) {
      SCOPED_TRACE(testing::Message() << catalog::Name(type) << " " << catalog::Name(state) << " "
                                      << catalog::Name(operation) << (force ? " with Force" : ""));
      const RelationshipId id = Make(type, state, "v" + std::to_string(++n));
      const replication::Verdict verdict = replication::Decide(type, state, operation);
      const Code code = CodeOf(id, operation, force);
      if (verdict.legality == replication::Legality::kNotSupported) {
        EXPECT_EQ(code, Code::kNotSupported);
      } else if (verdict.scopes == replication::Scopes::kGroupOnly) {
        EXPECT_EQ(code, Code::kInvalidArgument);
      } else if (verdict.legality == replication::Legality::kNoOp) {
        EXPECT_EQ(code, Code::kOk);
        EXPECT_EQ(StateOf(id), state);
      } else if (verdict.legality == replication::Legality::kLegal || (force && verdict.next != state &&
                 verdict.legality == replication::Legality::kNeedsForce)) {
        EXPECT_EQ(code, Code::kOk);
        EXPECT_EQ(StateOf(id), verdict.gone ? CopyState::kNotApplicable : verdict.next);
      } else {
        EXPECT_EQ(code, Code::kInvalidState);
        EXPECT_EQ(StateOf(id), state);
      }
    }
  }
  EXPECT_EQ(control().Volumes().size(), VolumesInEngine());
  EXPECT_EQ(control().Points().size(), PointsInEngine());
}

std::vector<std::pair<SyncType, CopyState>> StatesMadeByHand() {
  std::vector<std::pair<SyncType, CopyState>> all;
  for (const SyncType type : {SyncType::kSnapshot, SyncType::kClone}) {
    for (const CopyState state : {CopyState::kInitialized, CopyState::kPrepared, CopyState::kInactive,
                                  CopyState::kSynchronized, CopyState::kFractured, CopyState::kSplit,
                                  CopyState::kRestored}) {
      all.emplace_back(type, state);
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(TypesAndStates, WholeTableTest, testing::ValuesIn(StatesMadeByHand()));

}  // namespace
}  // namespace lockstep::control
