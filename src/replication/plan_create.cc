#include <fmt/format.h>

#include <algorithm>

#include "replication/derived.h"
#include "replication/plan.h"

namespace lockstep::replication {

using catalog::CopyState;
using catalog::Directory;
using catalog::RelationshipId;
using catalog::RelationshipRecord;
using catalog::VolumeId;
using catalog::VolumeRecord;

Status CheckSource(const Directory& directory, VolumeId source) {
  if (directory.Find(source) == nullptr) return NotFound("a source volume does not exist: " + source.ToString());
  const RelationshipRecord* upstream = directory.TargetOf(source);
  if (upstream == nullptr || HostAccess(upstream->sync_type, upstream->state)) return Status::Ok();
  return InvalidState(fmt::format("{} has no content of its own now: {} is {}", NameOf(directory, source),
                                  Describe(directory, *upstream), catalog::Name(upstream->state)));
}

namespace {

// Whether `volume` is `source` or something that source was copied from.
bool IsUpstream(const Directory& directory, VolumeId volume, VolumeId source) {
  for (VolumeId at = source;;) {
    if (at == volume) return true;
    const RelationshipRecord* next = directory.TargetOf(at);
    if (next == nullptr) return false;
    at = next->source;
  }
}

uint64_t SourceSize(const Directory& directory, const PairSpec& pair) {
  return pair.point.IsNil() ? directory.Find(pair.source)->size : pair.size;
}

Status CheckTarget(const Directory& directory, const PairSpec& pair, const HostUse& in_use) {
  const VolumeRecord* target = directory.Find(*pair.target);
  if (target == nullptr) return NotFound("a target volume does not exist: " + pair.target->ToString());
  const std::string source_name = NameOf(directory, pair.source);
  if (pair.source == *pair.target) {
    return InvalidArgument(fmt::format("{} cannot be its own replica; name another target", source_name));
  }
  if (const RelationshipRecord* other = directory.TargetOf(*pair.target)) {
    return InUse(fmt::format("{} is a target already, of {}; detach that first", target->name,
                             NameOf(directory, other->source)));
  }
  if (IsUpstream(directory, *pair.target, pair.source)) {
    return InvalidArgument(fmt::format("{} was itself made from {}; a replica cannot replace what it comes from",
                                       source_name, target->name));
  }
  if (!directory.SourceOf(*pair.target).empty()) {
    return InUse(fmt::format("{} is the source of other replicas; detach them first", target->name));
  }
  if (in_use(*pair.target)) {
    return InUse(fmt::format("{} is in use by a host; disconnect its clients first", target->name));
  }
  const uint64_t source_size = SourceSize(directory, pair);
  if (target->size < source_size) {
    return InvalidArgument(fmt::format("{} has {} bytes, {} needs {}; grow the target or name a larger one",
                                       target->name, target->size, source_name, source_size));
  }
  return Status::Ok();
}

Status CheckPair(Draft& draft, const PairSpec& pair, const HostUse& in_use) {
  const Directory& directory = draft.directory();
  if (pair.point.IsNil()) {
    LS_RETURN_IF_ERROR(CheckSource(directory, pair.source));
  } else if (directory.Find(pair.source) == nullptr) {
    return NotFound("a source volume does not exist: " + pair.source.ToString());
  }
  LS_RETURN_IF_ERROR(draft.UsePool(directory.Find(pair.source)->pool));
  if (pair.target) {
    LS_RETURN_IF_ERROR(CheckTarget(directory, pair, in_use));
    return draft.UsePool(directory.Find(*pair.target)->pool);
  }
  if (directory.FindVolume(pair.target_name) != nullptr) {
    return AlreadyExists(fmt::format("there is a volume named {} already; choose another name", pair.target_name));
  }
  return Status::Ok();
}

// Gives the pair its target volume, with the source's content when there is a point.
VolumeId PrepareTarget(Draft& draft, const PairSpec& pair, catalog::PointId point) {
  const VolumeRecord source = *draft.directory().Find(pair.source);
  const uint64_t size = SourceSize(draft.directory(), pair);
  if (pair.target) {
    if (!point.IsNil()) draft.Add(block::SetContent{*pair.target, point, pair.source});
    return *pair.target;
  }
  const VolumeId target = draft.NewId<VolumeId>();
  if (point.IsNil()) {
    draft.Add(block::CreateVolume{target, size});
  } else {
    draft.Add(block::Clone{point, pair.source, target, 0});
  }
  draft.Put(VolumeRecord{target, source.pool, pair.target_name, size, draft.now()});
  return target;
}

RelationshipRecord MakeRecord(Draft& draft, const CreateSpec& spec, const PairSpec& pair, catalog::PointId point) {
  RelationshipRecord record;
  record.id = draft.NewId<RelationshipId>();
  record.source = pair.source;
  record.sync_type = spec.sync_type;
  record.mode = spec.mode;
  record.point = point;
  record.full_copy = spec.full_copy;
  record.priority = spec.priority;
  record.consistency_exempt = spec.consistency_exempt;
  record.read_only = spec.read_only;
  record.methodology = spec.full_copy ? catalog::CopyMethodology::kFullCopy
                                      : catalog::CopyMethodology::kImplementationDecides;
  record.target_created = !pair.target.has_value();
  record.when_established = draft.now();
  const bool copying = spec.row.started && spec.full_copy;
  record.state = copying ? CopyState::kUnsynchronized : spec.row.end;
  record.requested = copying ? CopyState::kSynchronized : CopyState::kNotApplicable;
  record.progress = ProgressAtRest(record.state);
  if (spec.row.started) record.when_activated = record.when_synced = draft.now();
  if (record.state == CopyState::kSynchronized) record.when_synchronized = draft.now();
  return record;
}

catalog::GroupRelationshipId AddGroup(Draft& draft, const CreateSpec& spec, const std::vector<VolumeId>& targets) {
  const GroupSpec& group = *spec.group;
  const catalog::GroupRelationshipRecord relation = NewGroupRelation(draft, group, spec.sync_type, spec.mode);
  draft.Put(relation);
  for (const VolumeId& target : targets) draft.AddMember(group.target_group, target);
  catalog::GroupRecord members = *draft.directory().Find(group.target_group);
  // One transaction takes the point of all sources: the targets are one instant, whether that was asked for or not.
  members.consistent_point_in_time = spec.row.started;
  draft.Put(std::move(members));
  return relation.id;
}

// The pairs' volumes become members of the ends of the group relationship that they join.
Status JoinGroup(Draft& draft, const CreateSpec& spec, const std::vector<VolumeId>& targets) {
  const catalog::GroupRelationshipRecord relation = *draft.directory().Find(spec.join);
  for (const RelationshipId& id : draft.directory().PairsOf(relation.id)) {
    LS_RETURN_IF_ERROR(draft.UsePool(draft.directory().Find(draft.directory().Find(id)->target)->pool));
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    if (!relation.source_group.IsNil()) draft.AddMember(relation.source_group, spec.pairs[i].source);
    draft.AddMember(relation.target_group, targets[i]);
  }
  catalog::GroupRecord members = *draft.directory().Find(relation.target_group);
  members.consistent_point_in_time = false;
  draft.Put(std::move(members));
  return Status::Ok();
}

// The new point that the pairs without one need.
catalog::PointId PointFor(Draft& draft, const CreateSpec& spec) {
  std::vector<VolumeId> sources;
  for (const PairSpec& pair : spec.pairs) {
    if (pair.point.IsNil()) sources.push_back(pair.source);
  }
  return spec.row.started && !sources.empty() ? draft.TakePoint(sources) : catalog::PointId();
}

}  // namespace

catalog::GroupRelationshipRecord NewGroupRelation(Draft& draft, const GroupSpec& spec, catalog::SyncType sync_type,
                                                  catalog::Mode mode) {
  catalog::GroupRelationshipRecord relation;
  relation.id = draft.NewId<catalog::GroupRelationshipId>();
  relation.name = spec.name;
  relation.source_group = spec.source_group;
  relation.source_element = spec.source_element;
  relation.target_group = spec.target_group;
  relation.sync_type = sync_type;
  relation.mode = mode;
  relation.consistency_enabled = spec.consistency_enabled;
  relation.when_established = draft.now();
  return relation;
}

Status MayPair(const Directory& directory, VolumeId source, VolumeId target, const HostUse& in_use) {
  LS_RETURN_IF_ERROR(CheckSource(directory, source));
  PairSpec pair{source, target};
  LS_RETURN_IF_ERROR(CheckTarget(directory, pair, in_use));
  if (directory.Find(source)->pool == directory.Find(target)->pool) return Status::Ok();
  return NotSupported("the volumes are in different pools");
}

catalog::JobId AddCopyJob(Draft& draft, const std::vector<RelationshipId>& pairs, const std::string& method) {
  catalog::JobRecord job;
  job.id = draft.NewId<catalog::JobId>();
  job.method = method;
  job.state = catalog::JobState::kRunning;
  job.relationships = pairs;
  job.submitted = job.started = job.state_changed = draft.now();
  const Directory& directory = draft.directory();
  for (const RelationshipId& id : pairs) {
    const RelationshipRecord& pair = *directory.Find(id);
    job.volumes.push_back(pair.target);
    job.group_relationship = pair.group;
  }
  const RelationshipRecord& first = *directory.Find(pairs.front());
  job.name = "copying " + Describe(directory, first);
  if (pairs.size() > 1) job.name += fmt::format(" and {} more", pairs.size() - 1);
  if (const auto* relation = directory.Find(job.group_relationship)) {
    job.name = fmt::format("copying {} of group relationship {}", catalog::Name(first.sync_type), relation->name);
    if (!relation->source_group.IsNil()) job.groups.push_back(relation->source_group);
    job.groups.push_back(relation->target_group);
  }
  const catalog::JobId id = job.id;
  draft.Put(std::move(job));
  return id;
}

Result<CreateOutcome> PlanCreate(Draft& draft, const CreateSpec& spec, const HostUse& in_use) {
  std::vector<VolumeId> sources;
  std::set<VolumeId> supplied;
  for (const PairSpec& pair : spec.pairs) {
    LS_RETURN_IF_ERROR(CheckPair(draft, pair, in_use));
    sources.push_back(pair.source);
    if (pair.target && !supplied.insert(*pair.target).second) {
      return InvalidArgument(NameOf(draft.directory(), *pair.target) + " is named as target more than once");
    }
  }
  for (const VolumeId& source : sources) {
    if (supplied.contains(source)) {
      return InvalidArgument(NameOf(draft.directory(), source) + " is named as source and as target");
    }
  }
  const catalog::PointId fresh = PointFor(draft, spec);
  CreateOutcome outcome;
  std::vector<RelationshipRecord> records;
  for (const PairSpec& pair : spec.pairs) {
    // Names that the same call wants twice are found here, when the first of them is in the draft.
    if (!pair.target) LS_RETURN_IF_ERROR(CheckPair(draft, pair, in_use));
    const catalog::PointId point = pair.point.IsNil() ? fresh : pair.point;
    RelationshipRecord record = MakeRecord(draft, spec, pair, point);
    record.target = PrepareTarget(draft, pair, point);
    outcome.targets.push_back(record.target);
    outcome.pairs.push_back(record.id);
    records.push_back(std::move(record));
  }
  if (spec.group) outcome.group = AddGroup(draft, spec, outcome.targets);
  if (!spec.join.IsNil()) {
    LS_RETURN_IF_ERROR(JoinGroup(draft, spec, outcome.targets));
    outcome.group = spec.join;
  }
  for (RelationshipRecord& record : records) {
    record.group = outcome.group.value_or(catalog::GroupRelationshipId());
    draft.Put(std::move(record));
  }
  const bool copies = spec.row.started && spec.full_copy;
  if (copies && !spec.method.empty()) outcome.job = AddCopyJob(draft, outcome.pairs, spec.method);
  return outcome;
}

}  // namespace lockstep::replication
