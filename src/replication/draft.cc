#include "replication/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "replication/derived.h"

namespace lockstep::replication {

using catalog::Directory;
using catalog::GroupId;
using catalog::GroupRecord;
using catalog::GroupRelationshipId;
using catalog::GroupRelationshipRecord;
using catalog::JobRecord;
using catalog::PointId;
using catalog::PointRecord;
using catalog::Record;
using catalog::RecordId;
using catalog::RelationshipId;
using catalog::RelationshipRecord;
using catalog::VolumeId;

namespace {

RecordId IdOf(const Record& record) {
  return std::visit([](const auto& typed) -> RecordId { return typed.id; }, record);
}

std::optional<Record> RecordOf(const Directory& directory, const RecordId& id) {
  return std::visit(
      [&](const auto& typed) -> std::optional<Record> {
        const auto* found = directory.Find(typed);
        if (found == nullptr) return std::nullopt;
        return Record(*found);
      },
      id);
}

template <typename IsTaken>
std::string FreeName(const std::string& wanted, IsTaken is_taken) {
  const std::string stem = wanted.substr(0, catalog::kMaxNameLength - 8);
  if (!is_taken(wanted) && wanted.size() <= catalog::kMaxNameLength) return wanted;
  for (uint64_t n = 2;; ++n) {
    std::string name = fmt::format("{}_{}", stem, n);
    if (!is_taken(name)) return name;
  }
}

std::vector<VolumeId> WithoutDuplicates(const std::vector<VolumeId>& volumes) {
  std::vector<VolumeId> unique;
  std::set<VolumeId> seen;
  for (const VolumeId& volume : volumes) {
    if (seen.insert(volume).second) unique.push_back(volume);
  }
  return unique;
}

}  // namespace

Draft::Draft(const Directory& committed, io::Random& random, catalog::WallTime now, Scratch* scratch)
    : committed_(committed),
      scratch_(scratch != nullptr && !scratch->in_use ? scratch : nullptr),
      own_(scratch_ == nullptr ? std::make_unique<Directory>(committed) : nullptr),
      working_(scratch_ == nullptr ? *own_ : scratch_->directory),
      random_(random),
      now_(now) {
  if (scratch_ != nullptr) scratch_->in_use = true;
  plan_.transaction.id = NewId<catalog::TransactionId>();
}

Draft::~Draft() {
  if (scratch_ == nullptr) return;
  // What was drafted is committed by now, or forgotten.
  catalog::Mutation back;
  for (const RecordId& id : touched_) {
    if (std::optional<Record> record = RecordOf(committed_, id)) {
      back.puts.push_back(*std::move(record));
    } else {
      back.removes.push_back(id);
    }
  }
  working_.Apply(back);
  scratch_->in_use = false;
}

void Draft::Put(Record record) {
  const RecordId id = IdOf(record);
  if (touched_set_.insert(id).second) touched_.push_back(id);
  working_.Apply({{}, {std::move(record)}});
}

void Draft::Remove(RecordId id) {
  if (touched_set_.insert(id).second) touched_.push_back(id);
  working_.Apply({{id}, {}});
}

Status Draft::UsePool(catalog::PoolId pool) {
  if (plan_.pool.IsNil()) plan_.pool = pool;
  if (plan_.pool == pool) return Status::Ok();
  return NotSupported(
      "the volumes are in different pools; in this release all sources and targets of one operation are in one pool");
}

void Draft::Add(block::Change change) {
  if (const auto* made = std::get_if<block::CreateVolume>(&change)) plan_.volumes.push_back(made->volume);
  if (const auto* made = std::get_if<block::Clone>(&change)) plan_.volumes.push_back(made->volume);
  if (const auto* gone = std::get_if<block::DeleteVolume>(&change)) plan_.volumes.push_back(gone->volume);
  if (const auto* made = std::get_if<block::TakePoint>(&change)) plan_.points.push_back(made->point);
  if (const auto* gone = std::get_if<block::ReleasePoint>(&change)) plan_.points.push_back(gone->point);
  plan_.transaction.changes.push_back(std::move(change));
}

PointId Draft::TakePassingPoint(const std::vector<VolumeId>& volumes, block::SequenceNumber at) {
  const PointId point = NewId<PointId>();
  Add(block::TakePoint{point, WithoutDuplicates(volumes), at});
  return point;
}

void Draft::ReleasePassingPoint(PointId point) { Add(block::ReleasePoint{point}); }

PointId Draft::TakePoint(const std::vector<VolumeId>& volumes) {
  const PointId point = TakePassingPoint(volumes);
  Put(PointRecord{point, plan_.pool, WithoutDuplicates(volumes), now_});
  return point;
}

void Draft::LetGo(PointId point) {
  if (!point.IsNil()) let_go_.insert(point);
}

std::string Draft::FreeVolumeName(const std::string& wanted) const {
  return FreeName(wanted, [&](const std::string& name) { return working_.FindVolume(name) != nullptr; });
}
std::string Draft::FreeGroupName(const std::string& wanted) const {
  return FreeName(wanted, [&](const std::string& name) { return working_.FindGroup(name) != nullptr; });
}
std::string Draft::FreeRelationshipName(const std::string& wanted) const {
  return FreeName(wanted, [&](const std::string& name) { return working_.FindGroupRelationship(name) != nullptr; });
}
std::string Draft::FreeAspectName(const std::string& wanted) const {
  return FreeName(wanted, [&](const std::string& name) {
    return std::any_of(working_.aspects().begin(), working_.aspects().end(),
                       [&](const auto& entry) { return entry.second.name == name; });
  });
}

void Draft::RemoveVolume(VolumeId volume) {
  const std::set<catalog::ExportId> exports = working_.ExportsOf(volume);
  for (const catalog::ExportId& id : exports) Remove(id);
  const std::set<GroupId> groups = working_.GroupsOf(volume);
  for (const GroupId& group : groups) RemoveMembers(group, {volume});
  Add(block::DeleteVolume{volume});
  Remove(volume);
}

void Draft::AddMember(GroupId id, VolumeId member) {
  GroupRecord group = *working_.Find(id);
  const bool present = std::find(group.members.begin(), group.members.end(), member) != group.members.end();
  if (present) return;
  group.members.push_back(member);
  Put(std::move(group));
}

void Draft::RemoveMembers(GroupId id, const std::set<VolumeId>& members, std::optional<bool> delete_on_empty) {
  GroupRecord group = *working_.Find(id);
  std::erase_if(group.members, [&](const VolumeId& member) { return members.contains(member); });
  const bool paired = !working_.RelationsOf(id).empty();
  if (group.members.empty() && !paired && delete_on_empty.value_or(group.delete_on_empty_element)) {
    Remove(id);
  } else {
    Put(std::move(group));
  }
}

void Draft::GroupUnpaired(GroupId id) {
  const GroupRecord* group = working_.Find(id);
  if (group == nullptr || !working_.RelationsOf(id).empty()) return;
  const bool empty = group->members.empty() && group->delete_on_empty_element;
  if (empty || group->delete_on_unassociated || !group->persistent) Remove(id);
}

void Draft::RemoveGroupRelationship(GroupRelationshipId id) {
  const GroupRelationshipRecord relation = *working_.Find(id);
  Remove(id);
  if (!relation.source_group.IsNil()) GroupUnpaired(relation.source_group);
  GroupUnpaired(relation.target_group);
}

void Draft::RemoveRelationship(RelationshipId id) {
  const RelationshipRecord pair = *working_.Find(id);
  LetGo(pair.point);
  Remove(id);
  if (!pair.group.IsNil() && working_.PairsOf(pair.group).empty()) RemoveGroupRelationship(pair.group);
}

void Draft::ReleasePoints() {
  for (const PointId& point : let_go_) {
    if (!working_.RelationshipsAt(point).empty() || !working_.AspectsAt(point).empty()) continue;
    Add(block::ReleasePoint{point});
    Remove(point);
  }
}

void Draft::UpdateJobs() {
  std::set<catalog::JobId> jobs;
  for (const RecordId& id : touched_) {
    if (const auto* relationship = std::get_if<RelationshipId>(&id)) {
      const std::set<catalog::JobId>& on = working_.JobsOn(*relationship);
      jobs.insert(on.begin(), on.end());
    }
  }
  for (const catalog::JobId& id : jobs) {
    JobRecord job = *working_.Find(id);
    if (IsFinal(job.state)) continue;
    std::vector<const RelationshipRecord*> pairs;
    for (const RelationshipId& pair : job.relationships) pairs.push_back(working_.Find(pair));
    const JobOutlook outlook = OutlookOf(job, working_, pairs);
    if (job.state != outlook.state) job.state_changed = now_;
    job.state = outlook.state;
    job.percent = outlook.percent;
    job.error_code = outlook.error.code();
    job.error = outlook.error.message();
    Put(std::move(job));
  }
}

Plan Draft::Finish() {
  ReleasePoints();
  UpdateJobs();
  for (const RecordId& id : touched_) {
    const std::optional<Record> before = RecordOf(committed_, id), after = RecordOf(working_, id);
    if (before && !after) plan_.mutation.removes.push_back(id);
    if (after && before != after) plan_.mutation.puts.push_back(*after);
  }
  return std::move(plan_);
}

std::string NameOf(const Directory& directory, VolumeId volume) {
  const catalog::VolumeRecord* record = directory.Find(volume);
  return record == nullptr ? volume.ToString() : record->name;
}

std::string Describe(const Directory& directory, const RelationshipRecord& pair) {
  return fmt::format("the {} of {} to {}", catalog::Name(pair.sync_type), NameOf(directory, pair.source),
                     NameOf(directory, pair.target));
}

}  // namespace lockstep::replication
