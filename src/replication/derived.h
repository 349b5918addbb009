// Properties that are not stored but follow from what is: of pairs, of groups and of jobs. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "catalog/directory.h"
#include "catalog/model.h"

namespace lockstep::replication {

// Where a pair in this state stands: what follows, or "Completed" (CIM_Synchronized.ProgressStatus at rest).
catalog::ProgressStatus ProgressAtRest(catalog::CopyState state);

// 0..100. `target_size` in bytes.
uint16_t PercentSynced(const catalog::RelationshipRecord& pair, uint64_t target_size);

// The older Copy Services' properties of CIM_StorageSynchronized, in step with the newer ones.
uint16_t LegacySyncState(const catalog::RelationshipRecord& pair);
uint16_t LegacyCopyType(const catalog::RelationshipRecord& pair);
uint16_t ReplicaType(const catalog::RelationshipRecord& pair);

// The pairs of a group relationship in the order of its target group.
std::vector<const catalog::RelationshipRecord*> PairsInOrder(const catalog::Directory& directory,
                                                             const catalog::GroupRelationshipRecord& group);

struct GroupState {
  catalog::CopyState state = catalog::CopyState::kNotApplicable;  // the common one, else Mixed
  catalog::ProgressStatus progress = catalog::ProgressStatus::kNotApplicable;
  catalog::CopyState requested = catalog::CopyState::kNotApplicable;
  uint16_t percent = 0;                    // weighted by size
  bool one_point = true;                   // all pairs that are not exempt show one instant
};
GroupState StateOfGroup(const catalog::Directory& directory,
                        const std::vector<const catalog::RelationshipRecord*>& pairs);

// What a job that is not final is to become, from the pairs that it works on. A pair that is null has ended.
struct JobOutlook {
  catalog::JobState state = catalog::JobState::kRunning;
  uint16_t percent = 0;
  Status error;  // for kException
};
JobOutlook OutlookOf(const catalog::JobRecord& job, const catalog::Directory& directory,
                     const std::vector<const catalog::RelationshipRecord*>& pairs);

}  // namespace lockstep::replication
