// What control answers to questions: the stored record and what is computed from it and from the engine. Values; a view
// is a picture of the moment in which it was asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "block/types.h"
#include "catalog/catalog.h"
#include "catalog/model.h"

namespace lockstep::control {

struct PoolView {
  catalog::PoolRecord record{};
  Status state{};          // OK, or why the pool could not be opened or has failed
  block::PoolInfo info{};  // all zeroes while it is not open
  std::vector<block::DeviceInfo> devices{};  // likewise
  io::WallTime next_scrub{};  // when the next one is due; never: scrubs are not scheduled
};

// One that management clients may take.
struct FreeDevice {
  std::string path{};
  uint64_t size = 0;  // bytes that a pool would have there
};

struct SizeRange {
  uint64_t least = 0, most = 0;  // bytes
};

struct VolumeView {
  catalog::VolumeRecord record{};
  uint64_t used = 0;             // bytes, as last read from the engine
  block::HistoryWindow window{};  // likewise, with the next two: see block::VolumeInfo
  block::SequenceNumber history_from = 0;
  io::WallTime history_since{};
  std::optional<catalog::RelationshipId> target_of{};
  std::vector<catalog::RelationshipId> source_of{};
  std::vector<catalog::GroupId> groups{};
  std::vector<catalog::ExportId> exports{};
  bool host_accessible = true;   // false: the state of the relationship that it is the target of forbids it
  uint32_t connections = 0;      // clients now
};

// What is cheap to know of a volume, for lists of many. Valid until something changes.
struct VolumeGlance {
  const catalog::VolumeRecord* record = nullptr;
  uint64_t used = 0;  // as in VolumeView
  bool is_source = false, is_target = false, is_exported = false;
};

struct ExportView {
  catalog::ExportRecord record{};
  bool published = false;        // false: the volume is not host accessible now, or its pool has failed
  bool read_only = false;        // of the export, or asked for by the relationship (ReadOnly)
  uint32_t connections = 0;
};

// The properties of CIM_StorageSynchronized that are not stored.
struct RelationshipView {
  catalog::RelationshipRecord record{};
  std::optional<uint16_t> percent_synced{};  // 0..100; absent: the schema's NULL
  uint16_t sync_state = 0;    // the older Copy Services' SyncState, in step with CopyState
  uint16_t copy_type = 0;     // likewise CopyType
  uint16_t replica_type = 0;  // likewise ReplicaType
  bool sync_maintained = false;
  bool host_accessible = true;  // the target, in this state
  std::optional<catalog::JobId> job{};  // that works on it
};

// The properties of CIM_GroupSynchronized that are not stored, and the pairs in the groups' order.
struct GroupRelationshipView {
  catalog::GroupRelationshipRecord record{};
  std::vector<catalog::RelationshipId> pairs{};
  catalog::CopyState state = catalog::CopyState::kNotApplicable;  // the pairs' common one, else Mixed
  catalog::ProgressStatus progress = catalog::ProgressStatus::kNotApplicable;
  catalog::CopyState requested = catalog::CopyState::kNotApplicable;
  std::optional<uint16_t> percent_synced{};  // weighted by size
  uint16_t consistency_state = 2;   // 2 Not Applicable, 3 Consistent, 4 Inconsistent
  uint16_t consistency_status = 4;  // 2 Completed, 4 Consistency disabled, 5 Consistency-error
  std::optional<catalog::JobId> job{};
};

struct PointView {
  catalog::PointRecord record{};
  std::vector<catalog::RelationshipId> relationships{};  // that hold it
  std::vector<catalog::AspectId> aspects{};
};

enum class ChangeKind : uint8_t { kCreated, kModified, kDeleted };

// One record that was made, changed or removed.
struct ChangeEvent {
  using Record = catalog::Record;
  ChangeKind kind{};
  std::optional<Record> before{};  // kModified, kDeleted
  std::optional<Record> after{};   // kCreated, kModified
};

}  // namespace lockstep::control
