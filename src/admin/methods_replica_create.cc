// replica.create_*: the four ways to make replicas.
#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lookup.h"
#include "admin/methods.h"
#include "admin/render.h"
#include "admin/replica_params.h"

namespace lockstep::admin {

using control::Control;

namespace {

Json GroupResultJson(const Control& control, const control::GroupReplicaResult& result) {
  const Renderer renderer(control);
  const auto view = control.GroupRelationship(result.synchronization);
  return {{"job", JobJson(result.job)},
          {"synchronization", view.ok() ? renderer.GroupRelationship(*view) : Json(nullptr)},
          {"source_group", result.source_group ? renderer.GroupRef(*result.source_group) : Json(nullptr)},
          {"target_group", renderer.GroupRef(result.target_group)},
          {"pairs", renderer.Relationships(result.pairs)}};
}

Answer CreateElement(Context& context, Params params) {
  Fields fields(*params);
  control::CreateElementReplicaRequest request;
  const std::string source = fields.String("source");
  const auto target = fields.OptionalString("target");
  request.element_name = fields.StringOr("name", "");
  request.options = ReadReplicaOptions(fields, *params, context.control);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::VolumeView view, FindVolume(context.control, source));
  request.source_element = view.record.id;
  LS_CO_ASSIGN_OR_RETURN(request.target_element, OptionalVolume(context.control, target));
  const auto result = co_await context.control.CreateElementReplica(std::move(request));
  if (!result.ok()) co_return result.status();
  LS_CO_ASSIGN_OR_RETURN(const control::RelationshipView made, context.control.Relationship(result->synchronization));
  Json json = {{"job", JobJson(result->job)}, {"synchronization", Renderer(context.control).Relationship(made)}};
  co_return json;
}

Answer CreateList(Context& context, Params params) {
  Fields fields(*params);
  control::CreateListReplicaRequest request;
  const std::vector<std::string> sources = fields.Strings("sources");
  const std::vector<std::string> targets = fields.StringsOr("targets");
  request.element_names = fields.StringsOr("names");
  request.consistency = ReadConsistency(fields);
  request.options = ReadReplicaOptions(fields, *params, context.control);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(request.source_elements, FindVolumes(context.control, sources));
  LS_CO_ASSIGN_OR_RETURN(request.target_elements, FindVolumes(context.control, targets));
  const auto result = co_await context.control.CreateListReplica(std::move(request));
  if (!result.ok()) co_return result.status();
  Json json = {{"job", JobJson(result->job)},
               {"synchronizations", Renderer(context.control).Relationships(result->synchronizations)}};
  co_return json;
}

Answer CreateReplicaOfGroup(Context& context, Params params) {
  Fields fields(*params);
  control::CreateGroupReplicaRequest request;
  const auto source_group = fields.OptionalString("source_group");
  const auto source = fields.OptionalString("source");
  const auto target_group = fields.OptionalString("target_group");
  request.relationship_name = fields.StringOr("name", "");
  if (const uint64_t count = fields.Number("count", 0)) request.target_element_count = count;
  request.consistency = ReadConsistency(fields);
  request.options = ReadReplicaOptions(fields, *params, context.control);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(request.source_group, OptionalGroup(context.control, source_group));
  LS_CO_ASSIGN_OR_RETURN(request.source_element, OptionalVolume(context.control, source));
  LS_CO_ASSIGN_OR_RETURN(request.target_group, OptionalGroup(context.control, target_group));
  const auto result = co_await context.control.CreateGroupReplica(std::move(request));
  if (!result.ok()) co_return result.status();
  co_return GroupResultJson(context.control, *result);
}

Answer CreateFromElements(Context& context, Params params) {
  Fields fields(*params);
  control::CreateGroupReplicaFromElementsRequest request;
  const std::vector<std::string> sources = fields.Strings("sources");
  const std::vector<std::string> targets = fields.StringsOr("targets");
  const auto source_group = fields.OptionalString("source_group");
  const auto target_group = fields.OptionalString("target_group");
  request.relationship_name = fields.StringOr("name", "");
  request.source_group_name = fields.StringOr("source_group_name", "");
  request.target_group_name = fields.StringOr("target_group_name", "");
  request.target_element_names = fields.StringsOr("target_names");
  request.consistency = ReadConsistency(fields);
  request.options = ReadReplicaOptions(fields, *params, context.control);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(request.source_elements, FindVolumes(context.control, sources));
  LS_CO_ASSIGN_OR_RETURN(request.target_elements, FindVolumes(context.control, targets));
  LS_CO_ASSIGN_OR_RETURN(request.source_group, OptionalGroup(context.control, source_group));
  LS_CO_ASSIGN_OR_RETURN(request.target_group, OptionalGroup(context.control, target_group));
  const auto result = co_await context.control.CreateGroupReplicaFromElements(std::move(request));
  if (!result.ok()) co_return result.status();
  co_return GroupResultJson(context.control, *result);
}

}  // namespace

std::span<const Method> ReplicaCreateMethods() {
  static constexpr Method kMethods[] = {
      {"replica.create_element", CreateElement},
      {"replica.create_list", CreateList},
      {"replica.create_group", CreateReplicaOfGroup},
      {"replica.create_group_from_elements", CreateFromElements},
  };
  return kMethods;
}

}  // namespace lockstep::admin
