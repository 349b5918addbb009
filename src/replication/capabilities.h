// What CIM_ReplicationServiceCapabilities answers, from the same data that the operations obey (table.h, this file's
// rows), so that nothing is advertised that is not built. Numbers are those of the schema.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "catalog/states.h"
#include "replication/settings.h"

namespace lockstep::replication {

// CIM_ReplicationServiceCapabilities.SupportedReplicationTypes; the named ones are those that are built.
enum class ReplicationType : uint16_t {
  kSynchronousSnapshotLocal = 6,
  kSynchronousCloneLocal = 10,
  kAsynchronousCloneLocal = 11,
};

enum class Scope : uint8_t { kElement, kGroup };

// SupportedReplicationTypes, ascending.
std::span<const ReplicationType> SupportedReplicationTypes();
bool IsSupported(ReplicationType type);
// ConvertSyncTypeToReplicationType. invalid-argument: a number without meaning; not-supported: not built. `mode` absent
// takes the default of the sync type.
Result<ReplicationType> ToReplicationType(catalog::SyncType sync_type, std::optional<catalog::Mode> mode, bool remote);
struct SyncTypeAndMode {
  catalog::SyncType sync_type{};
  catalog::Mode mode{};
};
// ConvertReplicationTypeToSyncType; not-supported for one that is not built. Locality is always local.
Result<SyncTypeAndMode> FromReplicationType(ReplicationType type);

// SupportedSynchronousActions and SupportedAsynchronousActions.
std::vector<uint16_t> SynchronousActions();
std::vector<uint16_t> AsynchronousActions();

// The rest: empty answers for a type that is not supported; callers refuse that first.
std::span<const uint16_t> Features(ReplicationType type);       // GetSupportedFeatures
std::span<const uint16_t> GroupFeatures(ReplicationType type);  // GetSupportedGroupFeatures
std::span<const uint16_t> ListFeatures(ReplicationType type);   // GetSupportedListFeatures

struct SupportedOperation {
  catalog::Operation operation{};
  uint16_t service_controlling = 4;      // 4: Source or Target
  bool requires_force = false;           // in every state asked about: never without
  bool updates_synchronized_path = false;
};
// GetSupportedOperations and GetSupportedGroupOperations; with `state`, those that are legal there. Mixed: those that
// are legal whatever states the pairs are in.
std::vector<SupportedOperation> SupportedOperations(ReplicationType type, Scope scope,
                                                    std::optional<catalog::CopyState> state = {});
// GetSupportedOperationsForSynchronization: legal in each of these states, those of its pairs.
std::vector<SupportedOperation> SupportedOperationsIn(ReplicationType type, Scope scope,
                                                      const std::vector<catalog::CopyState>& states);
// GetSupportedListOperations: the same less the operations on groups' membership and consistency.
std::vector<SupportedOperation> SupportedListOperations(ReplicationType type, Scope scope,
                                                        std::optional<catalog::CopyState> state = {});

// GetSupportedSettingsDefineStateOperations; with `in_lists`, those of ModifyListSettingsDefineState.
std::vector<uint16_t> SupportedAspectOperations(ReplicationType type, bool in_lists = false);

struct SupportedCopyState {
  catalog::CopyState state{};
  bool host_accessible = false;  // the target
};
// GetSupportedCopyStates and GetSupportedGroupCopyStates: the states that can be met; with `operation`, those in which
// it is accepted.
std::vector<SupportedCopyState> SupportedCopyStates(ReplicationType type, Scope scope,
                                                    std::optional<catalog::Operation> operation = {});

// GetSupportedWaitForCopyStates: MethodName numbers of that method (2 CreateElementReplica .. 11). Those that modify
// relationships want `operation`, without one they answer the union.
std::vector<catalog::CopyState> WaitForCopyStates(ReplicationType type, uint16_t method_name,
                                                  std::optional<catalog::Operation> operation = {});

// GetDefaultReplicationSettingData.
ReplicationSettings DefaultSettings(ReplicationType type);
// GetSupportedReplicationSettingData: PropertyName numbers of that method. not-supported [7 Property Is Not Supported];
// invalid-argument for a number without meaning.
Result<std::vector<uint64_t>> SupportedSettingValues(ReplicationType type, uint16_t property_name);
// GetSupportedMaximum: Component numbers of that method; 0 is unlimited. not-found [7 Information is not available].
Result<uint64_t> SupportedMaximum(ReplicationType type, uint16_t component);

std::span<const uint16_t> SupportedConsistency(ReplicationType type);  // GetSupportedConsistency
inline constexpr uint16_t kDefaultConsistency = 0;       // GetDefaultConsistency: none
inline constexpr uint16_t kDefaultGroupPersistency = 2;  // GetDefaultGroupPersistency: Persistent

}  // namespace lockstep::replication
