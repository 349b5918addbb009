// The capabilities do not lie. Everything that they advertise is read over the wire and then done, and succeeds;
// everything that they do not advertise is tried too, and gets the documented refusal and changes nothing: 1 for what
// is not supported for the type, 4 for what is not legal now, 5 for what has no meaning.
#include <algorithm>
#include <map>
#include <set>

#include "smis/paths.h"
#include "tests/unit/smis/wire.h"

namespace lockstep::smis {
namespace {

constexpr uint32_t kDone = 0, kRefusedNotSupported = 1, kRefusedFailed = 4, kRefusedInvalid = 5, kStarted = 4096;
constexpr uint16_t kStates[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
constexpr uint16_t kUns = 3, kSyn = 4, kBro = 5, kFra = 6, kSpl = 7, kSus = 9, kAbo = 12, kSke = 13, kMix = 14,
                   kRes = 18;
constexpr uint16_t kFirstOperation = 2, kLastOperation = 25;
const std::set<uint64_t> kGroupOperations = {3, 5, 6, 13};

bool Succeeded(uint32_t code) { return code == kDone || code == kStarted; }

struct Kind {
  uint16_t type = 0;  // ReplicationType
  uint16_t sync_type = 0, mode = 0;
};

// What is offered in one state.
struct Offer {
  std::set<uint64_t> operations, with_force;
};

class Honesty : public WireTest {
 protected:
  void SetUp() override {
    WireTest::SetUp();
    paths_.emplace(control(), "node-1");
    service_ = Replication();
    capabilities_ = Only("CIM_ReplicationServiceCapabilities");
  }

  std::vector<uint64_t> Property64(const char* name) {
    std::vector<uint64_t> numbers;
    const Instance instance = GetByWire(capabilities_);
    const Value::Elements* elements = instance[name].AsArray();
    EXPECT_NE(elements, nullptr) << name;
    for (size_t i = 0; elements && i < elements->size(); ++i) {
      numbers.push_back((*elements)[i].AsUnsigned().value_or(std::stoull((*elements)[i].ToText())));
    }
    return numbers;
  }
  std::vector<Kind> Kinds() {
    std::vector<Kind> kinds;
    for (uint64_t type : Property64("SupportedReplicationTypes")) {
      Called what = Call(capabilities_, "ConvertReplicationTypeToSyncType", {{"ReplicationType", uint16_t(type)}});
      EXPECT_EQ(what.code, kDone);
      EXPECT_EQ(what.out["LocalOrRemote"].AsUnsigned(), 2u);
      kinds.push_back({uint16_t(type), uint16_t(*what.out["SyncType"].AsUnsigned()),
                       uint16_t(*what.out["Mode"].AsUnsigned())});
    }
    return kinds;
  }
  std::vector<uint64_t> Ask(const Kind& kind, const char* method, const char* result, std::vector<Property> more = {}) {
    more.push_back({"ReplicationType", kind.type});
    Called answer = Call(capabilities_, method, more);
    EXPECT_EQ(answer.code, kDone) << method;
    return answer.Numbers(result);
  }
  Offer ReadOffer(Called answer, const char* result) {
    Offer offer;
    EXPECT_EQ(answer.code, kDone) << result;
    const std::vector<uint64_t> operations = answer.Numbers(result);
    const Value::Elements* force = answer.out["RequiresForce"].AsArray();
    EXPECT_TRUE(force && force->size() == operations.size());
    for (size_t i = 0; force && i < operations.size(); ++i) {
      EXPECT_TRUE(offer.operations.insert(operations[i]).second) << "twice";
      if ((*force)[i].AsBool() == true || (*force)[i].ToText() == "TRUE") offer.with_force.insert(operations[i]);
    }
    return offer;
  }

  // A pair or a group of two pairs of the kind, in the state.
  ObjectPath InState(const Kind& kind, uint16_t state, bool group) {
    const std::string name = "v" + std::to_string(++made_);
    const bool copying = state == kUns || state == kSus || state == kAbo || state == kBro;
    const uint64_t size = copying ? 64 * control::kMiB : control::kMiB;
    std::vector<ObjectPath> sources = {PathOf(Volume(name + "a", size))};
    if (group) sources.push_back(PathOf(Volume(name + "b", size)));
    std::vector<Property> arguments = {{"SyncType", kind.sync_type}, {"Mode", kind.mode}};
    if (state == 2 || state == 8 || state == 11) arguments.push_back({"WaitForCopyState", state});
    if (copying) {
      arguments.push_back({"ReplicationSettingData", Settings({{"DesiredCopyMethodology", uint16_t{3}}})});
    }
    if (state == kBro) node_->opener().at("/dev/p")->FailCopies(IoError("bad sectors"));
    Called made;
    if (group) {
      arguments.push_back({"SourceElements", Refs(sources)});
      made = Call(service_, "CreateGroupReplicaFromElements", arguments);
    } else {
      arguments.push_back({"SourceElement", sources.front()});
      made = Call(service_, "CreateElementReplica", arguments);
    }
    EXPECT_TRUE(Succeeded(made.code)) << made.code;
    const ObjectPath path = made.Ref("Synchronization");
    Bring(path, state, group);
    EXPECT_EQ(CopyStateByWire(path), state) << "the state cannot be brought about";
    return path;
  }
  void Bring(const ObjectPath& path, uint16_t state, bool group) {
    const std::map<uint16_t, uint16_t> by_operation = {{kFra, 12}, {kSpl, 21}, {kSus, 22}, {kAbo, 2}, {kRes, 15}};
    if (const auto found = by_operation.find(state); found != by_operation.end()) {
      EXPECT_EQ(Modify(path, found->second, true), kDone);
    }
    if (state == kBro) {
      EXPECT_TRUE(env_.loop().RunUntil([&] { return CopyState(path) == kBro; }));
      node_->opener().at("/dev/p")->FailCopies(Status::Ok());
    }
    if (state != kSke) return;
    // Something of the target is restored over it.
    for (const ObjectPath& pair : PairsOf(path, group)) {
      const ObjectPath target = *pair.Key("SyncedElement")->AsReference();
      Called made = Call(service_, "CreateElementReplica", {{"SyncType", uint16_t{7}}, {"SourceElement", target}});
      EXPECT_EQ(Modify(made.Ref("Synchronization"), 15, true), kDone);
      EXPECT_EQ(Modify(made.Ref("Synchronization"), 8), kDone);
    }
  }
  uint64_t CopyState(const ObjectPath& path) {
    // Not over the wire: this runs inside of the loop.
    if (path.class_name != kGroupSynchronizedClass) {
      for (const auto& view : control().Relationships()) {
        if (paths_->Relationship(view.record).SameAs(path)) return static_cast<uint64_t>(view.record.state);
      }
    }
    for (const auto& view : control().GroupRelationships()) {
      if (paths_->GroupRelationship(view.record).SameAs(path)) return static_cast<uint64_t>(view.state);
    }
    return 0;
  }
  std::vector<ObjectPath> PairsOf(const ObjectPath& path, bool group) {
    if (!group) return {path};
    std::vector<ObjectPath> pairs;
    for (const auto& view : control().GroupRelationships()) {
      if (!paths_->GroupRelationship(view.record).SameAs(path)) continue;
      for (catalog::RelationshipId id : view.pairs) {
        pairs.push_back(paths_->Relationship(control().Relationship(id)->record));
      }
    }
    return pairs;
  }

  uint32_t Modify(const ObjectPath& path, uint16_t operation, bool force = false, std::vector<Property> more = {}) {
    more.push_back({"Operation", operation});
    more.push_back({"Synchronization", path});
    more.push_back({"Force", force});
    return Call(service_, "ModifyReplicaSynchronization", more).code;
  }
  // With the pair that AddSyncPair and RemoveSyncPair need.
  std::vector<Property> Extra(const Kind& kind, const ObjectPath& path, uint16_t state, uint16_t operation) {
    if (operation == 5) return {{"SyncPair", Refs({InState(kind, state, false)})}};
    if (operation == 13) return {{"SyncPair", Refs({PairsOf(path, true).front()})}};
    return {};
  }
  void Forget() {
    const auto jobs = control().Jobs();
    for (const auto& job : jobs) {
      if (!IsFinal(job.state)) (void)Run(control().CancelJob(job.id));
    }
    node_->exports().connections.clear();
    const auto groups = control().GroupRelationships();
    for (const auto& view : groups) (void)ControlTest::Modify(view.record.id, catalog::Operation::kDetach, true);
    const auto pairs = control().Relationships();
    for (const auto& view : pairs) (void)ControlTest::Modify(view.record.id, catalog::Operation::kDetach, true);
    const auto aspects = control().Aspects();
    for (const auto& aspect : aspects) (void)Run(control().DeleteAspect(aspect.id));
    const auto volumes = control().Volumes();
    for (const auto& volume : volumes) (void)Run(control().DeleteVolume(volume.record.id));
    const auto left = control().Groups();
    for (const auto& group : left) (void)Run(control().DeleteGroup(group.id, true));
    const auto ended = control().Jobs();
    for (const auto& job : ended) (void)Run(control().DeleteJob(job.id));
    EXPECT_TRUE(control().Volumes().empty());
    EXPECT_TRUE(control().Groups().empty());
  }

  // One operation in one state, offered or not, and what it comes to.
  template <typename Do>
  void Try(const Kind& kind, uint16_t state, bool group, uint16_t operation, const Offer& offer,
           const std::set<uint64_t>& ever, uint32_t without_meaning, Do perform) {
    const ObjectPath path = InState(kind, state, group);
    const std::vector<Property> extra = group ? Extra(kind, path, state, operation) : std::vector<Property>();
    const bool offered = offer.operations.contains(operation), forced = offer.with_force.contains(operation);
    if (forced || !offered) {
      const uint32_t code = perform(path, operation, false, extra);
      uint32_t expected = kRefusedFailed;
      if (!offered && !ever.contains(operation)) expected = kRefusedNotSupported;
      if (!offered && without_meaning != 0 && kGroupOperations.contains(operation)) expected = without_meaning;
      EXPECT_EQ(code, expected) << "is not offered, or not without Force";
      EXPECT_EQ(CopyStateByWire(path), state) << "and changes nothing";
      if (!offered) {
        EXPECT_EQ(perform(path, operation, true, extra), expected) << "with Force";
      }
      ++refused_;
    }
    if (!offered) return;
    EXPECT_TRUE(Succeeded(perform(path, operation, forced, extra))) << "is offered";
    const uint64_t now = CopyStateByWire(path);
    if (now != 0) {
      EXPECT_TRUE(met_.contains(now)) << "is in " << now << ", which is not advertised";
    }
    ++performed_;
  }

  ObjectPath service_, capabilities_;
  std::optional<Paths> paths_;
  std::set<uint64_t> met_;
  size_t made_ = 0, performed_ = 0, refused_ = 0;
};

constexpr Kind kKinds[] = {{6, 7, 2}, {10, 8, 2}, {11, 8, 3}};

TEST_F(Honesty, TheReplicationTypesAreThoseThatAreTried) {
  const std::vector<Kind> kinds = Kinds();
  ASSERT_EQ(kinds.size(), std::size(kKinds));
  for (size_t i = 0; i < kinds.size(); ++i) {
    EXPECT_EQ(kinds[i].type, kKinds[i].type);
    EXPECT_EQ(kinds[i].sync_type, kKinds[i].sync_type);
    EXPECT_EQ(kinds[i].mode, kKinds[i].mode);
  }
}

class Operations : public Honesty, public testing::WithParamInterface<std::pair<Kind, bool>> {
 protected:
  // All states and operations; `ask` gives the offer for a state (or for all), `perform` does it.
  template <typename AskFor, typename Do>
  void TryAll(uint32_t without_meaning, AskFor ask, Do perform) {
    const auto [kind, group] = GetParam();
    const char* states_of = group ? "GetSupportedGroupCopyStates" : "GetSupportedCopyStates";
    const std::vector<uint64_t> states = Ask(kind, states_of, "SupportedCopyStates");
    met_.insert(states.begin(), states.end());
    const std::set<uint64_t> ever = ask(0).operations;
    for (const uint16_t state : kStates) {
      const Offer offer = ask(state);
      if (!met_.contains(state)) {
        EXPECT_TRUE(offer.operations.empty()) << "in state " << state << ", which is not met";
        continue;
      }
      if (state == kMix) continue;  // see TheStatesOfPairsDecideForAMixedGroup
      for (uint16_t operation = kFirstOperation; operation <= kLastOperation; ++operation) {
        SCOPED_TRACE(testing::Message() << "type " << kind.type << (group ? " group" : " element") << ", state "
                                        << state << ", operation " << operation);
        Try(kind, state, group, operation, offer, ever, without_meaning, perform);
        Forget();
        if (HasFailure()) return;
      }
    }
    EXPECT_GT(performed_, 60u);
    EXPECT_GT(refused_, 60u);
    RecordProperty("performed", static_cast<int>(performed_));
    RecordProperty("refused", static_cast<int>(refused_));
    std::printf("performed %zu, refused %zu\n", performed_, refused_);
  }
};

TEST_P(Operations, AreLegalWhereAndOnlyWhereTheyAreOffered) {
  const auto [kind, group] = GetParam();
  const char* method = group ? "GetSupportedGroupOperations" : "GetSupportedOperations";
  const char* result = group ? "SupportedGroupOperations" : "SupportedOperations";
  TryAll(
      group ? 0 : kRefusedInvalid,
      [&, type = kind.type](uint16_t state) {
        std::vector<Property> arguments = {{"ReplicationType", type}};
        if (state != 0) arguments.push_back({"CopyState", state});
        return ReadOffer(Call(capabilities_, method, arguments), result);
      },
      [&](const ObjectPath& path, uint16_t operation, bool force, const std::vector<Property>& extra) {
        return Modify(path, operation, force, extra);
      });
}

TEST_P(Operations, OfListsLikewise) {
  const auto [kind, group] = GetParam();
  const uint16_t what = group ? 3 : 2;
  TryAll(
      kRefusedInvalid,
      [&, type = kind.type](uint16_t state) {
        std::vector<Property> arguments = {{"ReplicationType", type}, {"SynchronizationType", what}};
        if (state != 0) arguments.push_back({"CopyState", state});
        return ReadOffer(Call(capabilities_, "GetSupportedListOperations", arguments), "SupportedListOperations");
      },
      [&](const ObjectPath& path, uint16_t operation, bool force, const std::vector<Property>&) {
        return Call(service_, "ModifyListSynchronization",
                    {{"Operation", operation}, {"Synchronization", Refs({path})}, {"Force", force}})
            .code;
      });
}

TEST_P(Operations, AreToldForOneRelationshipAsForItsState) {
  const auto [kind, group] = GetParam();
  const char* method = group ? "GetSupportedGroupOperations" : "GetSupportedOperations";
  const char* result = group ? "SupportedGroupOperations" : "SupportedOperations";
  const char* states_of = group ? "GetSupportedGroupCopyStates" : "GetSupportedCopyStates";
  const std::vector<uint64_t> states = Ask(kind, states_of, "SupportedCopyStates");
  for (const uint64_t number : states) {
    const uint16_t state = static_cast<uint16_t>(number);
    if (state == kMix) continue;
    const ObjectPath path = InState(kind, state, group);
    Called one = Call(capabilities_, "GetSupportedOperationsForSynchronization", {{"Synchronization", path}});
    Called all = Call(capabilities_, method, {{"ReplicationType", kind.type}, {"CopyState", state}});
    EXPECT_EQ(one.Numbers("SupportedOperations"), all.Numbers(result)) << state;
    EXPECT_TRUE(one.out["RequiresForce"] == all.out["RequiresForce"]) << state;
    Forget();
  }
}

std::vector<std::pair<Kind, bool>> KindsAndScopes() {
  std::vector<std::pair<Kind, bool>> all;
  for (const Kind& kind : kKinds) {
    for (const bool group : {false, true}) all.emplace_back(kind, group);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Types, Operations, testing::ValuesIn(KindsAndScopes()), [](const auto& one) {
  return std::to_string(one.param.first.type) + (one.param.second ? "_group" : "_element");
});

// Whatever two states the pairs of a group are in.
TEST_F(Honesty, TheStatesOfPairsDecideForAMixedGroup) {
  const std::pair<uint16_t, uint16_t> mixes[] = {{12, 0}, {21, 0}, {7, 0}, {15, 0}, {12, 21}, {7, 12}};
  for (const Kind& kind : kKinds) {
    const Offer anyhow = ReadOffer(
        Call(capabilities_, "GetSupportedGroupOperations", {{"ReplicationType", kind.type}, {"CopyState", kMix}}),
        "SupportedGroupOperations");
    for (const auto& [first, second] : mixes) {
      for (uint16_t operation = kFirstOperation; operation <= kLastOperation; ++operation) {
        if (operation == 5 || operation == 13) continue;  // membership asks for one state
        SCOPED_TRACE(testing::Message() << "type " << kind.type << ", pairs after " << first << " and " << second
                                        << ", operation " << operation);
        const ObjectPath group = InState(kind, kSyn, true);
        const std::vector<ObjectPath> pairs = PairsOf(group, true);
        ASSERT_EQ(Modify(pairs[0], first, true), kDone);
        if (second != 0) {
          ASSERT_EQ(Modify(pairs[1], second, true), kDone);
        }
        ASSERT_EQ(CopyStateByWire(group), kMix);
        const Offer offer = ReadOffer(
            Call(capabilities_, "GetSupportedOperationsForSynchronization", {{"Synchronization", group}}),
            "SupportedOperations");
        const bool offered = offer.operations.contains(operation);
        if (anyhow.operations.contains(operation)) {
          EXPECT_TRUE(offered) << "is offered for all mixed groups";
        }
        const bool force = offered ? offer.with_force.contains(operation) : true;
        EXPECT_EQ(Succeeded(Modify(group, operation, force)), offered);
        if (!offered) {
          EXPECT_EQ(CopyStateByWire(group), kMix);
        }
        Forget();
      }
    }
  }
}

TEST_F(Honesty, NumbersWithoutMeaningAreInvalid) {
  const ObjectPath pair = InState(kKinds[0], kSyn, false);
  for (const uint16_t operation : {0, 1, 26, 0x8000, 0xffff}) {
    EXPECT_EQ(Modify(pair, operation), kRefusedInvalid) << operation;
    EXPECT_EQ(Call(service_, "ModifyListSynchronization",
                   {{"Operation", operation}, {"Synchronization", Refs({pair})}})
                  .code,
              kRefusedInvalid)
        << operation;
  }
}

TEST_F(Honesty, ReplicasAreMadeOfTheTypesThatAreAdvertised) {
  const ObjectPath a = NewVolume("a");
  size_t made = 0;
  for (uint16_t sync_type = 5; sync_type <= 10; ++sync_type) {
    for (uint16_t mode = 1; mode <= 5; ++mode) {
      const bool known = sync_type >= 6 && sync_type <= 9 && mode >= 2 && mode <= 4;
      const std::vector<Property> what = {{"SyncType", sync_type}, {"Mode", mode}};
      Called local = Call(capabilities_, "ConvertSyncTypeToReplicationType", what);
      std::vector<Property> arguments = what;
      arguments.push_back({"SourceElement", a});
      const uint32_t code = Call(service_, "CreateElementReplica", arguments).code;
      EXPECT_EQ(code, local.code) << sync_type << " " << mode;
      EXPECT_EQ(code == kRefusedInvalid, !known) << sync_type << " " << mode;
      made += code == kDone;
      arguments = what;
      arguments.push_back({"LocalOrRemote", uint16_t{3}});
      EXPECT_NE(Call(capabilities_, "ConvertSyncTypeToReplicationType", arguments).code, kDone) << "remote";
    }
  }
  EXPECT_EQ(made, std::size(kKinds));
}

// The calls that make replicas, each with a WaitForCopyState.
TEST_F(Honesty, WhatCanBeWaitedForIsWhatIsAdvertised) {
  size_t waited = 0, refused = 0;
  for (const Kind& kind : kKinds) {
    for (const uint16_t method : {2, 3, 6, 7, 8, 9, 10, 11}) {
      const std::vector<uint64_t> listed =
          Ask(kind, "GetSupportedWaitForCopyStates", "SupportedCopyStates", {{"MethodName", method}});
      const std::set<uint64_t> advertised(listed.begin(), listed.end());
      EXPECT_FALSE(advertised.empty()) << method;
      for (const uint16_t state : kStates) {
        SCOPED_TRACE(testing::Message() << "type " << kind.type << ", method " << method << ", state " << state);
        const ObjectPath a = NewVolume("a" + std::to_string(++made_));
        const Property type{"SyncType", kind.sync_type}, mode{"Mode", kind.mode}, wait{"WaitForCopyState", state};
        Called done;
        if (method == 2) {
          done = Call(service_, "CreateElementReplica", {type, mode, wait, {"SourceElement", a}});
        } else if (method == 3) {
          done = Call(service_, "CreateGroupReplica", {type, mode, wait, {"SourceElement", a}});
        } else if (method == 7) {
          done = Call(service_, "CreateListReplica", {type, mode, wait, {"SourceElements", Refs({a})}});
        } else if (method == 8) {
          done = Call(service_, "CreateGroupReplicaFromElements", {type, mode, wait, {"SourceElements", Refs({a})}});
        } else if (method == 10) {
          done = Call(service_, "CreateGroupReplicaFromElementSynchronizations",
                      {wait, {"ElementSynchronizations", Refs({InState(kind, kSyn, false)})}});
        } else if (method == 11) {
          done = Call(service_, "AddElementsToGroupSynchronized",
                      {wait, {"Synchronized", InState(kind, kSyn, true)}, {"SourceElements", Refs({a})}});
        } else {
          Called aspect = Call(service_, "CreateSynchronizationAspect", {type, mode, {"SourceElement", a}});
          const ObjectPath made = aspect.Ref("SettingsState");
          done = method == 6 ? Call(service_, "ModifySettingsDefineState",
                                    {{"Operation", uint16_t{5}}, {"SettingsState", made}, wait})
                             : Call(service_, "ModifyListSettingsDefineState",
                                    {{"Operation", uint16_t{5}}, {"SettingsStates", Refs({made})}, wait});
        }
        EXPECT_EQ(done.code, advertised.contains(state) ? kDone : kRefusedInvalid);
        if (advertised.contains(state) && done.code == kDone && method == 2) {
          const uint64_t reached = CopyStateByWire(done.Ref("Synchronization"));
          EXPECT_TRUE(reached == state || (state == kUns && reached == kSyn)) << reached;
        }
        (done.code == kDone ? waited : refused) += 1;
        Forget();
      }
    }
  }
  EXPECT_GT(waited, 50u);
  EXPECT_GT(refused, 100u);
}

TEST_F(Honesty, OperationsAreWaitedForAsAdvertised) {
  for (const Kind& kind : kKinds) {
    for (uint16_t operation = kFirstOperation; operation <= kLastOperation; ++operation) {
      const Offer offer = ReadOffer(
          Call(capabilities_, "GetSupportedOperations", {{"ReplicationType", kind.type}, {"CopyState", kSyn}}),
          "SupportedOperations");
      if (!offer.operations.contains(operation)) continue;
      const std::vector<uint64_t> listed = Ask(kind, "GetSupportedWaitForCopyStates", "SupportedCopyStates",
                                               {{"MethodName", uint16_t{4}}, {"Operation", operation}});
      for (const uint16_t state : kStates) {
        SCOPED_TRACE(testing::Message() << "type " << kind.type << ", " << operation << ", waiting for " << state);
        const bool advertised = std::find(listed.begin(), listed.end(), state) != listed.end();
        const uint32_t code = Modify(InState(kind, kSyn, false), operation, true, {{"WaitForCopyState", state}});
        EXPECT_EQ(Succeeded(code), advertised) << code;
        if (!advertised) {
          EXPECT_EQ(code, kRefusedInvalid);
        }
        Forget();
      }
    }
  }
}

TEST_F(Honesty, AspectsOfferWhatTheyDo) {
  for (const Kind& kind : kKinds) {
    const std::vector<uint64_t> listed =
        Ask(kind, "GetSupportedSettingsDefineStateOperations", "SupportedOperations");
    const std::set<uint64_t> advertised(listed.begin(), listed.end());
    for (uint16_t operation = 1; operation <= 9; ++operation) {
      for (const bool group : {false, true}) {
        for (const bool restored : {false, true}) {
          SCOPED_TRACE(testing::Message() << "type " << kind.type << ", operation " << operation
                                          << (group ? " group" : ""));
          const ObjectPath a = NewVolume("a" + std::to_string(++made_));
          Property source{"SourceElement", a};
          if (group) {
            Called made = Call(service_, "CreateGroup", {{"Members", Refs({a})}});
            source = {"SourceGroup", made.Ref("ReplicationGroup")};
          }
          Called aspect = Call(service_, "CreateSynchronizationAspect",
                               {{"SyncType", kind.sync_type}, {"Mode", kind.mode}, source});
          ASSERT_EQ(aspect.code, kDone);
          const ObjectPath state = aspect.Ref("SettingsState");
          const auto modify = [&](uint16_t what) {
            return Call(service_, "ModifySettingsDefineState", {{"Operation", what}, {"SettingsState", state}}).code;
          };
          if (restored) {
            ASSERT_EQ(modify(7), kDone);
          }
          const bool meaningless = operation < 2 || operation > 8;
          const bool of_groups = operation == 2 || operation == 3;
          uint32_t expected = advertised.contains(operation) ? kDone : kRefusedNotSupported;
          if (meaningless || (of_groups && !group)) expected = kRefusedInvalid;
          EXPECT_EQ(modify(operation), expected);
          Forget();
        }
      }
    }
  }
}

// GetSupportedReplicationSettingData against what settings are accepted when a replica is made.
TEST_F(Honesty, SettingsAreAcceptedAsAdvertised) {
  const wbem::ParameterDecl* names = schema_.Find(kStorage, kReplicationCapabilitiesClass)
                                         ->FindMethod("GetSupportedReplicationSettingData")
                                         ->FindParameter("PropertyName");
  const Value::Elements& numbers = *names->qualifiers.Find("ValueMap")->AsArray();
  const Value::Elements& words = *names->qualifiers.Find("Values")->AsArray();
  const wbem::ClassDecl* settings = schema_.Find(kStorage, "CIM_ReplicationSettingData");
  const std::map<std::string, std::string> renamed = {{"RPO", "DesiredRPO"}, {"Skew", "MaximumSkew"}};
  size_t tried = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const std::string number = *numbers[i].AsString();
    if (number.find_first_not_of("0123456789") != number.npos) continue;
    std::string name = *words[i].AsString();
    if (renamed.contains(name)) name = renamed.at(name);
    const wbem::PropertyDecl* property = settings->FindProperty(name);
    ASSERT_NE(property, nullptr) << name;
    for (const Kind& kind : kKinds) {
      Called answer = Call(capabilities_, "GetSupportedReplicationSettingData",
                           {{"ReplicationType", kind.type}, {"PropertyName", uint16_t(std::stoi(number))}});
      ASSERT_TRUE(answer.code == kDone || answer.code == 7u) << name << " " << answer.code;
      const std::vector<uint64_t> listed = answer.Numbers("SupportedValues");
      EXPECT_EQ(listed.empty(), answer.code == 7u) << name;
      for (uint64_t value = 1; value <= 12; ++value) {
        if (property->type == wbem::CimType::kBoolean && value != 2 && value != 3) continue;
        const ObjectPath a = NewVolume("a" + std::to_string(++made_)), b = NewVolume("b" + std::to_string(made_));
        Value wish = value;
        if (property->type == wbem::CimType::kBoolean) wish = value == 3;
        if (property->type == wbem::CimType::kUint16) wish = static_cast<uint16_t>(value);
        if (property->type == wbem::CimType::kDatetime) wish = wbem::Datetime::Interval(value * 1'000'000);
        const uint32_t code = Call(service_, "CreateElementReplica",
                                   {{"SyncType", kind.sync_type}, {"Mode", kind.mode}, {"SourceElement", a},
                                    {"TargetElement", b}, {"ReplicationSettingData", Settings({{name, wish}})}})
                                  .code;
        const bool advertised = std::find(listed.begin(), listed.end(), value) != listed.end();
        // What is not supported may be said to be off.
        const bool harmless = answer.code == 7u && ((property->type == wbem::CimType::kBoolean && value == 2) ||
                                                    (name == "CopyRecoveryMode" && value == 4));
        EXPECT_EQ(Succeeded(code), advertised || harmless) << name << " = " << value << ": " << code;
        if (!Succeeded(code)) {
          EXPECT_TRUE(code == kRefusedNotSupported || code == kRefusedInvalid) << name << code;
        }
        ++tried;
        Forget();
      }
    }
  }
  EXPECT_GT(tried, 500u);
}

// Every method is asked: those that are advertised are there, the others say Not Supported.
TEST_F(Honesty, MethodsAreThereAsAdvertised) {
  const wbem::ClassDecl* declared = schema_.Find(kStorage, kReplicationCapabilitiesClass);
  std::set<std::string> advertised, jobs;
  for (const auto& [property, into] :
       {std::pair("SupportedSynchronousActions", &advertised), std::pair("SupportedAsynchronousActions", &jobs)}) {
    const wbem::Qualifiers& words = declared->FindProperty(property)->qualifiers;
    const Value::Elements& numbers = *words.Find("ValueMap")->AsArray();
    const Value::Elements& names = *words.Find("Values")->AsArray();
    for (const uint64_t action : Property64(property)) {
      for (size_t i = 0; i < numbers.size(); ++i) {
        if (*numbers[i].AsString() == std::to_string(action)) into->insert(*names[i].AsString());
      }
    }
  }
  size_t absent = 0;
  for (const auto& method : schema_.Find(kStorage, "CIM_ReplicationService")->methods) {
    if (method->origin != "CIM_ReplicationService") continue;
    const uint32_t code = Call(service_, method->name).code;
    EXPECT_EQ(code == kRefusedNotSupported, !advertised.contains(method->name)) << method->name << ": " << code;
    absent += code == kRefusedNotSupported;
  }
  EXPECT_EQ(absent, 8u) << "what needs a second site";
  EXPECT_TRUE(std::includes(advertised.begin(), advertised.end(), jobs.begin(), jobs.end()));
}

}  // namespace
}  // namespace lockstep::smis
