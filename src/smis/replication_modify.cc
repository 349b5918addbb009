// CIM_ReplicationService: ModifyReplicaSynchronization and ModifyListSynchronization. Which operation is legal when is
// in replication/table.h.
#include "smis/aspects.h"
#include "smis/replication_methods.h"

namespace lockstep::smis {

using wbem::Value;

Task<Outcome> ModifyReplicaSynchronization(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::ModifyReplicaRequest request;
  arguments.Require("Operation");
  arguments.Require("Synchronization");
  std::optional<control::RelationshipRef> synchronization = arguments.Synchronization("Synchronization");
  for (const control::RelationshipRef& pair : arguments.Synchronizations("SyncPair")) {
    const auto* element = std::get_if<catalog::RelationshipId>(&pair);
    if (element) request.sync_pairs.push_back(*element);
    else arguments.Fail(InvalidArgument("SyncPair takes relationships of elements, not of groups"));
  }
  request.settings = arguments.Settings();
  request.force = arguments.Flag("Force").value_or(false);
  request.wait_for_copy_state = arguments.Enum<catalog::CopyState>("WaitForCopyState");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  request.operation = *arguments.Enum<catalog::Operation>("Operation");
  request.synchronization = *synchronization;
  Result<control::ModifyResult> done = co_await face->control.ModifyReplica(std::move(request));
  if (!done.ok()) co_return Refused(done.status());
  std::vector<wbem::Property> out;
  std::vector<wbem::ObjectPath> states = SettingsStates(*face, done->settings_states);
  if (!states.empty()) out.push_back({"SettingsState", states.front()});
  co_return DoneOrStarted(*face, done->job, std::move(out));
}

Task<Outcome> ModifyListSynchronization(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::ModifyListRequest request;
  arguments.Require("Operation");
  arguments.Require("Synchronization");
  request.synchronizations = arguments.Synchronizations("Synchronization");
  request.settings = arguments.Settings();
  request.force = arguments.Flag("Force").value_or(false);
  request.wait_for_copy_state = arguments.Enum<catalog::CopyState>("WaitForCopyState");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  request.operation = *arguments.Enum<catalog::Operation>("Operation");
  Result<control::ModifyResult> done = co_await face->control.ModifyList(std::move(request));
  if (!done.ok()) co_return Refused(done.status());
  std::vector<wbem::Property> out;
  std::vector<wbem::ObjectPath> states = SettingsStates(*face, done->settings_states);
  if (!states.empty()) out.push_back({"SettingsState", Value::Array(states)});
  co_return DoneOrStarted(*face, done->job, std::move(out));
}

}  // namespace lockstep::smis
