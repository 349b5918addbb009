// CIM_ReplicationGroup.
#include "smis/instances.h"
#include "smis/providers.h"

#include <fmt/format.h>

namespace lockstep::smis {

using wbem::Instance;

Instance GroupInstance(const Face& face, const catalog::GroupRecord& group) {
  Instance instance = InstanceAt(face.paths.Group(group.id));
  instance.Add("ElementName", group.name);
  instance.Add("Persistent", group.persistent);
  instance.Add("DeleteOnEmptyElement", group.delete_on_empty_element);
  instance.Add("DeleteOnUnassociated", group.delete_on_unassociated);
  instance.Add("ConsistentPointInTime", group.consistent_point_in_time);
  instance.Add("ReservedAs", group.reserved_as);
  return instance;
}

namespace {

// The group's changes that ModifyInstance asks for.
Status ReadChanges(const std::vector<wbem::Property>& changes, control::ModifyGroupRequest& request) {
  for (const wbem::Property& change : changes) {
    if (wbem::NameEquals(change.name, "ElementName") && change.value.AsString()) {
      request.name = *change.value.AsString();
    } else if (wbem::NameEquals(change.name, "Persistent") && change.value.AsBool()) {
      request.persistent = change.value.AsBool();
    } else if (wbem::NameEquals(change.name, "DeleteOnEmptyElement") && change.value.AsBool()) {
      request.delete_on_empty_element = change.value.AsBool();
    } else if (wbem::NameEquals(change.name, "DeleteOnUnassociated") && change.value.AsBool()) {
      request.delete_on_unassociated = change.value.AsBool();
    } else if (wbem::NameEquals(change.name, "ReservedAs") && change.value.AsUnsigned()) {
      request.reserved_as = static_cast<catalog::ReservedAs>(*change.value.AsUnsigned());
    } else {
      return InvalidArgument(fmt::format("property {} of a replication group cannot be set to '{}'", change.name,
                                         change.value.is_null() ? "NULL" : change.value.ToText()));
    }
  }
  return {};
}

class GroupProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    for (const catalog::GroupRecord& group : control().Groups()) {
      if (!sink(GroupInstance(face(), group))) break;
    }
    return {};
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::GroupId> id = paths().AsGroup(path);
    if (!id) return NotFound("there is no replication group " + path.ToString());
    Result<catalog::GroupRecord> group = control().Group(*id);
    if (!group.ok()) return group.status();
    return GroupInstance(face(), *group);
  }

  Task<Status> Modify(wbem::RequestContext, wbem::ObjectPath path, std::vector<wbem::Property> changes) override {
    std::optional<catalog::GroupId> id = paths().AsGroup(path);
    if (!id) co_return NotFound("there is no replication group " + path.ToString());
    control::ModifyGroupRequest request;
    request.group = *id;
    LS_CO_RETURN_IF_ERROR(ReadChanges(changes, request));
    Status status = co_await control().ModifyGroup(std::move(request));
    co_return status;
  }
};

}  // namespace

ProviderPtr MakeGroupProvider(FacePtr face) { return std::make_shared<GroupProvider>(std::move(face)); }

}  // namespace lockstep::smis
