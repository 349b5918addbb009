// Groups: CreateGroup, DeleteGroup, AddMembers, RemoveMembers.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/impl.h"
#include "control/rules.h"

namespace lockstep::control {

using catalog::GroupRecord;

namespace {

Status CheckReserved(std::optional<catalog::ReservedAs> reserved_as) {
  if (!reserved_as || IsKnown(*reserved_as)) return Status::Ok();
  return InvalidArgument(fmt::format("ReservedAs is {}; 2 is Source Only, 3 Target Only, 4 Source or Target",
                                     static_cast<uint16_t>(*reserved_as)));
}

Status NoSuchGroup(GroupId id) { return NotFound("a group does not exist: " + id.ToString()); }

bool IsReplicated(const Directory& directory, VolumeId volume) {
  return directory.TargetOf(volume) != nullptr || !directory.SourceOf(volume).empty();
}

// Whether the member is an end of a pair of a group relationship of this group.
bool IsReplicatedThrough(const Directory& directory, const GroupRecord& group, VolumeId member) {
  for (const catalog::GroupRelationshipRecord* relation : directory.RelationsOf(group.id)) {
    for (const RelationshipId& id : directory.PairsOf(relation->id)) {
      const catalog::RelationshipRecord& pair = *directory.Find(id);
      if (pair.source == member || pair.target == member) return true;
    }
  }
  return false;
}

Status CheckFreeName(const Directory& directory, const std::string& name) {
  LS_RETURN_IF_ERROR(CheckName("group", name));
  if (directory.FindGroup(name) == nullptr) return Status::Ok();
  return AlreadyExists(fmt::format("there is a group named {} already; choose another name", name));
}

}  // namespace

Task<Result<GroupId>> Control::Impl::CreateGroup(CreateGroupRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_RETURN_IF_ERROR(CheckElements(directory_, "Members", request.members));
  LS_CO_RETURN_IF_ERROR(CheckReserved(request.reserved_as));
  Draft draft = NewDraft();
  GroupRecord group;
  group.id = draft.NewId<GroupId>();
  group.name = request.group_name ? *request.group_name : draft.FreeGroupName("group");
  LS_CO_RETURN_IF_ERROR(CheckFreeName(directory_, group.name));
  group.members = std::move(request.members);
  group.persistent = request.persistent.value_or(true);
  group.delete_on_empty_element = request.delete_on_empty_element.value_or(false);
  group.delete_on_unassociated = request.delete_on_unassociated.value_or(false);
  group.reserved_as = request.reserved_as.value_or(catalog::ReservedAs::kSourceOrTarget);
  group.created = draft.now();
  const GroupId id = group.id;
  draft.Put(std::move(group));
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return id;
}

Task<Status> Control::Impl::ModifyGroup(ModifyGroupRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const GroupRecord* found = directory_.Find(request.group);
  if (found == nullptr) co_return NoSuchGroup(request.group);
  LS_CO_RETURN_IF_ERROR(CheckReserved(request.reserved_as));
  GroupRecord group = *found;
  if (request.name && *request.name != group.name) {
    LS_CO_RETURN_IF_ERROR(CheckFreeName(directory_, *request.name));
    group.name = *request.name;
  }
  group.persistent = request.persistent.value_or(group.persistent);
  group.delete_on_empty_element = request.delete_on_empty_element.value_or(group.delete_on_empty_element);
  group.delete_on_unassociated = request.delete_on_unassociated.value_or(group.delete_on_unassociated);
  group.reserved_as = request.reserved_as.value_or(group.reserved_as);
  Draft draft = NewDraft();
  draft.Put(std::move(group));
  co_return co_await Carry(draft);
}

Task<Status> Control::Impl::DeleteGroup(GroupId id, bool remove_elements) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const GroupRecord* group = directory_.Find(id);
  if (group == nullptr) co_return NoSuchGroup(id);
  if (!directory_.RelationsOf(id).empty()) {
    co_return InvalidState(fmt::format("group {} is an end of group relationship {}; detach that first", group->name,
                                       directory_.RelationsOf(id).front()->name));
  }
  for (const VolumeId& member : group->members) {
    if (!IsReplicated(directory_, member)) continue;
    co_return InvalidState(fmt::format("member {} of group {} is in a replication relationship; detach that first",
                                       directory_.Find(member)->name, group->name));
  }
  if (!group->members.empty() && !remove_elements) {
    co_return InUse(fmt::format("group {} has {} members; remove them first, or ask for RemoveElements", group->name,
                                group->members.size()));
  }
  Draft draft = NewDraft();
  draft.Remove(id);
  co_return co_await Carry(draft);
}

Task<Status> Control::Impl::AddMembers(GroupId id, std::vector<VolumeId> members) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const GroupRecord* found = directory_.Find(id);
  if (found == nullptr) co_return NoSuchGroup(id);
  if (members.empty()) co_return InvalidArgument("Members is empty: name the volumes to add");
  LS_CO_RETURN_IF_ERROR(CheckElements(directory_, "Members", members));
  GroupRecord group = *found;
  for (const VolumeId& member : members) {
    const bool present = std::find(group.members.begin(), group.members.end(), member) != group.members.end();
    if (!present) group.members.push_back(member);
  }
  if (group == *found) co_return Status::Ok();
  if (!directory_.RelationsOf(id).empty()) {
    co_return InUse(fmt::format("group {} is an end of group relationship {}; add pairs to that with AddSyncPair",
                                group.name, directory_.RelationsOf(id).front()->name));
  }
  Draft draft = NewDraft();
  draft.Put(std::move(group));
  co_return co_await Carry(draft);
}

Task<Status> Control::Impl::RemoveMembers(GroupId id, std::vector<VolumeId> members,
                                          std::optional<bool> delete_on_empty) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const GroupRecord* group = directory_.Find(id);
  if (group == nullptr) co_return NoSuchGroup(id);
  if (members.empty()) co_return InvalidArgument("Members is empty: name the volumes to remove");
  LS_CO_RETURN_IF_ERROR(CheckElements(directory_, "Members", members));
  for (const VolumeId& member : members) {
    const std::string& name = directory_.Find(member)->name;
    if (std::find(group->members.begin(), group->members.end(), member) == group->members.end()) {
      co_return InvalidState(fmt::format("{} is not a member of group {}", name, group->name));
    }
    if (IsReplicatedThrough(directory_, *group, member)) {
      co_return InUse(fmt::format("{} is replicated through group {}; take the pair out with RemoveSyncPair", name,
                                  group->name));
    }
  }
  Draft draft = NewDraft();
  draft.RemoveMembers(id, std::set<VolumeId>(members.begin(), members.end()), delete_on_empty);
  co_return co_await Carry(draft);
}

}  // namespace lockstep::control
