// Parts that the ways to make and to pair replicas and groups have in common: names, roles, and groups that are made.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/impl.h"
#include "replication/plan.h"

namespace lockstep::control {

// A replica's name when the caller has none: db1_snapshot_1, db1_clone_2.
std::string GeneratedName(const Directory& directory, const std::string& stem, const replication::CreateSpec& spec,
                          std::set<std::string>& taken);
// "RelationshipName_n", n from 1 in the order of the pairs; what is taken already is passed over.
void NameTargets(const Directory& directory, const std::string& relationship,
                 std::vector<replication::PairSpec>& pairs);
// Those of volumes to make; an empty one is to be generated.
Status CheckGivenNames(const std::vector<std::string>& names);

// A job is the caller's to follow only when the call did not reach what it was to wait for.
std::optional<JobId> JobToFollow(const std::optional<JobId>& job, std::optional<catalog::CopyState> wait);

// invalid-argument: the group is reserved for the other end.
Status CheckRole(const catalog::GroupRecord& group, bool as_source);
// The wanted name of a group relationship, or one that begins with `stem`.
Result<std::string> RelationshipName(const Draft& draft, const std::string& wanted, const std::string& stem);
// The target group that was named, or a new one.
Result<GroupId> TargetGroup(Draft& draft, std::optional<GroupId> named, const std::string& name,
                            const std::string& relationship);
// The group that was named, with the elements in it, or a new one of them.
Result<GroupId> GroupOf(Draft& draft, std::optional<GroupId> named, const std::string& name,
                        const std::vector<VolumeId>& elements);

}  // namespace lockstep::control
