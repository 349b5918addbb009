// Everything that the server shows is read back and held against everything else that it shows: each reference
// resolves, each association is seen from both ends and agrees with its enumeration, keys survive being written as
// text, and each value is one that the schema allows.
#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/smis/fixture.h"
#include "wbem/cimxml_objects.h"
#include "wbem/cimxml_values.h"

namespace lockstep::smis {
namespace {

class Walker : public SmisTest {
 protected:
  // Something of every class that is served, in states that differ.
  void SetUp() override {
    env_.AddDisk("/dev/free", 64 * control::kMiB);
    devices_ = {"/dev/free"};
    SmisTest::SetUp();
    node_->opener().at("/dev/p")->SetDevices({{block::DeviceId{}, "/dev/p", 1024 * control::kMiB, 0, 0, false}});
    const ObjectPath service = Replication(), a = NewVolume("a"), b = NewVolume("b"), c = NewVolume("c & <d>");
    Called group = Call(service, "CreateGroupReplicaFromElements",
                        {{"RelationshipName", "nightly"}, {"SyncType", uint16_t{7}}, {"SourceElements", Refs({a, b})},
                         {"Consistency", uint16_t{3}}});
    ASSERT_EQ(group.code, 0u);
    Called clone = Call(service, "CreateElementReplica",
                        {{"SyncType", uint16_t{8}}, {"SourceElement", c},
                         {"ReplicationSettingData", Settings({{"DesiredCopyMethodology", uint16_t{3}},
                                                              {"CopyPriority", uint16_t{4}}})}});
    ASSERT_EQ(clone.code, 4096u);
    Called held = Call(service, "CreateElementReplica",
                       {{"SyncType", uint16_t{7}}, {"SourceElement", c}, {"WaitForCopyState", uint16_t{8}}});
    ASSERT_EQ(held.code, 0u);
    ASSERT_EQ(Call(service, "CreateGroupReplica",
                   {{"SyncType", uint16_t{7}}, {"SourceElement", a}, {"TargetElementCount", uint64_t{2}}})
                  .code,
              0u);
    ASSERT_EQ(Call(service, "CreateSynchronizationAspect", {{"SyncType", uint16_t{7}}, {"SourceElement", b}}).code, 0u);
    ASSERT_EQ(Call(service, "CreateSynchronizationAspect",
                   {{"SyncType", uint16_t{8}}, {"SourceGroup", group.Ref("TargetGroup")}})
                  .code,
              0u);
    ASSERT_EQ(Call(service, "CreateGroup", {{"GroupName", "empty"}}).code, 0u);
    Must(Run(control().ScrubPool(pool_, 1)));
    Run([](control::Control& one) -> Task<int> {
      co_await one.RefreshUsage();
      co_return 0;
    }(control()));
  }

