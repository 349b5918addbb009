// Each feature that the capabilities advertise is demonstrated by what a client does with it; one that nothing
// demonstrates fails here. What is not advertised, and could be tried, is refused.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "tests/unit/smis/wire.h"

namespace lockstep::smis {
namespace {

class Features : public WireTest {
 protected:
  using Demonstration = std::function<bool()>;

  void SetUp() override {
    WireTest::SetUp();
    service_ = Replication();
    capabilities_ = Only("CIM_ReplicationServiceCapabilities");
  }
  ObjectPath Volume() { return NewVolume("v" + std::to_string(++made_)); }
  ObjectPath Group(const std::vector<ObjectPath>& members, const char* name = nullptr) {
    std::vector<Property> arguments;
    if (!members.empty()) arguments.push_back({"Members", Refs(members)});
    if (name) arguments.push_back({"GroupName", name});
    Called made = Call(service_, "CreateGroup", arguments);
    EXPECT_EQ(made.code, 0u);
    return made.Ref("ReplicationGroup");
  }
  Called Copy(const ObjectPath& source, std::vector<Property> more = {}) {
    more.push_back({"SyncType", sync_type_});
    more.push_back({"SourceElement", source});
    return Call(service_, "CreateElementReplica", more);
  }
  Called CopyGroup(const ObjectPath& group, std::vector<Property> more = {}) {
    more.push_back({"SyncType", sync_type_});
    more.push_back({"SourceGroup", group});
    return Call(service_, "CreateGroupReplica", more);
  }
  Called Aspect(const char* parameter, const ObjectPath& source) {
    return Call(service_, "CreateSynchronizationAspect", {{"SyncType", sync_type_}, {parameter, source}});
  }
  std::string PoolOf(const ObjectPath& volume) {
    const std::vector<ObjectPath> pools = Associated(volume, "CIM_AllocatedFromStoragePool");
    return pools.size() == 1 ? pools.front().ToString() : "";
  }
  // Asks for the numbers and does what each of them says.
  void Demonstrate(const char* method, const char* result, const std::map<uint64_t, Demonstration>& known) {
    for (const auto& [type, sync_type] : {std::pair(uint16_t{6}, uint16_t{7}), std::pair(uint16_t{10}, uint16_t{8}),
                                          std::pair(uint16_t{11}, uint16_t{8})}) {
      sync_type_ = sync_type;
      Called answer = Call(capabilities_, method, {{"ReplicationType", type}});
      ASSERT_EQ(answer.code, 0u);
      const std::vector<uint64_t> numbers = answer.Numbers(result);
      EXPECT_EQ(numbers.size(), known.size()) << method;
      for (const uint64_t number : numbers) {
        const auto found = known.find(number);
        ASSERT_TRUE(found != known.end()) << method << " advertises " << number << ", which nothing demonstrates";
        EXPECT_TRUE(found->second()) << method << ": " << number << " of type " << type;
      }
    }
  }

