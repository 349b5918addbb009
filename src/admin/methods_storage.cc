// pool.*, volume.* and export.*.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lookup.h"
#include "admin/methods.h"
#include "admin/render.h"

namespace lockstep::admin {

using control::Control;

namespace {

template <typename Views, typename Render>
Json ListJson(const Views& views, Render render) {
  Json list = Json::array();
  for (const auto& view : views) list.push_back(render(view));
  return list;
}

// ---- Pools.

Result<Json> PoolById(const Control& control, catalog::PoolId id) {
  LS_ASSIGN_OR_RETURN(const control::PoolView view, control.Pool(id));
  return Renderer(control).Pool(view);
}

Answer CreatePool(Context& context, Params params) {
  Fields fields(*params);
  control::CreatePoolRequest request;
  request.name = fields.String("name");
  request.path = fields.String("path");
  request.size = fields.Size("size", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  const auto id = co_await context.control.CreatePool(std::move(request));
  if (!id.ok()) co_return id.status();
  co_return PoolById(context.control, *id);
}

Answer AddPool(Context& context, Params params) {
  Fields fields(*params);
  std::string name = fields.String("name");
  std::string path = fields.String("path");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  const auto id = co_await context.control.AddPool(std::move(name), std::move(path));
  if (!id.ok()) co_return id.status();
  co_return PoolById(context.control, *id);
}

Answer ListPools(Context& context, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  co_await context.control.RefreshUsage();
  const Renderer renderer(context.control);
  Json list = ListJson(context.control.Pools(), [&](const auto& view) { return renderer.Pool(view); });
  co_return list;
}

Answer ShowPool(Context& context, Params params) {
  Fields fields(*params);
  const std::string pool = fields.String("pool");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  co_await context.control.RefreshUsage();
  const auto view = FindPool(context.control, pool);
  if (!view.ok()) co_return view.status();
  co_return Renderer(context.control).Pool(*view);
}

Answer ImportPool(Context& context, Params params) {
  Fields fields(*params);
  control::ImportPoolRequest request;
  request.paths = fields.Strings("paths");
  request.name = fields.StringOr("name", "");
  request.index = fields.StringOr("index", "");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  const auto id = co_await context.control.ImportPool(std::move(request));
  if (!id.ok()) co_return id.status();
  co_return PoolById(context.control, *id);
}

Answer ExportPool(Context& context, Params params) {
  Fields fields(*params);
  const std::string pool = fields.String("pool");
  std::string index = fields.StringOr("index", "");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, pool));
  const auto kept = co_await context.control.ExportPool(view.record.id, std::move(index));
  if (!kept.ok()) co_return kept.status();
  co_return Json{{"paths", PathsOf(view.record)}, {"index", *kept}};
}

Answer DeletePool(Context& context, Params params) {
  Fields fields(*params);
  const std::string pool = fields.String("pool");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, pool));
  LS_CO_RETURN_IF_ERROR(co_await context.control.DeletePool(view.record.id));
  co_return Json{{"paths", PathsOf(view.record)}};
}

Answer AddDevice(Context& context, Params params) {
  Fields fields(*params);
  const std::string pool = fields.String("pool");
  std::string path = fields.String("path");
  const uint64_t size = fields.Size("size", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, pool));
  const auto added = co_await context.control.AddDevice(view.record.id, std::move(path), size);
  if (!added.ok()) co_return added.status();
  co_return PoolById(context.control, view.record.id);
}

Answer GrowPool(Context& context, Params params) {
  Fields fields(*params);
  const std::string pool = fields.String("pool");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, pool));
  const auto grown = co_await context.control.GrowPool(view.record.id);
  if (!grown.ok()) co_return grown.status();
  LS_CO_ASSIGN_OR_RETURN(Json shown, PoolById(context.control, view.record.id));
  shown["grown_by"] = *grown;
  co_return shown;
}

Answer RemoveDevice(Context& context, Params params) {
  Fields fields(*params);
  const std::string pool = fields.String("pool");
  std::string device = fields.String("device");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, pool));
  const auto job = co_await context.control.RemoveDevice(view.record.id, std::move(device));
  if (!job.ok()) co_return job.status();
  co_return Json{{"job", IdJson(job->uuid)}};
}

Answer ScrubPool(Context& context, Params params) {
  Fields fields(*params);
  const std::string pool = fields.String("pool");
  const uint64_t rate = fields.Size("rate", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, pool));
  const auto job = co_await context.control.ScrubPool(view.record.id, rate);
  if (!job.ok()) co_return job.status();
  co_return Json{{"job", IdJson(job->uuid)}};
}

Answer CheckPool(Context& context, Params params) {
  Fields fields(*params);
  const std::string pool = fields.String("pool");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, pool));
  const auto report = co_await context.control.CheckPool(view.record.id);
  if (!report.ok()) co_return report.status();
  co_return Json{{"current_blocks", report->current},
                 {"history_blocks", report->history},
                 {"problems", report->problems}};
}

// ---- Volumes.

Answer CreateVolumes(Context& context, Params params) {
  Fields fields(*params);
  control::CreateVolumesRequest request;
  request.name = fields.StringOr("name", "");
  request.size = fields.Size("size", true);
  const auto pool = fields.OptionalString("pool");
  const uint64_t count = fields.Number("count", 1);
  if (count < 1 || count > 1000) fields.Fail("count", "must be from 1 to 1000");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  request.count = static_cast<uint32_t>(count);
  if (pool) {
    LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, *pool));
    request.pool = view.record.id;
  }
  const auto ids = co_await context.control.CreateVolumes(std::move(request));
  if (!ids.ok()) co_return ids.status();
  const Renderer renderer(context.control);
  Json list = Json::array();
  for (const catalog::VolumeId id : *ids) {
    LS_CO_ASSIGN_OR_RETURN(const control::VolumeView view, context.control.Volume(id));
    list.push_back(renderer.Volume(view));
  }
  co_return list;
}

