// CIM_StorageSynchronized and CIM_GroupSynchronized: associations with content. What is not stored is computed by
// replication and stands in the view, so that all faces show the same.
#include "smis/providers.h"
#include "smis/synchronized.h"

#include <fmt/format.h>

namespace lockstep::smis {

using wbem::CimType;
using wbem::Instance;
using wbem::Value;

Instance StorageSynchronizedInstance(const Face& face, const control::RelationshipView& view) {
  const catalog::RelationshipRecord& record = view.record;
  Instance instance = InstanceAt(face.paths.Relationship(record));
  instance.Add("SyncType", record.sync_type);
  instance.Add("Mode", record.mode);
  instance.Add("CopyState", record.state);
  instance.Add("ProgressStatus", record.progress);
  instance.Add("RequestedCopyState", record.requested);
  instance.Add("PercentSynced", view.percent_synced);
  instance.Add("SyncMaintained", view.sync_maintained);
  instance.Add("SyncState", view.sync_state);
  instance.Add("CopyType", view.copy_type);
  instance.Add("ReplicaType", view.replica_type);
  instance.Add("CopyPriority", record.priority);
  instance.Add("CopyMethodology", record.methodology);
  if (record.read_only != catalog::ReadOnlyEnd::kNeither) instance.Add("ReadOnly", record.read_only);
  instance.Add("FailedCopyStopsHostIO", false);
  instance.Add("WhenEstablished", When(record.when_established));
  instance.Add("WhenActivated", When(record.when_activated));
  instance.Add("WhenDeactivated", When(record.when_deactivated));
  instance.Add("WhenSuspended", When(record.when_suspended));
  instance.Add("WhenSynchronized", When(record.when_synchronized));
  instance.Add("WhenSynced", When(record.when_synced));
  return instance;
}

Instance GroupSynchronizedInstance(const Face& face, const control::GroupRelationshipView& view) {
  constexpr uint16_t kSequentiallyConsistent = 2;
  const catalog::GroupRelationshipRecord& record = view.record;
  Instance instance = InstanceAt(face.paths.GroupRelationship(record));
  instance.Add("RelationshipName", record.name);
  instance.Add("SyncType", record.sync_type);
  instance.Add("Mode", record.mode);
  instance.Add("CopyState", view.state);
  instance.Add("ProgressStatus", view.progress);
  instance.Add("RequestedCopyState", view.requested);
  instance.Add("PercentSynced", view.percent_synced);
  instance.Add("SyncMaintained", false);
  instance.Add("FailedCopyStopsHostIO", false);
  instance.Add("ConsistencyEnabled", record.consistency_enabled);
  if (record.consistency_enabled) instance.Add("ConsistencyType", kSequentiallyConsistent);
  instance.Add("ConsistencyState", view.consistency_state);
  instance.Add("ConsistencyStatus", view.consistency_status);
  instance.Add("WhenEstablished", When(record.when_established));
  return instance;
}

namespace {

class StorageSynchronizedProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  wbem::Series<Instance> Instances(wbem::RequestContext) override {
    std::vector<catalog::RelationshipId> ids;
    for (const control::RelationshipView& view : control().Relationships()) ids.push_back(view.record.id);
    for (catalog::RelationshipId id : ids) {
      Result<control::RelationshipView> view = control().Relationship(id);
      if (!view.ok()) continue;  // it has gone since
      Instance instance = StorageSynchronizedInstance(face(), *view);
      co_yield instance;
    }
    co_return Status();
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::RelationshipId> id = paths().AsRelationship(path);
    if (!id) return NotFound("there is no copy relationship " + path.ToString());
    Result<control::RelationshipView> view = control().Relationship(*id);
    if (!view.ok()) return view.status();
    return StorageSynchronizedInstance(face(), *view);
  }

  Status References(const wbem::RequestContext&, const wbem::ObjectPath& end, const wbem::InstanceSink& sink) override {
    std::optional<catalog::VolumeId> id = paths().AsVolume(end);
    if (!id) return {};
    Result<control::VolumeView> volume = control().Volume(*id);
    if (!volume.ok()) return {};
    std::vector<catalog::RelationshipId> all = volume->source_of;
    if (volume->target_of) all.push_back(*volume->target_of);
    for (catalog::RelationshipId relationship : all) {
      Result<control::RelationshipView> view = control().Relationship(relationship);
      if (view.ok() && !sink(StorageSynchronizedInstance(face(), *view))) break;
    }
    return {};
  }

  Task<Status> Modify(wbem::RequestContext, wbem::ObjectPath path, std::vector<wbem::Property> changes) override {
    std::optional<catalog::RelationshipId> id = paths().AsRelationship(path);
    if (!id) co_return NotFound("there is no copy relationship " + path.ToString());
    for (const wbem::Property& change : changes) {
      if (!wbem::NameEquals(change.name, "CopyPriority") || !change.value.AsUnsigned()) {
        co_return InvalidArgument(fmt::format(
            "property {} of a copy relationship cannot be changed: only CopyPriority can, to 0..4", change.name));
      }
      const auto priority = static_cast<catalog::CopyPriority>(*change.value.AsUnsigned());
      Status status = co_await control().SetCopyPriority(*id, priority);
      LS_CO_RETURN_IF_ERROR(status);
    }
    co_return Status();
  }
};

class GroupSynchronizedProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    for (const control::GroupRelationshipView& view : control().GroupRelationships()) {
      if (!sink(GroupSynchronizedInstance(face(), view))) break;
    }
    return {};
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::GroupRelationshipId> id = paths().AsGroupRelationship(path);
    if (!id) return NotFound("there is no group relationship " + path.ToString());
    Result<control::GroupRelationshipView> view = control().GroupRelationship(*id);
    if (!view.ok()) return view.status();
    return GroupSynchronizedInstance(face(), *view);
  }
};

}  // namespace

ProviderPtr MakeStorageSynchronizedProvider(FacePtr face) {
  return std::make_shared<StorageSynchronizedProvider>(std::move(face));
}

ProviderPtr MakeGroupSynchronizedProvider(FacePtr face) {
  return std::make_shared<GroupSynchronizedProvider>(std::move(face));
}

}  // namespace lockstep::smis
