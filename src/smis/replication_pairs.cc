// CIM_ReplicationService: group relationships that get pairs or are made of some, what targets hold, and which volumes
// could become one.
#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "replication/capabilities.h"
#include "smis/replication_methods.h"

namespace lockstep::smis {

using catalog::VolumeId;
using wbem::Value;

namespace {

// The pairs that a parameter names; groups of them are refused.
std::vector<catalog::RelationshipId> ReadPairs(Arguments& arguments, const char* name) {
  std::vector<catalog::RelationshipId> pairs;
  for (const control::RelationshipRef& ref : arguments.Synchronizations(name)) {
    const auto* pair = std::get_if<catalog::RelationshipId>(&ref);
    if (pair) pairs.push_back(*pair);
    else arguments.Fail(InvalidArgument(fmt::format("{} takes relationships of elements, not of groups", name)));
  }
  return pairs;
}

Value PathsOf(const Face& face, const std::vector<catalog::RelationshipId>& pairs) {
  std::vector<wbem::ObjectPath> found;
  for (catalog::RelationshipId id : pairs) {
    Result<control::RelationshipView> view = face.control.Relationship(id);
    if (view.ok()) found.push_back(face.paths.Relationship(view->record));
  }
  return Value::Array(found);
}

}  // namespace

Task<Outcome> AddElementsToGroupSynchronized(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::AddElementsRequest request;
  request.options = ReadReplicaOptions(arguments, false);
  arguments.Require("Synchronized");
  arguments.Require("SourceElements");
  std::optional<control::RelationshipRef> synchronized = arguments.Synchronization("Synchronized");
  request.source_elements = arguments.Volumes("SourceElements");
  request.target_elements = arguments.Volumes("TargetElements");
  request.consistency = arguments.Enum<uint16_t>("Consistency");
  const auto* group = synchronized ? std::get_if<catalog::GroupRelationshipId>(&*synchronized) : nullptr;
  if (synchronized && !group) arguments.Fail(InvalidArgument("Synchronized must be a relationship of groups"));
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  request.synchronized = *group;
  Result<control::ListReplicaResult> made = co_await face->control.AddElementsToGroup(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  std::vector<wbem::Property> out;
  out.push_back({"Synchronizations", PathsOf(*face, made->synchronizations)});
  co_return DoneOrStarted(*face, made->job, std::move(out));
}

Task<Outcome> CreateGroupReplicaFromElementSynchronizations(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::GroupFromPairsRequest request;
  arguments.Require("ElementSynchronizations");
  request.pairs = ReadPairs(arguments, "ElementSynchronizations");
  request.relationship_name = arguments.Text("RelationshipName").value_or("");
  request.source_group = arguments.Group("SourceGroup");
  request.target_group = arguments.Group("TargetGroup");
  // With the group itself given, its name is an output only.
  if (!request.source_group) request.source_group_name = arguments.Text("SourceGroupName").value_or("");
  if (!request.target_group) request.target_group_name = arguments.Text("TargetGroupName").value_or("");
  request.consistency = arguments.Enum<uint16_t>("Consistency");
  request.settings = arguments.Settings();
  request.wait_for_copy_state = arguments.Enum<catalog::CopyState>("WaitForCopyState");
  arguments.RefuseRemote({"SourceAccessPoint", "TargetAccessPoint"});
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<control::GroupReplicaResult> made = co_await face->control.CreateGroupFromPairs(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  std::vector<wbem::Property> out;
  Result<control::GroupRelationshipView> view = face->control.GroupRelationship(made->synchronization);
  if (view.ok()) out.push_back({"GroupSynchronization", face->paths.GroupRelationship(view->record)});
  for (const auto& [id, group, name] : {std::tuple(*made->source_group, "SourceGroup", "SourceGroupName"),
                                        std::tuple(made->target_group, "TargetGroup", "TargetGroupName")}) {
    out.push_back({group, face->paths.Group(id)});
    Result<catalog::GroupRecord> record = face->control.Group(id);
    if (record.ok()) out.push_back({name, record->name});
  }
  co_return DoneOrStarted(*face, made->job, std::move(out));
}

Task<Outcome> ConfirmTargetData(FacePtr face, wbem::MethodCall call) {
  constexpr uint32_t kUnableToConfirm = 7;
  Arguments arguments(*face, call);
  arguments.Require("Synchronized");
  std::optional<control::RelationshipRef> synchronized = arguments.Synchronization("Synchronized");
  arguments.Settings();
  arguments.RefuseRemote({"SourceAccessPoint", "TargetAccessPoint", "ConnectivityCollection"});
  const std::optional<wbem::Datetime> wait = call["WaitTime"].AsDatetime();
  if (wait && !wait->is_interval()) arguments.Fail(InvalidArgument("WaitTime must be an interval"));
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  const uint64_t wait_us = wait ? static_cast<uint64_t>(wait->us()) : 0;
  Result<std::optional<catalog::JobId>> confirmed = co_await face->control.ConfirmTargetData(*synchronized, wait_us);
  if (confirmed.ok()) co_return DoneOrStarted(*face, *confirmed, {});
  if (confirmed.status().code() == Code::kInvalidState) co_return Refused(kUnableToConfirm, confirmed.status());
  co_return Refused(confirmed.status());
}

Task<Outcome> GetAvailableTargetElements(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  arguments.Require("SourceElement");
  arguments.Require("SyncType");
  std::optional<VolumeId> source = arguments.Volume("SourceElement");
  const std::vector<catalog::PoolId> pools = arguments.Pools("TargetPools");
  const uint64_t most = arguments.Number("MaxElementCount").value_or(~uint64_t{0});
  arguments.Settings();
  arguments.StorageGoal("TargetSettingGoal");
  arguments.RefuseRemote({"TargetAccessPoint"});
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<replication::ReplicationType> type = replication::ToReplicationType(
      *arguments.Enum<catalog::SyncType>("SyncType"), arguments.Enum<catalog::Mode>("Mode"), false);
  if (!type.ok()) co_return Refused(type.status());
  std::vector<wbem::ObjectPath> candidates;
  const std::vector<VolumeId> volumes = face->control.VolumeIds();
  for (VolumeId id : volumes) {
    if (candidates.size() >= most) break;
    const catalog::PoolId pool = face->control.Glance(id)->record->pool;
    const bool wanted = pools.empty() || std::find(pools.begin(), pools.end(), pool) != pools.end();
    if (wanted && face->control.MayPair(*source, id).ok()) candidates.push_back(face->paths.Volume(id));
  }
  std::vector<wbem::Property> out;
  out.push_back({"Candidates", Value::Array(candidates)});
  co_return Done(std::move(out));
}

}  // namespace lockstep::smis
