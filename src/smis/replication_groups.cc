// CIM_ReplicationService: CreateGroup, DeleteGroup, AddMembers, RemoveMembers.
#include "smis/replication_methods.h"

namespace lockstep::smis {

Task<Outcome> CreateGroup(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::CreateGroupRequest request;
  request.group_name = arguments.Text("GroupName");
  request.members = arguments.Volumes("Members");
  request.persistent = arguments.Flag("Persistent");
  request.delete_on_empty_element = arguments.Flag("DeleteOnEmptyElement");
  request.delete_on_unassociated = arguments.Flag("DeleteOnUnassociated");
  request.reserved_as = arguments.Enum<catalog::ReservedAs>("ReservedAs");
  arguments.Settings();
  arguments.RefuseRemote({"ServiceAccessPoint"});
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<catalog::GroupId> group = co_await face->control.CreateGroup(std::move(request));
  if (!group.ok()) co_return Refused(group.status());
  std::vector<wbem::Property> out;
  out.push_back({"ReplicationGroup", face->paths.Group(*group)});
  co_return Done(std::move(out));
}

Task<Outcome> DeleteGroup(FacePtr face, wbem::MethodCall call) {
  constexpr uint32_t kElementsInRelationship = 7;
  Arguments arguments(*face, call);
  arguments.Require("ReplicationGroup");
  std::optional<catalog::GroupId> group = arguments.Group("ReplicationGroup");
  const bool remove_elements = arguments.Flag("RemoveElements").value_or(false);
  arguments.Settings();
  arguments.RefuseRemote({"ServiceAccessPoint"});
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Status status = co_await face->control.DeleteGroup(*group, remove_elements);
  if (status.ok()) co_return Done();
  if (status.code() == Code::kInvalidState) co_return Refused(kElementsInRelationship, std::move(status));
  co_return Refused(std::move(status));
}

namespace {

constexpr uint32_t kGroupDoesNotExist = 7;

// The group that members are added to or taken from. These two methods have a return code for one that is gone.
Result<catalog::GroupId> GroupToChange(const Face& face, const wbem::MethodCall& call) {
  const wbem::ObjectPath* path = call["ReplicationGroup"].AsReference();
  if (!path) return InvalidArgument("ReplicationGroup is required");
  std::optional<catalog::GroupId> group = face.paths.AsGroup(*path);
  if (group) return *group;
  if (!wbem::NameEquals(path->class_name, kGroupClass)) {
    return InvalidArgument("ReplicationGroup names no replication group: " + path->ToString());
  }
  return NotFound("there is no replication group " + path->ToString());
}

Outcome RefusedGroup(Status why) {
  if (why.code() == Code::kNotFound) return Refused(kGroupDoesNotExist, std::move(why));
  return Refused(std::move(why));
}

}  // namespace

Task<Outcome> AddMembers(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  Result<catalog::GroupId> group = GroupToChange(*face, call);
  if (!group.ok()) co_return RefusedGroup(group.status());
  arguments.Require("Members");
  std::vector<catalog::VolumeId> members = arguments.Volumes("Members");
  arguments.Settings();
  arguments.RefuseRemote({"ServiceAccessPoint"});
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Status status = co_await face->control.AddMembers(*group, std::move(members));
  if (status.ok()) co_return Done();
  co_return RefusedGroup(std::move(status));
}

Task<Outcome> RemoveMembers(FacePtr face, wbem::MethodCall call) {
  constexpr uint32_t kMemberNotInGroup = 8;
  Arguments arguments(*face, call);
  Result<catalog::GroupId> group = GroupToChange(*face, call);
  if (!group.ok()) co_return RefusedGroup(group.status());
  arguments.Require("Members");
  std::vector<catalog::VolumeId> members = arguments.Volumes("Members");
  const std::optional<bool> delete_on_empty = arguments.Flag("DeleteOnEmptyElement");
  arguments.Settings();
  arguments.RefuseRemote({"ServiceAccessPoint"});
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Status status = co_await face->control.RemoveMembers(*group, std::move(members), delete_on_empty);
  if (status.ok()) co_return Done();
  if (status.code() == Code::kInvalidState) co_return Refused(kMemberNotInGroup, std::move(status));
  co_return RefusedGroup(std::move(status));
}

}  // namespace lockstep::smis