  ObjectPath service_, capabilities_;
  uint16_t sync_type_ = 7;
  size_t made_ = 0;
};

TEST_F(Features, OfElements) {
  Demonstrate("GetSupportedFeatures", "Features", {
      {2, [&] { return CopyGroup(Group({Volume(), Volume()})).code == 0; }},
      {3, [&] { return Copy(Copy(Copy(Volume()).Ref("TargetElement")).Ref("TargetElement")).code == 0; }},
      {9, [&] {
         const ObjectPath a = Volume();
         return PoolOf(Copy(a).Ref("TargetElement")) == PoolPath().ToString();
       }},
      {14, [&] {
         const ObjectPath a = Volume();
         return Aspect("SourceElement", a).code == 0 && Associated(a, "CIM_SettingsDefineState").size() == 1;
       }},
      {24, [&] {
         const ObjectPath pair = Copy(Volume()).Ref("Synchronization");
         return Modify(pair, "CopyPriority", uint16_t{1}) == CimCode::kOk &&
                Get(pair)["CopyPriority"].AsUnsigned() == 1u;
       }},
      {44, [&] {
         const ObjectPath a = Volume();
         return PoolOf(Copy(a).Ref("TargetElement")) == PoolOf(a);
       }},
      {45, [&] { return Aspect("SourceElement", Volume()).code == 0; }},
      {51, [&] {
         const std::string name = "named" + std::to_string(++made_);
         return *Get(Copy(Volume(), {{"ElementName", name}}).Ref("TargetElement"))["ElementName"].AsString() == name;
       }},
  });
  EXPECT_EQ(Copy(Volume(), {{"Collections", Refs({Group({})})}}).code, 1u) << "28 is not advertised";
}

TEST_F(Features, OfGroups) {
  Demonstrate("GetSupportedGroupFeatures", "GroupFeatures", {
      {2, [&] {
         return Call(service_, "CreateGroupReplica", {{"SyncType", sync_type_}, {"SourceElement", Volume()}}).code == 0;
       }},
      {5, [&] { return Associated(Group({}), "CIM_OrderedMemberOfCollection").empty(); }},
      {8, [&] { return CopyGroup(CopyGroup(Group({Volume()})).Ref("TargetGroup")).code == 0; }},
      {13, [&] {
         Called made = Call(service_, "CreateGroup", {{"Members", Refs({Volume()})}, {"Persistent", false}});
         const ObjectPath group = made.Ref("ReplicationGroup"), pair = CopyGroup(group).Ref("Synchronization");
         Called done = Call(service_, "ModifyReplicaSynchronization",
                            {{"Operation", uint16_t{8}}, {"Synchronization", pair}});
         return done.code == 0 && GetCode(group) == CimCode::kNotFound;
       }},
      {14, [&] {
         const std::string name = "group" + std::to_string(++made_);
         return *Get(Group({}, name.c_str()))["ElementName"].AsString() == name;
       }},
      {15, [&] {
         Called made = Call(service_, "CreateGroupReplica", {{"SyncType", sync_type_}, {"SourceElement", Volume()},
                                                             {"TargetElementCount", uint64_t{3}}});
         return Associated(made.Ref("TargetGroup"), "CIM_OrderedMemberOfCollection").size() == 3;
       }},
      {23, [&] {
         const ObjectPath a = Volume();
         Group({a}), Group({a});
         return Associated(a, "CIM_OrderedMemberOfCollection").size() == 2;
       }},
      {38, [&] { return GetCode(CopyGroup(Group({Volume()})).Ref("TargetGroup")) == CimCode::kOk; }},
      {44, [&] {
         Called made = CopyGroup(Group({Volume()}), {{"Consistency", uint16_t{3}}});
         const std::vector<Property> what = {{"Synchronized", made.Ref("Synchronization")},
                                             {"SourceElements", Refs({Volume()})}};
         std::vector<Property> exempt = what;
         exempt.push_back({"ReplicationSettingData", Settings({{"ConsistencyExempt", true}})});
         return Call(service_, "AddElementsToGroupSynchronized", what).code == 4 &&
                Call(service_, "AddElementsToGroupSynchronized", exempt).code == 0;
       }},
      {49, [&] { return Aspect("SourceGroup", Group({Volume()})).code == 0; }},
      {56, [&] {
         const std::string name = "relation" + std::to_string(++made_);
         Called made = CopyGroup(Group({Volume()}), {{"RelationshipName", name}});
         return *Get(made.Ref("Synchronization"))["RelationshipName"].AsString() == name;
       }},
  });
  const ObjectPath a = Volume(), group = Group({a});
  ASSERT_EQ(CopyGroup(group).code, 0u);
  EXPECT_EQ(Call(service_, "RemoveMembers", {{"ReplicationGroup", group}, {"Members", Refs({a})}}).code, 6u)
      << "11 is not advertised";
}

TEST_F(Features, OfLists) {
  const auto list = [&](std::vector<Property> more) {
    more.push_back({"SyncType", sync_type_});
    more.push_back({"SourceElements", Refs({Volume(), Volume()})});
    return Call(service_, "CreateListReplica", more).code == 0;
  };
  Demonstrate("GetSupportedListFeatures", "GroupFeatures", {
      {2, [&] { return list({}); }},
      {3, [&] { return list({{"Consistency", uint16_t{3}}}); }},
      {4, [&] { return list({{"Consistency", uint16_t{2}}}); }},
  });
}

TEST_F(Features, NamesAreTakenWhereTheyAreAdvertised) {
  for (uint16_t type = 2; type <= 6; ++type) {
    Called answer = Call(capabilities_, "GetElementNameCapabilities", {{"ElementType", type}});
    ASSERT_EQ(answer.code, 0u);
    const std::vector<uint64_t> features = answer.Numbers("SupportedFeatures");
    const bool at_creation = std::find(features.begin(), features.end(), 2u) != features.end();
    EXPECT_EQ(at_creation, type == 2 || type == 4 || type == 5) << type;
    EXPECT_EQ(answer.out["MaxElementNameLen"].is_null(), features.empty());
  }
  Called named = Call(service_, "CreateSynchronizationAspect",
                      {{"Name", "noon"}, {"SyncType", uint16_t{7}}, {"SourceElement", Volume()}});
  const ObjectPath aspect = *Get(named.Ref("SettingsState"))["SettingData"].AsReference();
  EXPECT_EQ(*Get(aspect)["ElementName"].AsString(), "noon");
  const ObjectPath group = Group({}, "before");
  EXPECT_EQ(Modify(group, "ElementName", "after"), CimCode::kOk);
  EXPECT_EQ(*Get(group)["ElementName"].AsString(), "after");
  EXPECT_EQ(Modify(group, "ElementName", std::string(129, 'x')), CimCode::kInvalidParameter) << "MaxElementNameLen";
}

}  // namespace
}  // namespace lockstep::smis
