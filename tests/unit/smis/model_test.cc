// The model that clients see: they reach everything from the interop namespace, and what they find by one way agrees
// with what they find by every other.
#include <algorithm>
#include <set>

#include "smis/methods.h"
#include "smis/support_table.h"
#include "tests/unit/smis/fixture.h"

namespace lockstep::smis {
namespace {

class Model : public SmisTest {
 protected:
  // Some of everything: volumes, groups, a snapshot group, a clone with its job, an aspect.
  void Populate() {
    const ObjectPath service = Replication();
    const ObjectPath a = NewVolume("a"), b = NewVolume("b"), c = NewVolume("c");
    Called group = Call(service, "CreateGroupReplicaFromElements",
                        {{"RelationshipName", "nightly"}, {"SyncType", uint16_t{7}}, {"SourceElements", Refs({a, b})},
                         {"SourceGroupName", "db"}});
    ASSERT_EQ(group.code, 0u);
    Called clone = Call(service, "CreateElementReplica",
                        {{"ElementName", "c_copy"}, {"SyncType", uint16_t{8}}, {"SourceElement", c},
                         {"ReplicationSettingData", Settings({{"DesiredCopyMethodology", uint16_t{3}}})},
                         {"WaitForCopyState", uint16_t{4}}});
    ASSERT_EQ(clone.code, 4096u);
    Called snapshot = Call(service, "CreateElementReplica", {{"SyncType", uint16_t{7}}, {"SourceElement", c}});
    ASSERT_EQ(snapshot.code, 0u);
    Called dissolved = Call(service, "ModifyReplicaSynchronization",
                            {{"Operation", uint16_t{9}}, {"Synchronization", snapshot.Ref("Synchronization")}});
    ASSERT_EQ(dissolved.code, 0u);
    EXPECT_EQ(GetCode(dissolved.Ref("SettingsState")), CimCode::kOk);
  }

  static std::set<std::string> Keys(const std::vector<ObjectPath>& paths) {
    std::set<std::string> keys;
    for (const ObjectPath& path : paths) keys.insert(path.CanonicalKey());
    return keys;
  }
  static std::set<std::string> Keys(const std::vector<Instance>& instances) {
    std::set<std::string> keys;
    for (const Instance& instance : instances) keys.insert(instance.path.CanonicalKey());
    return keys;
  }
  std::vector<std::string> ServedClasses(const std::string& ns) {
    std::vector<std::string> names;
    for (const wbem::ClassDecl* cls : schema_.Subclasses(ns, "", true)) {
      if (registry_.Find(ns, cls->name)) names.push_back(cls->name);
    }
    return names;
  }
};

TEST_F(Model, AClientFindsEverythingFromTheRegisteredProfile) {
  Populate();
  ObjectPath array;
  for (const Instance& profile : Enumerate("CIM_RegisteredProfile", kInterop)) {
    EXPECT_EQ(profile["RegisteredOrganization"].AsUnsigned(), 11u);
    if (*profile["RegisteredName"].AsString() == "Array") array = profile.path;
  }
  ASSERT_FALSE(array.empty());
  const std::vector<ObjectPath> systems = Associated(array, "CIM_ElementConformsToProfile", "CIM_ComputerSystem");
  ASSERT_EQ(systems.size(), 1u);
  const ObjectPath system = systems.front();
  EXPECT_EQ(system.ns, kStorage);
  EXPECT_EQ(Keys(Associated(system, "CIM_ElementConformsToProfile")), Keys(std::vector<ObjectPath>{array}));

  EXPECT_EQ(Keys(Associated(system, "CIM_HostedService")), Keys(Enumerate("CIM_Service")));
  const std::vector<ObjectPath> services = Associated(system, "CIM_HostedService", "CIM_ReplicationService");
  ASSERT_EQ(services.size(), 1u);
  EXPECT_EQ(services.front().KeyText("SystemName"), system.KeyText("Name"));
  EXPECT_EQ(Associated(services.front(), "CIM_ElementCapabilities", "CIM_ReplicationServiceCapabilities").size(), 1u);
  EXPECT_EQ(Keys(Associated(system, "CIM_HostedStoragePool")), Keys(Enumerate("CIM_StoragePool")));
  EXPECT_EQ(Keys(Associated(system, "CIM_SystemDevice", "CIM_StorageVolume")), Keys(Enumerate("CIM_StorageVolume")));
  EXPECT_EQ(Keys(Associated(PoolPath(), "CIM_AllocatedFromStoragePool", "CIM_StorageVolume")),
            Keys(Enumerate("CIM_StorageVolume")));
  EXPECT_EQ(Keys(Associated(system, "CIM_HostedCollection")), Keys(Enumerate("CIM_ReplicationGroup")));
  EXPECT_EQ(Keys(Associated(services.front(), "CIM_OwningJobElement")), Keys(Enumerate("CIM_ConcreteJob")));
}

TEST_F(Model, TheThreeWaysToFindRelationshipsAgree) {
  Populate();
  Called listed = Call(Replication(), "GetReplicationRelationships");
  ASSERT_EQ(listed.code, 0u);
  EXPECT_EQ(Keys(listed.Refs("Synchronizations")), Keys(Enumerate("CIM_Synchronized")));
  EXPECT_EQ(listed.Refs("Synchronizations").size(), 4u) << "two pairs, their group, a clone";
  for (const Instance& pair : Enumerate("CIM_StorageSynchronized")) {
    wbem::OperationRequest request = Request(Operation::kReferenceNames, *pair["SystemElement"].AsReference());
    request.result_class = "CIM_StorageSynchronized";
    Kept kept;
    ASSERT_TRUE(Perform(std::move(request), kept).ok());
    EXPECT_TRUE(Keys(kept.paths).contains(pair.path.CanonicalKey()));
  }
  Called instances = Call(Replication(), "GetReplicationRelationshipInstances", {{"Type", uint16_t{3}}});
  ASSERT_EQ(instances.code, 0u);
  const Value::Elements* groups = instances.out["Synchronizations"].AsArray();
  ASSERT_TRUE(groups && groups->size() == 1);
  EXPECT_EQ(*(*groups->front().AsInstance())["RelationshipName"].AsString(), "nightly");
}

TEST_F(Model, OnlyWhatTheTableSaysCanBeDeleted) {
  Populate();
  for (const std::string& name : ServedClasses(kStorage)) {
    const WriteSupport* support = FindWriteSupport(name);
    if (support && support->deletable) continue;
    for (const Instance& instance : Enumerate(name)) {
      EXPECT_EQ(Delete(instance.path), CimCode::kNotSupported) << instance.path.ToString();
    }
  }
}

TEST_F(Model, PoolSpaceAddsUp) {
  Populate();
  Write(Must(control().VolumeByName("a")).record.id, 'x');
  const Status refreshed = Run([](control::Control& c) -> Task<Status> {
    co_await c.RefreshUsage();
    co_return Status();
  }(control()));
  ASSERT_TRUE(refreshed.ok());
  for (const Instance& pool : Enumerate("CIM_StoragePool")) {
    uint64_t consumed = 0;
    for (const Instance& allocation : Enumerate("CIM_AllocatedFromStoragePool")) {
      if (!allocation["Antecedent"].AsReference()->SameAs(pool.path)) continue;
      consumed += *allocation["SpaceConsumed"].AsUnsigned();
    }
    EXPECT_EQ(*pool["TotalManagedSpace"].AsUnsigned(), *pool["RemainingManagedSpace"].AsUnsigned() + consumed);
  }
}

TEST_F(Model, VolumesCarryAUniqueName) {
  const ObjectPath a = NewVolume("a"), b = NewVolume("b");
  const std::string name = *Get(a)["Name"].AsString();
  EXPECT_EQ(name.size(), 32u);
  EXPECT_EQ(name.front(), '6');
  EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), name.npos);
  EXPECT_NE(name, *Get(b)["Name"].AsString());
}

