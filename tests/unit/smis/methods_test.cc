// The methods: that each does what it is for, and that each wrong call gets its documented answer and changes nothing.
#include "tests/unit/smis/fixture.h"

namespace lockstep::smis {
namespace {

class Methods : public SmisTest {
 protected:
  ObjectPath MadeGroup(const std::string& name, const std::vector<ObjectPath>& members) {
    Called made = Call(Replication(), "CreateGroup", {{"GroupName", name}, {"Members", Refs(members)}});
    EXPECT_EQ(made.code, 0u);
    return made.Ref("ReplicationGroup");
  }
  uint32_t Modify(const ObjectPath& relationship, uint16_t operation, bool force = false) {
    return Call(Replication(), "ModifyReplicaSynchronization",
                {{"Operation", operation}, {"Synchronization", relationship}, {"Force", force}})
        .code;
  }
  Called Snapshot(const ObjectPath& source) {
    return Call(Replication(), "CreateElementReplica", {{"SyncType", uint16_t{7}}, {"SourceElement", source}});
  }
  ObjectPath Unknown(ObjectPath path, const char* key) {
    std::string text(path.KeyText(key));
    text.back() = text.back() == '0' ? '1' : '0';
    path.SetKey(key, text);
    return path;
  }
};

TEST_F(Methods, GroupsAreMadeChangedAndDeleted) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b"), service = Replication();
  const ObjectPath group = MadeGroup("g", {a});
  EXPECT_EQ(*Get(group)["ElementName"].AsString(), "g");
  EXPECT_EQ(Call(service, "AddMembers", {{"ReplicationGroup", group}, {"Members", Refs({b, a})}}).code, 0u);
  EXPECT_EQ(Associated(group, "CIM_OrderedMemberOfCollection").size(), 2u);
  EXPECT_EQ(SmisTest::Modify(group, "DeleteOnEmptyElement", true), CimCode::kOk);
  EXPECT_EQ(SmisTest::Modify(group, "ConsistentPointInTime", true), CimCode::kInvalidParameter);
  EXPECT_EQ(Call(service, "DeleteGroup", {{"ReplicationGroup", group}}).code, 6u) << "it has members";
  EXPECT_EQ(Call(service, "RemoveMembers", {{"ReplicationGroup", group}, {"Members", Refs({b})}}).code, 0u);
  EXPECT_EQ(Call(service, "RemoveMembers", {{"ReplicationGroup", group}, {"Members", Refs({b})}}).code, 8u);
  EXPECT_EQ(Call(service, "DeleteGroup", {{"ReplicationGroup", group}, {"RemoveElements", true}}).code, 0u);
  EXPECT_EQ(Call(service, "AddMembers", {{"ReplicationGroup", group}, {"Members", Refs({b})}}).code, 7u);
  EXPECT_EQ(Call(service, "DeleteGroup", {{"ReplicationGroup", group}}).code, 5u);
  EXPECT_TRUE(Enumerate("CIM_ReplicationGroup").empty());
}

TEST_F(Methods, ASnapshotOfAnElementIsThereAtOnce) {
  const ObjectPath a = NewVolume("a");
  Called made = Snapshot(a);
  ASSERT_EQ(made.code, 0u);
  EXPECT_TRUE(made.out["Job"].is_null());
  const Instance relationship = Get(made.Ref("Synchronization"));
  EXPECT_EQ(relationship["CopyState"].AsUnsigned(), 4u);
  EXPECT_EQ(relationship["SyncState"].AsUnsigned(), 11u) << "Idle: see the older Copy Services' numbers";
  EXPECT_EQ(relationship["CopyType"].AsUnsigned(), 4u);
  EXPECT_TRUE(relationship["SystemElement"].AsReference()->SameAs(a));
  EXPECT_EQ(GetCode(made.Ref("TargetElement")), CimCode::kOk);
  EXPECT_EQ(SmisTest::Modify(relationship.path, "CopyPriority", uint16_t{3}), CimCode::kOk);
  EXPECT_EQ(Get(relationship.path)["CopyPriority"].AsUnsigned(), 3u);
  EXPECT_EQ(SmisTest::Modify(relationship.path, "CopyState", uint16_t{8}), CimCode::kInvalidParameter);
}

TEST_F(Methods, AFullCopyIsAJobThatLeadsToItsTarget) {
  const ObjectPath a = NewVolume("a");
  Called made = Call(Replication(), "CreateElementReplica",
                     {{"ElementName", "a_copy"}, {"SyncType", uint16_t{8}}, {"SourceElement", a},
                      {"ReplicationSettingData", Settings({{"DesiredCopyMethodology", uint16_t{3}}})},
                      {"WaitForCopyState", uint16_t{4}}});
  ASSERT_EQ(made.code, 4096u);
  const ObjectPath job = made.Ref("Job");
  EXPECT_EQ(Delete(job), CimCode::kFailed) << "it runs";
  const Uuid id = *Uuid::Parse(std::string(job.KeyText("InstanceID")).substr(std::string("Lockstep:job:").size()));
  ASSERT_TRUE(Run(control().WaitForJob(catalog::JobId{id})).ok());
  const Instance done = Get(job);
  EXPECT_EQ(done["JobState"].AsUnsigned(), 7u);
  EXPECT_EQ(done["PercentComplete"].AsUnsigned(), 100u);
  EXPECT_EQ(done["ErrorCode"].AsUnsigned(), 0u);
  EXPECT_TRUE(done["OperationalStatus"] == Value::Array(std::vector<uint16_t>{2, 17}));
  const std::vector<ObjectPath> volumes = Associated(job, "CIM_AffectedJobElement", "CIM_StorageVolume");
  ASSERT_EQ(volumes.size(), 1u) << "the target only";
  EXPECT_EQ(*Get(volumes.front())["ElementName"].AsString(), "a_copy");
  Called errors = Call(job, "GetErrors");
  EXPECT_EQ(errors.code, 0u);
  EXPECT_TRUE(errors.out["Errors"].is_null());
  EXPECT_EQ(Call(job, "RequestStateChange", {{"RequestedState", uint16_t{4}}}).code, 4097u) << "it has ended";
  EXPECT_EQ(SmisTest::Modify(job, "DeleteOnCompletion", false), CimCode::kOk);
  EXPECT_EQ(Delete(job), CimCode::kOk);
  EXPECT_EQ(GetCode(job), CimCode::kNotFound);
}

TEST_F(Methods, AGroupOfElementsIsReplicatedInOneCall) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b");
  Called made = Call(Replication(), "CreateGroupReplicaFromElements",
                     {{"RelationshipName", "r"}, {"SyncType", uint16_t{7}}, {"SourceElements", Refs({a, b})},
                      {"SourceGroupName", "src"}, {"TargetGroupName", "dst"},
                      {"ReplicationSettingData", Settings({{"ConsistentPointInTime", true}})}});
  ASSERT_EQ(made.code, 0u);
  EXPECT_EQ(*made.out["SourceGroupName"].AsString(), "src");
  EXPECT_EQ(*made.out["TargetGroupName"].AsString(), "dst");
  EXPECT_EQ(Associated(made.Ref("TargetGroup"), "CIM_OrderedMemberOfCollection").size(), 2u);
  EXPECT_TRUE(*Get(made.Ref("TargetGroup"))["ConsistentPointInTime"].AsBool());
  const ObjectPath group = made.Ref("Synchronization");
  EXPECT_EQ(Get(group)["CopyState"].AsUnsigned(), 4u);
  EXPECT_EQ(Modify(group, 14), 0u) << "Resync Replica";
  EXPECT_EQ(Modify(group, 15), 0u) << "Restore from Replica";
  EXPECT_EQ(Get(group)["CopyState"].AsUnsigned(), 18u);
  EXPECT_EQ(Modify(group, 10), 1u) << "Failover is not for snapshots";
  EXPECT_EQ(Modify(group, 19), 0u) << "Return To ResourcePool";
  EXPECT_EQ(GetCode(group), CimCode::kNotFound);
}

