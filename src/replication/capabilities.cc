#include "replication/capabilities.h"

#include <algorithm>
#include <array>
#include <string>

#include "replication/table.h"

namespace lockstep::replication {
namespace {

using catalog::Mode;

constexpr std::array kTypes = {ReplicationType::kSynchronousSnapshotLocal, ReplicationType::kSynchronousCloneLocal,
                               ReplicationType::kAsynchronousCloneLocal};

// CIM_ReplicationServiceCapabilities.SupportedSynchronousActions: CreateElementReplica, CreateGroupReplica,
// ModifyReplicaSynchronization, ModifyListSynchronization, GetReplicationRelationships, CreateGroup, DeleteGroup,
// AddMembers, RemoveMembers, CreateListReplica, CreateGroupReplicaFromElements, GetReplicationRelationshipInstances.
constexpr std::array<uint16_t, 12> kSynchronousActions = {2, 3, 5, 6, 10, 12, 13, 14, 15, 19, 20, 21};
// Those of them that return a job when every byte is to be copied.
constexpr std::array<uint16_t, 6> kAsynchronousActions = {2, 3, 5, 6, 19, 20};

// GetSupportedFeatures. 2 Replication groups, 3 Multi-hop element replication, 9 Targets allocated from Shared storage
// pool, 24 Adjustable CopyPriority, 44 Local targets allocated from sources resource pool, 51 Client can supply target
// ElementName.
constexpr std::array<uint16_t, 6> kFeatures = {2, 3, 9, 24, 44, 51};
// GetSupportedGroupFeatures. 2 One-to-many replication, 5 Empty replication groups allowed, 8 Multihop element
// replication, 13 Group can be temporary, 14 Group is nameable, 15 Supports target element count, 23 Element can be
// member of multiple groups, 38 Provider can create local target group, 56 Client can supply RelationshipName.
constexpr std::array<uint16_t, 9> kGroupFeatures = {2, 5, 8, 13, 14, 15, 23, 38, 56};
// GetSupportedListFeatures. 2 List is supported, 3 Sequential consistency, 4 No consistency.
constexpr std::array<uint16_t, 3> kListFeatures = {2, 3, 4};
constexpr std::array<uint16_t, 1> kConsistency = {2};  // Sequentially Consistent

SyncType TypeOf(ReplicationType type) {
  return type == ReplicationType::kSynchronousSnapshotLocal ? SyncType::kSnapshot : SyncType::kClone;
}

bool IsLegal(Legality legality) { return legality != Legality::kIllegal && legality != Legality::kNotSupported; }

bool IsAlias(Operation operation) { return operation == Operation::kUnprepare; }

SupportedOperation SupportedOf(SyncType type, Operation operation, std::optional<CopyState> state) {
  SupportedOperation described{operation};
  described.requires_force = true;
  for (const CopyState from : kColumns) {
    if (state ? from != *state : !IsMet(type, from)) continue;
    const Verdict verdict = Decide(type, from, operation);
    if (verdict.legality == Legality::kLegal || verdict.legality == Legality::kNoOp) described.requires_force = false;
    if (verdict.swaps_keys) described.updates_synchronized_path = true;
  }
  return described;
}

bool IsSupported(SyncType type, Operation operation, Scope scope, std::optional<CopyState> state) {
  if (IsAlias(operation)) return false;
  return std::any_of(kColumns.begin(), kColumns.end(), [&](CopyState from) {
    if (state ? from != *state : !IsMet(type, from)) return false;
    const Verdict verdict = Decide(type, from, operation);
    if (scope == Scope::kElement && verdict.scopes == Scopes::kGroupOnly) return false;
    return IsLegal(verdict.legality);
  });
}

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

std::span<const uint16_t> SynchronousActions() { return kSynchronousActions; }
std::span<const uint16_t> AsynchronousActions() { return kAsynchronousActions; }

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
  std::vector<SupportedOperation> supported;
  if (!IsSupported(type)) return supported;
  for (uint16_t number = kFirstOperation; number <= kLastOperation; ++number) {
    const Operation operation = static_cast<Operation>(number);
    if (IsSupported(TypeOf(type), operation, scope, state)) {
      supported.push_back(SupportedOf(TypeOf(type), operation, state));
    }
  }
  return supported;
}

std::vector<SupportedOperation> SupportedListOperations(ReplicationType type, Scope scope,
                                                        std::optional<CopyState> state) {
  std::vector<SupportedOperation> supported = SupportedOperations(type, scope, state);
  std::erase_if(supported, [&](const SupportedOperation& one) {
    return Decide(TypeOf(type), CopyState::kSynchronized, one.operation).scopes == Scopes::kGroupOnly;
  });
  return supported;
}

std::vector<SupportedCopyState> SupportedCopyStates(ReplicationType type, Scope scope,
                                                    std::optional<Operation> operation) {
  std::vector<SupportedCopyState> supported;
  if (!IsSupported(type)) return supported;
  const SyncType sync_type = TypeOf(type);
  for (const CopyState state : kColumns) {
    if (!IsMet(sync_type, state)) continue;
    if (operation && !IsSupported(sync_type, *operation, scope, state)) continue;
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
  const bool creates = method_name == 2 || method_name == 3 || method_name == 7 || method_name == 8;
  const bool modifies = method_name == 4 || method_name == 5;
  if (creates) {
    for (const CreationRow& row : CreationRows()) {
      if (row.type == sync_type && row.wait != CopyState::kNotApplicable) states.push_back(row.wait);
    }
  }
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
  settings.pairing = 3;
  settings.unequal_groups_action = 2;
  settings.unequal_lists_action = 2;
  settings.desired_copy_methodology = catalog::CopyMethodology::kImplementationDecides;
  settings.target_element_supplier = 4;
  settings.thin_provisioning_policy = 7;
  settings.storage_compression_policy = 7;
  settings.consistent_point_in_time = false;
  settings.on_group_or_list_error = 3;
  settings.copy_priority = catalog::CopyPriority::kSame;
  settings.multihop = 1;
  settings.target_element_goal = 2;
  settings.target_element_resource_pool = 2;
  settings.consistency_exempt = false;
  return IsSupported(type) ? settings : ReplicationSettings();
}

Result<std::vector<uint64_t>> SupportedSettingValues(ReplicationType type, uint16_t property_name) {
  if (!IsSupported(type)) return NotSupported("this ReplicationType is not supported");
  using Values = std::vector<uint64_t>;
  switch (property_name) {
    case 2: return Values{2, 3};        // ConsistentPointInTime: false and true
    case 3: return Values{2, 3, 6};     // DesiredCopyMethodology
    case 4: return Values{1};           // Multihop
    case 5: return Values{3};           // OnGroupOrListError: Stop
    case 6: return Values{2, 3, 4};     // UnequalGroupsAction
    case 7: return Values{2, 3, 4, 5};  // TargetElementSupplier: nobody looks for existing targets alone
    case 8: return Values{2, 5, 6, 7};  // ThinProvisioningPolicy: thin to thin
    case 9: return Values{2, 3, 4};     // Pairing
    case 12: return Values{2, 3, 4};    // UnequalListsAction
    case 15: return Values{2, 3, 4};    // ReadOnly
    case 16: return Values{5, 6, 7};    // StorageCompressionPolicy: as the source, none
    case 17:                            // TargetElementResourcePool
    case 18: return Values{2, 3};       // TargetElementGoal
    case 24: return Values{2, 3};       // ConsistencyExempt
    default: break;
  }
  if (property_name < 2 || property_name > 27 || property_name == 22) {
    return UnknownNumber("PropertyName", property_name);
  }
  return NotSupported("this property is not supported for the ReplicationType");
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
