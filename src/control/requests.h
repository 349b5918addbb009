// What callers hand to control's use cases and what they get back. Field names are those of the methods of
// CIM_ReplicationService (DMTF CIM 2.41) where there is one. An absent optional is the schema's NULL. Numbers that come
// from outside are cast into the enums; control refuses what it does not know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "block/types.h"
#include "catalog/model.h"
#include "io/clock.h"
#include "replication/aspects.h"
#include "replication/settings.h"

namespace lockstep::control {

using catalog::AspectId;
using catalog::ExportId;
using catalog::GroupId;
using catalog::GroupRelationshipId;
using catalog::JobId;
using catalog::PointId;
using catalog::PoolId;
using catalog::RelationshipId;
using catalog::VolumeId;
using replication::ReplicationSettings;

struct CreatePoolRequest {
  std::string name{};
  std::string path{};   // of a block device or a file
  uint64_t size = 0;  // bytes to make the file with; 0: the path exists, all of it is taken
  std::vector<std::string> more_paths{};  // further devices, taken whole
};

// CIM_StorageConfigurationService.CreateOrModifyStoragePool.
struct ShapePoolRequest {
  std::optional<PoolId> pool{};        // absent: a new one
  std::string name{};                  // empty: generated, or as it is
  std::vector<std::string> devices{};  // paths of free devices
  std::optional<uint64_t> size{};      // bytes that it shall have at least; all of the devices is taken anyway
};

// A moment of the past, or now when nothing is said; of the three at most one.
struct Moment {
  std::optional<block::SequenceNumber> position{};
  std::optional<io::WallTime> time{};
  std::optional<uint64_t> seconds_ago{};
  bool now() const { return !position && !time && !seconds_ago; }
};

struct CloneVolumesRequest {
  std::vector<VolumeId> sources{};
  std::vector<std::string> names{};  // of the clones, one for each source
  Moment moment{};                   // of all of them
};

struct RevertVolumesRequest {
  std::vector<VolumeId> volumes{};
  Moment moment{};
  bool force = false;  // even while clients are connected
};

struct ImportPoolRequest {
  std::vector<std::string> paths{};  // of all its devices and files, in any order
  std::string name{};                // empty: the one that it had
  std::string index{};               // directory with its index, which is copied; empty: it is where indexes are kept
};

struct CreateVolumesRequest {
  std::optional<PoolId> pool{};  // absent: the only pool there is
  std::string name{};            // empty: generated. With count > 1: name_1, name_2, ...
  uint64_t size = 0;           // bytes, rounded up to block::kBlockSize
  uint32_t count = 1;          // 1..1000; all or none
};

struct CreateExportRequest {
  VolumeId volume{};
  std::string name{};  // empty: the volume's name
  bool read_only = false;
};

struct CreateGroupRequest {
  std::optional<std::string> group_name{};  // absent: generated
  std::vector<VolumeId> members{};          // order kept; may be empty
  std::optional<bool> persistent{};
  std::optional<bool> delete_on_empty_element{};
  std::optional<bool> delete_on_unassociated{};
  std::optional<catalog::ReservedAs> reserved_as{};
};

// Absent: unchanged.
struct ModifyGroupRequest {
  GroupId group{};
  std::optional<std::string> name{};
  std::optional<bool> persistent{};
  std::optional<bool> delete_on_empty_element{};
  std::optional<bool> delete_on_unassociated{};
  std::optional<catalog::ReservedAs> reserved_as{};
};

// What the four ways to create replicas have in common.
struct ReplicaOptions {
  catalog::SyncType sync_type = catalog::SyncType::kSnapshot;
  std::optional<catalog::Mode> mode{};  // absent: Snapshot Synchronous, Clone Asynchronous
  ReplicationSettings settings{};
  std::optional<PoolId> target_pool{};      // must be the sources' in this release
  bool has_target_setting_goal = false;   // TargetSettingGoal was given: wrong together with supplied targets
  bool has_collections = false;           // Collections was given: not supported
  std::optional<catalog::CopyState> wait_for_copy_state{};
};

struct CreateElementReplicaRequest {
  ReplicaOptions options{};
  std::string element_name{};  // of the target to make; empty: generated
  VolumeId source_element{};
  std::optional<VolumeId> target_element{};
};

struct CreateListReplicaRequest {
  ReplicaOptions options{};
  std::vector<std::string> element_names{};  // by index; missing or empty: generated
  std::vector<VolumeId> source_elements{};
  std::vector<VolumeId> target_elements{};   // empty: not supplied
  std::optional<uint16_t> consistency{};     // 2 No Consistency, 3 Sequential Consistency
};

struct CreateGroupReplicaRequest {
  ReplicaOptions options{};
  std::string relationship_name{};           // empty: generated
  std::optional<GroupId> source_group{};     // exactly one of source_group and source_element
  std::optional<VolumeId> source_element{};
  std::optional<GroupId> target_group{};
  std::optional<uint64_t> target_element_count{};  // only with source_element
  std::optional<uint16_t> consistency{};     // 2 No Consistency, 3 Sequential Consistency
};

struct CreateGroupReplicaFromElementsRequest {
  ReplicaOptions options{};
  std::string relationship_name{};
  std::optional<GroupId> source_group{};     // the elements are put into it: empty, or the same members
  std::vector<VolumeId> source_elements{};
  std::string source_group_name{};           // of the group to make; empty: generated
  std::optional<GroupId> target_group{};
  std::string target_group_name{};
  std::vector<VolumeId> target_elements{};
  std::vector<std::string> target_element_names{};
  std::vector<PoolId> target_pools{};        // excludes options.target_pool and supplied targets
  std::optional<uint16_t> consistency{};
};

// A StorageSynchronized or a GroupSynchronized.
using RelationshipRef = std::variant<RelationshipId, GroupRelationshipId>;

struct ModifyReplicaRequest {
  catalog::Operation operation{};
  RelationshipRef synchronization{};
  ReplicationSettings settings{};
  std::vector<RelationshipId> sync_pairs{};  // AddSyncPair and RemoveSyncPair only
  bool force = false;
  std::optional<catalog::CopyState> wait_for_copy_state{};
};

struct ModifyListRequest {
  catalog::Operation operation{};
  std::vector<RelationshipRef> synchronizations{};  // all of one kind, sync type and mode
  ReplicationSettings settings{};
  bool force = false;
  std::optional<catalog::CopyState> wait_for_copy_state{};
};

// Pairs for the members that a group relationship gets.
struct AddElementsRequest {
  ReplicaOptions options{};  // sync_type and mode: those of the relationship
  GroupRelationshipId synchronized{};
  std::vector<VolumeId> source_elements{};
  std::vector<VolumeId> target_elements{};  // empty: made
  std::optional<uint16_t> consistency{};    // only what the relationship has
};

// A group relationship around pairs that there are.
struct GroupFromPairsRequest {
  std::string relationship_name{};
  std::vector<RelationshipId> pairs{};
  std::optional<GroupId> source_group{};  // empty, or of exactly the pairs' sources
  std::string source_group_name{};
  std::optional<GroupId> target_group{};
  std::string target_group_name{};
  std::optional<uint16_t> consistency{};
  ReplicationSettings settings{};
  std::optional<catalog::CopyState> wait_for_copy_state{};
};

struct CreateAspectRequest {
  std::string name{};  // empty: generated
  catalog::SyncType sync_type = catalog::SyncType::kSnapshot;
  std::optional<catalog::Mode> mode{};
  ReplicationSettings settings{};
  std::optional<GroupId> source_group{};  // exactly one of the two
  std::optional<VolumeId> source_element{};
  std::optional<uint16_t> consistency{};  // of a group
};

// A SettingsDefineState: an aspect as seen from one of the volumes that it is about, or from its group.
struct AspectRef {
  AspectId aspect{};
  std::optional<VolumeId> element{};  // absent: from its group
};

struct ModifyAspectsRequest {
  replication::AspectOperation operation{};
  std::vector<AspectRef> settings_states{};  // for targets all of one kind, sync type and mode
  bool as_list = false;                      // ModifyListSettingsDefineState
  ReplicaOptions options{};                  // of targets; sync_type and mode: the aspect's
  // Of these at most one.
  std::vector<VolumeId> target_elements{};
  std::vector<GroupId> target_groups{};
  std::optional<uint64_t> target_element_count{};  // of each source
  std::vector<std::string> element_names{};        // of targets to make
};

// ---- Answers. `job` is set when the work goes on after the answer (return code 4096); everything else is final.

struct ReplicaResult {
  std::optional<JobId> job{};
  RelationshipId synchronization{};
  VolumeId target_element{};
};

struct ListReplicaResult {
  std::optional<JobId> job{};
  std::vector<RelationshipId> synchronizations{};
  std::vector<VolumeId> target_elements{};
};

struct GroupReplicaResult {
  std::optional<JobId> job{};
  GroupRelationshipId synchronization{};
  std::optional<GroupId> source_group{};  // none for one-to-many
  GroupId target_group{};
  std::vector<RelationshipId> pairs{};
  std::vector<VolumeId> target_elements{};
};

struct ModifyAspectsResult {
  std::optional<JobId> job{};
  std::vector<RelationshipId> pairs{};
  std::vector<GroupRelationshipId> groups{};  // around them, if any
  std::vector<VolumeId> target_elements{};
  std::vector<GroupId> target_groups{};
};

struct ModifyResult {
  std::optional<JobId> job{};
  std::vector<AspectId> settings_states{};  // left behind by Dissolve
};

// ---- Questions.

enum class RelationshipType : uint16_t { kStorageSynchronized = 2, kGroupSynchronized = 3 };

// GetReplicationRelationships: the filters are ANDed, an absent one restricts nothing.
struct RelationshipFilter {
  std::optional<RelationshipType> type{};
  std::optional<catalog::SyncType> sync_type{};
  std::optional<catalog::Mode> mode{};
  std::optional<uint16_t> locality{};  // 2 local, 3 remote
  std::optional<catalog::CopyState> copy_state{};
};

}  // namespace lockstep::control