TEST_F(Methods, AGroupIsReplicatedWithTheParametersOfOlderSchemas) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b");
  const ObjectPath group = MadeGroup("g", {a, b});
  Called made = Call(Replication(), "CreateGroupReplica",
                     {{"RelationshipName", "old"}, {"SyncType", uint16_t{8}},
                      {"Mode", Value::Null(wbem::CimType::kUint16)},
                      {"SourceGroup", group}, {"SourceElement", Value::Null(wbem::CimType::kReference)},
                      {"Consistency", uint16_t{2}}, {"WaitForCopyState", Value::Null(wbem::CimType::kUint16)}});
  EXPECT_TRUE(made.code == 0u || made.code == 4096u) << made.code;
  Called both = Call(Replication(), "CreateGroupReplica",
                     {{"SyncType", uint16_t{7}}, {"SourceGroup", group}, {"SourceElement", a}});
  EXPECT_EQ(both.code, 5u);
  EXPECT_EQ(Call(Replication(), "CreateGroupReplica", {{"SyncType", uint16_t{7}}}).code, 5u);
}

TEST_F(Methods, AListIsReplicatedAndModifiedTogether) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b");
  Called made = Call(Replication(), "CreateListReplica",
                     {{"SyncType", uint16_t{7}}, {"SourceElements", Refs({a, b})},
                      {"ElementNames", Value::Array(std::vector<std::string>{"sa", "sb"})}});
  ASSERT_EQ(made.code, 0u);
  ASSERT_EQ(made.Refs("Synchronizations").size(), 2u);
  Called detached = Call(Replication(), "ModifyListSynchronization",
                         {{"Operation", uint16_t{19}}, {"Synchronization", Refs(made.Refs("Synchronizations"))}});
  EXPECT_EQ(detached.code, 0u);
  EXPECT_TRUE(Enumerate("CIM_Synchronized").empty());
  EXPECT_EQ(Enumerate("CIM_StorageVolume").size(), 2u);
}

