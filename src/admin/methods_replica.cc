// replica.list, .show, .modify and .set_priority.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lookup.h"
#include "admin/methods.h"
#include "admin/render.h"
#include "admin/replica_params.h"
#include "admin/words.h"

namespace lockstep::admin {

using control::Control;

namespace {

Result<Json> ReplicaJson(const Control& control, const control::RelationshipRef& ref) {
  const Renderer renderer(control);
  if (const auto* id = std::get_if<catalog::RelationshipId>(&ref)) {
    LS_ASSIGN_OR_RETURN(const control::RelationshipView view, control.Relationship(*id));
    return renderer.Relationship(view);
  }
  LS_ASSIGN_OR_RETURN(const control::GroupRelationshipView view,
                      control.GroupRelationship(std::get<catalog::GroupRelationshipId>(ref)));
  return renderer.GroupRelationship(view);
}

// Reads the filters that are given; a word that is none is recorded in `fields`.
control::RelationshipFilter ReadFilter(Fields& fields) {
  control::RelationshipFilter filter;
  filter.sync_type = ReadSyncType(fields);
  filter.mode = ReadMode(fields);
  filter.copy_state = ReadCopyState(fields, "copy_state");
  return filter;
}

Answer ListReplicas(Context& context, Params params) {
  Fields fields(*params);
  const std::string kind = fields.StringOr("kind", "all");
  const control::RelationshipFilter filter = ReadFilter(fields);
  if (kind != "all" && kind != "element" && kind != "group") {
    fields.Fail("kind", "must be \"element\", \"group\" or \"all\"");
  }
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  const Renderer renderer(context.control);
  Json list = Json::array();
  if (kind != "element") {
    for (const auto& view : context.control.GroupRelationships(filter)) {
      list.push_back(renderer.GroupRelationship(view));
    }
  }
  if (kind != "group") {
    for (const auto& view : context.control.Relationships(filter)) list.push_back(renderer.Relationship(view));
  }
  co_return list;
}

// A group relationship is shown with its pairs in full.
Answer ShowReplica(Context& context, Params params) {
  Fields fields(*params);
  const std::string replica = fields.String("replica");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::RelationshipRef ref, FindReplica(context.control, replica));
  LS_CO_ASSIGN_OR_RETURN(Json json, ReplicaJson(context.control, ref));
  if (const auto* id = std::get_if<catalog::GroupRelationshipId>(&ref)) {
    LS_CO_ASSIGN_OR_RETURN(const control::GroupRelationshipView view, context.control.GroupRelationship(*id));
    const Renderer renderer(context.control);
    Json pairs = Json::array();
    for (const catalog::RelationshipId pair : view.pairs) {
      if (const auto found = context.control.Relationship(pair); found.ok()) {
        pairs.push_back(renderer.Relationship(*found));
      }
    }
    json["pairs"] = std::move(pairs);
  }
  co_return json;
}

// What is left to say after an operation: the replicas that still exist.
Json ModifyJson(const Control& control, const control::ModifyResult& result,
                const std::vector<control::RelationshipRef>& refs) {
  Json left = Json::array();
  for (const control::RelationshipRef& ref : refs) {
    if (auto json = ReplicaJson(control, ref); json.ok()) left.push_back(*std::move(json));
  }
  Json aspects = Json::array();
  const Renderer renderer(control);
  for (const catalog::AspectId id : result.settings_states) {
    if (const auto record = control.Aspect(id); record.ok()) aspects.push_back(renderer.Aspect(*record));
  }
  return {{"job", JobJson(result.job)},
          {"synchronizations", std::move(left)},
          {"aspects", std::move(aspects)}};
}

// One replica is ModifyReplicaSynchronization, several are ModifyListSynchronization: all or none.
Answer ModifyReplicas(Context& context, Params params) {
  Fields fields(*params);
  const std::vector<std::string> replicas = fields.Strings("replicas");
  const std::string operation_word = fields.String("operation");
  const bool force = fields.Bool("force", false);
  const std::vector<std::string> sync_pairs = fields.StringsOr("sync_pairs");
  const auto wait_for = ReadWaitFor(fields);
  const replication::ReplicationSettings settings = ReadSettings(fields, *params);
  if (replicas.size() > 1 && !sync_pairs.empty()) fields.Fail("sync_pairs", "goes with one group relationship only");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::Operation operation, ParseOperation(operation_word));
  std::vector<control::RelationshipRef> refs;
  for (const std::string& replica : replicas) {
    LS_CO_ASSIGN_OR_RETURN(const control::RelationshipRef ref, FindReplica(context.control, replica));
    refs.push_back(ref);
  }
  if (refs.size() == 1) {
    control::ModifyReplicaRequest request{operation, refs.front(), settings, {}, force, wait_for};
    for (const std::string& pair : sync_pairs) {
      LS_CO_ASSIGN_OR_RETURN(const catalog::RelationshipId id, FindRelationship(context.control, pair));
      request.sync_pairs.push_back(id);
    }
    const auto result = co_await context.control.ModifyReplica(std::move(request));
    if (!result.ok()) co_return result.status();
    co_return ModifyJson(context.control, *result, refs);
  }
  control::ModifyListRequest request{operation, refs, settings, force, wait_for};
  const auto result = co_await context.control.ModifyList(std::move(request));
  if (!result.ok()) co_return result.status();
  co_return ModifyJson(context.control, *result, refs);
}

Answer SetPriority(Context& context, Params params) {
  Fields fields(*params);
  const std::string replica = fields.String("replica");
  const std::string word = fields.String("copy_priority");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::CopyPriority priority, ParseCopyPriority(word));
  LS_CO_ASSIGN_OR_RETURN(const catalog::RelationshipId id, FindRelationship(context.control, replica));
  LS_CO_RETURN_IF_ERROR(co_await context.control.SetCopyPriority(id, priority));
  co_return ReplicaJson(context.control, control::RelationshipRef(id));
}

}  // namespace

std::span<const Method> ReplicaMethods() {
  static constexpr Method kMethods[] = {{"replica.list", ListReplicas},
                                        {"replica.show", ShowReplica},
                                        {"replica.modify", ModifyReplicas},
                                        {"replica.set_priority", SetPriority}};
  return kMethods;
}

}  // namespace lockstep::admin
