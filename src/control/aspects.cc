// Aspects: points with a name, taken without a target, and what can be done with them later.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/group_plans.h"
#include "control/impl.h"
#include "control/rules.h"
#include "replication/aspects.h"
#include "replication/capabilities.h"

namespace lockstep::control {

using catalog::AspectRecord;
using catalog::GroupRecord;
using replication::AspectEffect;
using replication::AspectRow;
using replication::CreateSpec;
using replication::PairSpec;

namespace {

// The sources, and the group that they are, if it is one.
Result<replication::AspectSpec> ResolveAspect(const Directory& directory, const CreateAspectRequest& request) {
  LS_ASSIGN_OR_RETURN(const replication::ReplicationType type,
                      replication::ToReplicationType(request.sync_type, request.mode, false));
  LS_ASSIGN_OR_RETURN(const replication::SyncTypeAndMode what, replication::FromReplicationType(type));
  LS_RETURN_IF_ERROR(replication::CheckSettings(request.settings));
  replication::AspectSpec spec;
  spec.sync_type = what.sync_type;
  spec.mode = what.mode;
  LS_ASSIGN_OR_RETURN(spec.consistency_enabled, ResolveConsistency(request.consistency));
  if (request.source_group.has_value() == request.source_element.has_value()) {
    return InvalidArgument("give exactly one of SourceGroup and SourceElement");
  }
  if (request.source_element) {
    if (spec.consistency_enabled) return InvalidArgument("Consistency is for a SourceGroup; leave it out");
    spec.sources = {*request.source_element};
    return spec;
  }
  const GroupRecord* group = directory.Find(*request.source_group);
  if (group == nullptr) return NotFound("SourceGroup does not exist");
  LS_RETURN_IF_ERROR(CheckRole(*group, true));
  if (group->members.empty()) return InvalidArgument(fmt::format("group {} has no members", group->name));
  spec.source_group = group->id;
  spec.sources = group->members;
  return spec;
}

bool IsAspectName(const Directory& directory, const std::string& name) {
  const auto& aspects = directory.aspects();
  return std::any_of(aspects.begin(), aspects.end(), [&](const auto& one) { return one.second.name == name; });
}

}  // namespace

Task<Result<AspectId>> Control::Impl::CreateAspect(CreateAspectRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(replication::AspectSpec spec, ResolveAspect(directory_, request));
  Draft draft = NewDraft();
  if (request.name.empty()) {
    const GroupRecord* group = directory_.Find(spec.source_group);
    spec.name = draft.FreeAspectName(group != nullptr ? group->name
                                                      : replication::NameOf(directory_, spec.sources.front()));
  } else {
    LS_CO_RETURN_IF_ERROR(CheckName("synchronization aspect", request.name));
    if (IsAspectName(directory_, request.name)) {
      co_return AlreadyExists(fmt::format("there is a synchronization aspect named {} already; choose another name",
                                          request.name));
    }
    spec.name = request.name;
  }
  LS_CO_ASSIGN_OR_RETURN(const AspectId id, PlanAspect(draft, spec));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return id;
}

namespace {

// The aspect, when it can be seen from there.
Result<const AspectRecord*> Resolve(const Directory& directory, const AspectRef& ref) {
  const AspectRecord* aspect = directory.Find(ref.aspect);
  if (aspect == nullptr) return NotFound("a synchronization aspect does not exist: " + ref.aspect.ToString());
  const GroupRecord* group = directory.Find(aspect->source_group);
  const auto& sources = aspect->sources;
  const bool seen = ref.element ? group == nullptr && directory.Find(*ref.element) != nullptr &&
                                      std::find(sources.begin(), sources.end(), *ref.element) != sources.end()
                                : group != nullptr;
  if (seen) return aspect;
  return NotFound(fmt::format("synchronization aspect {} is not associated with that element", aspect->name));
}

Status CheckAspects(const Directory& directory, const ModifyAspectsRequest& request, const AspectRow& row) {
  if (request.settings_states.empty()) return InvalidArgument("name the SettingsDefineState to operate on");
  std::set<std::pair<AspectId, VolumeId>> seen;
  for (const AspectRef& ref : request.settings_states) {
    LS_ASSIGN_OR_RETURN(const AspectRecord* aspect, Resolve(directory, ref));
    if (!seen.insert({ref.aspect, ref.element.value_or(VolumeId())}).second) {
      return InvalidArgument(fmt::format("synchronization aspect {} is named twice", aspect->name));
    }
    if (row.groups_only && ref.element) {
      return InvalidArgument(fmt::format("{} is for aspects of groups; {} is of one volume", row.name, aspect->name));
    }
  }
  const size_t kinds = (request.target_elements.empty() ? 0u : 1u) + (request.target_groups.empty() ? 0u : 1u) +
                       (request.target_element_count ? 1u : 0u);
  if (kinds > 1) return InvalidArgument("TargetElement, TargetGroup and TargetElementCount exclude each other");
  if (kinds == 0 || row.takes_targets()) return Status::Ok();
  return InvalidArgument(fmt::format("{} takes no targets", row.name));
}

// What is asked for of targets against what the aspects are.
Status CheckAspectTargets(const Directory& directory, const ModifyAspectsRequest& request) {
  const std::vector<AspectRef>& states = request.settings_states;
  const AspectRecord& first = *directory.Find(states.front().aspect);
  for (const AspectRef& ref : states) {
    const AspectRecord& aspect = *directory.Find(ref.aspect);
    const bool alike = ref.element.has_value() == states.front().element.has_value() &&
                       aspect.sync_type == first.sync_type && aspect.mode == first.mode;
    if (!alike) return InvalidArgument("the aspects of a list must be of one kind of source, SyncType and Mode");
  }
  const bool of_groups = !states.front().element;
  if (of_groups && !request.target_elements.empty()) {
    return InvalidArgument("the aspect is of a group: give TargetGroup, not TargetElement");
  }
  if (!of_groups && !request.target_groups.empty()) {
    return InvalidArgument("the aspect is of one volume: give TargetElement, not TargetGroup");
  }
  if (of_groups && request.target_element_count) {
    return InvalidArgument("TargetElementCount is for aspects of one volume");
  }
  if (of_groups && !request.element_names.empty()) return InvalidArgument("ElementName is for aspects of one volume");
  const size_t targets = request.target_elements.size() + request.target_groups.size();
  if (targets != 0 && targets != states.size()) return InvalidArgument("give one target for each aspect");
  constexpr uint64_t kMost = 1000;
  const uint64_t count = request.target_element_count.value_or(1);
  if (count < 1 || count > kMost) {
    return InvalidArgument(fmt::format("TargetElementCount is {}; 1 to {}", count, kMost));
  }
  if (request.element_names.size() > states.size() * count) {
    return InvalidArgument("there are more ElementNames than targets");
  }
  return CheckGivenNames(request.element_names);
}

// The options of targets: those of the first aspect, which are those of all.
Result<CreateSpec> SpecOf(const Directory& directory, const ModifyAspectsRequest& request, const AspectRow& row) {
  ReplicaOptions options = request.options;
  const AspectRecord& first = *directory.Find(request.settings_states.front().aspect);
  options.sync_type = first.sync_type;
  options.mode = first.mode;
  LS_ASSIGN_OR_RETURN(CreateSpec spec, ResolveOptions(options));
  if (!spec.row.started) {
    return InvalidArgument("a target that waits for Activate would not show the aspect's point; WaitForCopyState is "
                           "Unsynchronized or Synchronized here");
  }
  if (row.effect == AspectEffect::kShow && spec.full_copy) {
    return InvalidArgument(fmt::format("{} copies nothing; ask for Full-Copy with Copy To Target", row.name));
  }
  return spec;
}

// Names for the targets that are to be made, as far as they are given.
void NameAspectTargets(const Directory& directory, const ModifyAspectsRequest& request, CreateSpec& spec,
                       std::set<std::string>& taken) {
  for (size_t i = 0; i < spec.pairs.size(); ++i) {
    PairSpec& pair = spec.pairs[i];
    if (pair.target) continue;
    if (i < request.element_names.size()) pair.target_name = request.element_names[i];
    if (!pair.target_name.empty()) continue;
    pair.target_name = GeneratedName(directory, replication::NameOf(directory, pair.source), spec, taken);
  }
}

void AddMade(const replication::CreateOutcome& made, ModifyAspectsResult& result) {
  result.pairs.insert(result.pairs.end(), made.pairs.begin(), made.pairs.end());
  result.target_elements.insert(result.target_elements.end(), made.targets.begin(), made.targets.end());
  if (made.group) result.groups.push_back(*made.group);
}

std::vector<VolumeId> SourcesOf(const std::vector<PairSpec>& pairs) {
  std::vector<VolumeId> sources;
  for (const PairSpec& pair : pairs) sources.push_back(pair.source);
  return sources;
}

}  // namespace

Task<Result<std::vector<uint64_t>>> Control::Impl::SizesAt(PointId point, std::vector<VolumeId> volumes) {
  const catalog::PointRecord* record = directory_.Find(point);
  if (record == nullptr) co_return InvalidState("the aspect's point is gone");
  LS_CO_ASSIGN_OR_RETURN(std::shared_ptr<block::Pool> pool, UsablePool(record->pool));
  std::vector<uint64_t> sizes;
  Status status;
  co_await surroundings_.data_loop.Switch();
  for (size_t i = 0; i < volumes.size() && status.ok(); ++i) {
    Result<std::shared_ptr<block::Volume>> opened = pool->OpenPoint(point, volumes[i]);
    status = opened.status();
    if (opened.ok()) sizes.push_back((*opened)->size());
  }
  co_await surroundings_.control_loop.Switch();
  pool.reset();
  if (!status.ok()) co_return status;
  co_return sizes;
}

Task<Result<std::vector<PairSpec>>> Control::Impl::PairsAt(AspectRef ref) {
  const AspectRecord aspect = *directory_.Find(ref.aspect);
  std::vector<VolumeId> sources = aspect.sources;
  if (ref.element) sources = {*ref.element};
  for (const VolumeId& source : sources) {
    if (directory_.Find(source) == nullptr) {
      co_return InvalidState(fmt::format("a volume that aspect {} is about has been deleted", aspect.name));
    }
  }
  const GroupRecord* group = ref.element ? nullptr : directory_.Find(aspect.source_group);
  if (group != nullptr && !std::is_permutation(sources.begin(), sources.end(), group->members.begin(),
                                               group->members.end())) {
    co_return InvalidState(fmt::format("group {} has other members than when aspect {} was made", group->name,
                                       aspect.name));
  }
  if (group != nullptr) sources = group->members;
  LS_CO_ASSIGN_OR_RETURN(const std::vector<uint64_t> sizes, co_await SizesAt(aspect.point, sources));
  std::vector<PairSpec> pairs;
  for (size_t i = 0; i < sources.size(); ++i) {
    PairSpec pair{sources[i]};
    pair.point = aspect.point;
    pair.size = sizes[i];
    pairs.push_back(std::move(pair));
  }
  co_return pairs;
}

namespace {

// Targets of one aspect of a group: a group of them, related as groups.
Result<replication::CreateOutcome> CopyGroup(Draft& draft, CreateSpec spec, const AspectRecord& aspect,
                                             const ModifyAspectsRequest& request, size_t at,
                                             const replication::HostUse& in_use, GroupId& target_group) {
  const std::optional<GroupId> named =
      request.target_groups.empty() ? std::nullopt : std::optional<GroupId>(request.target_groups[at]);
  if (named && *named == aspect.source_group) return InvalidArgument("TargetGroup is the group that is copied");
  replication::GroupSpec group;
  LS_ASSIGN_OR_RETURN(group.name, RelationshipName(draft, {}, aspect.name));
  LS_ASSIGN_OR_RETURN(group.target_group, TargetGroup(draft, named, {}, group.name));
  group.source_group = aspect.source_group;
  group.consistency_enabled = aspect.consistency_enabled;
  const std::vector<VolumeId> targets = draft.directory().Find(group.target_group)->members;
  LS_RETURN_IF_ERROR(CheckTargets(draft.directory(), request.options, !targets.empty(), SourcesOf(spec.pairs)));
  if (!targets.empty() && targets.size() != spec.pairs.size()) {
    return InvalidArgument(fmt::format("the target group has {} members, the aspect {}; give one of as many, or an "
                                       "empty one", targets.size(), spec.pairs.size()));
  }
  for (size_t i = 0; i < targets.size(); ++i) spec.pairs[i].target = targets[i];
  NameTargets(draft.directory(), group.name, spec.pairs);
  spec.group = group;
  target_group = group.target_group;
  return PlanCreate(draft, spec, in_use);
}

}  // namespace

Task<Result<ModifyAspectsResult>> Control::Impl::CopyAspects(ModifyAspectsRequest request, AspectRow row) {
  LS_CO_RETURN_IF_ERROR(CheckAspectTargets(directory_, request));
  LS_CO_ASSIGN_OR_RETURN(CreateSpec spec, SpecOf(directory_, request, row));
  const bool of_groups = !request.settings_states.front().element;
  ModifyAspectsResult result;
  Draft draft = NewDraft();
  std::vector<PairSpec> elements;
  for (size_t i = 0; i < request.settings_states.size(); ++i) {
    const AspectRef ref = request.settings_states[i];
    LS_CO_ASSIGN_OR_RETURN(std::vector<PairSpec> pairs, co_await PairsAt(ref));
    if (of_groups) {
      CreateSpec one = spec;
      one.pairs = std::move(pairs);
      GroupId target_group;
      LS_CO_ASSIGN_OR_RETURN(const replication::CreateOutcome made,
                             CopyGroup(draft, std::move(one), *directory_.Find(ref.aspect), request, i, HostUse(),
                                       target_group));
      result.target_groups.push_back(target_group);
      AddMade(made, result);
      continue;
    }
    if (!request.target_elements.empty()) pairs.front().target = request.target_elements[i];
    for (uint64_t n = 0; n < request.target_element_count.value_or(1); ++n) elements.push_back(pairs.front());
  }
  if (!of_groups) {
    spec.pairs = std::move(elements);
    const bool supplied = !request.target_elements.empty();
    LS_CO_RETURN_IF_ERROR(CheckTargets(directory_, request.options, supplied, SourcesOf(spec.pairs)));
    // Several copies of one source are a group relationship, unless it is a list.
    if (request.target_element_count && !request.as_list) {
      replication::GroupSpec group;
      LS_CO_ASSIGN_OR_RETURN(group.name, RelationshipName(draft, {}, directory_.Find(
                                             request.settings_states.front().aspect)->name));
      LS_CO_ASSIGN_OR_RETURN(group.target_group, TargetGroup(draft, std::nullopt, {}, group.name));
      group.source_element = *request.settings_states.front().element;
      result.target_groups.push_back(group.target_group);
      spec.group = group;
    }
    std::set<std::string> taken(request.element_names.begin(), request.element_names.end());
    NameAspectTargets(directory_, request, spec, taken);
    LS_CO_ASSIGN_OR_RETURN(const replication::CreateOutcome made, PlanCreate(draft, spec, HostUse()));
    AddMade(made, result);
  }
  if (spec.full_copy) {
    const JobId job = AddCopyJob(draft, result.pairs,
                                 request.as_list ? "ModifyListSettingsDefineState" : "ModifySettingsDefineState");
    result.job = JobToFollow(job, request.options.wait_for_copy_state);
  }
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return result;
}

Task<Result<ModifyAspectsResult>> Control::Impl::ModifyAspects(ModifyAspectsRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const AspectRow* row = replication::FindAspectRow(request.operation);
  if (row == nullptr) {
    co_return InvalidArgument(fmt::format("Operation {} has no meaning", static_cast<uint16_t>(request.operation)));
  }
  if (row->effect == AspectEffect::kNone) co_return NotSupported(fmt::format("{}: {}", row->name, row->text));
  if (request.as_list && !row->in_lists) {
    co_return InvalidArgument(fmt::format("{} is not an operation on lists", row->name));
  }
  LS_CO_RETURN_IF_ERROR(replication::CheckSettings(request.options.settings));
  LS_CO_RETURN_IF_ERROR(CheckAspects(directory_, request, *row));
  if (row->takes_targets()) co_return co_await CopyAspects(std::move(request), *row);
  if (request.options.wait_for_copy_state) {
    co_return InvalidArgument(fmt::format("WaitForCopyState is for targets; {} has none", row->name));
  }
  Draft draft = NewDraft();
  for (size_t i = 0; i < request.settings_states.size(); ++i) {
    const AspectRef ref = request.settings_states[i];
    AspectRecord aspect = *draft.directory().Find(ref.aspect);
    if (row->effect == AspectEffect::kForget) {
      LS_CO_RETURN_IF_ERROR(PlanAspectRemoval(draft, aspect.id, ref.element.value_or(VolumeId())));
    } else if (row->effect == AspectEffect::kRestore) {
      LS_CO_ASSIGN_OR_RETURN(const std::vector<PairSpec> pairs, co_await PairsAt(ref));
      std::vector<uint64_t> sizes;
      for (const PairSpec& pair : pairs) sizes.push_back(pair.size);
      LS_CO_RETURN_IF_ERROR(PlanAspectRestore(draft, aspect.id, SourcesOf(pairs), sizes, HostUse()));
    } else {
      aspect.consistency_enabled = row->effect == AspectEffect::kConsistencyOn;
      draft.Put(std::move(aspect));
    }
  }
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return ModifyAspectsResult();
}

}  // namespace lockstep::control