// With what it takes when `count`ed: null when the pool is not usable.
Task<Result<Json>> VolumeJson(Context& context, control::VolumeView view, bool count) {
  Json json = Renderer(context.control).Volume(view);
  json["space"] = nullptr;
  if (!count) co_return json;
  const auto space = co_await context.control.SpaceOf(view.record.id);
  if (space.ok()) json["space"] = SpaceJson(*space);
  co_return json;
}

Answer ListVolumes(Context& context, Params params) {
  Fields fields(*params);
  const auto pool = fields.OptionalString("pool");
  const bool space = fields.Bool("space", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  co_await context.control.RefreshUsage();
  std::optional<catalog::PoolId> only;
  if (pool) {
    LS_CO_ASSIGN_OR_RETURN(const control::PoolView view, FindPool(context.control, *pool));
    only = view.record.id;
  }
  Json list = Json::array();
  const std::vector<control::VolumeView> views = context.control.Volumes();
  for (const control::VolumeView& view : views) {
    if (only && view.record.pool != *only) continue;
    LS_CO_ASSIGN_OR_RETURN(Json json, co_await VolumeJson(context, view, space));
    list.push_back(std::move(json));
  }
  co_return list;
}

Answer ShowVolume(Context& context, Params params) {
  Fields fields(*params);
  const std::string volume = fields.String("volume");
  const bool space = fields.Bool("space", true);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  co_await context.control.RefreshUsage();
  const auto view = FindVolume(context.control, volume);
  if (!view.ok()) co_return view.status();
  co_return co_await VolumeJson(context, *view, space);
}

Answer DeleteVolume(Context& context, Params params) {
  Fields fields(*params);
  const std::string volume = fields.String("volume");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::VolumeView view, FindVolume(context.control, volume));
  LS_CO_RETURN_IF_ERROR(co_await context.control.DeleteVolume(view.record.id));
  co_return Json::object();
}

Result<Json> VolumeById(const Control& control, catalog::VolumeId id) {
  LS_ASSIGN_OR_RETURN(const control::VolumeView view, control.Volume(id));
  return Renderer(control).Volume(view);
}

Answer ResizeVolume(Context& context, Params params) {
  Fields fields(*params);
  const std::string volume = fields.String("volume");
  const uint64_t size = fields.Size("size", true);
  const bool discard_data = fields.Bool("discard_data", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::VolumeView view, FindVolume(context.control, volume));
  LS_CO_RETURN_IF_ERROR(co_await context.control.ResizeVolume(view.record.id, size, discard_data));
  co_return VolumeById(context.control, view.record.id);
}

Answer RenameVolume(Context& context, Params params) {
  Fields fields(*params);
  const std::string volume = fields.String("volume");
  std::string name = fields.String("name");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::VolumeView view, FindVolume(context.control, volume));
  LS_CO_RETURN_IF_ERROR(co_await context.control.RenameVolume(view.record.id, std::move(name)));
  co_return VolumeById(context.control, view.record.id);
}

// ---- Exports.

Answer CreateExport(Context& context, Params params) {
  Fields fields(*params);
  control::CreateExportRequest request;
  const std::string volume = fields.String("volume");
  request.name = fields.StringOr("name", "");
  request.read_only = fields.Bool("read_only", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::VolumeView view, FindVolume(context.control, volume));
  request.volume = view.record.id;
  const auto id = co_await context.control.CreateExport(std::move(request));
  if (!id.ok()) co_return id.status();
  LS_CO_ASSIGN_OR_RETURN(const control::ExportView made, FindExport(context.control, id->ToString()));
  co_return Renderer(context.control).Export(made);
}

Answer ListExports(Context& context, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  const Renderer renderer(context.control);
  Json list = ListJson(context.control.Exports(), [&](const auto& view) { return renderer.Export(view); });
  co_return list;
}

Answer ShowExport(Context& context, Params params) {
  Fields fields(*params);
  const std::string name = fields.String("export");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::ExportView view, FindExport(context.control, name));
  co_return Renderer(context.control).Export(view);
}

Answer DeleteExport(Context& context, Params params) {
  Fields fields(*params);
  const std::string name = fields.String("export");
  const bool force = fields.Bool("force", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const control::ExportView view, FindExport(context.control, name));
  LS_CO_RETURN_IF_ERROR(co_await context.control.DeleteExport(view.record.id, force));
  co_return Json::object();
}

}  // namespace

std::span<const Method> PoolMethods() {
  static constexpr Method kMethods[] = {
      {"pool.create", CreatePool},         {"pool.add", AddPool},       {"pool.list", ListPools},
      {"pool.show", ShowPool},             {"pool.scrub", ScrubPool},   {"pool.check", CheckPool},
      {"pool.import", ImportPool},         {"pool.export", ExportPool}, {"pool.grow", GrowPool},
      {"pool.add_device", AddDevice},      {"pool.remove_device", RemoveDevice},
      {"pool.delete", DeletePool},
  };
  return kMethods;
}

std::span<const Method> VolumeMethods() {
  static constexpr Method kMethods[] = {
      {"volume.create", CreateVolumes}, {"volume.list", ListVolumes},     {"volume.show", ShowVolume},
      {"volume.delete", DeleteVolume},  {"volume.resize", ResizeVolume},  {"volume.rename", RenameVolume},
      {"export.create", CreateExport},  {"export.list", ListExports},     {"export.show", ShowExport},
      {"export.delete", DeleteExport},
  };
  return kMethods;
}

}  // namespace lockstep::admin