TEST_F(Methods, WrongReplicationParametersAreRefusedAndChangeNothing) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b"), service = Replication();
  const auto code = [&](std::vector<Property> arguments) {
    return Call(service, "CreateElementReplica", std::move(arguments)).code;
  };
  const Property snapshot{"SyncType", uint16_t{7}}, source{"SourceElement", a};
  EXPECT_EQ(code({source}), 5u) << "SyncType is required";
  EXPECT_EQ(code({snapshot}), 5u) << "SourceElement is required";
  EXPECT_EQ(code({{"SyncType", uint16_t{42}}, source}), 5u);
  EXPECT_EQ(code({{"SyncType", uint16_t{6}}, source}), 1u) << "Mirror";
  EXPECT_EQ(code({snapshot, {"SourceElement", Unknown(a, "DeviceID")}}), 5u);
  EXPECT_EQ(code({snapshot, {"SourceElement", PoolPath()}}), 5u) << "a pool is no volume";
  EXPECT_EQ(code({snapshot, {"SourceElement", Only("CIM_ReplicationServiceCapabilities")}}), 5u) << "another class";
  EXPECT_EQ(code({snapshot, source, {"TargetElement", b}, {"TargetPool", PoolPath()}}), 5u);
  EXPECT_EQ(code({snapshot, source, {"TargetElement", a}}), 5u) << "onto itself";
  EXPECT_EQ(code({snapshot, source, {"WaitForCopyState", uint16_t{10}}}), 5u);
  EXPECT_EQ(code({snapshot, source, {"ElementName", "b"}}), 5u) << "the name is taken";
  EXPECT_EQ(code({snapshot, source, {"ReplicationSettingData", "<INSTANCE CLASSNAME=\"CIM_Repl"}}), 5u);
  EXPECT_EQ(code({snapshot, source, {"ReplicationSettingData", Settings({{"Nonsense", uint16_t{1}}})}}), 5u);
  EXPECT_EQ(Call(service, "CreateElementReplica", {snapshot, source, {"Nonsense", true}}).status.code,
            CimCode::kInvalidParameter);
  EXPECT_EQ(Call(service, "CreateElementReplica", {{"SyncType", "seven"}, source}).status.code,
            CimCode::kInvalidParameter);
  EXPECT_EQ(Call(service, "NoSuchMethod").status.code, CimCode::kMethodNotFound);
  EXPECT_EQ(Call(Unknown(service, "Name"), "CreateGroup").status.code, CimCode::kNotFound);
  EXPECT_EQ(Enumerate("CIM_StorageVolume").size(), 2u);
  EXPECT_TRUE(Enumerate("CIM_Synchronized").empty());
}

