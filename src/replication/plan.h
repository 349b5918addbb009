// The planner: from the catalog as it is and what is wanted to the draft of one engine transaction and one catalog
// mutation, or to the Status that says why not. Pure: no engine, no clock, no loop. The parameters have been checked by
// control; what depends on the state of volumes, groups and relationships is checked here.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "catalog/model.h"
#include "replication/draft.h"
#include "replication/table.h"

namespace lockstep::replication {

// Clients connected to a volume now.
using HostUse = std::function<bool(catalog::VolumeId)>;

// ---- Creation.

struct PairSpec {
  catalog::VolumeId source{};
  std::optional<catalog::VolumeId> target{};  // an existing volume that becomes the target; absent: one is made
  std::string target_name{};                  // of the one to make; must be free
  // What the target shows: an existing point of the source, and the size that the source had there. Nil: a new point,
  // if the pair is to be started.
  catalog::PointId point{};
  uint64_t size = 0;
};

// A group relationship around the pairs.
struct GroupSpec {
  std::string name{};
  catalog::GroupId source_group{};        // nil for one-to-many
  catalog::VolumeId source_element{};     // one-to-many
  catalog::GroupId target_group{};        // exists, in the catalog or in the draft; made targets are appended to it
  bool consistency_enabled = false;
};

struct CreateSpec {
  catalog::SyncType sync_type{};
  catalog::Mode mode{};
  std::vector<PairSpec> pairs{};
  std::optional<GroupSpec> group{};
  catalog::GroupRelationshipId join{};    // without `group`: one that there is, which the pairs join; nil: none
  bool consistency_exempt = false;        // `join`
  CreationRow row{};                      // where it ends
  bool full_copy = false;
  catalog::CopyPriority priority = catalog::CopyPriority::kSame;
  catalog::ReadOnlyEnd read_only = catalog::ReadOnlyEnd::kNeither;
  std::string method{};                   // for the job: "CreateGroupReplica"; empty: the caller makes the job
};

struct CreateOutcome {
  std::vector<catalog::RelationshipId> pairs;
  std::vector<catalog::VolumeId> targets;
  std::optional<catalog::GroupRelationshipId> group;
  std::optional<catalog::JobId> job;      // copies the data
};

// invalid-argument: sizes, source and target the same, a cycle. in-use: a target that is one already, is a source, or
// has a client. invalid-state: a source that is a target without content. not-supported: more than one pool.
Result<CreateOutcome> PlanCreate(Draft& draft, const CreateSpec& spec, const HostUse& in_use);

// invalid-state: the volume is a target without content. not-found.
Status CheckSource(const catalog::Directory& directory, catalog::VolumeId source);
// Whether the existing volume could become the target of a new pair now; otherwise what PlanCreate would answer.
Status MayPair(const catalog::Directory& directory, catalog::VolumeId source, catalog::VolumeId target,
               const HostUse& in_use);

// Existing pairs as one group relationship. `spec` as in CreateSpec; the source group, if any, and the target group
// hold the pairs' volumes. invalid-argument: the pairs differ in sync type or mode. in-use: one belongs to a group
// relationship already.
Result<catalog::GroupRelationshipId> PlanGroupOf(Draft& draft, const GroupSpec& spec,
                                                 const std::vector<catalog::RelationshipId>& pairs);

// A record for it, with a new id; not in the draft yet.
catalog::GroupRelationshipRecord NewGroupRelation(Draft& draft, const GroupSpec& spec, catalog::SyncType sync_type,
                                                  catalog::Mode mode);

// ---- Aspects: points with a name and no target.

struct AspectSpec {
  std::string name{};
  catalog::SyncType sync_type{};
  catalog::Mode mode{};
  std::vector<catalog::VolumeId> sources{};
  catalog::GroupId source_group{};
  bool consistency_enabled = false;
};

// invalid-state: a source that is a target without content. not-supported: more than one pool.
Result<catalog::AspectId> PlanAspect(Draft& draft, const AspectSpec& spec);

// The sources become what they were at the aspect's point. `sizes` are theirs then. in-use: a client is connected to
// one of them. invalid-state: one is a target itself.
Status PlanAspectRestore(Draft& draft, catalog::AspectId aspect, const std::vector<catalog::VolumeId>& sources,
                         const std::vector<uint64_t>& sizes, const HostUse& in_use);

// The aspect is no longer about the source (nil: about anything). With the last one it goes, and lets go of its point.
Status PlanAspectRemoval(Draft& draft, catalog::AspectId aspect, catalog::VolumeId source);

// ---- Modification.

struct ModifySpec {
  catalog::Operation operation{};
  std::vector<catalog::RelationshipId> pairs{};         // all pairs of `groups`, or single ones
  std::vector<catalog::GroupRelationshipId> groups{};   // when the operation is one on groups
  std::vector<catalog::RelationshipId> sync_pairs{};    // AddSyncPair, RemoveSyncPair
  bool force = false;
  std::optional<bool> full_copy{};                      // wanted for the next copy; absent: as it was
  std::optional<catalog::CopyPriority> priority{};
  bool consistency_exempt = false;                      // AddSyncPair
  std::string method{};
};

struct ModifyOutcome {
  std::optional<catalog::JobId> job;
  std::vector<catalog::AspectId> aspects;
};

// The errors are those of Control::ModifyReplica.
Result<ModifyOutcome> PlanModify(Draft& draft, const ModifySpec& spec, const HostUse& in_use);

// Makes a job record for copies that are to be done, and puts it into the draft.
catalog::JobId AddCopyJob(Draft& draft, const std::vector<catalog::RelationshipId>& pairs, const std::string& method);

}  // namespace lockstep::replication
