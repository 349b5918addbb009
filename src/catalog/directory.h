// All records in memory, with the ways to find them: what every question is answered from. It holds what is committed
// and nothing else: whoever commits a mutation applies it here afterwards.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "catalog/catalog.h"

namespace lockstep::catalog {

// A record before and after a mutation; one of them is absent when it was made or removed.
struct RecordChange {
  std::optional<Record> before;
  std::optional<Record> after;
};

// Iteration is by id. Pointers and references stay valid until the record is replaced or removed.
class Directory {
 public:
  Directory() = default;
  explicit Directory(const Contents& contents);

  // Answers what really changed: no entry for a put of an equal record or for a remove of nothing.
  std::vector<RecordChange> Apply(const Mutation& mutation);

  const std::map<PoolId, PoolRecord>& pools() const { return pools_; }
  const std::map<VolumeId, VolumeRecord>& volumes() const { return volumes_; }
  const std::map<GroupId, GroupRecord>& groups() const { return groups_; }
  const std::map<PointId, PointRecord>& points() const { return points_; }
  const std::map<RelationshipId, RelationshipRecord>& relationships() const { return relationships_; }
  const std::map<GroupRelationshipId, GroupRelationshipRecord>& group_relationships() const {
    return group_relationships_;
  }
  const std::map<AspectId, AspectRecord>& aspects() const { return aspects_; }
  const std::map<JobId, JobRecord>& jobs() const { return jobs_; }
  const std::map<ExportId, ExportRecord>& exports() const { return exports_; }

  // Null when there is none.
  const PoolRecord* Find(PoolId id) const { return FindIn(pools_, id); }
  const VolumeRecord* Find(VolumeId id) const { return FindIn(volumes_, id); }
  const GroupRecord* Find(GroupId id) const { return FindIn(groups_, id); }
  const PointRecord* Find(PointId id) const { return FindIn(points_, id); }
  const RelationshipRecord* Find(RelationshipId id) const { return FindIn(relationships_, id); }
  const GroupRelationshipRecord* Find(GroupRelationshipId id) const { return FindIn(group_relationships_, id); }
  const AspectRecord* Find(AspectId id) const { return FindIn(aspects_, id); }
  const JobRecord* Find(JobId id) const { return FindIn(jobs_, id); }
  const ExportRecord* Find(ExportId id) const { return FindIn(exports_, id); }

  const PoolRecord* FindPool(std::string_view name) const;
  const VolumeRecord* FindVolume(std::string_view name) const;
  const GroupRecord* FindGroup(std::string_view name) const;
  const GroupRelationshipRecord* FindGroupRelationship(std::string_view name) const;
  const ExportRecord* FindExport(std::string_view name) const;

  // Of all volumes, by name.
  std::vector<VolumeId> VolumesByName() const;

  // The relationship that the volume is the target of; a volume is the target of one at most.
  const RelationshipRecord* TargetOf(VolumeId volume) const;
  // By id.
  const std::set<RelationshipId>& SourceOf(VolumeId volume) const { return SetIn(by_source_, volume); }
  const std::set<RelationshipId>& PairsOf(GroupRelationshipId group) const { return SetIn(by_group_, group); }
  const std::set<GroupId>& GroupsOf(VolumeId volume) const { return SetIn(groups_of_, volume); }
  const std::set<ExportId>& ExportsOf(VolumeId volume) const { return SetIn(exports_of_, volume); }
  const std::set<RelationshipId>& RelationshipsAt(PointId point) const { return SetIn(relationships_at_, point); }
  const std::set<AspectId>& AspectsAt(PointId point) const { return SetIn(aspects_at_, point); }
  const std::set<JobId>& JobsOn(RelationshipId relationship) const { return SetIn(jobs_on_, relationship); }
  // Group relationships that the group is an end of.
  std::vector<const GroupRelationshipRecord*> RelationsOf(GroupId group) const;

 private:
  template <typename K, typename R>
  static const R* FindIn(const std::map<K, R>& map, K id) {
    const auto found = map.find(id);
    return found == map.end() ? nullptr : &found->second;
  }
  template <typename K, typename V>
  static const std::set<V>& SetIn(const std::unordered_map<K, std::set<V>>& index, K key) {
    static const std::set<V> kNone;
    const auto found = index.find(key);
    return found == index.end() ? kNone : found->second;
  }
  template <typename R>
  void Put(std::map<decltype(R::id), R>& map, const R& record, std::vector<RecordChange>& changes);
  template <typename R>
  void Remove(std::map<decltype(R::id), R>& map, decltype(R::id) id, std::vector<RecordChange>& changes);

  // Enters the record into the indexes, or takes it out of them.
  void Index(const PoolRecord& r, bool add);
  void Index(const VolumeRecord& r, bool add);
  void Index(const GroupRecord& r, bool add);
  void Index(const PointRecord& r, bool add);
  void Index(const RelationshipRecord& r, bool add);
  void Index(const GroupRelationshipRecord& r, bool add);
  void Index(const AspectRecord& r, bool add);
  void Index(const JobRecord& r, bool add);
  void Index(const ExportRecord& r, bool add);

  std::map<PoolId, PoolRecord> pools_;
  std::map<VolumeId, VolumeRecord> volumes_;
  std::map<GroupId, GroupRecord> groups_;
  std::map<PointId, PointRecord> points_;
  std::map<RelationshipId, RelationshipRecord> relationships_;
  std::map<GroupRelationshipId, GroupRelationshipRecord> group_relationships_;
  std::map<AspectId, AspectRecord> aspects_;
  std::map<JobId, JobRecord> jobs_;
  std::map<ExportId, ExportRecord> exports_;

  // A name that two records share (only a damaged catalog has that) finds one of them.
  std::map<std::string, PoolId, std::less<>> pool_names_;
  std::map<std::string, VolumeId, std::less<>> volume_names_;
  std::map<std::string, GroupId, std::less<>> group_names_;
  std::map<std::string, GroupRelationshipId, std::less<>> relation_names_;
  std::map<std::string, ExportId, std::less<>> export_names_;
  std::unordered_map<VolumeId, RelationshipId> by_target_;
  std::unordered_map<VolumeId, std::set<RelationshipId>> by_source_;
  std::unordered_map<GroupRelationshipId, std::set<RelationshipId>> by_group_;
  std::unordered_map<VolumeId, std::set<GroupId>> groups_of_;
  std::unordered_map<VolumeId, std::set<ExportId>> exports_of_;
  std::unordered_map<PointId, std::set<RelationshipId>> relationships_at_;
  std::unordered_map<PointId, std::set<AspectId>> aspects_at_;
  std::unordered_map<RelationshipId, std::set<JobId>> jobs_on_;
};

}  // namespace lockstep::catalog
