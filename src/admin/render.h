// Every record as JSON. Member names and values are part of the protocol (docs/interfaces/admin.md): ids are UUIDs,
// sizes bytes, times ISO 8601 in UTC or null for never, states the schema's words. Another object is shown as
// {"id", "name"}, a relationship by its id.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "admin/message.h"
#include "control/control.h"

namespace lockstep::admin {

// Looks up the names of what a record refers to. The Control outlives it. Made for one answer: the names of exports are
// read once.
class Renderer {
 public:
  explicit Renderer(const control::Control& control) : control_(control) {}

  Json Pool(const control::PoolView& view) const;
  Json Volume(const control::VolumeView& view) const;
  Json Export(const control::ExportView& view) const;
  Json Group(const catalog::GroupRecord& record) const;
  Json Relationship(const control::RelationshipView& view) const;
  Json Relationships(const std::vector<catalog::RelationshipId>& ids) const;  // that exist
  Json GroupRelationship(const control::GroupRelationshipView& view) const;
  Json Point(const control::PointView& view) const;
  Json Aspect(const catalog::AspectRecord& record) const;
  Json Job(const catalog::JobRecord& record) const;

  // {"id", "name"} of one that may be gone by now (then without a name); null for a nil id.
  Json VolumeRef(catalog::VolumeId id) const;
  Json PoolRef(catalog::PoolId id) const;
  Json GroupRef(catalog::GroupId id) const;
  Json GroupRelationshipRef(catalog::GroupRelationshipId id) const;

 private:
  Json ExportRef(catalog::ExportId id) const;

  const control::Control& control_;
  mutable std::optional<std::map<catalog::ExportId, std::string>> export_names_;
};

// "2026-11-20T23:02:00.000000Z"; null for {0}.
Json TimeJson(io::WallTime time);
Json SpaceJson(const block::VolumeSpace& space);
// The id as text, or null for nil.
Json IdJson(const Uuid& id);
Json JobJson(const std::optional<catalog::JobId>& job);  // its id, or null

}  // namespace lockstep::admin
