// Points without a target, and group relationships that are made of pairs or get more: as a client sees them.
#include "tests/unit/smis/fixture.h"

namespace lockstep::smis {
namespace {

class Aspects : public SmisTest {
 protected:
  ObjectPath Aspect(const ObjectPath& volume, uint16_t type = 7) {
    Called made = Call(Replication(), "CreateSynchronizationAspect", {{"SyncType", type}, {"SourceElement", volume}});
    EXPECT_EQ(made.code, 0u);
    return made.Ref("SettingsState");
  }
  Called Modify(const ObjectPath& state, uint16_t operation, std::vector<Property> more = {}) {
    more.push_back({"Operation", operation});
    more.push_back({"SettingsState", state});
    return Call(Replication(), "ModifySettingsDefineState", std::move(more));
  }
  ObjectPath Snapshot(const ObjectPath& source) {
    Called made = Call(Replication(), "CreateElementReplica", {{"SyncType", uint16_t{7}}, {"SourceElement", source}});
    EXPECT_EQ(made.code, 0u);
    return made.Ref("Synchronization");
  }
};

TEST_F(Aspects, AnAspectIsMadeShownRestoredAndForgotten) {
  const ObjectPath a = NewVolume("a");
  const ObjectPath state = Aspect(a);
  ASSERT_EQ(GetCode(state), CimCode::kOk);
  const ObjectPath aspect = *Get(state)["SettingData"].AsReference();
  EXPECT_EQ(*Get(aspect)["ElementName"].AsString(), "a");
  EXPECT_EQ(Get(aspect)["SyncState"].AsUnsigned(), 4u);
  EXPECT_EQ(*Get(aspect)["SourceElement"].AsString(), a.ToString());
  Called made = Modify(state, 5, {{"ElementName", "then"}});
  ASSERT_EQ(made.code, 0u) << "Copy To Target";
  EXPECT_EQ(*Get(made.Ref("TargetElement"))["ElementName"].AsString(), "then");
  EXPECT_EQ(Get(made.Ref("Synchronization"))["CopyState"].AsUnsigned(), 4u);
  EXPECT_EQ(Modify(state, 6).code, 1u) << "Detach";
  EXPECT_EQ(Modify(state, 2).code, 5u) << "consistency is of groups";
  EXPECT_EQ(Modify(state, 9).code, 5u);
  EXPECT_EQ(Modify(state, 5, {{"TargetElement", made.Ref("TargetElement")}}).code, 6u);
  EXPECT_EQ(Modify(state, 5, {{"TargetElementCount", uint64_t{2}}, {"TargetElement", a}}).code, 5u);
  EXPECT_EQ(Modify(state, 7).code, 0u) << "Restore";
  EXPECT_EQ(Get(aspect)["SyncState"].AsUnsigned(), 7u);
  EXPECT_EQ(Modify(state, 4).code, 0u) << "Delete";
  EXPECT_EQ(GetCode(state), CimCode::kNotFound);
  EXPECT_EQ(GetCode(aspect), CimCode::kNotFound);
  EXPECT_EQ(Modify(state, 4).code, 5u);
}

TEST_F(Aspects, AListOfAspectsIsShownByOneJob) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b");
  Called made = Call(Replication(), "ModifyListSettingsDefineState",
                     {{"Operation", uint16_t{5}}, {"SettingsStates", Refs({Aspect(a, 8), Aspect(b, 8)})},
                      {"ReplicationSettingData", Settings({{"DesiredCopyMethodology", uint16_t{3}}})},
                      {"WaitForCopyState", uint16_t{4}}});
  ASSERT_EQ(made.code, 4096u);
  EXPECT_EQ(made.Refs("Synchronizations").size(), 2u);
  EXPECT_EQ(made.Refs("TargetElements").size(), 2u);
  EXPECT_EQ(Associated(made.Ref("Job"), "CIM_AffectedJobElement", "CIM_StorageVolume").size(), 2u);
}

TEST_F(Aspects, AGroupsAspectGivesAGroup) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b");
  Called group = Call(Replication(), "CreateGroup", {{"GroupName", "g"}, {"Members", Refs({a, b})}});
  Called made = Call(Replication(), "CreateSynchronizationAspect",
                     {{"Name", "noon"}, {"SyncType", uint16_t{7}}, {"SourceGroup", group.Ref("ReplicationGroup")}});
  ASSERT_EQ(made.code, 0u);
  EXPECT_TRUE(Get(made.Ref("SettingsState"))["ManagedElement"].AsReference()->SameAs(group.Ref("ReplicationGroup")));
  Called copy = Modify(made.Ref("SettingsState"), 5);
  ASSERT_EQ(copy.code, 0u);
  EXPECT_EQ(copy.Ref("Synchronization").class_name, kGroupSynchronizedClass);
  EXPECT_EQ(Associated(copy.Ref("TargetGroup"), "CIM_OrderedMemberOfCollection").size(), 2u);
  EXPECT_EQ(Modify(made.Ref("SettingsState"), 5, {{"TargetElement", a}}).code, 5u) << "it is of a group";
}

