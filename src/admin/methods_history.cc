// volume.set_history, volume.clone and volume.revert.
#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lookup.h"
#include "admin/methods.h"
#include "admin/moment.h"
#include "admin/render.h"
#include "base/units.h"

namespace lockstep::admin {
namespace {

// The volumes that "volumes" names, or the members of "group".
struct Named {
  explicit Named(Fields& fields) : volumes(fields.StringsOr("volumes")), group(fields.OptionalString("group")) {
    if (volumes.empty() == !group) fields.Fail("volumes", "or \"group\" must be given, and only one of them");
  }
  Result<std::vector<catalog::VolumeId>> Find(const control::Control& control) const {
    if (!group) return FindVolumes(control, volumes);
    LS_ASSIGN_OR_RETURN(const catalog::GroupRecord record, FindGroup(control, *group));
    if (record.members.empty()) return InvalidArgument("group " + record.name + " has no members");
    return record.members;
  }
  std::vector<std::string> volumes;
  std::optional<std::string> group;
};

control::Moment TakeMoment(Fields& fields, bool required) {
  const auto text = fields.OptionalString("at");
  if (!text) {
    if (required) fields.Fail("at", "is missing");
    return {};
  }
  const auto moment = ParseMoment(*text);
  if (!moment.ok()) fields.Fail("at", "cannot be used: " + moment.status().message());
  return moment.ok() ? *moment : control::Moment();
}

Result<Json> VolumesJson(const control::Control& control, const std::vector<catalog::VolumeId>& ids) {
  Json list = Json::array();
  for (const catalog::VolumeId id : ids) {
    LS_ASSIGN_OR_RETURN(const control::VolumeView view, control.Volume(id));
    list.push_back(Renderer(control).Volume(view));
  }
  return list;
}

Answer SetHistory(Context& context, Params params) {
  Fields fields(*params);
  const Named named(fields);
  block::HistoryWindow window;
  if (const auto length = fields.OptionalString("time")) {
    const auto seconds = ParseSeconds(*length);
    if (!seconds.ok()) fields.Fail("time", "cannot be used: " + seconds.status().message());
    window.seconds = seconds.ok() ? *seconds : 0;
  }
  window.bytes = fields.Size("space", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const std::vector<catalog::VolumeId> volumes, named.Find(context.control));
  LS_CO_RETURN_IF_ERROR(co_await context.control.SetHistory(volumes, window));
  co_return VolumesJson(context.control, volumes);
}

Answer CloneVolumes(Context& context, Params params) {
  Fields fields(*params);
  const Named named(fields);
  control::CloneVolumesRequest request;
  request.names = fields.StringsOr("names");
  const auto suffix = fields.OptionalString("suffix");
  if (request.names.empty() == !suffix) fields.Fail("names", "or \"suffix\" must be given, and only one of them");
  request.moment = TakeMoment(fields, false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(request.sources, named.Find(context.control));
  for (size_t i = 0; suffix && i < request.sources.size(); ++i) {
    LS_CO_ASSIGN_OR_RETURN(const control::VolumeView source, context.control.Volume(request.sources[i]));
    request.names.push_back(source.record.name + *suffix);
  }
  const auto made = co_await context.control.CloneVolumes(std::move(request));
  if (!made.ok()) co_return made.status();
  co_return VolumesJson(context.control, *made);
}

Answer RevertVolumes(Context& context, Params params) {
  Fields fields(*params);
  const Named named(fields);
  control::RevertVolumesRequest request;
  request.moment = TakeMoment(fields, true);
  request.force = fields.Bool("force", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(request.volumes, named.Find(context.control));
  const std::vector<catalog::VolumeId> volumes = request.volumes;
  LS_CO_RETURN_IF_ERROR(co_await context.control.RevertVolumes(std::move(request)));
  co_return VolumesJson(context.control, volumes);
}

}  // namespace

std::span<const Method> HistoryMethods() {
  static constexpr Method kMethods[] = {
      {"volume.set_history", SetHistory}, {"volume.clone", CloneVolumes}, {"volume.revert", RevertVolumes}};
  return kMethods;
}

}  // namespace lockstep::admin
