// What was asked for and must survive: the records of the catalog. Plain values; who may change them and how is the
// business of control, where they are stored is that of catalog.h.
//
// Times are wall times; {0} stands for "never". Sizes are bytes. A nil id stands for "none".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/uuid.h"
#include "block/types.h"
#include "catalog/states.h"
#include "io/clock.h"

namespace lockstep::catalog {

using block::PointId;
using block::PoolId;
using block::TransactionId;
using block::VolumeId;
using io::WallTime;

using GroupId = Id<struct GroupTag>;
using RelationshipId = Id<struct RelationshipTag>;
using GroupRelationshipId = Id<struct GroupRelationshipTag>;
using AspectId = Id<struct AspectTag>;
using JobId = Id<struct JobTag>;
using ExportId = Id<struct ExportTag>;

// Names of pools, volumes, groups, group relationships, aspects and exports: 1..kMaxNameLength bytes of UTF-8 without
// control characters, unique among objects of the same kind.
inline constexpr size_t kMaxNameLength = 128;

struct PoolRecord {
  PoolId id{};         // the engine's own id of it, so that a wrong file at the path is noticed
  std::string name{};
  std::string path{};  // of its devices or files, as the engine opens them; one a line, in no order that matters
  uint64_t size = 0;  // as asked for at creation; 0: what was there
  WallTime created{};
  WallTime last_scrub{};      // when one that read everything ended
  uint64_t last_scrub_bad = 0;  // blocks that it found bad
  WallTime scrub_begun{};     // when the last one began
  WallTime last_bad_at{};     // when a block was found bad that was not known to be, by whoever read it
  std::string last_bad{};     // which, and where
  bool operator==(const PoolRecord&) const = default;
};

// PoolRecord::path as a list, and back.
std::vector<std::string> PathsOf(const PoolRecord& pool);
std::string JoinPaths(const std::vector<std::string>& paths);

struct VolumeRecord {
  VolumeId id{};
  PoolId pool{};
  std::string name{};
  uint64_t size = 0;
  WallTime created{};
  bool operator==(const VolumeRecord&) const = default;
};

// CIM_ReplicationGroup.
struct GroupRecord {
  GroupId id{};
  std::string name{};
  std::vector<VolumeId> members{};  // in the group's order, no duplicates
  bool persistent = true;
  bool delete_on_empty_element = false;
  bool delete_on_unassociated = false;
  bool consistent_point_in_time = false;  // target groups: the members are one instant
  ReservedAs reserved_as = ReservedAs::kSourceOrTarget;
  WallTime created{};
  bool operator==(const GroupRecord&) const = default;
};

// A point that a relationship or an aspect holds. It is released, and this record goes, with the last of them.
struct PointRecord {
  PointId id{};
  PoolId pool{};
  std::vector<VolumeId> volumes{};
  WallTime taken{};
  bool operator==(const PointRecord&) const = default;
};

// CIM_StorageSynchronized: a source and the target that was made from it.
struct RelationshipRecord {
  RelationshipId id{};
  VolumeId source{};  // SystemElement
  VolumeId target{};  // SyncedElement
  SyncType sync_type = SyncType::kSnapshot;
  Mode mode = Mode::kSynchronous;
  CopyState state = CopyState::kInitialized;
  ProgressStatus progress = ProgressStatus::kDormant;
  CopyState requested = CopyState::kNotApplicable;  // RequestedCopyState
  PointId point{};                 // what the target shows of the source; nil before the first activation
  GroupRelationshipId group{};     // the group relationship that it is a pair of, or nil
  bool full_copy = false;        // every byte becomes the target's own, in the background
  uint64_t copied = 0;           // full_copy: the target's bytes from 0 on that are its own by now
  CopyPriority priority = CopyPriority::kSame;
  CopyMethodology methodology = CopyMethodology::kImplementationDecides;
  ReadOnlyEnd read_only = ReadOnlyEnd::kNeither;
  bool consistency_exempt = false;  // stays out of its group's consistency
  bool target_created = false;      // the target volume was made for it, not supplied
  WallTime when_established{}, when_activated{}, when_deactivated{}, when_suspended{};
  WallTime when_synchronized{}, when_synced{};
  bool operator==(const RelationshipRecord&) const = default;
};

// CIM_GroupSynchronized. Its pairs are the relationships that name it; state, progress and percentage are computed from
// them (replication/derived.h).
struct GroupRelationshipRecord {
  GroupRelationshipId id{};
  std::string name{};        // RelationshipName
  GroupId source_group{};    // nil for one-to-many: then source_element is set
  VolumeId source_element{};
  GroupId target_group{};
  SyncType sync_type = SyncType::kSnapshot;
  Mode mode = Mode::kSynchronous;
  bool consistency_enabled = false;
  WallTime when_established{};
  bool operator==(const GroupRelationshipRecord&) const = default;
};

// CIM_SynchronizationAspect: a point with a name and no target.
struct AspectRecord {
  AspectId id{};
  std::string name{};
  PointId point{};
  std::vector<VolumeId> sources{};  // the volumes it is about, one or those of source_group
  GroupId source_group{};           // or nil
  SyncType sync_type = SyncType::kSnapshot;
  Mode mode = Mode::kSynchronous;
  AspectState state = AspectState::kSynchronized;
  bool consistency_enabled = false;
  WallTime when_point_in_time{};
  bool operator==(const AspectRecord&) const = default;
};

// CIM_ConcreteJob. A copy job ends when all its relationships have reached `wait_for`.
struct JobRecord {
  JobId id{};
  JobKind kind = JobKind::kCopy;
  std::string name{};    // for people: "Clone of db1 to db1_copy"
  std::string method{};  // the use case that made it, e.g. "CreateGroupReplica"; what CIM calls MethodName ends in this
  JobState state = JobState::kNew;
  uint16_t percent = 0;  // 0..100
  Code error_code = Code::kOk;
  std::string error{};     // one sentence; empty while there is none
  CopyState wait_for = CopyState::kSynchronized;
  std::vector<RelationshipId> relationships{};       // what it works on, in order
  GroupRelationshipId group_relationship{};          // affected, or nil
  std::vector<VolumeId> volumes{};                   // affected: the targets
  std::vector<GroupId> groups{};                     // affected
  bool delete_on_completion = true;
  uint64_t time_before_removal_us = 300'000'000;   // kept this long after its end; the schema's default of 5 minutes
  WallTime submitted{}, started{}, state_changed{};
  // Of scrubs: the pool; how far they have come, and what they found on the way; as fast as they may go, 0: no limit.
  PoolId pool{};
  uint64_t position = 0, bad = 0, bytes_per_second = 0;
  bool operator==(const JobRecord&) const = default;
};

// A volume that NBD clients can reach by `name`.
struct ExportRecord {
  ExportId id{};
  VolumeId volume{};
  std::string name{};
  bool read_only = false;
  WallTime created{};
  bool operator==(const ExportRecord&) const = default;
};

}  // namespace lockstep::catalog
