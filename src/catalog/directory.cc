#include "catalog/directory.h"

#include <algorithm>
#include <utility>

namespace lockstep::catalog {

std::vector<std::string> PathsOf(const PoolRecord& pool) {
  std::vector<std::string> paths;
  for (size_t at = 0; at < pool.path.size();) {
    const size_t end = std::min(pool.path.find('\n', at), pool.path.size());
    if (end > at) paths.push_back(pool.path.substr(at, end - at));
    at = end + 1;
  }
  return paths;
}

std::string JoinPaths(const std::vector<std::string>& paths) {
  std::string joined;
  for (const std::string& path : paths) joined += (joined.empty() ? "" : "\n") + path;
  return joined;
}
namespace {

template <typename K, typename V>
void Enter(std::unordered_map<K, std::set<V>>& index, const K& key, const V& value, bool add) {
  if (add) {
    index[key].insert(value);
    return;
  }
  const auto found = index.find(key);
  if (found == index.end()) return;
  found->second.erase(value);
  if (found->second.empty()) index.erase(found);
}

template <typename Index, typename K, typename V>
void EnterOne(Index& index, const K& key, const V& value, bool add) {
  if (add) {
    index.insert_or_assign(key, value);
    return;
  }
  // Another record may have taken the key over in the same mutation.
  const auto found = index.find(key);
  if (found != index.end() && found->second == value) index.erase(found);
}

template <typename Names, typename Map>
auto FindByName(const Names& names, const Map& map, std::string_view name) -> const typename Map::mapped_type* {
  const auto found = names.find(name);
  return found == names.end() ? nullptr : &map.at(found->second);
}

}  // namespace

Directory::Directory(const Contents& contents) {
  Mutation all;
  const auto add = [&](const auto& rows) { all.puts.insert(all.puts.end(), rows.begin(), rows.end()); };
  add(contents.pools), add(contents.volumes), add(contents.groups), add(contents.points);
  add(contents.relationships), add(contents.group_relationships), add(contents.aspects), add(contents.jobs);
  add(contents.exports);
  Apply(all);
}

template <typename R>
void Directory::Put(std::map<decltype(R::id), R>& map, const R& record, std::vector<RecordChange>& changes) {
  const auto found = map.find(record.id);
  if (found == map.end()) {
    changes.push_back({std::nullopt, record});
    Index(map.emplace(record.id, record).first->second, true);
    return;
  }
  if (found->second == record) return;
  changes.push_back({found->second, record});
  Index(found->second, false);
  found->second = record;
  Index(found->second, true);
}

template <typename R>
void Directory::Remove(std::map<decltype(R::id), R>& map, decltype(R::id) id, std::vector<RecordChange>& changes) {
  const auto found = map.find(id);
  if (found == map.end()) return;
  changes.push_back({found->second, std::nullopt});
  Index(found->second, false);
  map.erase(found);
}

std::vector<RecordChange> Directory::Apply(const Mutation& mutation) {
  std::vector<RecordChange> changes;
  for (const RecordId& id : mutation.removes) {
    switch (id.index()) {
      case 0: Remove(pools_, std::get<0>(id), changes); break;
      case 1: Remove(volumes_, std::get<1>(id), changes); break;
      case 2: Remove(groups_, std::get<2>(id), changes); break;
      case 3: Remove(points_, std::get<3>(id), changes); break;
      case 4: Remove(relationships_, std::get<4>(id), changes); break;
      case 5: Remove(group_relationships_, std::get<5>(id), changes); break;
      case 6: Remove(aspects_, std::get<6>(id), changes); break;
      case 7: Remove(jobs_, std::get<7>(id), changes); break;
      case 8: Remove(exports_, std::get<8>(id), changes); break;
    }
  }
  for (const Record& record : mutation.puts) {
    switch (record.index()) {
      case 0: Put(pools_, std::get<0>(record), changes); break;
      case 1: Put(volumes_, std::get<1>(record), changes); break;
      case 2: Put(groups_, std::get<2>(record), changes); break;
      case 3: Put(points_, std::get<3>(record), changes); break;
      case 4: Put(relationships_, std::get<4>(record), changes); break;
      case 5: Put(group_relationships_, std::get<5>(record), changes); break;
      case 6: Put(aspects_, std::get<6>(record), changes); break;
      case 7: Put(jobs_, std::get<7>(record), changes); break;
      case 8: Put(exports_, std::get<8>(record), changes); break;
    }
  }
  return changes;
}

void Directory::Index(const PoolRecord& r, bool add) { EnterOne(pool_names_, r.name, r.id, add); }

void Directory::Index(const VolumeRecord& r, bool add) { EnterOne(volume_names_, r.name, r.id, add); }

void Directory::Index(const GroupRecord& r, bool add) {
  EnterOne(group_names_, r.name, r.id, add);
  for (const VolumeId& member : r.members) Enter(groups_of_, member, r.id, add);
}

void Directory::Index(const PointRecord&, bool) {}

void Directory::Index(const RelationshipRecord& r, bool add) {
  EnterOne(by_target_, r.target, r.id, add);
  Enter(by_source_, r.source, r.id, add);
  if (!r.group.IsNil()) Enter(by_group_, r.group, r.id, add);
  if (!r.point.IsNil()) Enter(relationships_at_, r.point, r.id, add);
}

void Directory::Index(const GroupRelationshipRecord& r, bool add) { EnterOne(relation_names_, r.name, r.id, add); }

void Directory::Index(const AspectRecord& r, bool add) { Enter(aspects_at_, r.point, r.id, add); }

void Directory::Index(const JobRecord& r, bool add) {
  for (const RelationshipId& relationship : r.relationships) Enter(jobs_on_, relationship, r.id, add);
}

void Directory::Index(const ExportRecord& r, bool add) {
  EnterOne(export_names_, r.name, r.id, add);
  Enter(exports_of_, r.volume, r.id, add);
}

const PoolRecord* Directory::FindPool(std::string_view name) const { return FindByName(pool_names_, pools_, name); }
const VolumeRecord* Directory::FindVolume(std::string_view name) const {
  return FindByName(volume_names_, volumes_, name);
}
const GroupRecord* Directory::FindGroup(std::string_view name) const { return FindByName(group_names_, groups_, name); }
const GroupRelationshipRecord* Directory::FindGroupRelationship(std::string_view name) const {
  return FindByName(relation_names_, group_relationships_, name);
}
const ExportRecord* Directory::FindExport(std::string_view name) const {
  return FindByName(export_names_, exports_, name);
}

std::vector<VolumeId> Directory::VolumesByName() const {
  std::vector<VolumeId> ids;
  ids.reserve(volumes_.size());
  for (const auto& [name, id] : volume_names_) ids.push_back(id);
  if (ids.size() == volumes_.size()) return ids;
  // A damaged catalog, in which volumes share a name.
  ids.clear();
  for (const auto& [id, record] : volumes_) ids.push_back(id);
  std::stable_sort(ids.begin(), ids.end(),
                   [&](VolumeId a, VolumeId b) { return volumes_.at(a).name < volumes_.at(b).name; });
  return ids;
}

const RelationshipRecord* Directory::TargetOf(VolumeId volume) const {
  const auto found = by_target_.find(volume);
  return found == by_target_.end() ? nullptr : Find(found->second);
}

std::vector<const GroupRelationshipRecord*> Directory::RelationsOf(GroupId group) const {
  std::vector<const GroupRelationshipRecord*> found;
  for (const auto& [id, relation] : group_relationships_) {
    if (relation.source_group == group || relation.target_group == group) found.push_back(&relation);
  }
  return found;
}

}  // namespace lockstep::catalog
