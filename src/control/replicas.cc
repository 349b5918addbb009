// The four ways to make replicas.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/group_plans.h"
#include "control/impl.h"
#include "control/rules.h"

namespace lockstep::control {

using catalog::CopyState;
using catalog::GroupRecord;
using replication::CreateOutcome;
using replication::CreateSpec;
using replication::PairSpec;

Task<Result<ReplicaResult>> Control::Impl::CreateElementReplica(CreateElementReplicaRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(CreateSpec spec, ResolveOptions(request.options));
  const catalog::VolumeRecord* source = directory_.Find(request.source_element);
  if (source == nullptr) co_return NotFound("SourceElement does not exist: " + request.source_element.ToString());
  LS_CO_RETURN_IF_ERROR(CheckTargets(directory_, request.options, request.target_element.has_value(),
                                     {request.source_element}));
  if (request.target_element && !request.element_name.empty()) {
    co_return InvalidArgument("ElementName is the name of a target to make; TargetElement has one already");
  }
  LS_CO_RETURN_IF_ERROR(CheckGivenNames({request.element_name}));
  std::set<std::string> taken;
  PairSpec pair{request.source_element, request.target_element, request.element_name};
  if (!pair.target && pair.target_name.empty()) {
    pair.target_name = GeneratedName(directory_, source->name, spec, taken);
  }
  spec.pairs = {std::move(pair)};
  spec.method = "CreateElementReplica";
  Draft draft = NewDraft();
  LS_CO_ASSIGN_OR_RETURN(const CreateOutcome outcome, PlanCreate(draft, spec, HostUse()));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return ReplicaResult{JobToFollow(outcome.job, request.options.wait_for_copy_state), outcome.pairs.front(),
                          outcome.targets.front()};
}

Task<Result<ListReplicaResult>> Control::Impl::CreateListReplica(CreateListReplicaRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(CreateSpec spec, ResolveOptions(request.options));
  LS_CO_RETURN_IF_ERROR(ResolveConsistency(request.consistency).status());
  if (request.source_elements.empty()) co_return InvalidArgument("SourceElements is empty: name the volumes to copy");
  for (const VolumeId& id : request.source_elements) {
    if (directory_.Find(id) == nullptr) co_return NotFound("a source volume does not exist: " + id.ToString());
  }
  const bool supplied = !request.target_elements.empty();
  LS_CO_RETURN_IF_ERROR(CheckTargets(directory_, request.options, supplied, request.source_elements));
  if (request.element_names.size() > request.source_elements.size()) {
    co_return InvalidArgument("there are more ElementNames than SourceElements");
  }
  LS_CO_RETURN_IF_ERROR(CheckGivenNames(request.element_names));
  if (supplied) {
    LS_CO_ASSIGN_OR_RETURN(spec.pairs, PairUp(request.source_elements, request.target_elements,
                                              request.options.settings.unequal_lists_action, false));
  }
  std::set<std::string> taken(request.element_names.begin(), request.element_names.end());
  for (size_t i = 0; !supplied && i < request.source_elements.size(); ++i) {
    PairSpec pair{request.source_elements[i]};
    if (i < request.element_names.size()) pair.target_name = request.element_names[i];
    if (pair.target_name.empty()) {
      pair.target_name = GeneratedName(directory_, directory_.Find(pair.source)->name, spec, taken);
    }
    spec.pairs.push_back(std::move(pair));
  }
  spec.method = "CreateListReplica";
  Draft draft = NewDraft();
  LS_CO_ASSIGN_OR_RETURN(CreateOutcome outcome, PlanCreate(draft, spec, HostUse()));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return ListReplicaResult{JobToFollow(outcome.job, request.options.wait_for_copy_state), std::move(outcome.pairs),
                              std::move(outcome.targets)};
}

namespace {

// The common end of both ways to make group replicas: sources are known, groups are in the draft.
struct GroupPlan {
  std::vector<VolumeId> sources;           // in the source group's order
  GroupId source_group{};                  // nil for one-to-many
  uint64_t copies = 1;                     // one-to-many: of the one source
  std::vector<VolumeId> targets;           // supplied ones
  std::vector<std::string> target_names;   // of those to make; may be fewer
};

Result<CreateOutcome> PlanGroup(Draft& draft, CreateSpec spec, const GroupPlan& plan, const ReplicaOptions& options,
                                const replication::HostUse& in_use) {
  const Directory& directory = draft.directory();
  LS_RETURN_IF_ERROR(CheckTargets(directory, options, !plan.targets.empty(), plan.sources));
  if (!plan.targets.empty()) {
    const bool one_to_many = !options.settings.unequal_groups_action.has_value();
    LS_ASSIGN_OR_RETURN(spec.pairs, PairUp(plan.sources, plan.targets, options.settings.unequal_groups_action,
                                           one_to_many));
  }
  for (uint64_t copy = 0; plan.targets.empty() && copy < plan.copies; ++copy) {
    for (const VolumeId& source : plan.sources) spec.pairs.push_back({source});
  }
  for (size_t i = 0; plan.targets.empty() && i < std::min(spec.pairs.size(), plan.target_names.size()); ++i) {
    spec.pairs[i].target_name = plan.target_names[i];
  }
  NameTargets(directory, spec.group->name, spec.pairs);
  return PlanCreate(draft, spec, in_use);
}

constexpr uint64_t kMaxTargetElementCount = 1000;

Status CheckExactlyOneSource(const CreateGroupReplicaRequest& request) {
  if (request.source_group.has_value() == request.source_element.has_value()) {
    return InvalidArgument("give exactly one of SourceGroup and SourceElement");
  }
  if (!request.target_element_count) return Status::Ok();
  if (request.target_group) return InvalidArgument("TargetGroup and TargetElementCount exclude each other");
  if (request.source_group) return InvalidArgument("TargetElementCount is for SourceElement alone");
  const uint64_t count = *request.target_element_count;
  if (count >= 1 && count <= kMaxTargetElementCount) return Status::Ok();
  return InvalidArgument(fmt::format("TargetElementCount is {}; 1 to {}", count, kMaxTargetElementCount));
}

Result<GroupPlan> ResolveSources(const Directory& directory, const CreateGroupReplicaRequest& request) {
  GroupPlan plan;
  if (request.source_element) {
    if (directory.Find(*request.source_element) == nullptr) return NotFound("SourceElement does not exist");
    plan.sources = {*request.source_element};
    plan.copies = request.target_element_count.value_or(1);
    return plan;
  }
  const GroupRecord* group = directory.Find(*request.source_group);
  if (group == nullptr) return NotFound("SourceGroup does not exist");
  LS_RETURN_IF_ERROR(CheckRole(*group, true));
  if (group->members.empty()) return InvalidArgument(fmt::format("group {} has no members to copy", group->name));
  if (request.target_group == request.source_group) {
    return InvalidArgument(fmt::format("group {} is named as source and as target", group->name));
  }
  plan.source_group = group->id;
  plan.sources = group->members;
  return plan;
}

}  // namespace

Task<Result<GroupReplicaResult>> Control::Impl::CreateGroupReplica(CreateGroupReplicaRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(CreateSpec spec, ResolveOptions(request.options));
  LS_CO_RETURN_IF_ERROR(CheckExactlyOneSource(request));
  LS_CO_ASSIGN_OR_RETURN(GroupPlan plan, ResolveSources(directory_, request));
  Draft draft = NewDraft();
  replication::GroupSpec group;
  LS_CO_ASSIGN_OR_RETURN(group.consistency_enabled, ResolveConsistency(request.consistency));
  const std::string stem = request.source_group ? directory_.Find(*request.source_group)->name
                                                : directory_.Find(*request.source_element)->name;
  const bool snapshot = spec.sync_type == catalog::SyncType::kSnapshot;
  LS_CO_ASSIGN_OR_RETURN(group.name, RelationshipName(draft, request.relationship_name,
                                                      stem + (snapshot ? "_snapshot" : "_clone")));
  LS_CO_ASSIGN_OR_RETURN(group.target_group, TargetGroup(draft, request.target_group, {}, group.name));
  group.source_group = plan.source_group;
  group.source_element = request.source_element.value_or(VolumeId());
  plan.targets = draft.directory().Find(group.target_group)->members;
  spec.group = group;
  spec.method = "CreateGroupReplica";
  LS_CO_ASSIGN_OR_RETURN(CreateOutcome outcome, PlanGroup(draft, std::move(spec), plan, request.options, HostUse()));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  GroupReplicaResult result;
  result.job = JobToFollow(outcome.job, request.options.wait_for_copy_state);
  result.synchronization = *outcome.group;
  if (!group.source_group.IsNil()) result.source_group = group.source_group;
  result.target_group = group.target_group;
  result.pairs = std::move(outcome.pairs);
  result.target_elements = std::move(outcome.targets);
  co_return result;
}

namespace {

using FromElements = CreateGroupReplicaFromElementsRequest;

Status CheckFromElements(const Directory& directory, const FromElements& request) {
  if (request.source_elements.empty()) return InvalidArgument("SourceElements is empty: name the volumes to copy");
  LS_RETURN_IF_ERROR(CheckElements(directory, "SourceElements", request.source_elements));
  LS_RETURN_IF_ERROR(CheckElements(directory, "TargetElements", request.target_elements));
  LS_RETURN_IF_ERROR(CheckGivenNames(request.target_element_names));
  const bool supplied = !request.target_elements.empty();
  if (supplied && !request.target_element_names.empty()) {
    return InvalidArgument("TargetElementNames are for targets to make; TargetElements have names already");
  }
  if (request.target_pools.empty()) return Status::Ok();
  if (request.options.target_pool || supplied) {
    return InvalidArgument("TargetPools excludes TargetPool and supplied targets");
  }
  for (const PoolId& pool : request.target_pools) {
    if (directory.Find(pool) == nullptr) return NotFound("one of TargetPools does not exist");
  }
  for (const VolumeId& source : request.source_elements) {
    const catalog::VolumeRecord& volume = *directory.Find(source);
    const auto& pools = request.target_pools;
    if (std::find(pools.begin(), pools.end(), volume.pool) != pools.end()) continue;
    return NotSupported(fmt::format("{} is in none of TargetPools; in this release a target is made in its source's "
                                    "pool, so leave TargetPools out", volume.name));
  }
  return Status::Ok();
}

}  // namespace

Task<Result<GroupReplicaResult>> Control::Impl::CreateGroupReplicaFromElements(FromElements request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(CreateSpec spec, ResolveOptions(request.options));
  LS_CO_RETURN_IF_ERROR(CheckFromElements(directory_, request));
  if (request.source_group && request.source_group == request.target_group) {
    co_return InvalidArgument("SourceGroup and TargetGroup are the same group");
  }
  Draft draft = NewDraft();
  GroupPlan plan;
  LS_CO_ASSIGN_OR_RETURN(plan.source_group, GroupOf(draft, request.source_group, request.source_group_name,
                                                    request.source_elements));
  const GroupRecord source_group = *draft.directory().Find(plan.source_group);
  LS_CO_RETURN_IF_ERROR(CheckRole(source_group, true));
  plan.sources = source_group.members;
  // Named targets pair with the elements as they were named, not with the order of a group that was there before.
  if (!request.target_elements.empty()) plan.sources = request.source_elements;
  replication::GroupSpec group;
  LS_CO_ASSIGN_OR_RETURN(group.consistency_enabled, ResolveConsistency(request.consistency));
  const bool snapshot = spec.sync_type == catalog::SyncType::kSnapshot;
  LS_CO_ASSIGN_OR_RETURN(group.name, RelationshipName(draft, request.relationship_name,
                                                      source_group.name + (snapshot ? "_snapshot" : "_clone")));
  LS_CO_ASSIGN_OR_RETURN(group.target_group,
                         TargetGroup(draft, request.target_group, request.target_group_name, group.name));
  plan.targets = draft.directory().Find(group.target_group)->members;
  if (!request.target_elements.empty()) {
    LS_CO_RETURN_IF_ERROR(GroupOf(draft, group.target_group, {}, request.target_elements).status());
    plan.targets = request.target_elements;
  }
  group.source_group = plan.source_group;
  plan.target_names = request.target_element_names;
  spec.group = group;
  spec.method = "CreateGroupReplicaFromElements";
  LS_CO_ASSIGN_OR_RETURN(CreateOutcome outcome, PlanGroup(draft, std::move(spec), plan, request.options, HostUse()));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  GroupReplicaResult result;
  result.job = JobToFollow(outcome.job, request.options.wait_for_copy_state);
  result.synchronization = *outcome.group;
  result.source_group = plan.source_group;
  result.target_group = group.target_group;
  result.pairs = std::move(outcome.pairs);
  result.target_elements = std::move(outcome.targets);
  co_return result;
}

}  // namespace lockstep::control
