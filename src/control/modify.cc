// ModifyReplicaSynchronization and ModifyListSynchronization.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/impl.h"
#include "control/rules.h"
#include "replication/derived.h"

namespace lockstep::control {

using catalog::CopyState;
using catalog::Operation;
using catalog::RelationshipRecord;
using replication::ModifySpec;

namespace {

bool IsForGroupsOnly(Operation operation) {
  return operation == Operation::kActivateConsistency || operation == Operation::kDeactivateConsistency ||
         operation == Operation::kAddSyncPair || operation == Operation::kRemoveSyncPair;
}

// What a spec takes over from the settings of a call.
Result<ModifySpec> SpecOf(Operation operation, const ReplicationSettings& settings, bool force) {
  if (!IsKnown(operation)) {
    return InvalidArgument(fmt::format("Operation {} has no meaning in the schema", static_cast<uint16_t>(operation)));
  }
  LS_RETURN_IF_ERROR(replication::CheckSettings(settings));
  ModifySpec spec;
  spec.operation = operation == Operation::kUnprepare ? Operation::kPrepare : operation;
  spec.force = force;
  spec.priority = settings.copy_priority;
  spec.consistency_exempt = settings.consistency_exempt.value_or(false);
  const auto methodology = settings.desired_copy_methodology.value_or(catalog::CopyMethodology::kImplementationDecides);
  if (methodology == catalog::CopyMethodology::kFullCopy) spec.full_copy = true;
  if (methodology == catalog::CopyMethodology::kCopyOnWrite) spec.full_copy = false;
  return spec;
}

// Adds the relationship, or the pairs of the group relationship; answers its sync type and mode.
Result<std::pair<catalog::SyncType, catalog::Mode>> AddTo(const Directory& directory, ModifySpec& spec,
                                                          const RelationshipRef& ref) {
  if (const auto* id = std::get_if<RelationshipId>(&ref)) {
    const RelationshipRecord* pair = directory.Find(*id);
    if (pair == nullptr) return NotFound("a relationship does not exist: " + id->ToString());
    if (std::find(spec.pairs.begin(), spec.pairs.end(), *id) != spec.pairs.end()) {
      return InvalidArgument(replication::Describe(directory, *pair) + " is named twice");
    }
    spec.pairs.push_back(*id);
    return std::pair(pair->sync_type, pair->mode);
  }
  const GroupRelationshipId id = std::get<GroupRelationshipId>(ref);
  const catalog::GroupRelationshipRecord* group = directory.Find(id);
  if (group == nullptr) return NotFound("a group relationship does not exist: " + id.ToString());
  if (std::find(spec.groups.begin(), spec.groups.end(), id) != spec.groups.end()) {
    return InvalidArgument(fmt::format("group relationship {} is named twice", group->name));
  }
  spec.groups.push_back(id);
  for (const RelationshipRecord* pair : replication::PairsInOrder(directory, *group)) spec.pairs.push_back(pair->id);
  return std::pair(group->sync_type, group->mode);
}

}  // namespace

std::optional<JobId> Control::Impl::RunningJobOn(RelationshipId id) const {
  for (const JobId& job : directory_.JobsOn(id)) {
    if (!IsFinal(directory_.Find(job)->state)) return job;
  }
  return std::nullopt;
}

Task<Result<ModifyResult>> Control::Impl::CarryModify(ModifySpec spec, std::optional<CopyState> wait) {
  Draft draft = NewDraft();
  LS_CO_ASSIGN_OR_RETURN(replication::ModifyOutcome outcome, PlanModify(draft, spec, HostUse()));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  ModifyResult result;
  result.settings_states = std::move(outcome.aspects);
  if (wait == CopyState::kUnsynchronized) co_return result;
  result.job = outcome.job;
  if (result.job || wait != CopyState::kSynchronized) co_return result;
  // Nothing was to be started, but what is waited for is not reached: a copy is running already.
  for (const RelationshipId& id : spec.pairs) {
    const RelationshipRecord* pair = directory_.Find(id);
    if (pair != nullptr && pair->state == CopyState::kUnsynchronized && !result.job) result.job = RunningJobOn(id);
  }
  co_return result;
}

Task<Result<ModifyResult>> Control::Impl::ModifyReplica(ModifyReplicaRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(ModifySpec spec, SpecOf(request.operation, request.settings, request.force));
  LS_CO_ASSIGN_OR_RETURN(const auto what, AddTo(directory_, spec, request.synchronization));
  const bool changes_pairs =
      spec.operation == Operation::kAddSyncPair || spec.operation == Operation::kRemoveSyncPair;
  if (!changes_pairs && !request.sync_pairs.empty()) {
    co_return InvalidArgument("SyncPair is for AddSyncPair and RemoveSyncPair only");
  }
  LS_CO_RETURN_IF_ERROR(CheckWait(what.first, spec.operation, request.wait_for_copy_state));
  spec.sync_pairs = std::move(request.sync_pairs);
  spec.method = "ModifyReplicaSynchronization";
  co_return co_await CarryModify(std::move(spec), request.wait_for_copy_state);
}

Task<Result<ModifyResult>> Control::Impl::ModifyList(ModifyListRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(ModifySpec spec, SpecOf(request.operation, request.settings, request.force));
  if (request.synchronizations.empty()) co_return InvalidArgument("Synchronization is empty: name the relationships");
  if (IsForGroupsOnly(spec.operation)) {
    co_return InvalidArgument(fmt::format("{} is not an operation on lists", catalog::Name(spec.operation)));
  }
  std::optional<std::pair<catalog::SyncType, catalog::Mode>> common;
  for (const RelationshipRef& ref : request.synchronizations) {
    LS_CO_ASSIGN_OR_RETURN(const auto what, AddTo(directory_, spec, ref));
    if (ref.index() != request.synchronizations.front().index() || (common && *common != what)) {
      co_return InvalidArgument("the relationships of a list must be of one class, SyncType and Mode");
    }
    common = what;
  }
  LS_CO_RETURN_IF_ERROR(CheckWait(common->first, spec.operation, request.wait_for_copy_state));
  spec.method = "ModifyListSynchronization";
  co_return co_await CarryModify(std::move(spec), request.wait_for_copy_state);
}

Task<Status> Control::Impl::SetCopyPriority(RelationshipId id, catalog::CopyPriority priority) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const RelationshipRecord* found = directory_.Find(id);
  if (found == nullptr) co_return NotFound("a relationship does not exist: " + id.ToString());
  if (!IsKnown(priority)) co_return InvalidArgument("CopyPriority is 0 (Not Managed) to 4 (Urgent)");
  RelationshipRecord pair = *found;
  pair.priority = priority;
  Draft draft = NewDraft();
  draft.Put(std::move(pair));
  co_return co_await Carry(draft);
}

Task<Status> Control::Impl::DeleteAspect(AspectId id) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const catalog::AspectRecord* aspect = directory_.Find(id);
  if (aspect == nullptr) co_return NotFound("an aspect does not exist: " + id.ToString());
  Draft draft = NewDraft();
  if (const catalog::PointRecord* point = directory_.Find(aspect->point)) {
    LS_CO_RETURN_IF_ERROR(draft.UsePool(point->pool));
  }
  draft.LetGo(aspect->point);
  draft.Remove(id);
  co_return co_await Carry(draft);
}

}  // namespace lockstep::control
