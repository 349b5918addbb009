// aspect.*: points with a name and no target volume, and what can be done with them.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lookup.h"
#include "admin/methods.h"
#include "admin/render.h"
#include "admin/replica_params.h"
#include "admin/words.h"
#include "replication/aspects.h"

namespace lockstep::admin {

using control::Control;

namespace {

Answer CreateAspect(Context& context, Params params) {
  Fields fields(*params);
  control::CreateAspectRequest request;
  request.name = fields.StringOr("name", "");
  const auto source = fields.OptionalString("source");
  const auto source_group = fields.OptionalString("source_group");
  request.consistency = ReadConsistency(fields);
  if (const auto type = ReadSyncType(fields)) request.sync_type = *type;
  request.mode = ReadMode(fields);
  request.settings = ReadSettings(fields, *params);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(request.source_element, OptionalVolume(context.control, source));
  LS_CO_ASSIGN_OR_RETURN(request.source_group, OptionalGroup(context.control, source_group));
  LS_CO_ASSIGN_OR_RETURN(const catalog::AspectId id, co_await context.control.CreateAspect(std::move(request)));
  LS_CO_ASSIGN_OR_RETURN(const catalog::AspectRecord record, context.control.Aspect(id));
  co_return Renderer(context.control).Aspect(record);
}

Answer ListAspects(Context& context, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  const Renderer renderer(context.control);
  Json list = Json::array();
  for (const catalog::AspectRecord& record : context.control.Aspects()) list.push_back(renderer.Aspect(record));
  co_return list;
}

Answer ShowAspect(Context& context, Params params) {
  Fields fields(*params);
  const std::string aspect = fields.String("aspect");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::AspectRecord record, FindAspect(context.control, aspect));
  co_return Renderer(context.control).Aspect(record);
}

Answer DeleteAspect(Context& context, Params params) {
  Fields fields(*params);
  const std::string aspect = fields.String("aspect");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::AspectRecord record, FindAspect(context.control, aspect));
  LS_CO_RETURN_IF_ERROR(co_await context.control.DeleteAspect(record.id));
  co_return Json::object();
}

Result<replication::AspectOperation> ParseAspectOperation(std::string_view word) {
  std::string known;
  for (const replication::AspectRow& row : replication::AspectRows()) {
    if (Folded(row.name) == Folded(word)) return row.operation;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  return InvalidArgument(fmt::format("\"{}\" is no operation of aspects; there are: {}", word.substr(0, 100), known));
}

// As it is seen from its group, or from each of its volumes when there is none.
void AddRefs(const Control& control, const catalog::AspectRecord& aspect, std::vector<control::AspectRef>& refs) {
  if (control.Group(aspect.source_group).ok()) return refs.push_back({aspect.id, std::nullopt});
  for (const catalog::VolumeId source : aspect.sources)
    if (control.Volume(source).ok()) refs.push_back({aspect.id, source});
}

Json ModifiedJson(const Control& control, const control::ModifyAspectsResult& result,
                  const std::vector<control::AspectRef>& refs) {
  const Renderer renderer(control);
  Json aspects = Json::array();
  for (const control::AspectRef& ref : refs) {
    const auto record = control.Aspect(ref.aspect);
    const bool shown = !aspects.empty() && aspects.back()["id"] == ref.aspect.ToString();
    if (record.ok() && !shown) aspects.push_back(renderer.Aspect(*record));
  }
  return {{"job", JobJson(result.job)},
          {"synchronizations", renderer.Relationships(result.pairs)},
          {"aspects", std::move(aspects)}};
}

// One aspect is ModifySettingsDefineState, several are ModifyListSettingsDefineState: all or none.
Answer ModifyAspects(Context& context, Params params) {
  Fields fields(*params);
  control::ModifyAspectsRequest request;
  const std::vector<std::string> aspects = fields.Strings("aspects");
  const std::string operation = fields.String("operation");
  const std::vector<std::string> targets = fields.StringsOr("targets");
  const std::vector<std::string> target_groups = fields.StringsOr("target_groups");
  if (const uint64_t count = fields.Number("count", 0)) request.target_element_count = count;
  request.element_names = fields.StringsOr("names");
  request.options = ReadTargetOptions(fields, *params, context.control);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(request.operation, ParseAspectOperation(operation));
  for (const std::string& aspect : aspects) {
    LS_CO_ASSIGN_OR_RETURN(const catalog::AspectRecord record, FindAspect(context.control, aspect));
    AddRefs(context.control, record, request.settings_states);
  }
  request.as_list = aspects.size() > 1;
  LS_CO_ASSIGN_OR_RETURN(request.target_elements, FindVolumes(context.control, targets));
  for (const std::string& group : target_groups) {
    LS_CO_ASSIGN_OR_RETURN(const catalog::GroupRecord record, FindGroup(context.control, group));
    request.target_groups.push_back(record.id);
  }
  const std::vector<control::AspectRef> refs = request.settings_states;
  const auto result = co_await context.control.ModifyAspects(std::move(request));
  if (!result.ok()) co_return result.status();
  co_return ModifiedJson(context.control, *result, refs);
}

}  // namespace

std::span<const Method> AspectMethods() {
  static constexpr Method kMethods[] = {{"aspect.create", CreateAspect}, {"aspect.list", ListAspects},
                                        {"aspect.show", ShowAspect},     {"aspect.delete", DeleteAspect},
                                        {"aspect.modify", ModifyAspects}};
  return kMethods;
}

}  // namespace lockstep::admin