  std::vector<std::pair<std::string, std::string>> Served() {
    std::vector<std::pair<std::string, std::string>> all;
    for (const std::string& ns : {kStorage, kInterop}) {
      for (const wbem::ClassDecl* cls : schema_.Subclasses(ns, "", true)) {
        if (registry_.Find(ns, cls->name)) all.emplace_back(ns, cls->name);
      }
    }
    return all;
  }
  static std::set<std::string> Keys(const std::vector<ObjectPath>& paths) {
    std::set<std::string> keys;
    for (const ObjectPath& path : paths) EXPECT_TRUE(keys.insert(path.CanonicalKey()).second) << path.ToString();
    return keys;
  }
  static std::vector<std::pair<std::string, ObjectPath>> Ends(const Instance& association) {
    std::vector<std::pair<std::string, ObjectPath>> ends;
    for (const Property& property : association.properties) {
      if (const ObjectPath* end = property.value.AsReference()) ends.emplace_back(property.name, *end);
    }
    return ends;
  }
  std::vector<ObjectPath> Neighbours(const ObjectPath& path, const std::string& association, const std::string& role,
                                     const std::string& result_role, bool references) {
    wbem::OperationRequest request =
        Request(references ? Operation::kReferenceNames : Operation::kAssociatorNames, path);
    if (references) request.result_class = association;
    else request.assoc_class = association;
    request.role = role;
    if (!references) request.result_role = result_role;
    Kept kept;
    wbem::CimStatus status = Perform(std::move(request), kept);
    EXPECT_TRUE(status.ok()) << path.ToString() << " " << association << ": " << status.message;
    return std::move(kept.paths);
  }
};

TEST_F(Walker, EverythingServedIsThereAndFoundByItsKeys) {
  size_t seen = 0;
  for (const auto& [ns, name] : Served()) {
    const std::vector<Instance> all = Enumerate(name, ns);
    EXPECT_FALSE(all.empty()) << name << " is not tried";
    for (const Instance& instance : all) {
      ++seen;
      EXPECT_TRUE(Get(instance.path) == instance) << instance.path.ToString();
      // The keys in the path are those in the instance.
      for (const std::string& key : schema_.Find(ns, instance.class_name)->KeyNames()) {
        ASSERT_NE(instance.path.Key(key), nullptr) << instance.path.ToString();
        EXPECT_TRUE(*instance.path.Key(key) == instance[key]) << instance.path.ToString() << " " << key;
      }
      Result<ObjectPath> read = ObjectPath::Parse(instance.path.ToString());
      ASSERT_TRUE(read.ok()) << instance.path.ToString();
      EXPECT_TRUE(Get(*read) == instance) << "from text: " << instance.path.ToString();
      std::string xml;
      wbem::AppendInstanceName(xml, instance.path);
      pugi::xml_document document;
      ASSERT_TRUE(document.load_string(xml.c_str())) << xml;
      Result<ObjectPath> back = wbem::ReadInstanceName(document.first_child());
      ASSERT_TRUE(back.ok()) << xml;
      back->ns = ns;
      EXPECT_TRUE(Get(*back) == instance) << "from XML: " << xml;
    }
  }
  EXPECT_GT(seen, 100u);
}

// By every superclass the same instances are found, and no others.
TEST_F(Walker, SuperclassesShowWhatTheirSubclassesDo) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> by_class;
  for (const auto& [ns, name] : Served()) {
    std::vector<ObjectPath> paths;
    for (const Instance& instance : Enumerate(name, ns)) paths.push_back(instance.path);
    const std::set<std::string> keys = Keys(paths);
    for (const wbem::ClassDecl* cls = schema_.Find(ns, name); cls; cls = schema_.Find(ns, cls->superclass)) {
      by_class[{ns, cls->name}].insert(keys.begin(), keys.end());
      if (cls->superclass.empty()) break;
    }
  }
  for (const auto& [where, keys] : by_class) {
    Kept kept;
    ASSERT_TRUE(Perform(Request(Operation::kEnumerateInstanceNames, {where.first, where.second}), kept).ok());
    EXPECT_EQ(Keys(kept.paths), keys) << where.second;
  }
}

TEST_F(Walker, EachAssociationIsSeenFromBothEndsAndAgreesWithItsEnumeration) {
  size_t seen = 0;
  for (const auto& [ns, name] : Served()) {
    if (!schema_.Find(ns, name)->association) continue;
    // What each end must lead to: by (end, role at the end, role at the other).
    std::map<std::tuple<std::string, std::string, std::string>, std::set<std::string>> expected;
    std::map<std::string, ObjectPath> paths;
    const std::vector<Instance> all = Enumerate(name, ns);
    for (const Instance& association : all) {
      const auto ends = Ends(association);
      ASSERT_EQ(ends.size(), 2u) << name;
      for (const auto& [role, end] : ends) {
        EXPECT_EQ(GetCode(end), CimCode::kOk) << name << " leads nowhere: " << end.ToString();
        paths.emplace(end.CanonicalKey(), end);
        for (const auto& [other_role, other] : ends) {
          if (role != other_role) expected[{end.CanonicalKey(), role, other_role}].insert(other.CanonicalKey());
        }
        const std::vector<ObjectPath> references = Neighbours(end, name, role, "", true);
        const bool here = std::any_of(references.begin(), references.end(),
                                      [&](const ObjectPath& p) { return p.SameAs(association.path); });
        EXPECT_TRUE(here || end.ns != ns) << name << " is not seen from " << end.ToString();
        ++seen;
      }
    }
    for (const auto& [from, others] : expected) {
      const ObjectPath& end = paths.at(std::get<0>(from));
      if (end.ns != ns) continue;  // seen by the association of the same name there
      EXPECT_EQ(Keys(Neighbours(end, name, std::get<1>(from), std::get<2>(from), false)), others)
          << name << " from " << end.ToString();
    }
  }
  EXPECT_GT(seen, 100u);
}

// Nothing is associated with an instance but what some enumeration shows.
TEST_F(Walker, WhatIsAssociatedWithAnythingIsEnumerated) {
  std::set<std::string> known;
  std::vector<ObjectPath> all;
  for (const auto& [ns, name] : Served()) {
    for (const Instance& instance : Enumerate(name, ns)) {
      known.insert(instance.path.CanonicalKey());
      if (!schema_.Find(ns, name)->association) all.push_back(instance.path);
    }
  }
  for (const ObjectPath& path : all) {
    for (const bool references : {true, false}) {
      for (const ObjectPath& found : Neighbours(path, "", "", "", references)) {
        EXPECT_TRUE(known.contains(found.CanonicalKey())) << found.ToString() << " from " << path.ToString();
      }
    }
  }
}

bool Allows(const Value::Elements& map, uint64_t number) {
  const auto parse = [](std::string text) -> uint64_t { return std::stoull(text, nullptr, 0); };
  for (const Value& element : map) {
    const std::string text = *element.AsString();
    const size_t dots = text.find("..");
    if (text == "..") continue;  // what is reserved by the DMTF is nobody's to use
    if (dots == text.npos) {
      if (parse(text) == number) return true;
    } else {
      const uint64_t from = dots == 0 ? 0 : parse(text.substr(0, dots));
      const uint64_t to = dots + 2 == text.size() ? ~uint64_t{0} : parse(text.substr(dots + 2));
      if (number >= from && number <= to) return true;
    }
  }
  return false;
}

void CheckValue(const std::string& where, const wbem::PropertyDecl& declared, const Value& value) {
  if (value.is_null()) return;
  if (const Value::Elements* elements = value.AsArray()) {
    for (const Value& element : *elements) CheckValue(where, declared, element);
    return;
  }
  const Value* map = declared.qualifiers.Find("ValueMap");
  const std::optional<uint64_t> number = value.AsUnsigned();
  if (map && number) {
    EXPECT_TRUE(Allows(*map->AsArray(), *number)) << where << " = " << *number;
  }
  const auto limit = [&](const char* name) -> std::optional<int64_t> {
    const Value* found = declared.qualifiers.Find(name);
    if (!found) return std::nullopt;
    return std::stoll(found->ToText());
  };
  if (const auto least = limit("MinValue"); least && number) {
    EXPECT_GE(*number, static_cast<uint64_t>(*least)) << where;
  }
  if (const auto most = limit("MaxValue"); most && number) {
    EXPECT_LE(*number, static_cast<uint64_t>(*most)) << where;
  }
  if (const auto most = limit("MaxLen"); most && value.AsString()) {
    EXPECT_LE(value.AsString()->size(), static_cast<uint64_t>(*most)) << where;
  }
}

TEST_F(Walker, EveryValueIsOneThatTheSchemaAllows) {
  size_t checked = 0;
  for (const auto& [ns, name] : Served()) {
    for (const Instance& instance : Enumerate(name, ns)) {
      for (const auto& property : schema_.Find(ns, name)->properties) {
        const std::string where = instance.path.ToString() + " " + property->name;
        CheckValue(where, *property, instance[property->name]);
        if (property->qualifiers.Is("Required") || property->key) {
          EXPECT_FALSE(instance[property->name].is_null()) << where << " is required";
        }
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 1000u);
}

// Paths that stand in strings lead somewhere as well.
TEST_F(Walker, PathsInStringsLeadSomewhere) {
  for (const Instance& aspect : Enumerate("CIM_SynchronizationAspect")) {
    Result<ObjectPath> source = ObjectPath::Parse(*aspect["SourceElement"].AsString());
    ASSERT_TRUE(source.ok()) << aspect["SourceElement"].ToText();
    EXPECT_EQ(GetCode(*source), CimCode::kOk) << source->ToString();
  }
}

// What is declared for later is known, and empty.
TEST_F(Walker, MaskingAndIscsiAreDeclaredAndEmpty) {
  for (const char* name : {"CIM_SCSIProtocolController", "CIM_StorageHardwareID", "CIM_AuthorizedPrivilege",
                           "CIM_ControllerConfigurationService", "CIM_StorageHardwareIDManagementService",
                           "CIM_ProtocolControllerForUnit", "CIM_ProtocolControllerMaskingCapabilities",
                           "CIM_AssociatedPrivilege", "CIM_iSCSIProtocolEndpoint", "CIM_TCPProtocolEndpoint",
                           "CIM_IPProtocolEndpoint", "CIM_BindsTo"}) {
    EXPECT_TRUE(Enumerate(name).empty()) << name;
    Kept kept;
    EXPECT_TRUE(Perform(Request(Operation::kEnumerateInstanceNames, {kStorage, name}), kept).ok()) << name;
  }
  for (const Instance& volume : Enumerate("CIM_StorageVolume")) {
    EXPECT_TRUE(Associated(volume.path, "CIM_ProtocolControllerForUnit").empty());
  }
}

TEST_F(Walker, VolumesCarryWhatClientsIdentifyThemBy) {
  for (const Instance& volume : Enumerate("CIM_StorageVolume")) {
    const Value::Elements& other = *volume["OtherIdentifyingInfo"].AsArray();
    const Value::Elements& kinds = *volume["IdentifyingDescriptions"].AsArray();
    ASSERT_EQ(other.size(), kinds.size());
    EXPECT_EQ(*kinds[0].AsString(), "NAA;VPD83Type3");
    EXPECT_EQ(*other[0].AsString(), *volume["Name"].AsString());
    EXPECT_EQ(volume["NameFormat"].AsUnsigned(), 9u);
    EXPECT_EQ(volume["NameNamespace"].AsUnsigned(), 2u);
  }
}

TEST_F(Walker, JobsAreOwnedByWhoDoesTheirWorkAndAffectIt) {
  size_t copies = 0, others = 0;
  for (const Instance& job : Enumerate("CIM_ConcreteJob")) {
    const std::vector<ObjectPath> owners = Associated(job.path, "CIM_OwningJobElement");
    ASSERT_EQ(owners.size(), 1u);
    const bool copy = owners[0].class_name == kReplicationServiceClass;
    (copy ? copies : others) += 1;
    EXPECT_EQ(job["MethodName"].is_null(), !copy);
    EXPECT_EQ(Associated(job.path, "CIM_AffectedJobElement", "CIM_StoragePool").size(), copy ? 0u : 1u);
    EXPECT_FALSE(job["PercentComplete"].is_null());
  }
  EXPECT_GE(copies, 1u);
  EXPECT_GE(others, 1u);
}

TEST_F(Walker, AJobIsKilled) {
  const ObjectPath c = NewVolume("long");
  Called made = Call(Replication(), "CreateElementReplica",
                     {{"SyncType", uint16_t{8}}, {"SourceElement", c},
                      {"ReplicationSettingData", Settings({{"DesiredCopyMethodology", uint16_t{3}}})}});
  ASSERT_EQ(made.code, 4096u);
  const ObjectPath job = made.Ref("Job");
  EXPECT_EQ(Call(job, "KillJob").code, 0u);
  EXPECT_EQ(Get(job)["JobState"].AsUnsigned(), 8u) << "Terminated";
  EXPECT_TRUE(Get(job)["OperationalStatus"] == Value::Array(std::vector<uint16_t>{6, 17}));
  EXPECT_NE(Get(job)["ErrorCode"].AsUnsigned(), 0u);
  Called errors = Call(job, "GetErrors");
  ASSERT_NE(errors.out["Errors"].AsArray(), nullptr);
  EXPECT_EQ(Get(made.Ref("Synchronization"))["CopyState"].AsUnsigned(), 12u) << "Aborted";
  EXPECT_EQ(Call(job, "KillJob").code, 4u) << "it has ended";
  ASSERT_EQ(Call(Replication(), "ModifyReplicaSynchronization",
                 {{"Operation", uint16_t{14}}, {"Synchronization", made.Ref("Synchronization")}})
                .code,
            4096u)
      << "Resync begins again";
  for (const Instance& running : Enumerate("CIM_ConcreteJob")) {
    if (running["JobState"].AsUnsigned() != 4u || running["MethodName"].is_null()) continue;
    EXPECT_EQ(Call(running.path, "KillJob", {{"DeleteOnKill", true}}).code, 0u);
    EXPECT_EQ(GetCode(running.path), CimCode::kNotFound);
  }
}

}  // namespace
}  // namespace lockstep::smis
