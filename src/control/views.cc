// Answers about relationships, groups of them and points.
#include <algorithm>

#include "control/impl.h"
#include "replication/derived.h"
#include "replication/table.h"

namespace lockstep::control {

using catalog::GroupRelationshipRecord;
using catalog::RelationshipRecord;

RelationshipView Control::Impl::ViewOf(const RelationshipRecord& record) const {
  RelationshipView view;
  view.record = Live(record);
  const catalog::VolumeRecord* target = directory_.Find(record.target);
  view.percent_synced = replication::PercentSynced(view.record, target == nullptr ? 0 : target->size);
  view.sync_state = replication::LegacySyncState(record);
  view.copy_type = replication::LegacyCopyType(record);
  view.replica_type = replication::ReplicaType(record);
  view.host_accessible = replication::HostAccess(record.sync_type, record.state);
  view.job = RunningJobOn(record.id);
  return view;
}

GroupRelationshipView Control::Impl::ViewOf(const GroupRelationshipRecord& record) const {
  GroupRelationshipView view;
  view.record = record;
  const std::vector<const RelationshipRecord*> pairs = replication::PairsInOrder(directory_, record);
  uint64_t total = 0;
  unsigned __int128 synced = 0;
  for (const RelationshipRecord* pair : pairs) {
    view.pairs.push_back(pair->id);
    if (!view.job) view.job = RunningJobOn(pair->id);
    const catalog::VolumeRecord* target = directory_.Find(pair->target);
    if (target == nullptr) continue;
    total += target->size;
    synced += static_cast<unsigned __int128>(replication::PercentSynced(Live(*pair), target->size)) * target->size;
  }
  const replication::GroupState state = replication::StateOfGroup(directory_, pairs);
  view.state = state.state;
  view.progress = state.progress;
  view.requested = state.requested;
  if (total != 0) view.percent_synced = static_cast<uint16_t>(synced / total);
  if (!record.consistency_enabled) return view;
  view.consistency_state = state.one_point ? 3 : 4;
  view.consistency_status = state.one_point ? 2 : 5;
  return view;
}

PointView Control::Impl::ViewOf(const catalog::PointRecord& record) const {
  PointView view;
  view.record = record;
  const auto& relationships = directory_.RelationshipsAt(record.id);
  const auto& aspects = directory_.AspectsAt(record.id);
  view.relationships.assign(relationships.begin(), relationships.end());
  view.aspects.assign(aspects.begin(), aspects.end());
  return view;
}

}  // namespace lockstep::control
