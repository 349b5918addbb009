#include "admin/render.h"

#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep::admin {

namespace {

Json RefJson(const Uuid& id, std::optional<std::string> name) {
  if (id.IsNil()) return nullptr;
  Json json = {{"id", id.ToString()}};
  if (name) json["name"] = *std::move(name);
  return json;
}

template <typename Ids>
Json IdsJson(const Ids& ids) {
  Json list = Json::array();
  for (const auto& id : ids) list.push_back(id.ToString());
  return list;
}

template <typename Ids, typename Render>
Json RefsJson(const Ids& ids, Render render) {
  Json list = Json::array();
  for (const auto& id : ids) list.push_back(render(id));
  return list;
}

template <typename T>
Json OptionalJson(const std::optional<T>& value) {
  if (!value) return nullptr;
  return *value;
}

template <typename Tag>
Json OptionalIdJson(const std::optional<Id<Tag>>& id) {
  if (!id) return nullptr;
  return IdJson(id->uuid);
}

std::string_view ReadOnlyWord(catalog::ReadOnlyEnd end) {
  switch (end) {
    case catalog::ReadOnlyEnd::kSystemElement: return "source";
    case catalog::ReadOnlyEnd::kSyncedElement: return "target";
    case catalog::ReadOnlyEnd::kBoth: return "both";
    case catalog::ReadOnlyEnd::kNeither: break;
  }
  return "neither";
}

// Null without a window.
Json HistoryJson(const control::VolumeView& view) {
  if (view.history_from == 0) return nullptr;
  return {{"seconds", view.window.seconds},
          {"bytes", view.window.bytes},
          {"from_sequence", view.history_from},
          {"since", TimeJson(view.history_since)}};
}

// CIM_GroupSynchronized.ConsistencyState and ConsistencyStatus.
std::string_view ConsistencyStateWord(uint16_t state) {
  return state == 3 ? "Consistent" : state == 4 ? "Inconsistent" : "Not Applicable";
}

}  // namespace