TEST_F(Aspects, AspectsAreFoundByWhatTheyAre) {
  const ObjectPath a = NewVolume("a");
  Aspect(a, 7), Aspect(a, 8);
  const auto count = [&](std::vector<Property> filters) {
    Called found = Call(Replication(), "GetSynchronizationAspects", filters);
    Called instances = Call(Replication(), "GetSynchronizationAspectInstances", std::move(filters));
    EXPECT_EQ(found.code, instances.code);
    const Value::Elements* all = instances.out["SynchronizationAspects"].AsArray();
    EXPECT_EQ(all ? all->size() : 0, found.Refs("SynchronizationAspects").size());
    return found.code == 0 ? found.Refs("SynchronizationAspects").size() : 1000 + found.code;
  };
  EXPECT_EQ(count({}), 2u);
  EXPECT_EQ(count({{"SyncType", uint16_t{7}}}), 1u);
  EXPECT_EQ(count({{"SyncState", uint16_t{4}}}), 2u);
  EXPECT_EQ(count({{"SyncState", uint16_t{7}}}), 0u);
  EXPECT_EQ(count({{"Locality", uint16_t{3}}}), 0u);
  EXPECT_EQ(count({{"Mode", uint16_t{3}}, {"SyncType", uint16_t{8}}}), 1u);
  EXPECT_EQ(count({{"SyncState", uint16_t{8}}}), 1005u);
  EXPECT_EQ(count({{"SyncType", uint16_t{5}}}), 1005u);
}

TEST_F(Aspects, PairsBecomeAGroupThatGetsMore) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b"), c = NewVolume("c");
  Called made = Call(Replication(), "CreateGroupReplicaFromElementSynchronizations",
                     {{"RelationshipName", "r"}, {"ElementSynchronizations", Refs({Snapshot(a), Snapshot(b)})},
                      {"SourceGroupName", "src"}});
  ASSERT_EQ(made.code, 0u);
  EXPECT_EQ(*made.out["SourceGroupName"].AsString(), "src");
  EXPECT_EQ(*made.out["TargetGroupName"].AsString(), "r_targets");
  const ObjectPath group = made.Ref("GroupSynchronization");
  EXPECT_EQ(*Get(group)["RelationshipName"].AsString(), "r");
  Called added = Call(Replication(), "AddElementsToGroupSynchronized",
                      {{"Synchronized", group}, {"SourceElements", Refs({c})}});
  ASSERT_EQ(added.code, 0u);
  EXPECT_EQ(added.Refs("Synchronizations").size(), 1u);
  EXPECT_EQ(Associated(made.Ref("SourceGroup"), "CIM_OrderedMemberOfCollection").size(), 3u);
  EXPECT_EQ(Call(Replication(), "AddElementsToGroupSynchronized",
                 {{"Synchronized", added.Refs("Synchronizations")[0]}, {"SourceElements", Refs({c})}})
                .code,
            5u)
      << "a pair is no group";
}

TEST_F(Aspects, DataIsConfirmedAndTargetsAreOffered) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b"), capabilities = Only("CIM_ReplicationServiceCapabilities");
  const ObjectPath pair = Snapshot(a);
  EXPECT_EQ(Call(Replication(), "ConfirmTargetData", {{"Synchronized", pair}}).code, 0u);
  EXPECT_EQ(Call(Replication(), "ConfirmTargetData", {}).code, 5u);
  ASSERT_EQ(Call(Replication(), "ModifyReplicaSynchronization",
                 {{"Operation", uint16_t{12}}, {"Synchronization", pair}})
                .code,
            0u);
  EXPECT_EQ(Call(Replication(), "ConfirmTargetData", {{"Synchronized", pair}}).code, 7u) << "fractured";

  Called offered = Call(Replication(), "GetAvailableTargetElements",
                        {{"SourceElement", a}, {"SyncType", uint16_t{7}}});
  ASSERT_EQ(offered.code, 0u);
  ASSERT_EQ(offered.Refs("Candidates").size(), 1u);
  EXPECT_TRUE(offered.Refs("Candidates")[0].SameAs(b));
  EXPECT_EQ(Call(Replication(), "CreateElementReplica",
                 {{"SyncType", uint16_t{7}}, {"SourceElement", a}, {"TargetElement", b}})
                .code,
            0u);
  offered = Call(Replication(), "GetAvailableTargetElements", {{"SourceElement", a}, {"SyncType", uint16_t{7}}});
  EXPECT_TRUE(offered.Refs("Candidates").empty());
  EXPECT_EQ(Call(Replication(), "GetAvailableTargetElements", {{"SourceElement", a}, {"SyncType", uint16_t{6}}}).code,
            1u);
  Called supported = Call(capabilities, "GetSynchronizationSupported", {{"LocalElement", a}});
  EXPECT_EQ(supported.Numbers("SyncTypes"), (std::vector<uint64_t>{7, 8, 8}));
  EXPECT_EQ(supported.Numbers("LocalElementRole"), (std::vector<uint64_t>{2, 2, 2}));
  const ObjectPath c = NewVolume("c");
  supported = Call(capabilities, "GetSynchronizationSupported", {{"LocalElement", c}, {"OtherElement", a}});
  EXPECT_EQ(supported.Numbers("LocalElementRole"), (std::vector<uint64_t>{3, 3, 3})) << "a is a source already";
}

}  // namespace
}  // namespace lockstep::smis
