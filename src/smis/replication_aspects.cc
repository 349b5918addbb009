// CIM_ReplicationService: points in time without a target, and what is done with them later.
#include <fmt/format.h>

#include "smis/aspects.h"
#include "smis/replication_methods.h"

namespace lockstep::smis {

using wbem::Value;

Task<Outcome> CreateSynchronizationAspect(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::CreateAspectRequest request;
  arguments.Require("SyncType");
  request.name = arguments.Text("Name").value_or("");
  if (std::optional<catalog::SyncType> type = arguments.Enum<catalog::SyncType>("SyncType")) request.sync_type = *type;
  request.mode = arguments.Enum<catalog::Mode>("Mode");
  request.source_group = arguments.Group("SourceGroup");
  request.source_element = arguments.Volume("SourceElement");
  request.consistency = arguments.Enum<uint16_t>("Consistency");
  request.settings = arguments.Settings();
  arguments.RefuseRemote({"SourceAccessPoint"});
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<catalog::AspectId> made = co_await face->control.CreateAspect(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  std::vector<wbem::Property> out;
  const std::vector<wbem::ObjectPath> states = SettingsStates(*face, {*made});
  if (!states.empty()) out.push_back({"SettingsState", states.front()});
  co_return Done(std::move(out));
}

namespace {

control::ModifyAspectsRequest ReadModification(Arguments& arguments) {
  control::ModifyAspectsRequest request;
  arguments.Require("Operation");
  if (std::optional<uint16_t> operation = arguments.Enum<uint16_t>("Operation")) {
    request.operation = static_cast<replication::AspectOperation>(*operation);
  }
  request.options = ReadReplicaOptions(arguments, false);
  request.target_element_count = arguments.Number("TargetElementCount");
  return request;
}

std::vector<wbem::ObjectPath> VolumePaths(const Face& face, const std::vector<catalog::VolumeId>& volumes) {
  std::vector<wbem::ObjectPath> paths;
  for (catalog::VolumeId id : volumes) paths.push_back(face.paths.Volume(id));
  return paths;
}

std::vector<wbem::ObjectPath> GroupPaths(const Face& face, const std::vector<catalog::GroupId>& groups) {
  std::vector<wbem::ObjectPath> paths;
  for (catalog::GroupId id : groups) paths.push_back(face.paths.Group(id));
  return paths;
}

// The relationships that were made: those of groups where there are any, otherwise the pairs.
std::vector<wbem::ObjectPath> MadeRelationships(const Face& face, const control::ModifyAspectsResult& made) {
  std::vector<wbem::ObjectPath> paths;
  for (catalog::GroupRelationshipId id : made.groups) {
    Result<control::GroupRelationshipView> view = face.control.GroupRelationship(id);
    if (view.ok()) paths.push_back(face.paths.GroupRelationship(view->record));
  }
  if (!paths.empty()) return paths;
  for (catalog::RelationshipId id : made.pairs) {
    Result<control::RelationshipView> view = face.control.Relationship(id);
    if (view.ok()) paths.push_back(face.paths.Relationship(view->record));
  }
  return paths;
}

}  // namespace

Task<Outcome> ModifySettingsDefineState(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::ModifyAspectsRequest request = ReadModification(arguments);
  arguments.Require("SettingsState");
  if (std::optional<control::AspectRef> state = arguments.SettingsState("SettingsState")) {
    request.settings_states = {*state};
  }
  if (std::optional<catalog::VolumeId> target = arguments.Volume("TargetElement")) request.target_elements = {*target};
  if (std::optional<catalog::GroupId> target = arguments.Group("TargetGroup")) request.target_groups = {*target};
  if (std::optional<std::string> name = arguments.Text("ElementName")) request.element_names = {*name};
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<control::ModifyAspectsResult> done = co_await face->control.ModifyAspects(std::move(request));
  if (!done.ok()) co_return Refused(done.status());
  std::vector<wbem::Property> out;
  if (!done->target_groups.empty()) {
    out.push_back({"TargetGroup", face->paths.Group(done->target_groups.front())});
  } else if (!done->target_elements.empty()) {
    out.push_back({"TargetElement", face->paths.Volume(done->target_elements.front())});
  }
  const std::vector<wbem::ObjectPath> made = MadeRelationships(*face, *done);
  if (!made.empty()) out.push_back({"Synchronization", made.front()});
  co_return DoneOrStarted(*face, done->job, std::move(out));
}

Task<Outcome> ModifyListSettingsDefineState(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::ModifyAspectsRequest request = ReadModification(arguments);
  request.as_list = true;
  arguments.Require("SettingsStates");
  request.settings_states = arguments.SettingsStates("SettingsStates");
  request.target_elements = arguments.Volumes("TargetElements");
  request.target_groups = arguments.Groups("TargetGroups");
  request.element_names = arguments.Texts("ElementNames");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<control::ModifyAspectsResult> done = co_await face->control.ModifyAspects(std::move(request));
  if (!done.ok()) co_return Refused(done.status());
  std::vector<wbem::Property> out;
  if (!done->target_groups.empty()) {
    out.push_back({"TargetGroups", Value::Array(GroupPaths(*face, done->target_groups))});
  } else if (!done->target_elements.empty()) {
    out.push_back({"TargetElements", Value::Array(VolumePaths(*face, done->target_elements))});
  }
  const std::vector<wbem::ObjectPath> made = MadeRelationships(*face, *done);
  if (!made.empty()) out.push_back({"Synchronizations", Value::Array(made)});
  co_return DoneOrStarted(*face, done->job, std::move(out));
}

namespace {

// The aspects that all filters let pass; an absent filter restricts nothing.
Result<std::vector<catalog::AspectRecord>> QueryAspects(const Face& face, Arguments& arguments) {
  constexpr uint64_t kLocal = 2, kRemote = 3, kFirstState = 2, kLastState = 7;
  const std::optional<catalog::SyncType> type = arguments.Enum<catalog::SyncType>("SyncType");
  const std::optional<catalog::Mode> mode = arguments.Enum<catalog::Mode>("Mode");
  const uint64_t locality = arguments.Number("Locality").value_or(kLocal);
  const std::optional<uint64_t> state = arguments.Number("SyncState");
  arguments.Settings();
  if (type && !IsKnown(*type)) arguments.Fail(InvalidArgument("SyncType must be 6 to 9"));
  if (mode && !IsKnown(*mode)) arguments.Fail(InvalidArgument("Mode must be 2 to 4"));
  if (locality != kLocal && locality != kRemote) arguments.Fail(InvalidArgument("Locality must be 2 or 3"));
  if (state && (*state < kFirstState || *state > kLastState)) {
    arguments.Fail(InvalidArgument("SyncState must be 2 to 7"));
  }
  if (!arguments.status().ok()) return arguments.status();
  std::vector<catalog::AspectRecord> all = face.control.Aspects();
  std::erase_if(all, [&](const catalog::AspectRecord& aspect) {
    return locality == kRemote || (type && aspect.sync_type != *type) || (mode && aspect.mode != *mode) ||
           (state && static_cast<uint64_t>(aspect.state) != *state);
  });
  return all;
}

}  // namespace

Task<Outcome> GetSynchronizationAspects(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  Result<std::vector<catalog::AspectRecord>> aspects = QueryAspects(*face, arguments);
  if (!aspects.ok()) co_return Refused(aspects.status());
  std::vector<wbem::ObjectPath> found;
  for (const catalog::AspectRecord& aspect : *aspects) found.push_back(face->paths.Aspect(aspect.id));
  std::vector<wbem::Property> out;
  out.push_back({"SynchronizationAspects", Value::Array(found)});
  co_return Done(std::move(out));
}

Task<Outcome> GetSynchronizationAspectInstances(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  Result<std::vector<catalog::AspectRecord>> aspects = QueryAspects(*face, arguments);
  if (!aspects.ok()) co_return Refused(aspects.status());
  std::vector<wbem::Instance> found;
  for (const catalog::AspectRecord& aspect : *aspects) found.push_back(AspectInstance(*face, aspect));
  std::vector<wbem::Property> out;
  out.push_back({"SynchronizationAspects", Value::Array(found)});
  co_return Done(std::move(out));
}

}  // namespace lockstep::smis
