// The rules on the parameters of requests that do not depend on what volumes and relationships are doing: counts,
// pairing, what excludes what (DMTF CIM 2.41, CIM_ReplicationService).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/directory.h"
#include "control/requests.h"
#include "replication/plan.h"

namespace lockstep::control {

// invalid-argument unless the name is 1..kMaxNameLength bytes of UTF-8 without control characters.
Status CheckName(std::string_view kind, std::string_view name);

// What the options come to: everything of a CreateSpec but the pairs and the group.
Result<replication::CreateSpec> ResolveOptions(const ReplicaOptions& options);

// Options against what was said about targets: supplied targets exclude TargetSettingGoal and TargetPool; without them
// TargetElementSupplier must let targets be made, in the sources' pool.
Status CheckTargets(const catalog::Directory& directory, const ReplicaOptions& options, bool targets_supplied,
                    const std::vector<VolumeId>& sources);

// NULL and 2 are false, 3 is true.
Result<bool> ResolveConsistency(std::optional<uint16_t> consistency);

// The volumes exist and none is named twice.
Status CheckElements(const catalog::Directory& directory, std::string_view what, const std::vector<VolumeId>& volumes);

// Sources against supplied targets, which are not empty, by position. `unequal_action` as in UnequalGroupsAction; a
// single source may have many targets when `one_to_many`.
Result<std::vector<replication::PairSpec>> PairUp(const std::vector<VolumeId>& sources,
                                                  const std::vector<VolumeId>& targets,
                                                  std::optional<uint16_t> unequal_action, bool one_to_many);

// WaitForCopyState against what the operation can come to.
Status CheckWait(catalog::SyncType type, catalog::Operation operation, std::optional<catalog::CopyState> wait);

}  // namespace lockstep::control
