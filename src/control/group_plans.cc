#include "control/group_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/rules.h"

namespace lockstep::control {

using catalog::CopyState;
using catalog::GroupRecord;
using replication::CreateSpec;
using replication::PairSpec;

namespace {

bool SameMembers(std::vector<VolumeId> a, std::vector<VolumeId> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

}  // namespace

std::string GeneratedName(const Directory& directory, const std::string& stem, const CreateSpec& spec,
                          std::set<std::string>& taken) {
  const char* kind = spec.sync_type == catalog::SyncType::kSnapshot ? "snapshot" : "clone";
  const std::string short_stem = stem.substr(0, catalog::kMaxNameLength - 24);
  for (uint64_t n = 1;; ++n) {
    std::string name = fmt::format("{}_{}_{}", short_stem, kind, n);
    if (directory.FindVolume(name) == nullptr && taken.insert(name).second) return name;
  }
}

void NameTargets(const Directory& directory, const std::string& relationship, std::vector<PairSpec>& pairs) {
  const std::string stem = relationship.substr(0, catalog::kMaxNameLength - 24);
  uint64_t n = 0;
  for (PairSpec& pair : pairs) {
    if (pair.target || !pair.target_name.empty()) continue;
    do {
      pair.target_name = fmt::format("{}_{}", stem, ++n);
    } while (directory.FindVolume(pair.target_name) != nullptr);
  }
}

std::optional<JobId> JobToFollow(const std::optional<JobId>& job, std::optional<CopyState> wait) {
  return wait == CopyState::kUnsynchronized ? std::nullopt : job;
}

Status CheckGivenNames(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!name.empty()) LS_RETURN_IF_ERROR(CheckName("volume", name));
  }
  return Status::Ok();
}

Status CheckRole(const GroupRecord& group, bool as_source) {
  using catalog::ReservedAs;
  const ReservedAs other = as_source ? ReservedAs::kTargetOnly : ReservedAs::kSourceOnly;
  if (group.reserved_as != other) return Status::Ok();
  return InvalidArgument(fmt::format("group {} is reserved as {}", group.name, catalog::Name(group.reserved_as)));
}

Result<std::string> RelationshipName(const Draft& draft, const std::string& wanted, const std::string& stem) {
  if (wanted.empty()) return draft.FreeRelationshipName(stem);
  LS_RETURN_IF_ERROR(CheckName("group relationship", wanted));
  if (draft.directory().FindGroupRelationship(wanted) != nullptr) {
    return AlreadyExists(fmt::format("there is a group relationship named {} already; choose another name", wanted));
  }
  return wanted;
}

Result<GroupId> TargetGroup(Draft& draft, std::optional<GroupId> named, const std::string& name,
                            const std::string& relationship) {
  if (!named) {
    GroupRecord group;
    group.id = draft.NewId<GroupId>();
    if (!name.empty()) {
      LS_RETURN_IF_ERROR(CheckName("group", name));
      if (draft.directory().FindGroup(name) != nullptr) {
        return AlreadyExists(fmt::format("there is a group named {} already; choose another name", name));
      }
    }
    group.name = name.empty() ? draft.FreeGroupName(relationship + "_targets") : name;
    // It was made for its members, and goes when they are returned to the pool.
    group.delete_on_empty_element = true;
    group.created = draft.now();
    const GroupId id = group.id;
    draft.Put(std::move(group));
    return id;
  }
  const GroupRecord* group = draft.directory().Find(*named);
  if (group == nullptr) return NotFound("TargetGroup does not exist");
  LS_RETURN_IF_ERROR(CheckRole(*group, false));
  for (const catalog::GroupRelationshipRecord* relation : draft.directory().RelationsOf(*named)) {
    if (relation->target_group == *named) {
      return InUse(fmt::format("group {} is the target of group relationship {} already", group->name, relation->name));
    }
  }
  return *named;
}

Result<GroupId> GroupOf(Draft& draft, std::optional<GroupId> named, const std::string& name,
                        const std::vector<VolumeId>& elements) {
  GroupRecord group;
  if (named) {
    const GroupRecord* found = draft.directory().Find(*named);
    if (found == nullptr) return NotFound("SourceGroup or TargetGroup does not exist");
    group = *found;
    if (!group.members.empty() && !SameMembers(group.members, elements)) {
      return InvalidArgument(fmt::format("group {} has other members than the elements that were named; give an empty "
                                         "group, or one of exactly these", group.name));
    }
    if (group.members.empty()) group.members = elements;
  } else {
    group.id = draft.NewId<GroupId>();
    group.name = name.empty() ? draft.FreeGroupName("group") : name;
    LS_RETURN_IF_ERROR(CheckName("group", group.name));
    if (draft.directory().FindGroup(group.name) != nullptr) {
      return AlreadyExists(fmt::format("there is a group named {} already; choose another name", group.name));
    }
    group.members = elements;
    group.created = draft.now();
  }
  const GroupId id = group.id;
  draft.Put(std::move(group));
  return id;
}

}  // namespace lockstep::control
