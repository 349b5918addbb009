// Aspects, and group relationships made of pairs that there are.
#include <fmt/format.h>

#include <algorithm>

#include "replication/plan.h"

namespace lockstep::replication {

using catalog::AspectRecord;
using catalog::Directory;
using catalog::PointId;
using catalog::RelationshipRecord;
using catalog::VolumeId;

Result<catalog::AspectId> PlanAspect(Draft& draft, const AspectSpec& spec) {
  for (const VolumeId& source : spec.sources) {
    LS_RETURN_IF_ERROR(CheckSource(draft.directory(), source));
    LS_RETURN_IF_ERROR(draft.UsePool(draft.directory().Find(source)->pool));
  }
  AspectRecord aspect;
  aspect.id = draft.NewId<catalog::AspectId>();
  aspect.name = spec.name;
  aspect.point = draft.TakePoint(spec.sources);
  aspect.sources = spec.sources;
  aspect.source_group = spec.source_group;
  aspect.sync_type = spec.sync_type;
  aspect.mode = spec.mode;
  aspect.consistency_enabled = spec.consistency_enabled;
  aspect.when_point_in_time = draft.now();
  const catalog::AspectId id = aspect.id;
  draft.Put(std::move(aspect));
  return id;
}

Status PlanAspectRestore(Draft& draft, catalog::AspectId id, const std::vector<VolumeId>& sources,
                         const std::vector<uint64_t>& sizes, const HostUse& in_use) {
  AspectRecord aspect = *draft.directory().Find(id);
  for (size_t i = 0; i < sources.size(); ++i) {
    const catalog::VolumeRecord* found = draft.directory().Find(sources[i]);
    if (found == nullptr) return InvalidState("a volume that the aspect is about has been deleted");
    catalog::VolumeRecord volume = *found;
    LS_RETURN_IF_ERROR(draft.UsePool(volume.pool));
    if (in_use(volume.id)) {
      return InUse(fmt::format("{} is in use by a host; disconnect its clients first", volume.name));
    }
    if (const RelationshipRecord* upstream = draft.directory().TargetOf(volume.id)) {
      return InvalidState(fmt::format("{} is a target itself, of {}, and would no longer match it; detach it first",
                                      volume.name, NameOf(draft.directory(), upstream->source)));
    }
    draft.Add(block::SetContent{volume.id, aspect.point, volume.id});
    volume.size = std::max(volume.size, sizes[i]);
    draft.Put(std::move(volume));
  }
  aspect.state = catalog::AspectState::kRestored;
  draft.Put(std::move(aspect));
  return Status::Ok();
}

Status PlanAspectRemoval(Draft& draft, catalog::AspectId id, VolumeId source) {
  AspectRecord aspect = *draft.directory().Find(id);
  std::erase_if(aspect.sources, [&](const VolumeId& one) {
    return source.IsNil() || one == source || draft.directory().Find(one) == nullptr;
  });
  if (!aspect.sources.empty()) {
    draft.Put(std::move(aspect));
    return Status::Ok();
  }
  if (const catalog::PointRecord* point = draft.directory().Find(aspect.point)) {
    LS_RETURN_IF_ERROR(draft.UsePool(point->pool));
  }
  draft.LetGo(aspect.point);
  draft.Remove(id);
  return Status::Ok();
}

Result<catalog::GroupRelationshipId> PlanGroupOf(Draft& draft, const GroupSpec& spec,
                                                 const std::vector<catalog::RelationshipId>& pairs) {
  const Directory& directory = draft.directory();
  const RelationshipRecord first = *directory.Find(pairs.front());
  catalog::GroupRelationshipRecord relation = NewGroupRelation(draft, spec, first.sync_type, first.mode);
  bool one_point = true;
  for (const catalog::RelationshipId& id : pairs) {
    RelationshipRecord pair = *directory.Find(id);
    LS_RETURN_IF_ERROR(draft.UsePool(directory.Find(pair.target)->pool));
    if (pair.sync_type != first.sync_type || pair.mode != first.mode) {
      return InvalidArgument("the relationships of a group must be of one SyncType and Mode");
    }
    if (!pair.group.IsNil()) {
      return InUse(fmt::format("{} belongs to group relationship {} already", Describe(directory, pair),
                               directory.Find(pair.group)->name));
    }
    one_point = one_point && !pair.point.IsNil() && pair.point == first.point;
    pair.group = relation.id;
    draft.Put(std::move(pair));
  }
  catalog::GroupRecord targets = *directory.Find(spec.target_group);
  targets.consistent_point_in_time = one_point;
  draft.Put(std::move(targets));
  const catalog::GroupRelationshipId id = relation.id;
  draft.Put(std::move(relation));
  return id;
}

}  // namespace lockstep::replication