TEST_F(Methods, SettingsAreReadFromXmlAndFromMof) {
  const ObjectPath a = NewVolume("a");
  const std::string xml =
      "<INSTANCE CLASSNAME=\"CIM_ReplicationSettingData\"><PROPERTY NAME=\"CopyPriority\" TYPE=\"uint16\">"
      "<VALUE>4</VALUE></PROPERTY></INSTANCE>";
  const std::string mof = "instance of CIM_ReplicationSettingData { CopyPriority = 1; };";
  const std::pair<std::string, uint64_t> cases[] = {{xml, 4}, {mof, 1}};
  for (const auto& [text, priority] : cases) {
    Called made = Call(Replication(), "CreateElementReplica",
                       {{"SyncType", uint16_t{7}}, {"SourceElement", a}, {"ReplicationSettingData", text}});
    ASSERT_EQ(made.code, 0u) << text;
    EXPECT_EQ(Get(made.Ref("Synchronization"))["CopyPriority"].AsUnsigned(), priority);
  }
}

TEST_F(Methods, DefaultSettingsCanBeSentBack) {
  const ObjectPath capabilities = Only("CIM_ReplicationServiceCapabilities"), a = NewVolume("a");
  Called defaults = Call(capabilities, "GetDefaultReplicationSettingData", {{"ReplicationType", uint16_t{6}}});
  ASSERT_EQ(defaults.code, 0u);
  ASSERT_NE(defaults.out["DefaultInstance"].AsInstance(), nullptr);
  Called made = Call(Replication(), "CreateElementReplica",
                     {{"SyncType", uint16_t{7}}, {"SourceElement", a},
                      {"ReplicationSettingData", defaults.out["DefaultInstance"]}});
  EXPECT_EQ(made.code, 0u);
}

TEST_F(Methods, CapabilitiesAnswerFromTheOperationsTable) {
  const ObjectPath capabilities = Only("CIM_ReplicationServiceCapabilities"), a = NewVolume("a");
  Called converted = Call(capabilities, "ConvertSyncTypeToReplicationType",
                          {{"SyncType", uint16_t{7}}, {"Mode", uint16_t{2}}, {"LocalOrRemote", uint16_t{2}}});
  EXPECT_EQ(converted.code, 0u);
  EXPECT_EQ(converted.out["SupportedReplicationTypes"].AsUnsigned(), 6u);
  EXPECT_EQ(Call(capabilities, "ConvertSyncTypeToReplicationType", {{"SyncType", uint16_t{6}}}).code, 1u) << "Mirror";
  const Property snapshot{"ReplicationType", uint16_t{6}};
  EXPECT_EQ(Call(capabilities, "GetSupportedOperations", {{"ReplicationType", uint16_t{2}}}).code, 1u);
  EXPECT_EQ(Call(capabilities, "GetSupportedOperations", {{"ReplicationType", uint16_t{99}}}).code, 5u);
  EXPECT_EQ(Call(capabilities, "GetSupportedOperations").code, 5u);
  Called made = Snapshot(a);
  Called now = Call(capabilities, "GetSupportedOperationsForSynchronization",
                    {{"Synchronization", made.Ref("Synchronization")}});
  Called legal = Call(capabilities, "GetSupportedOperations", {snapshot, {"CopyState", uint16_t{4}}});
  EXPECT_EQ(now.Numbers("SupportedOperations"), legal.Numbers("SupportedOperations"));
  EXPECT_FALSE(now.Numbers("SupportedOperations").empty());
  for (const char* method : {"GetSupportedCopyStates", "GetSupportedGroupCopyStates", "GetSupportedFeatures",
                             "GetSupportedGroupFeatures", "GetSupportedListFeatures", "GetSupportedConsistency",
                             "GetSupportedGroupOperations", "GetSupportedListOperations", "GetDefaultConsistency",
                             "GetSupportedThinProvisioningFeatures", "GetSupportedStorageCompressionFeatures"}) {
    EXPECT_EQ(Call(capabilities, method, {snapshot}).code, 0u) << method;
  }
}

