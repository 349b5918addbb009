#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "replication/derived.h"
#include "replication/plan.h"

namespace lockstep::replication {

using catalog::CopyState;
using catalog::Directory;
using catalog::GroupRecord;
using catalog::GroupRelationshipId;
using catalog::GroupRelationshipRecord;
using catalog::Name;
using catalog::PointId;
using catalog::RelationshipId;
using catalog::RelationshipRecord;
using catalog::VolumeId;

namespace {

// A pair on which the operation has something to do.
struct Work {
  RelationshipRecord pair;
  Verdict verdict;
};

std::string LegalStates(SyncType type, Operation operation) {
  std::string states;
  for (const CopyState state : kColumns) {
    const Legality legality = Decide(type, state, operation).legality;
    if (!IsMet(type, state) || (legality != Legality::kLegal && legality != Legality::kNeedsForce)) continue;
    states += fmt::format("{}{}{}", states.empty() ? "" : ", ", Name(state),
                          legality == Legality::kNeedsForce ? " (with Force)" : "");
  }
  return states;
}

Status CheckHosts(const Directory& directory, const Work& work, const ModifySpec& spec, const HostUse& in_use) {
  if (spec.force) return Status::Ok();
  const RelationshipRecord& pair = work.pair;
  const std::string_view operation = Name(spec.operation);
  const bool target_in_use = in_use(pair.target);
  if (work.verdict.host_rule == HostRule::kTargetInUse && target_in_use) {
    return InvalidState(fmt::format("{} changes {} under the client that uses it; disconnect it, or use Force",
                                    operation, NameOf(directory, pair.target)));
  }
  if (work.verdict.host_rule == HostRule::kTargetInUseRefused && target_in_use) {
    return InUse(fmt::format("{} is in use by a host; disconnect its clients, or use Force",
                             NameOf(directory, pair.target)));
  }
  if (work.verdict.host_rule == HostRule::kSourceInUse && in_use(pair.source)) {
    return InvalidState(fmt::format("{} replaces the content of {} under the client that uses it; disconnect it, or "
                                    "use Force", operation, NameOf(directory, pair.source)));
  }
  return Status::Ok();
}

// An operation on one pair of a group whose consistency is enabled would break that.
Status CheckConsistency(const Directory& directory, const RelationshipRecord& pair, const ModifySpec& spec) {
  if (!spec.groups.empty() || spec.force || pair.group.IsNil() || pair.consistency_exempt) return Status::Ok();
  const GroupRelationshipRecord* group = directory.Find(pair.group);
  if (group == nullptr || !group->consistency_enabled) return Status::Ok();
  return InvalidState(fmt::format("{} is one pair of the consistent group relationship {}; operate on the group, or "
                                  "use Force", Describe(directory, pair), group->name));
}

// Empty: nothing to do, which is success.
Result<std::vector<Work>> Judge(const Directory& directory, const ModifySpec& spec, const HostUse& in_use) {
  std::vector<Work> works;
  for (const RelationshipId& id : spec.pairs) {
    const RelationshipRecord* pair = directory.Find(id);
    if (pair == nullptr) return NotFound("a relationship does not exist: " + id.ToString());
    const Verdict verdict = Decide(pair->sync_type, pair->state, spec.operation);
    const std::string what = Describe(directory, *pair);
    if (verdict.legality == Legality::kNotSupported) {
      return NotSupported(fmt::format("{} is not supported for a {}", Name(spec.operation), Name(pair->sync_type)));
    }
    if (verdict.scopes == Scopes::kGroupOnly && spec.groups.empty()) {
      return InvalidArgument(fmt::format("{} is an operation on group relationships; {} is a single pair",
                                         Name(spec.operation), what));
    }
    if (verdict.legality == Legality::kNoOp) continue;
    if (verdict.legality == Legality::kIllegal) {
      return InvalidState(fmt::format("{} is {}; {} is legal from {}", what, Name(pair->state), Name(spec.operation),
                                      LegalStates(pair->sync_type, spec.operation)));
    }
    if (verdict.legality == Legality::kNeedsForce && !spec.force) {
      return InvalidState(fmt::format("{} is {}; {} is possible with Force only, because the target is not as it "
                                      "should be", what, Name(pair->state), Name(spec.operation)));
    }
    works.push_back({*pair, verdict});
    LS_RETURN_IF_ERROR(CheckHosts(directory, works.back(), spec, in_use));
    LS_RETURN_IF_ERROR(CheckConsistency(directory, *pair, spec));
  }
  return works;
}

std::vector<VolumeId> SourcesOf(const std::vector<Work>& works) {
  std::vector<VolumeId> volumes;
  for (const Work& work : works) volumes.push_back(work.pair.source);
  return volumes;
}

// The volume was overwritten by one that may be larger: it is at least as large as that now.
void Enlarge(Draft& draft, VolumeId volume, VolumeId by) {
  catalog::VolumeRecord record = *draft.directory().Find(volume);
  record.size = std::max(record.size, draft.directory().Find(by)->size);
  draft.Put(std::move(record));
}

// Resync Replica and Activate: a new point of all sources, every target becomes it.
void Renew(Draft& draft, const ModifySpec& spec, std::vector<Work>& works) {
  const PointId point = draft.TakePoint(SourcesOf(works));
  for (Work& work : works) {
    RelationshipRecord& pair = work.pair;
    draft.Add(block::SetContent{pair.target, point, pair.source});
    Enlarge(draft, pair.target, pair.source);
    draft.LetGo(pair.point);
    pair.point = point;
    pair.copied = 0;
    if (spec.full_copy) pair.full_copy = *spec.full_copy;
    pair.methodology = pair.full_copy ? catalog::CopyMethodology::kFullCopy
                                      : catalog::CopyMethodology::kImplementationDecides;
    pair.when_activated = pair.when_synced = draft.now();
  }
}

// What is restored over may itself be the target of another relationship, which it no longer matches then.
Status SkewUpstream(Draft& draft, const ModifySpec& spec, const RelationshipRecord& pair) {
  const Directory& directory = draft.directory();
  const RelationshipRecord* found = directory.TargetOf(pair.source);
  if (found == nullptr) return Status::Ok();
  if (!spec.force) {
    return InvalidState(fmt::format("{} is a target itself, of {}, and would no longer match it; detach it, or use "
                                    "Force", NameOf(directory, pair.source), NameOf(directory, found->source)));
  }
  if (!HostAccess(found->sync_type, found->state)) {
    return InvalidState(fmt::format("{} cannot be written: {} is {}", NameOf(directory, pair.source),
                                    Describe(directory, *found), Name(found->state)));
  }
  RelationshipRecord upstream = *found;
  upstream.state = CopyState::kSkewed;
  upstream.progress = ProgressAtRest(upstream.state);
  upstream.requested = CopyState::kNotApplicable;
  draft.Put(std::move(upstream));
  return Status::Ok();
}

// Restore from Replica: a passing point of all targets, every source becomes it.
Status Restore(Draft& draft, const ModifySpec& spec, const std::vector<Work>& works) {
  std::vector<VolumeId> targets;
  std::set<VolumeId> sources;
  for (const Work& work : works) {
    const RelationshipRecord& pair = work.pair;
    targets.push_back(pair.target);
    if (!sources.insert(pair.source).second) {
      return InvalidArgument(fmt::format("{} has several targets here and cannot be restored from all of them; operate "
                                         "on one pair", NameOf(draft.directory(), pair.source)));
    }
    LS_RETURN_IF_ERROR(SkewUpstream(draft, spec, pair));
  }
  const PointId point = draft.TakePassingPoint(targets);
  for (const Work& work : works) {
    draft.Add(block::SetContent{work.pair.source, point, work.pair.target});
    Enlarge(draft, work.pair.source, work.pair.target);
  }
  draft.ReleasePassingPoint(point);
  return Status::Ok();
}

// The targets become empty: the content of a new volume that lives inside the transaction only.
void DropContent(Draft& draft, const std::vector<Work>& works) {
  const VolumeId empty = draft.NewId<VolumeId>();
  draft.Add(block::CreateVolume{empty, block::kBlockSize});
  const PointId point = draft.TakePassingPoint({empty});
  for (const Work& work : works) draft.Add(block::SetContent{work.pair.target, point, empty});
  draft.ReleasePassingPoint(point);
  draft.Add(block::DeleteVolume{empty});
}

void Stamp(RelationshipRecord& pair, CopyState state, catalog::WallTime now) {
  pair.state = state;
  pair.progress = ProgressAtRest(state);
  pair.requested = CopyState::kNotApplicable;
  if (state == CopyState::kSynchronized) pair.when_synchronized = now;
  if (state == CopyState::kInactive) pair.when_deactivated = now;
  if (state == CopyState::kSuspended) pair.when_suspended = now;
}

// Puts the pair into its next state; answers whether it is being copied then.
bool Settle(Draft& draft, const ModifySpec& spec, Work& work) {
  RelationshipRecord& pair = work.pair;
  const Verdict& verdict = work.verdict;
  if (verdict.Does(Step::kReleasePoint)) {
    draft.LetGo(pair.point);
    pair.point = PointId();
    pair.copied = 0;
  }
  if (spec.priority) pair.priority = *spec.priority;
  const bool copies = (verdict.Does(Step::kStartCopy) || verdict.Does(Step::kResumeCopy)) && pair.full_copy;
  if (copies) {
    Stamp(pair, verdict.transient, draft.now());
    pair.requested = verdict.next;
    const bool again = spec.operation == Operation::kResyncReplica;
    if (again) pair.progress = catalog::ProgressStatus::kResyncing;
    if (verdict.Does(Step::kResumeCopy)) pair.when_activated = draft.now();
  } else if (verdict.next != CopyState::kNotApplicable) {
    Stamp(pair, verdict.next, draft.now());
  }
  draft.Put(pair);
  return copies;
}

// One aspect for each point that the pairs hold; the pairs of one group operation normally hold one.
std::vector<catalog::AspectId> LeaveAspects(Draft& draft, const ModifySpec& spec, const std::vector<Work>& works) {
  std::map<PointId, catalog::AspectRecord> aspects;
  for (const Work& work : works) {
    const RelationshipRecord& pair = work.pair;
    if (pair.point.IsNil()) continue;
    catalog::AspectRecord& aspect = aspects[pair.point];
    aspect.sources.push_back(pair.source);
    aspect.sync_type = pair.sync_type;
    aspect.mode = pair.mode;
    const GroupRelationshipRecord* group = draft.directory().Find(pair.group);
    if (!spec.groups.empty() && group != nullptr) {
      aspect.source_group = group->source_group;
      aspect.consistency_enabled = group->consistency_enabled;
      aspect.name = group->name;
    } else if (aspect.name.empty()) {
      aspect.name = NameOf(draft.directory(), pair.target);
    }
  }
  std::vector<catalog::AspectId> ids;
  for (auto& [point, aspect] : aspects) {
    aspect.id = draft.NewId<catalog::AspectId>();
    aspect.point = point;
    aspect.name = draft.FreeAspectName(aspect.name);
    aspect.when_point_in_time = draft.directory().Find(point)->taken;
    ids.push_back(aspect.id);
    draft.Put(aspect);
  }
  return ids;
}

Status EndRelationships(Draft& draft, const ModifySpec& spec, const std::vector<Work>& works, ModifyOutcome& outcome) {
  const Verdict& verdict = works.front().verdict;
  if (verdict.Does(Step::kLeaveAspect)) outcome.aspects = LeaveAspects(draft, spec, works);
  for (const Work& work : works) {
    const std::set<RelationshipId>& downstream = draft.directory().SourceOf(work.pair.target);
    if (verdict.Does(Step::kDeleteTarget) && !downstream.empty()) {
      return InUse(fmt::format("{} is the source of other replicas; detach them first",
                               NameOf(draft.directory(), work.pair.target)));
    }
  }
  for (const Work& work : works) draft.RemoveRelationship(work.pair.id);
  if (!verdict.Does(Step::kDeleteTarget)) return Status::Ok();
  for (const Work& work : works) draft.RemoveVolume(work.pair.target);
  return Status::Ok();
}

// The job of copies that were stopped and go on, if it is one job, or a new one.
catalog::JobId JobFor(Draft& draft, const ModifySpec& spec, const std::vector<RelationshipId>& copying) {
  if (spec.operation == Operation::kResume) {
    for (const catalog::JobId& id : draft.directory().JobsOn(copying.front())) {
      if (!IsFinal(draft.directory().Find(id)->state)) return id;
    }
  }
  return AddCopyJob(draft, copying, spec.method);
}

Result<ModifyOutcome> ModifyPairs(Draft& draft, const ModifySpec& spec, std::vector<Work> works) {
  ModifyOutcome outcome;
  for (const Work& work : works) LS_RETURN_IF_ERROR(draft.UsePool(draft.directory().Find(work.pair.target)->pool));
  // All pairs are of one type, so the steps are those of the first.
  const Verdict& verdict = works.front().verdict;
  if (verdict.Does(Step::kTakeSourcePoint)) Renew(draft, spec, works);
  if (verdict.Does(Step::kTakeTargetPoint)) LS_RETURN_IF_ERROR(Restore(draft, spec, works));
  if (verdict.Does(Step::kDropContent)) DropContent(draft, works);
  if (verdict.Does(Step::kForget)) {
    LS_RETURN_IF_ERROR(EndRelationships(draft, spec, works, outcome));
    return outcome;
  }
  std::vector<RelationshipId> copying;
  for (Work& work : works) {
    if (Settle(draft, spec, work)) copying.push_back(work.pair.id);
  }
  if (!copying.empty()) outcome.job = JobFor(draft, spec, copying);
  return outcome;
}

Status SetConsistency(Draft& draft, const ModifySpec& spec) {
  for (const GroupRelationshipId& id : spec.groups) {
    GroupRelationshipRecord group = *draft.directory().Find(id);
    group.consistency_enabled = spec.operation == Operation::kActivateConsistency;
    draft.Put(std::move(group));
  }
  return Status::Ok();
}

Status AddSyncPair(Draft& draft, const ModifySpec& spec, const GroupRelationshipRecord& group, RelationshipId id) {
  const Directory& directory = draft.directory();
  const RelationshipRecord* found = directory.Find(id);
  if (found == nullptr) return NotFound("a relationship does not exist: " + id.ToString());
  RelationshipRecord pair = *found;
  const std::string what = Describe(directory, pair);
  if (pair.group == group.id) return Status::Ok();
  if (!pair.group.IsNil()) {
    return InUse(fmt::format("{} belongs to group relationship {} already", what, directory.Find(pair.group)->name));
  }
  if (pair.sync_type != group.sync_type || pair.mode != group.mode) {
    return InvalidArgument(fmt::format("{} differs in SyncType or Mode from group relationship {}", what, group.name));
  }
  if (!group.source_element.IsNil() && pair.source != group.source_element) {
    return InvalidArgument(fmt::format("{}: group relationship {} has one source, {}", what, group.name,
                                       NameOf(directory, group.source_element)));
  }
  for (const RelationshipId& present : directory.PairsOf(group.id)) {
    LS_RETURN_IF_ERROR(draft.UsePool(directory.Find(directory.Find(present)->target)->pool));
  }
  LS_RETURN_IF_ERROR(draft.UsePool(directory.Find(pair.target)->pool));
  const CopyState state = StateOfGroup(directory, PairsInOrder(directory, group)).state;
  if (pair.state != state && !spec.force) {
    return InvalidState(fmt::format("{} is {}, group relationship {} is {}; bring them into one state, or use Force",
                                    what, Name(pair.state), group.name, Name(state)));
  }
  pair.group = group.id;
  pair.consistency_exempt = spec.consistency_exempt;
  if (!group.source_group.IsNil()) draft.AddMember(group.source_group, pair.source);
  draft.AddMember(group.target_group, pair.target);
  draft.Put(std::move(pair));
  return Status::Ok();
}

Status RemoveSyncPair(Draft& draft, const ModifySpec& spec, const GroupRelationshipRecord& group, RelationshipId id) {
  const Directory& directory = draft.directory();
  const RelationshipRecord* found = directory.Find(id);
  if (found == nullptr) return NotFound("a relationship does not exist: " + id.ToString());
  if (found->group != group.id) {
    return InvalidArgument(
        fmt::format("{} is no pair of group relationship {}", Describe(directory, *found), group.name));
  }
  if (group.consistency_enabled && !found->consistency_exempt && !spec.force) {
    return InvalidState(fmt::format("taking {} out breaks the consistency of group relationship {}; deactivate it "
                                    "first, or use Force", Describe(directory, *found), group.name));
  }
  RelationshipRecord pair = *found;
  pair.group = GroupRelationshipId();
  pair.consistency_exempt = false;
  draft.Put(pair);
  const bool last = directory.PairsOf(group.id).empty();
  if (last) draft.Remove(group.id);
  if (!group.source_group.IsNil()) draft.RemoveMembers(group.source_group, {pair.source});
  draft.RemoveMembers(group.target_group, {pair.target});
  if (!last) return Status::Ok();
  if (!group.source_group.IsNil()) draft.GroupUnpaired(group.source_group);
  draft.GroupUnpaired(group.target_group);
  return Status::Ok();
}

Status ChangePairs(Draft& draft, const ModifySpec& spec) {
  if (spec.sync_pairs.empty()) {
    return InvalidArgument(fmt::format("{} needs SyncPair, the pairs to add or remove", Name(spec.operation)));
  }
  for (const RelationshipId& id : spec.sync_pairs) {
    const GroupRelationshipRecord* group = draft.directory().Find(spec.groups.front());
    if (group == nullptr) return InvalidArgument("a pair is named more than once");
    const GroupRelationshipRecord copy = *group;
    if (spec.operation == Operation::kAddSyncPair) {
      LS_RETURN_IF_ERROR(AddSyncPair(draft, spec, copy, id));
    } else {
      LS_RETURN_IF_ERROR(RemoveSyncPair(draft, spec, copy, id));
    }
  }
  return Status::Ok();
}

}  // namespace

Result<ModifyOutcome> PlanModify(Draft& draft, const ModifySpec& spec, const HostUse& in_use) {
  LS_ASSIGN_OR_RETURN(std::vector<Work> works, Judge(draft.directory(), spec, in_use));
  switch (spec.operation) {
    case Operation::kActivateConsistency:
    case Operation::kDeactivateConsistency:
      LS_RETURN_IF_ERROR(SetConsistency(draft, spec));
      return ModifyOutcome();
    case Operation::kAddSyncPair:
    case Operation::kRemoveSyncPair:
      LS_RETURN_IF_ERROR(ChangePairs(draft, spec));
      return ModifyOutcome();
    default: break;
  }
  if (works.empty()) return ModifyOutcome();
  return ModifyPairs(draft, spec, std::move(works));
}

}  // namespace lockstep::replication
