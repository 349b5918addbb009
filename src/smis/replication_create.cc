// CIM_ReplicationService: the four methods that make replicas. Which parameters exclude each other is control's to say.
#include "smis/replication_methods.h"

namespace lockstep::smis {

using catalog::VolumeId;
using wbem::Value;

control::ReplicaOptions ReadReplicaOptions(Arguments& arguments, bool read_type) {
  control::ReplicaOptions options;
  if (read_type) arguments.Require("SyncType");
  if (std::optional<catalog::SyncType> type = arguments.Enum<catalog::SyncType>("SyncType")) options.sync_type = *type;
  options.mode = arguments.Enum<catalog::Mode>("Mode");
  options.settings = arguments.Settings();
  options.target_pool = arguments.Pool("TargetPool");
  options.has_target_setting_goal = arguments.StorageGoal("TargetSettingGoal");
  options.has_collections = arguments.Has("Collections");
  options.wait_for_copy_state = arguments.Enum<catalog::CopyState>("WaitForCopyState");
  arguments.RefuseRemote({"SourceAccessPoint", "TargetAccessPoint", "ConnectivityCollection"});
  return options;
}

namespace {

std::optional<uint16_t> ReadConsistency(Arguments& arguments) { return arguments.Enum<uint16_t>("Consistency"); }

void AddSynchronization(const Face& face, catalog::RelationshipId id, std::vector<wbem::Property>& out) {
  Result<control::RelationshipView> view = face.control.Relationship(id);
  if (view.ok()) out.push_back({"Synchronization", face.paths.Relationship(view->record)});
}

Outcome GroupOutcome(const Face& face, const control::GroupReplicaResult& made) {
  std::vector<wbem::Property> out;
  Result<control::GroupRelationshipView> view = face.control.GroupRelationship(made.synchronization);
  if (view.ok()) out.push_back({"Synchronization", face.paths.GroupRelationship(view->record)});
  out.push_back({"TargetGroup", face.paths.Group(made.target_group)});
  return DoneOrStarted(face, made.job, std::move(out));
}

void AddGroupName(const Face& face, catalog::GroupId id, const char* parameter, std::vector<wbem::Property>& out) {
  Result<catalog::GroupRecord> group = face.control.Group(id);
  if (group.ok()) out.push_back({parameter, group->name});
}

}  // namespace

Task<Outcome> CreateElementReplica(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::CreateElementReplicaRequest request;
  request.options = ReadReplicaOptions(arguments, true);
  request.element_name = arguments.Text("ElementName").value_or("");
  arguments.Require("SourceElement");
  std::optional<VolumeId> source = arguments.Volume("SourceElement");
  request.target_element = arguments.Volume("TargetElement");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  request.source_element = *source;
  Result<control::ReplicaResult> made = co_await face->control.CreateElementReplica(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  std::vector<wbem::Property> out;
  out.push_back({"TargetElement", face->paths.Volume(made->target_element)});
  AddSynchronization(*face, made->synchronization, out);
  co_return DoneOrStarted(*face, made->job, std::move(out));
}

Task<Outcome> CreateListReplica(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::CreateListReplicaRequest request;
  request.options = ReadReplicaOptions(arguments, true);
  request.element_names = arguments.Texts("ElementNames");
  arguments.Require("SourceElements");
  request.source_elements = arguments.Volumes("SourceElements");
  request.target_elements = arguments.Volumes("TargetElements");
  request.consistency = ReadConsistency(arguments);
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<control::ListReplicaResult> made = co_await face->control.CreateListReplica(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  std::vector<wbem::ObjectPath> targets;
  for (VolumeId target : made->target_elements) targets.push_back(face->paths.Volume(target));
  std::vector<wbem::ObjectPath> synchronizations;
  for (catalog::RelationshipId id : made->synchronizations) {
    Result<control::RelationshipView> view = face->control.Relationship(id);
    if (view.ok()) synchronizations.push_back(face->paths.Relationship(view->record));
  }
  std::vector<wbem::Property> out;
  out.push_back({"TargetElements", Value::Array(targets)});
  out.push_back({"Synchronizations", Value::Array(synchronizations)});
  co_return DoneOrStarted(*face, made->job, std::move(out));
}

Task<Outcome> CreateGroupReplica(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::CreateGroupReplicaRequest request;
  request.options = ReadReplicaOptions(arguments, true);
  request.relationship_name = arguments.Text("RelationshipName").value_or("");
  request.source_group = arguments.Group("SourceGroup");
  request.source_element = arguments.Volume("SourceElement");
  request.target_group = arguments.Group("TargetGroup");
  request.target_element_count = arguments.Number("TargetElementCount");
  request.consistency = ReadConsistency(arguments);
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<control::GroupReplicaResult> made = co_await face->control.CreateGroupReplica(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  co_return GroupOutcome(*face, *made);
}

Task<Outcome> CreateGroupReplicaFromElements(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::CreateGroupReplicaFromElementsRequest request;
  request.options = ReadReplicaOptions(arguments, true);
  request.relationship_name = arguments.Text("RelationshipName").value_or("");
  request.source_group = arguments.Group("SourceGroup");
  arguments.Require("SourceElements");
  request.source_elements = arguments.Volumes("SourceElements");
  request.target_group = arguments.Group("TargetGroup");
  request.target_elements = arguments.Volumes("TargetElements");
  request.target_element_names = arguments.Texts("TargetElementNames");
  request.target_pools = arguments.Pools("TargetPools");
  request.consistency = ReadConsistency(arguments);
  // With the group itself given, its name is an output only.
  if (!request.source_group) request.source_group_name = arguments.Text("SourceGroupName").value_or("");
  if (!request.target_group) request.target_group_name = arguments.Text("TargetGroupName").value_or("");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<control::GroupReplicaResult> made = co_await face->control.CreateGroupReplicaFromElements(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  Outcome outcome = GroupOutcome(*face, *made);
  if (made->source_group) {
    outcome.out.push_back({"SourceGroup", face->paths.Group(*made->source_group)});
    AddGroupName(*face, *made->source_group, "SourceGroupName", outcome.out);
  }
  AddGroupName(*face, made->target_group, "TargetGroupName", outcome.out);
  co_return outcome;
}

}  // namespace lockstep::smis
