// Group relationships that get pairs, or are made of some; and whether targets hold what they show.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/group_plans.h"
#include "control/impl.h"
#include "control/rules.h"
#include "replication/derived.h"

namespace lockstep::control {

using catalog::CopyState;
using catalog::GroupRelationshipRecord;
using catalog::RelationshipRecord;
using replication::CreateSpec;
using replication::PairSpec;

namespace {

// New sources against the members that the relationship has.
Status CheckNewSources(const Directory& directory, const GroupRelationshipRecord& relation,
                       const std::vector<VolumeId>& sources) {
  if (sources.empty()) return InvalidArgument("SourceElements is empty: name the volumes to add");
  LS_RETURN_IF_ERROR(CheckElements(directory, "SourceElements", sources));
  for (const VolumeId& source : sources) {
    const std::string& name = directory.Find(source)->name;
    if (!relation.source_element.IsNil() && source != relation.source_element) {
      return InvalidArgument(fmt::format("{}: group relationship {} has one source, {}", name, relation.name,
                                         replication::NameOf(directory, relation.source_element)));
    }
    if (!relation.source_element.IsNil()) continue;
    for (const RelationshipId& id : directory.PairsOf(relation.id)) {
      if (directory.Find(id)->source != source) continue;
      return InvalidArgument(fmt::format("{} is a source of group relationship {} already", name, relation.name));
    }
  }
  return Status::Ok();
}

// What the call says of consistency against what the relationship has.
Status CheckJoinedConsistency(const GroupRelationshipRecord& relation, std::optional<uint16_t> wanted, bool exempt) {
  if (wanted) {
    LS_ASSIGN_OR_RETURN(const bool enabled, ResolveConsistency(wanted));
    if (enabled != relation.consistency_enabled) {
      return InvalidArgument(fmt::format("group relationship {} has consistency {}; change that with {} Consistency",
                                         relation.name, relation.consistency_enabled ? "enabled" : "disabled",
                                         enabled ? "Activate" : "Deactivate"));
    }
  }
  if (!relation.consistency_enabled || exempt) return Status::Ok();
  return InvalidState(fmt::format("pairs that are added show another instant than the others of the consistent group "
                                  "relationship {}; add them as ConsistencyExempt, or deactivate consistency",
                                  relation.name));
}

}  // namespace

Task<Result<ListReplicaResult>> Control::Impl::AddElementsToGroup(AddElementsRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const GroupRelationshipRecord* relation = directory_.Find(request.synchronized);
  if (relation == nullptr) co_return NotFound("Synchronized does not exist: " + request.synchronized.ToString());
  request.options.sync_type = relation->sync_type;
  request.options.mode = relation->mode;
  LS_CO_ASSIGN_OR_RETURN(CreateSpec spec, ResolveOptions(request.options));
  spec.join = relation->id;
  spec.consistency_exempt = request.options.settings.consistency_exempt.value_or(false);
  LS_CO_RETURN_IF_ERROR(CheckNewSources(directory_, *relation, request.source_elements));
  LS_CO_RETURN_IF_ERROR(CheckElements(directory_, "TargetElements", request.target_elements));
  LS_CO_RETURN_IF_ERROR(CheckJoinedConsistency(*relation, request.consistency, spec.consistency_exempt));
  const bool supplied = !request.target_elements.empty();
  LS_CO_RETURN_IF_ERROR(CheckTargets(directory_, request.options, supplied, request.source_elements));
  if (supplied) {
    LS_CO_ASSIGN_OR_RETURN(spec.pairs, PairUp(request.source_elements, request.target_elements,
                                              request.options.settings.unequal_groups_action, false));
  } else {
    for (const VolumeId& source : request.source_elements) spec.pairs.push_back({source});
    NameTargets(directory_, relation->name, spec.pairs);
  }
  spec.method = "AddElementsToGroupSynchronized";
  Draft draft = NewDraft();
  LS_CO_ASSIGN_OR_RETURN(replication::CreateOutcome outcome, PlanCreate(draft, spec, HostUse()));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return ListReplicaResult{JobToFollow(outcome.job, request.options.wait_for_copy_state), std::move(outcome.pairs),
                              std::move(outcome.targets)};
}

namespace {

// The pairs that a new group relationship is made of: they are there, and none is named twice.
Status CheckGroupedPairs(const Directory& directory, const GroupFromPairsRequest& request) {
  if (request.pairs.empty()) return InvalidArgument("ElementSynchronizations is empty: name the relationships");
  LS_RETURN_IF_ERROR(replication::CheckSettings(request.settings));
  std::set<RelationshipId> seen;
  for (const RelationshipId& id : request.pairs) {
    const RelationshipRecord* pair = directory.Find(id);
    if (pair == nullptr) return NotFound("a relationship does not exist: " + id.ToString());
    if (seen.insert(id).second) continue;
    return InvalidArgument(replication::Describe(directory, *pair) + " is named twice");
  }
  const std::optional<CopyState> wait = request.wait_for_copy_state;
  if (!wait) return Status::Ok();
  const replication::CreationRow* row =
      replication::FindCreation(directory.Find(request.pairs.front())->sync_type, *wait);
  if (row != nullptr && row->started && row->wait != CopyState::kNotApplicable) return Status::Ok();
  return InvalidArgument(fmt::format("WaitForCopyState {} cannot be waited for when pairs become a group",
                                     static_cast<uint16_t>(*wait)));
}

// What of the pairs is still to be copied before they are in the state that is waited for.
Result<std::vector<RelationshipId>> StillCopying(const Directory& directory, const std::vector<RelationshipId>& pairs,
                                                 std::optional<CopyState> wait) {
  std::vector<RelationshipId> copying;
  if (wait.value_or(CopyState::kUnsynchronized) == CopyState::kUnsynchronized) return copying;
  for (const RelationshipId& id : pairs) {
    const RelationshipRecord& pair = *directory.Find(id);
    if (pair.state == CopyState::kUnsynchronized) copying.push_back(id);
    const bool there = pair.state == CopyState::kSynchronized || pair.state == CopyState::kFractured ||
                       pair.state == CopyState::kSplit || pair.state == CopyState::kRestored;
    if (there || pair.state == CopyState::kUnsynchronized) continue;
    return InvalidState(fmt::format("{} is {} and does not become Synchronized by itself; leave WaitForCopyState out",
                                    replication::Describe(directory, pair), catalog::Name(pair.state)));
  }
  return copying;
}

std::vector<VolumeId> EndsOf(const Directory& directory, const std::vector<RelationshipId>& pairs, bool targets) {
  std::vector<VolumeId> volumes;
  std::set<VolumeId> seen;
  for (const RelationshipId& id : pairs) {
    const RelationshipRecord& pair = *directory.Find(id);
    const VolumeId volume = targets ? pair.target : pair.source;
    if (seen.insert(volume).second) volumes.push_back(volume);
  }
  return volumes;
}

}  // namespace

Task<Result<GroupReplicaResult>> Control::Impl::CreateGroupFromPairs(GroupFromPairsRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_RETURN_IF_ERROR(CheckGroupedPairs(directory_, request));
  if (request.source_group && request.source_group == request.target_group) {
    co_return InvalidArgument("SourceGroup and TargetGroup are the same group");
  }
  LS_CO_ASSIGN_OR_RETURN(const std::vector<RelationshipId> copying,
                         StillCopying(directory_, request.pairs, request.wait_for_copy_state));
  Draft draft = NewDraft();
  replication::GroupSpec group;
  LS_CO_ASSIGN_OR_RETURN(group.consistency_enabled, ResolveConsistency(request.consistency));
  LS_CO_ASSIGN_OR_RETURN(group.source_group, GroupOf(draft, request.source_group, request.source_group_name,
                                                     EndsOf(directory_, request.pairs, false)));
  const catalog::GroupRecord source = *draft.directory().Find(group.source_group);
  LS_CO_RETURN_IF_ERROR(CheckRole(source, true));
  LS_CO_ASSIGN_OR_RETURN(group.name, RelationshipName(draft, request.relationship_name, source.name + "_copy"));
  LS_CO_ASSIGN_OR_RETURN(group.target_group,
                         TargetGroup(draft, request.target_group, request.target_group_name, group.name));
  LS_CO_RETURN_IF_ERROR(
      GroupOf(draft, group.target_group, {}, EndsOf(directory_, request.pairs, true)).status());
  GroupReplicaResult result;
  LS_CO_ASSIGN_OR_RETURN(result.synchronization, PlanGroupOf(draft, group, request.pairs));
  if (!copying.empty()) {
    result.job = AddCopyJob(draft, request.pairs, "CreateGroupReplicaFromElementSynchronizations");
  }
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  result.source_group = group.source_group;
  result.target_group = group.target_group;
  result.target_elements = EndsOf(directory_, request.pairs, true);
  result.pairs = std::move(request.pairs);
  co_return result;
}

Status Control::Impl::MayPair(VolumeId source, VolumeId target) const {
  return replication::MayPair(directory_, source, target, HostUse());
}

Task<void> Control::Impl::WaitForJobOr(JobId job, uint64_t wait_us) {
  // Whoever comes first, the job's end or the timer, goes on. A job that ends takes the timer, which may have been set
  // for a day, with it; a timer leaves the job's waiter, which then finds nothing to do.
  co_await SuspendWith([this, job, wait_us](auto resume) {
    auto waiting = std::make_shared<io::Closure>(std::move(resume));
    auto go = [waiting] {
      if (io::Closure first = std::exchange(*waiting, nullptr)) first();
    };
    io::Loop& loop = surroundings_.control_loop;
    const io::TimerId timer = loop.After(std::chrono::microseconds(wait_us), go);
    job_waiters_[job].push_back([&loop, timer, go] {
      loop.Cancel(timer);
      go();
    });
  });
}

namespace {

// OK: the targets hold what they show. Otherwise what stands in the way; `job` is what copies it.
struct Confirmation {
  Status status;
  bool copying = false;
};

Confirmation Confirm(const Directory& directory, const RelationshipRef& ref, std::vector<RelationshipId>& pairs) {
  pairs.clear();
  if (const auto* id = std::get_if<RelationshipId>(&ref)) {
    if (directory.Find(*id) == nullptr) return {NotFound("Synchronized does not exist: " + id->ToString())};
    pairs = {*id};
  } else {
    const GroupRelationshipId group = std::get<GroupRelationshipId>(ref);
    if (directory.Find(group) == nullptr) return {NotFound("Synchronized does not exist: " + group.ToString())};
    const std::set<RelationshipId>& of = directory.PairsOf(group);
    pairs.assign(of.begin(), of.end());
  }
  Confirmation confirmation;
  for (const RelationshipId& id : pairs) {
    const RelationshipRecord& pair = *directory.Find(id);
    if (pair.state == CopyState::kSynchronized || pair.state == CopyState::kRestored) continue;
    if (pair.state == CopyState::kUnsynchronized) {
      confirmation.copying = true;
      continue;
    }
    return {InvalidState(fmt::format("{} is {}: what its target holds cannot be confirmed",
                                     replication::Describe(directory, pair), catalog::Name(pair.state)))};
  }
  return confirmation;
}

}  // namespace

Task<Result<std::optional<JobId>>> Control::Impl::ConfirmTargetData(RelationshipRef synchronized, uint64_t wait_us) {
  constexpr uint64_t kLongest = 24 * uint64_t{3600} * 1'000'000;
  const io::Instant begun = surroundings_.clock.Now();
  wait_us = std::min(wait_us, kLongest);
  std::vector<RelationshipId> pairs;
  for (;;) {
    const Confirmation confirmation = Confirm(directory_, synchronized, pairs);
    if (!confirmation.status.ok()) co_return confirmation.status;
    if (!confirmation.copying) co_return std::optional<JobId>();
    std::optional<JobId> job;
    for (const RelationshipId& pair : pairs) {
      if (!job) job = RunningJobOn(pair);
    }
    if (!job) co_return InvalidState("the copy stands still: its job has ended");
    if (wait_us == 0) co_return job;
    const auto gone = std::chrono::duration_cast<std::chrono::microseconds>(surroundings_.clock.Now() - begun);
    const uint64_t passed = static_cast<uint64_t>(gone.count());
    if (passed >= wait_us) {
      co_return Status(Code::kTimeout, "WaitTime has passed, and the targets are still being copied");
    }
    if (stopping_) co_return MayChange();
    co_await WaitForJobOr(*job, wait_us - passed);
  }
}

}  // namespace lockstep::control
