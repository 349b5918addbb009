// group.* and point.*.
#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lookup.h"
#include "admin/methods.h"
#include "admin/render.h"
#include "admin/words.h"

namespace lockstep::admin {

using control::Control;

namespace {

// The settings that CreateGroup and ModifyGroup share; `request` is one or the other's.
template <typename Request>
void ReadGroupSettings(Fields& fields, Request& request) {
  request.persistent = fields.OptionalBool("persistent");
  request.delete_on_empty_element = fields.OptionalBool("delete_on_empty_element");
  request.delete_on_unassociated = fields.OptionalBool("delete_on_unassociated");
  const auto reserved = fields.OptionalString("reserved_as");
  if (!reserved) return;
  auto word = ParseReservedAs(*reserved);
  if (word.ok()) request.reserved_as = *word;
  else fields.Fail("reserved_as", "is wrong: " + word.status().message());
}

Result<Json> GroupById(const Control& control, catalog::GroupId id) {
  LS_ASSIGN_OR_RETURN(const catalog::GroupRecord record, control.Group(id));
  return Renderer(control).Group(record);
}

Answer CreateGroup(Context& context, Params params) {
  Fields fields(*params);
  control::CreateGroupRequest request;
  request.group_name = fields.OptionalString("name");
  const std::vector<std::string> members = fields.StringsOr("members");
  ReadGroupSettings(fields, request);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(request.members, FindVolumes(context.control, members));
  const auto id = co_await context.control.CreateGroup(std::move(request));
  if (!id.ok()) co_return id.status();
  co_return GroupById(context.control, *id);
}

Answer ModifyGroup(Context& context, Params params) {
  Fields fields(*params);
  control::ModifyGroupRequest request;
  const std::string group = fields.String("group");
  request.name = fields.OptionalString("name");
  ReadGroupSettings(fields, request);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::GroupRecord record, FindGroup(context.control, group));
  request.group = record.id;
  LS_CO_RETURN_IF_ERROR(co_await context.control.ModifyGroup(std::move(request)));
  co_return GroupById(context.control, record.id);
}

Answer ListGroups(Context& context, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  const Renderer renderer(context.control);
  Json list = Json::array();
  for (const catalog::GroupRecord& record : context.control.Groups()) list.push_back(renderer.Group(record));
  co_return list;
}

Answer ShowGroup(Context& context, Params params) {
  Fields fields(*params);
  const std::string group = fields.String("group");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::GroupRecord record, FindGroup(context.control, group));
  co_return Renderer(context.control).Group(record);
}

Answer DeleteGroup(Context& context, Params params) {
  Fields fields(*params);
  const std::string group = fields.String("group");
  const bool remove_elements = fields.Bool("remove_elements", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::GroupRecord record, FindGroup(context.control, group));
  LS_CO_RETURN_IF_ERROR(co_await context.control.DeleteGroup(record.id, remove_elements));
  co_return Json::object();
}

Answer AddMembers(Context& context, Params params) {
  Fields fields(*params);
  const std::string group = fields.String("group");
  const std::vector<std::string> members = fields.Strings("members");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::GroupRecord record, FindGroup(context.control, group));
  LS_CO_ASSIGN_OR_RETURN(std::vector<catalog::VolumeId> ids, FindVolumes(context.control, members));
  LS_CO_RETURN_IF_ERROR(co_await context.control.AddMembers(record.id, std::move(ids)));
  co_return GroupById(context.control, record.id);
}

// Answers null when the group went with its last member.
Answer RemoveMembers(Context& context, Params params) {
  Fields fields(*params);
  const std::string group = fields.String("group");
  const std::vector<std::string> members = fields.Strings("members");
  const auto delete_on_empty = fields.OptionalBool("delete_on_empty_element");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(const catalog::GroupRecord record, FindGroup(context.control, group));
  LS_CO_ASSIGN_OR_RETURN(std::vector<catalog::VolumeId> ids, FindVolumes(context.control, members));
  const Status removed = co_await context.control.RemoveMembers(record.id, std::move(ids), delete_on_empty);
  if (!removed.ok()) co_return removed;
  auto left = GroupById(context.control, record.id);
  if (!left.ok()) co_return Json(nullptr);
  co_return left;
}

// ---- Points and aspects.

Answer ListPoints(Context& context, Params params) {
  Fields fields(*params);
  const bool space = fields.Bool("space", false);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  const std::vector<control::PointView> views = context.control.Points();
  std::map<catalog::PoolId, std::vector<catalog::PointId>> of_pools;
  for (const control::PointView& view : views)
    if (space) of_pools[view.record.pool].push_back(view.record.id);
  std::map<catalog::PointId, uint64_t> freed;
  for (const auto& [pool, points] : of_pools) {
    auto some = co_await context.control.FreedByPoints(pool, points);
    if (some.ok()) freed.merge(*some);  // of a pool that is not usable nothing is known
  }
  Json list = Json::array();
  for (const control::PointView& view : views) {
    Json json = Renderer(context.control).Point(view);
    const auto found = freed.find(view.record.id);
    json["would_free"] = found == freed.end() ? Json(nullptr) : Json(found->second);
    list.push_back(std::move(json));
  }
  co_return list;
}

}  // namespace

std::span<const Method> GroupMethods() {
  static constexpr Method kMethods[] = {
      {"group.create", CreateGroup}, {"group.modify", ModifyGroup}, {"group.list", ListGroups},
      {"group.show", ShowGroup},     {"group.delete", DeleteGroup}, {"group.add_members", AddMembers},
      {"group.remove_members", RemoveMembers},
  };
  return kMethods;
}

std::span<const Method> PointMethods() {
  static constexpr Method kMethods[] = {{"point.list", ListPoints}};
  return kMethods;
}

}  // namespace lockstep::admin