TEST_F(Methods, VolumesAreMadeGrownRenamedAndReturned) {
  const ObjectPath service = Storage(), pool = PoolPath();
  Called made = Call(service, "CreateOrModifyElementFromStoragePool",
                     {{"ElementName", "v"}, {"ElementType", uint16_t{2}}, {"Size", uint64_t{1 << 20}},
                      {"InPool", pool}});
  ASSERT_EQ(made.code, 0u);
  const ObjectPath volume = made.Ref("TheElement");
  EXPECT_EQ(*Get(volume)["ElementName"].AsString(), "v");
  Called grown = Call(service, "CreateOrModifyElementFromStoragePool",
                      {{"ElementName", "w"}, {"Size", uint64_t{2 << 20}}, {"TheElement", volume}});
  ASSERT_EQ(grown.code, 0u);
  EXPECT_EQ(*Get(volume)["ElementName"].AsString(), "w");
  EXPECT_EQ(*Get(volume)["NumberOfBlocks"].AsUnsigned() * *Get(volume)["BlockSize"].AsUnsigned(), 2u << 20);
  Called shrunk = Call(service, "CreateOrModifyElementFromStoragePool",
                       {{"Size", uint64_t{4096}}, {"TheElement", volume}});
  EXPECT_EQ(shrunk.code, 4097u);
  EXPECT_EQ(shrunk.out["Size"].AsUnsigned(), 2u << 20);
  EXPECT_EQ(Call(service, "ReturnToStoragePool", {{"TheElement", volume}}).code, 0u);
  EXPECT_EQ(Call(service, "ReturnToStoragePool", {{"TheElement", volume}}).code, 5u);
}

TEST_F(Methods, WrongVolumeRequestsAreRefused) {
  const ObjectPath service = Storage(), pool = PoolPath(), a = NewVolume("a");
  const auto create = [&](std::vector<Property> arguments) {
    return Call(service, "CreateOrModifyElementFromStoragePool", std::move(arguments));
  };
  EXPECT_EQ(create({{"InPool", pool}}).code, 5u) << "no size";
  Called absurd = create({{"Size", ~uint64_t{0}}, {"InPool", pool}});
  EXPECT_EQ(absurd.code, 4097u);
  EXPECT_EQ(absurd.out["Size"].AsUnsigned(), block::kMaxVolumeSize);
  EXPECT_EQ(create({{"Size", uint64_t{1 << 20}}, {"ElementType", uint16_t{4}}}).code, 1u) << "a logical disk";
  EXPECT_EQ(create({{"Size", uint64_t{1 << 20}}, {"ElementName", "a"}}).code, 5u) << "the name is taken";
  ObjectPath primordial = pool;
  primordial.SetKey("InstanceID", "Lockstep:pool:primordial");
  EXPECT_EQ(create({{"Size", uint64_t{1 << 20}}, {"InPool", primordial}}).code, 5u);
  ASSERT_EQ(Snapshot(a).code, 0u);
  EXPECT_EQ(Call(service, "ReturnToStoragePool", {{"TheElement", a}}).code, 6u) << "the source of a copy";
}

TEST_F(Methods, SeveralVolumesAreMadeAndReturnedAllOrNone) {
  const ObjectPath service = Storage(), a = NewVolume("a");
  const Value names = Value::Array(std::vector<std::string>{"x", "y"});
  Called made = Call(service, "CreateElementsFromStoragePools",
                     {{"ElementNames", names}, {"ElementCount", uint64_t{3}}, {"Size", uint64_t{1 << 20}}});
  ASSERT_EQ(made.code, 0u);
  std::vector<ObjectPath> elements = made.Refs("TheElements");
  ASSERT_EQ(elements.size(), 3u);
  EXPECT_EQ(*Get(elements[1])["ElementName"].AsString(), "y");
  Called taken = Call(service, "CreateElementsFromStoragePools",
                      {{"ElementNames", names}, {"ElementCount", uint64_t{2}}, {"Size", uint64_t{1 << 20}}});
  EXPECT_EQ(taken.code, 5u);
  ASSERT_EQ(Snapshot(a).code, 0u);
  elements.push_back(a);
  EXPECT_EQ(Call(service, "ReturnElementsToStoragePool", {{"TheElements", Refs(elements)}}).code, 6u);
  EXPECT_EQ(GetCode(elements.front()), CimCode::kOk) << "none has gone";
  elements.back() = Unknown(a, "DeviceID");
  EXPECT_EQ(Call(service, "ReturnElementsToStoragePool", {{"TheElements", Refs(elements)}}).code, 5u);
  EXPECT_EQ(Call(service, "ReturnElementsToStoragePool",
                 {{"TheElements", Refs(elements)}, {"Options", uint16_t{2}}})
                .code,
            0u);
  EXPECT_EQ(GetCode(elements.front()), CimCode::kNotFound);
}

}  // namespace
}  // namespace lockstep::smis