Json TimeJson(io::WallTime time) {
  if (time.us == 0) return nullptr;
  using namespace std::chrono;
  const sys_time<microseconds> at{microseconds(time.us)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Json JobJson(const std::optional<catalog::JobId>& job) { return job ? Json(job->ToString()) : Json(nullptr); }

Json IdJson(const Uuid& id) {
  if (id.IsNil()) return nullptr;
  return id.ToString();
}

Json Renderer::VolumeRef(catalog::VolumeId id) const {
  const auto view = control_.Volume(id);
  return RefJson(id.uuid, view.ok() ? std::optional(view->record.name) : std::nullopt);
}

Json Renderer::PoolRef(catalog::PoolId id) const {
  const auto view = control_.Pool(id);
  return RefJson(id.uuid, view.ok() ? std::optional(view->record.name) : std::nullopt);
}

Json Renderer::GroupRef(catalog::GroupId id) const {
  const auto record = control_.Group(id);
  return RefJson(id.uuid, record.ok() ? std::optional(record->name) : std::nullopt);
}

Json Renderer::GroupRelationshipRef(catalog::GroupRelationshipId id) const {
  const auto view = control_.GroupRelationship(id);
  return RefJson(id.uuid, view.ok() ? std::optional(view->record.name) : std::nullopt);
}

Json Renderer::ExportRef(catalog::ExportId id) const {
  if (!export_names_) {
    export_names_.emplace();
    for (control::ExportView& view : control_.Exports()) {
      export_names_->emplace(view.record.id, std::move(view.record.name));
    }
  }
  const auto found = export_names_->find(id);
  return RefJson(id.uuid, found != export_names_->end() ? std::optional(found->second) : std::nullopt);
}

Json Renderer::Pool(const control::PoolView& view) const {
  const std::vector<std::string> paths = PathsOf(view.record);
  Json devices = Json::array();
  for (const block::DeviceInfo& device : view.devices) {
    devices.push_back({{"id", IdJson(device.id.uuid)},
                       {"path", device.path},
                       {"size", device.size},
                       {"taken", device.taken},
                       {"live", device.live},
                       {"draining", device.draining}});
  }
  return {{"id", IdJson(view.record.id.uuid)},
          {"name", view.record.name},
          {"path", fmt::format("{}", fmt::join(paths, ", "))},
          {"paths", paths},
          {"devices", std::move(devices)},
          {"state", CodeName(view.state.code())},
          {"problem", view.state.ok() ? Json(nullptr) : Json(view.state.message())},
          {"size", view.info.size},
          {"free", view.info.free},
          {"used", view.info.used},
          {"live", view.info.live},
          {"mapped", view.info.mapped},
          {"history", view.info.history},
          {"reclaimable", view.info.reclaimable},
          {"freeing", view.info.freeing},
          {"flattening", view.info.flattening},
          {"last_sequence", view.info.last},
          {"durable_sequence", view.info.durable},
          {"last_scrub", TimeJson(view.record.last_scrub)},
          {"last_scrub_bad", view.record.last_scrub_bad},
          {"next_scrub", TimeJson(view.next_scrub)},
          {"last_bad", view.record.last_bad.empty() ? Json(nullptr) : Json(view.record.last_bad)},
          {"last_bad_at", TimeJson(view.record.last_bad_at)},
          {"created", TimeJson(view.record.created)}};
}

Json Renderer::Volume(const control::VolumeView& view) const {
  return {{"id", IdJson(view.record.id.uuid)},
          {"name", view.record.name},
          {"pool", PoolRef(view.record.pool)},
          {"size", view.record.size},
          {"used", view.used},
          {"history", HistoryJson(view)},
          {"target_of", OptionalIdJson(view.target_of)},
          {"source_of", IdsJson(view.source_of)},
          {"groups", RefsJson(view.groups, [this](catalog::GroupId id) { return GroupRef(id); })},
          {"exports", RefsJson(view.exports, [this](catalog::ExportId id) { return ExportRef(id); })},
          {"host_accessible", view.host_accessible},
          {"connections", view.connections},
          {"created", TimeJson(view.record.created)}};
}

Json SpaceJson(const block::VolumeSpace& space) {
  return {{"mapped", space.mapped}, {"unique", space.unique}, {"shared", space.shared}};
}

Json Renderer::Export(const control::ExportView& view) const {
  return {{"id", IdJson(view.record.id.uuid)},
          {"name", view.record.name},
          {"volume", VolumeRef(view.record.volume)},
          {"published", view.published},
          {"read_only", view.read_only},
          {"connections", view.connections},
          {"created", TimeJson(view.record.created)}};
}

Json Renderer::Group(const catalog::GroupRecord& record) const {
  return {{"id", IdJson(record.id.uuid)},
          {"name", record.name},
          {"members", RefsJson(record.members, [this](catalog::VolumeId id) { return VolumeRef(id); })},
          {"persistent", record.persistent},
          {"delete_on_empty_element", record.delete_on_empty_element},
          {"delete_on_unassociated", record.delete_on_unassociated},
          {"consistent_point_in_time", record.consistent_point_in_time},
          {"reserved_as", catalog::Name(record.reserved_as)},
          {"created", TimeJson(record.created)}};
}

Json Renderer::Relationship(const control::RelationshipView& view) const {
  const catalog::RelationshipRecord& record = view.record;
  return {{"kind", "element"},
          {"id", IdJson(record.id.uuid)},
          {"source", VolumeRef(record.source)},
          {"target", VolumeRef(record.target)},
          {"sync_type", catalog::Name(record.sync_type)},
          {"mode", catalog::Name(record.mode)},
          {"copy_state", catalog::Name(record.state)},
          {"progress_status", catalog::Name(record.progress)},
          {"requested_copy_state", catalog::Name(record.requested)},
          {"percent_synced", OptionalJson(view.percent_synced)},
          {"point", IdJson(record.point.uuid)},
          {"group_relationship", GroupRelationshipRef(record.group)},
          {"full_copy", record.full_copy},
          {"copied", record.copied},
          {"copy_priority", catalog::Name(record.priority)},
          {"copy_methodology", catalog::Name(record.methodology)},
          {"read_only", ReadOnlyWord(record.read_only)},
          {"host_accessible", view.host_accessible},
          {"target_created", record.target_created},
          {"job", OptionalIdJson(view.job)},
          {"when_established", TimeJson(record.when_established)},
          {"when_activated", TimeJson(record.when_activated)},
          {"when_deactivated", TimeJson(record.when_deactivated)},
          {"when_suspended", TimeJson(record.when_suspended)},
          {"when_synchronized", TimeJson(record.when_synchronized)},
          {"when_synced", TimeJson(record.when_synced)}};
}

Json Renderer::Relationships(const std::vector<catalog::RelationshipId>& ids) const {
  Json list = Json::array();
  for (const catalog::RelationshipId id : ids) {
    if (const auto view = control_.Relationship(id); view.ok()) list.push_back(Relationship(*view));
  }
  return list;
}

Json Renderer::GroupRelationship(const control::GroupRelationshipView& view) const {
  const catalog::GroupRelationshipRecord& record = view.record;
  return {{"kind", "group"},
          {"id", IdJson(record.id.uuid)},
          {"name", record.name},
          {"source_group", GroupRef(record.source_group)},
          {"source_element", VolumeRef(record.source_element)},
          {"target_group", GroupRef(record.target_group)},
          {"sync_type", catalog::Name(record.sync_type)},
          {"mode", catalog::Name(record.mode)},
          {"copy_state", catalog::Name(view.state)},
          {"progress_status", catalog::Name(view.progress)},
          {"requested_copy_state", catalog::Name(view.requested)},
          {"percent_synced", OptionalJson(view.percent_synced)},
          {"consistency_enabled", record.consistency_enabled},
          {"consistency_state", ConsistencyStateWord(view.consistency_state)},
          {"pairs", IdsJson(view.pairs)},
          {"job", OptionalIdJson(view.job)},
          {"when_established", TimeJson(record.when_established)}};
}

Json Renderer::Point(const control::PointView& view) const {
  return {{"id", IdJson(view.record.id.uuid)},
          {"pool", PoolRef(view.record.pool)},
          {"volumes", RefsJson(view.record.volumes, [this](catalog::VolumeId id) { return VolumeRef(id); })},
          {"relationships", IdsJson(view.relationships)},
          {"aspects", IdsJson(view.aspects)},
          {"taken", TimeJson(view.record.taken)}};
}

Json Renderer::Aspect(const catalog::AspectRecord& record) const {
  return {{"id", IdJson(record.id.uuid)},
          {"name", record.name},
          {"point", IdJson(record.point.uuid)},
          {"sources", RefsJson(record.sources, [this](catalog::VolumeId id) { return VolumeRef(id); })},
          {"source_group", GroupRef(record.source_group)},
          {"sync_type", catalog::Name(record.sync_type)},
          {"mode", catalog::Name(record.mode)},
          {"state", catalog::Name(record.state)},
          {"consistency_enabled", record.consistency_enabled},
          {"when_point_in_time", TimeJson(record.when_point_in_time)}};
}

Json Renderer::Job(const catalog::JobRecord& record) const {
  Json error = nullptr;
  if (record.error_code != Code::kOk) error = {{"name", CodeName(record.error_code)}, {"message", record.error}};
  return {{"id", IdJson(record.id.uuid)},
          {"name", record.name},
          {"method", record.method},
          {"state", catalog::Name(record.state)},
          {"ended", catalog::IsFinal(record.state)},
          {"percent", record.percent},
          {"error", std::move(error)},
          {"wait_for", catalog::Name(record.wait_for)},
          {"relationships", IdsJson(record.relationships)},
          {"group_relationship", GroupRelationshipRef(record.group_relationship)},
          {"volumes", RefsJson(record.volumes, [this](catalog::VolumeId id) { return VolumeRef(id); })},
          {"groups", RefsJson(record.groups, [this](catalog::GroupId id) { return GroupRef(id); })},
          {"delete_on_completion", record.delete_on_completion},
          {"time_before_removal_us", record.time_before_removal_us},
          {"submitted", TimeJson(record.submitted)},
          {"started", TimeJson(record.started)},
          {"state_changed", TimeJson(record.state_changed)}};
}

}  // namespace lockstep::admin
