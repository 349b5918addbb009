#include "admin/lookup.h"

#include <fmt/format.h>

namespace lockstep::admin {

using control::Control;

namespace {

// By id when the text is one and something has it, else by name.
template <typename Id, typename ById, typename ByName>
auto Find(std::string_view text, ById by_id, ByName by_name) -> decltype(by_name(text)) {
  if (const auto uuid = Uuid::Parse(text); uuid.ok()) {
    if (auto found = by_id(Id{*uuid}); found.ok()) return found;
  }
  return by_name(text);
}

template <typename Records>
auto ByNameIn(const Records& records, std::string_view kind, std::string_view name)
    -> Result<typename Records::value_type> {
  for (const auto& record : records) {
    if (record.name == name) return record;
  }
  return NotFound(fmt::format("there is no {} \"{}\"", kind, name.substr(0, 200)));
}

}  // namespace

Result<control::PoolView> FindPool(const Control& control, std::string_view text) {
  return Find<catalog::PoolId>(
      text, [&](auto id) { return control.Pool(id); }, [&](auto name) { return control.PoolByName(name); });
}

Result<control::VolumeView> FindVolume(const Control& control, std::string_view text) {
  return Find<catalog::VolumeId>(
      text, [&](auto id) { return control.Volume(id); }, [&](auto name) { return control.VolumeByName(name); });
}

Result<control::ExportView> FindExport(const Control& control, std::string_view text) {
  const auto by_id = [&](catalog::ExportId id) -> Result<control::ExportView> {
    for (const control::ExportView& view : control.Exports()) {
      if (view.record.id == id) return view;
    }
    return NotFound("no export has this id");
  };
  return Find<catalog::ExportId>(text, by_id, [&](auto name) { return control.ExportByName(name); });
}

Result<catalog::GroupRecord> FindGroup(const Control& control, std::string_view text) {
  return Find<catalog::GroupId>(
      text, [&](auto id) { return control.Group(id); }, [&](auto name) { return control.GroupByName(name); });
}

Result<catalog::AspectRecord> FindAspect(const Control& control, std::string_view text) {
  return Find<catalog::AspectId>(
      text, [&](auto id) { return control.Aspect(id); },
      [&](auto name) { return ByNameIn(control.Aspects(), "aspect", name); });
}

Result<catalog::JobRecord> FindJob(const Control& control, std::string_view text) {
  const auto uuid = Uuid::Parse(text);
  if (!uuid.ok()) {
    return InvalidArgument(fmt::format("\"{}\" is no job: a job is named by its id (lockstep job list)",
                                       text.substr(0, 200)));
  }
  return control.Job(catalog::JobId{*uuid});
}

Result<control::RelationshipRef> FindReplica(const Control& control, std::string_view text) {
  if (const auto uuid = Uuid::Parse(text); uuid.ok()) {
    const catalog::RelationshipId relationship{*uuid};
    if (control.Relationship(relationship).ok()) return control::RelationshipRef(relationship);
    const catalog::GroupRelationshipId group{*uuid};
    if (control.GroupRelationship(group).ok()) return control::RelationshipRef(group);
  }
  const auto group = control.GroupRelationshipByName(text);
  const auto volume = FindVolume(control, text);
  const bool is_target = volume.ok() && volume->target_of.has_value();
  if (group.ok() && is_target) {
    return InvalidArgument(fmt::format(
        "\"{}\" names both a group relationship and the target of a relationship: use the id", text));
  }
  if (group.ok()) return control::RelationshipRef(group->record.id);
  if (is_target) return control::RelationshipRef(*volume->target_of);
  if (volume.ok()) return NotFound(fmt::format("volume \"{}\" is not the target of any relationship", text));
  return NotFound(fmt::format("no relationship, group relationship or replica volume is called \"{}\"",
                              text.substr(0, 200)));
}

Result<catalog::RelationshipId> FindRelationship(const Control& control, std::string_view text) {
  LS_ASSIGN_OR_RETURN(const control::RelationshipRef ref, FindReplica(control, text));
  if (const auto* id = std::get_if<catalog::RelationshipId>(&ref)) return *id;
  return InvalidArgument(fmt::format("\"{}\" is a group relationship; name one of its pairs", text));
}

Result<std::optional<catalog::VolumeId>> OptionalVolume(const Control& control,
                                                        const std::optional<std::string>& text) {
  if (!text) return std::optional<catalog::VolumeId>();
  LS_ASSIGN_OR_RETURN(const control::VolumeView view, FindVolume(control, *text));
  return std::optional(view.record.id);
}

Result<std::optional<catalog::GroupId>> OptionalGroup(const Control& control, const std::optional<std::string>& text) {
  if (!text) return std::optional<catalog::GroupId>();
  LS_ASSIGN_OR_RETURN(const catalog::GroupRecord record, FindGroup(control, *text));
  return std::optional(record.id);
}

Result<std::vector<catalog::VolumeId>> FindVolumes(const Control& control, const std::vector<std::string>& texts) {
  std::vector<catalog::VolumeId> ids;
  for (const std::string& text : texts) {
    LS_ASSIGN_OR_RETURN(const control::VolumeView view, FindVolume(control, text));
    ids.push_back(view.record.id);
  }
  return ids;
}

}  // namespace lockstep::admin
