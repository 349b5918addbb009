#include "replication/capabilities.h"

#include <algorithm>
#include <array>
#include <string>

#include "replication/aspects.h"
#include "replication/methods.h"
#include "replication/table.h"

namespace lockstep::replication {
namespace {

using catalog::Mode;

constexpr std::array kTypes = {ReplicationType::kSynchronousSnapshotLocal, ReplicationType::kSynchronousCloneLocal,
                               ReplicationType::kAsynchronousCloneLocal};

// GetSupportedFeatures. 2 Replication groups, 3 Multi-hop element replication, 9 Targets allocated from Shared storage
// pool, 14 Source is associated to SynchronizationAspect, 24 Adjustable CopyPriority, 44 Local targets allocated from
// sources resource pool, 45 Supports SynchronizationAspect, 51 Client can supply target ElementName.
constexpr std::array<uint16_t, 8> kFeatures = {2, 3, 9, 14, 24, 44, 45, 51};
// GetSupportedGroupFeatures. 2 One-to-many replication, 5 Empty replication groups allowed, 8 Multihop element
// replication, 13 Group can be temporary, 14 Group is nameable, 15 Supports target element count, 23 Element can be
// member of multiple groups, 38 Provider can create local target group, 44 Supports ConsistencyExempt when adding to
// group, 49 Supports SynchronizationAspect of replication group, 56 Client can supply RelationshipName.
constexpr std::array<uint16_t, 11> kGroupFeatures = {2, 5, 8, 13, 14, 15, 23, 38, 44, 49, 56};
// GetSupportedListFeatures. 2 List is supported, 3 Sequential consistency, 4 No consistency.
constexpr std::array<uint16_t, 3> kListFeatures = {2, 3, 4};
constexpr std::array<uint16_t, 1> kConsistency = {2};  // Sequentially Consistent

SyncType TypeOf(ReplicationType type) {
  return type == ReplicationType::kSynchronousSnapshotLocal ? SyncType::kSnapshot : SyncType::kClone;
}

bool IsLegal(Legality legality) { return legality != Legality::kIllegal && legality != Legality::kNotSupported; }

// The states that are asked about: that one, or all that can be met. The pairs of a Mixed group can be in any.
std::vector<CopyState> StatesToAsk(SyncType type, Scope scope, std::optional<CopyState> state) {
  std::vector<CopyState> states;
  for (const CopyState one : kColumns) {
    const bool mixed = state == CopyState::kMixed && scope == Scope::kGroup;
    const bool asked = !state || mixed || one == *state;
    if (asked && IsMet(type, one)) states.push_back(one);
  }
  return states;
}

bool IsLegalIn(SyncType type, Operation operation, Scope scope, CopyState state) {
  const Verdict verdict = Decide(type, state, operation);
  if (scope == Scope::kElement && verdict.scopes == Scopes::kGroupOnly) return false;
  return IsLegal(verdict.legality);
}

// Legal in one of the states; in all of them for `everywhere`.
bool IsSupported(SyncType type, Operation operation, Scope scope, std::span<const CopyState> states, bool everywhere) {
  const auto legal = [&](CopyState state) { return IsLegalIn(type, operation, scope, state); };
  if (everywhere) return !states.empty() && std::all_of(states.begin(), states.end(), legal);
  return std::any_of(states.begin(), states.end(), legal);
}

SupportedOperation Described(SyncType type, Operation operation, std::span<const CopyState> states, bool everywhere) {
  SupportedOperation described{operation};
  bool always = true, sometimes = false;
  for (const CopyState state : states) {
    const Verdict verdict = Decide(type, state, operation);
    const bool freely = verdict.legality == Legality::kLegal || verdict.legality == Legality::kNoOp;
    always = always && freely;
    sometimes = sometimes || freely;
    if (verdict.swaps_keys) described.updates_synchronized_path = true;
  }
  described.requires_force = everywhere ? !always : !sometimes;
  return described;
}

std::vector<SupportedOperation> OperationsIn(SyncType type, Scope scope, std::span<const CopyState> states,
                                             bool everywhere) {
  std::vector<SupportedOperation> supported;
  for (uint16_t number = kFirstOperation; number <= kLastOperation; ++number) {
    const Operation operation = static_cast<Operation>(number);
    if (!IsSupported(type, operation, scope, states, everywhere)) continue;
    supported.push_back(Described(type, operation, states, everywhere));
  }
  return supported;
}

// Gives a property a value as SettingRow has it.
struct Setter {
  ReplicationSettings& settings;
  uint64_t value;
  void operator()(IntervalMember interval) const { settings.*interval.us = value; }
  void operator()(std::optional<bool> ReplicationSettings::* flag) const { settings.*flag = value == 3; }
  template <typename T>
  void operator()(std::optional<T> ReplicationSettings::* number) const {
    settings.*number = static_cast<T>(value);
  }
};

Status UnknownNumber(const char* what, uint16_t number) {
  return InvalidArgument(std::string(what) + " " + std::to_string(number) + " has no meaning in the schema");
}

}  // namespace

std::span<const ReplicationType> SupportedReplicationTypes() { return kTypes; }

bool IsSupported(ReplicationType type) { return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end(); }

Result<ReplicationType> ToReplicationType(SyncType sync_type, std::optional<Mode> mode, bool remote) {
  if (!IsKnown(sync_type)) return UnknownNumber("SyncType", static_cast<uint16_t>(sync_type));
  if (mode && !IsKnown(*mode)) return UnknownNumber("Mode", static_cast<uint16_t>(*mode));
  const std::string name(catalog::Name(sync_type));
  if (!IsBuilt(sync_type)) return NotSupported("SyncType " + name + " is not supported; Snapshot and Clone are");
  if (remote) return NotSupported("replicas of a remote system are not supported; leave the access points out");
  const Mode wanted = mode.value_or(sync_type == SyncType::kSnapshot ? Mode::kSynchronous : Mode::kAsynchronous);
  if (sync_type == SyncType::kSnapshot && wanted == Mode::kSynchronous) {
    return ReplicationType::kSynchronousSnapshotLocal;
  }
  if (sync_type == SyncType::kClone && wanted == Mode::kSynchronous) return ReplicationType::kSynchronousCloneLocal;
  if (sync_type == SyncType::kClone && wanted == Mode::kAsynchronous) return ReplicationType::kAsynchronousCloneLocal;
  return NotSupported("a " + name + " in Mode " + std::string(catalog::Name(wanted)) +
                      " is not supported; leave Mode out or ask for Synchronous");
}

Result<SyncTypeAndMode> FromReplicationType(ReplicationType type) {
  switch (type) {
    case ReplicationType::kSynchronousSnapshotLocal: return SyncTypeAndMode{SyncType::kSnapshot, Mode::kSynchronous};
    case ReplicationType::kSynchronousCloneLocal: return SyncTypeAndMode{SyncType::kClone, Mode::kSynchronous};
    case ReplicationType::kAsynchronousCloneLocal: return SyncTypeAndMode{SyncType::kClone, Mode::kAsynchronous};
  }
  const uint16_t number = static_cast<uint16_t>(type);
  if (number < 2 || number > 25) return UnknownNumber("ReplicationType", number);
  return NotSupported("ReplicationType " + std::to_string(number) + " is not supported");
}

std::vector<uint16_t> SynchronousActions() {
  std::vector<uint16_t> actions;
  for (const ServiceMethod& method : ServiceMethods()) {
    if (method.answers != Answers::kNotSupported) actions.push_back(method.action);
  }
  return actions;
}

std::vector<uint16_t> AsynchronousActions() {
  std::vector<uint16_t> actions;
  for (const ServiceMethod& method : ServiceMethods()) {
    if (method.answers == Answers::kAtOnceOrJob) actions.push_back(method.action);
  }
  return actions;
}

std::span<const uint16_t> Features(ReplicationType type) {
  return IsSupported(type) ? std::span<const uint16_t>(kFeatures) : std::span<const uint16_t>();
}
std::span<const uint16_t> GroupFeatures(ReplicationType type) {
  return IsSupported(type) ? std::span<const uint16_t>(kGroupFeatures) : std::span<const uint16_t>();
}
std::span<const uint16_t> ListFeatures(ReplicationType type) {
  return IsSupported(type) ? std::span<const uint16_t>(kListFeatures) : std::span<const uint16_t>();
}
std::span<const uint16_t> SupportedConsistency(ReplicationType type) {
  return IsSupported(type) ? std::span<const uint16_t>(kConsistency) : std::span<const uint16_t>();
}

std::vector<SupportedOperation> SupportedOperations(ReplicationType type, Scope scope, std::optional<CopyState> state) {
  if (!IsSupported(type)) return {};
  return OperationsIn(TypeOf(type), scope, StatesToAsk(TypeOf(type), scope, state), state.has_value());
}

std::vector<SupportedOperation> SupportedOperationsIn(ReplicationType type, Scope scope,
                                                      const std::vector<CopyState>& states) {
  if (!IsSupported(type)) return {};
  return OperationsIn(TypeOf(type), scope, states, true);
}

std::vector<SupportedOperation> SupportedListOperations(ReplicationType type, Scope scope,
                                                        std::optional<CopyState> state) {
  std::vector<SupportedOperation> supported = SupportedOperations(type, scope, state);
  std::erase_if(supported, [&](const SupportedOperation& one) {
    return Decide(TypeOf(type), CopyState::kSynchronized, one.operation).scopes == Scopes::kGroupOnly;
  });
  return supported;
}

std::vector<uint16_t> SupportedAspectOperations(ReplicationType type, bool in_lists) {
  std::vector<uint16_t> supported;
  if (!IsSupported(type)) return supported;
  for (const AspectRow& row : AspectRows()) {
    if (row.effect == AspectEffect::kNone || (in_lists && !row.in_lists)) continue;
    supported.push_back(static_cast<uint16_t>(row.operation));
  }
  return supported;
}

std::vector<SupportedCopyState> SupportedCopyStates(ReplicationType type, Scope scope,
                                                    std::optional<Operation> operation) {
  std::vector<SupportedCopyState> supported;
  if (!IsSupported(type)) return supported;
  const SyncType sync_type = TypeOf(type);
  for (const CopyState state : kColumns) {
    if (!IsMet(sync_type, state)) continue;
    if (operation && !IsLegalIn(sync_type, *operation, scope, state)) continue;
    supported.push_back({state, HostAccess(sync_type, state)});
  }
  // The pairs of a group can be in different states when somebody operates on one of them alone.
  if (scope == Scope::kGroup && !operation) supported.push_back({CopyState::kMixed, false});
  std::sort(supported.begin(), supported.end(), [](const auto& a, const auto& b) { return a.state < b.state; });
  return supported;
}

std::vector<CopyState> WaitForCopyStates(ReplicationType type, uint16_t method_name,
                                         std::optional<Operation> operation) {
  std::vector<CopyState> states;
  if (!IsSupported(type)) return states;
  const SyncType sync_type = TypeOf(type);
  const std::span<const ServiceMethod> methods = ServiceMethods();
  const auto method = std::find_if(methods.begin(), methods.end(),
                                   [&](const ServiceMethod& m) { return m.wait_number == method_name; });
  if (method_name == 0 || method == methods.end()) return states;
  const bool creates = method->waits == Waits::kCreation || method->waits == Waits::kStarted;
  for (const CreationRow& row : CreationRows()) {
    if (!creates || row.type != sync_type || row.wait == CopyState::kNotApplicable) continue;
    if (row.started || method->waits == Waits::kCreation) states.push_back(row.wait);
  }
  const bool modifies = method->waits == Waits::kOperation;
  for (uint16_t number = kFirstOperation; modifies && number <= kLastOperation; ++number) {
    if (operation && static_cast<uint16_t>(*operation) != number) continue;
    const std::span<const CopyState> outcomes = Outcomes(sync_type, static_cast<Operation>(number));
    states.insert(states.end(), outcomes.begin(), outcomes.end());
  }
  std::sort(states.begin(), states.end());
  states.erase(std::unique(states.begin(), states.end()), states.end());
  return states;
}

ReplicationSettings DefaultSettings(ReplicationType type) {
  ReplicationSettings settings;
  for (const SettingRow& row : SettingRows()) {
    if (row.default_value && IsSupported(type)) std::visit(Setter{settings, *row.default_value}, row.member);
  }
  return settings;
}

Result<std::vector<uint64_t>> SupportedSettingValues(ReplicationType type, uint16_t property_name) {
  if (!IsSupported(type)) return NotSupported("this ReplicationType is not supported");
  for (const SettingRow& row : SettingRows()) {
    if (property_name == 0 || row.property_name != property_name) continue;
    if (!row.advertised) return NotSupported("this property is not supported for the ReplicationType");
    std::vector<uint64_t> values;
    for (uint64_t value = 1; value < 64; ++value) {
      if (row.Accepts(value)) values.push_back(value);
    }
    return values;
  }
  return UnknownNumber("PropertyName", property_name);
}

Result<uint64_t> SupportedMaximum(ReplicationType type, uint16_t component) {
  if (!IsSupported(type)) return NotSupported("this ReplicationType is not supported");
  switch (component) {
    case 2: case 3: case 4: case 5: case 6: case 7:
      return uint64_t{0};  // groups, members, targets of a source, sources, targets: unlimited
    case 8: return NotFound("there are no peer systems");
    case 9: return uint64_t{0};  // hops
    case 10: case 11: case 12: return NotFound("TokenizedClone is not supported");
    default: return UnknownNumber("Component", component);
  }
}

}  // namespace lockstep::replication