TEST_F(Model, NothingIsAdvertisedThatIsNotBuiltAndNothingBuiltIsHidden) {
  const Instance capabilities = Get(Only("CIM_ReplicationServiceCapabilities"));
  const wbem::PropertyDecl* declared =
      schema_.Find(kStorage, kReplicationCapabilitiesClass)->FindProperty("SupportedSynchronousActions");
  const Value::Elements& numbers = *declared->qualifiers.Find("ValueMap")->AsArray();
  const Value::Elements& names = *declared->qualifiers.Find("Values")->AsArray();
  std::set<std::string> advertised;
  for (const char* property : {"SupportedSynchronousActions", "SupportedAsynchronousActions"}) {
    for (const Value& action : *capabilities[property].AsArray()) {
      auto at = std::find_if(numbers.begin(), numbers.end(),
                             [&](const Value& n) { return *n.AsString() == action.ToText(); });
      ASSERT_NE(at, numbers.end());
      advertised.insert(*names[static_cast<size_t>(at - numbers.begin())].AsString());
    }
  }
  std::set<std::string> built;
  for (const Method& method : MethodsOf(kReplicationServiceClass)) built.insert(std::string(method.name));
  EXPECT_EQ(advertised, built);
}

TEST_F(Model, DeclaredMethodsThatAreNotBuiltReturnNotSupported) {
  const ObjectPath service = Replication();
  size_t refused = 0;
  std::span<const Method> built = MethodsOf(kReplicationServiceClass);
  for (const auto& method : schema_.Find(kStorage, kReplicationServiceClass)->methods) {
    if (std::any_of(built.begin(), built.end(), [&](const Method& m) { return m.name == method->name; })) continue;
    Called called = Call(service, method->name);
    EXPECT_TRUE(called.status.ok()) << method->name << ": " << called.status.message;
    EXPECT_EQ(called.code, 1u) << method->name;
    ++refused;
  }
  EXPECT_EQ(refused, 9u) << "what needs a second site, and switching the service off";
}

TEST_F(Model, TheSupportTableOfTheDocumentationIsFresh) {
  const std::string path = LOCKSTEP_SOURCE_DIR "/docs/interfaces/smis.md";
  const std::string table = SupportTable(schema_);
  if (std::getenv("LOCKSTEP_WRITE_DOCS")) std::ofstream(path) << table;
  Result<std::string> written = ReadText(path);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(*written, table) << "run this test with LOCKSTEP_WRITE_DOCS=1 to write the page anew";
}

}  // namespace
}  // namespace lockstep::smis
