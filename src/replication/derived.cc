#include "replication/derived.h"

#include <algorithm>
#include <string>

namespace lockstep::replication {

using catalog::CopyState;
using catalog::JobState;
using catalog::ProgressStatus;
using catalog::RelationshipRecord;
using catalog::SyncType;

namespace {

uint64_t SizeOf(const catalog::Directory& directory, catalog::VolumeId volume) {
  const catalog::VolumeRecord* record = directory.Find(volume);
  return record == nullptr ? 0 : record->size;
}

// Bytes of the target that are as they shall be.
uint64_t BytesSynced(const RelationshipRecord& pair, uint64_t target_size) {
  switch (pair.state) {
    case CopyState::kSynchronized:
    case CopyState::kFractured:
    case CopyState::kSplit:
    case CopyState::kSkewed:
    case CopyState::kRestored: return target_size;
    case CopyState::kUnsynchronized:
    case CopyState::kSuspended: return std::min(pair.copied, target_size);
    default: return 0;
  }
}

bool HasReached(const RelationshipRecord& pair, CopyState wanted) {
  if (pair.state == wanted) return true;
  if (wanted == CopyState::kUnsynchronized || wanted == CopyState::kSynchronized) {
    // A later state counts as reached.
    return pair.state == CopyState::kSynchronized || pair.state == CopyState::kFractured ||
           pair.state == CopyState::kSplit || pair.state == CopyState::kRestored;
  }
  return false;
}

}  // namespace

ProgressStatus ProgressAtRest(CopyState state) {
  switch (state) {
    case CopyState::kInitialized:
    case CopyState::kInactive:
    case CopyState::kPrepared: return ProgressStatus::kRequiresActivate;
    case CopyState::kUnsynchronized: return ProgressStatus::kSynchronizing;
    case CopyState::kSuspended: return ProgressStatus::kRequiresResume;
    case CopyState::kAborted:
    case CopyState::kBroken:
    case CopyState::kSkewed: return ProgressStatus::kRequiresResync;
    default: return ProgressStatus::kCompleted;
  }
}

uint16_t PercentSynced(const RelationshipRecord& pair, uint64_t target_size) {
  const uint64_t synced = BytesSynced(pair, target_size);
  if (target_size == 0 || synced == target_size) return synced == target_size && target_size != 0 ? 100 : 0;
  // 100 is kept for what is complete.
  return static_cast<uint16_t>(std::min<uint64_t>(static_cast<uint64_t>(
      static_cast<unsigned __int128>(synced) * 100 / target_size), 99));
}

uint16_t LegacySyncState(const RelationshipRecord& pair) {
  const bool idle_type = pair.sync_type == SyncType::kSnapshot;
  switch (pair.state) {
    case CopyState::kInitialized: return 2;
    case CopyState::kUnsynchronized: return pair.sync_type == SyncType::kMirror ? 5 : 15;
    // A Snapshot is Idle, not Synchronized: older clients return a "Synchronized" delta to the pool when they are asked
    // to delete its source.
    case CopyState::kSynchronized:
    case CopyState::kRestored: return idle_type ? 11 : 6;
    case CopyState::kBroken:
    case CopyState::kFailedover:
    case CopyState::kAborted: return 12;
    case CopyState::kFractured:
    case CopyState::kSplit:
    case CopyState::kSkewed: return 13;
    case CopyState::kInactive:
    case CopyState::kSuspended: return 9;
    case CopyState::kPrepared: return 4;
    default: return 0;
  }
}

uint16_t LegacyCopyType(const RelationshipRecord& pair) {
  switch (pair.sync_type) {
    case SyncType::kMirror: return pair.mode == catalog::Mode::kSynchronous ? 3 : 2;
    case SyncType::kSnapshot: return 4;  // UnSyncAssoc
    default: return 5;                   // UnSyncUnAssoc
  }
}

uint16_t ReplicaType(const RelationshipRecord& pair) { return pair.sync_type == SyncType::kSnapshot ? 4 : 2; }

std::vector<const RelationshipRecord*> PairsInOrder(const catalog::Directory& directory,
                                                    const catalog::GroupRelationshipRecord& group) {
  std::vector<const RelationshipRecord*> pairs;
  for (const catalog::RelationshipId& id : directory.PairsOf(group.id)) pairs.push_back(directory.Find(id));
  std::map<catalog::VolumeId, size_t> position;
  if (const catalog::GroupRecord* targets = directory.Find(group.target_group)) {
    for (size_t i = 0; i < targets->members.size(); ++i) position.emplace(targets->members[i], i);
  }
  const auto place = [&](const RelationshipRecord* pair) {
    const auto found = position.find(pair->target);
    return found == position.end() ? position.size() : found->second;
  };
  std::stable_sort(pairs.begin(), pairs.end(), [&](const auto* a, const auto* b) { return place(a) < place(b); });
  return pairs;
}

GroupState StateOfGroup(const catalog::Directory& directory, const std::vector<const RelationshipRecord*>& pairs) {
  GroupState group;
  if (pairs.empty()) return group;
  group.state = pairs.front()->state;
  group.progress = pairs.front()->progress;
  group.requested = pairs.front()->requested;
  uint64_t total = 0, synced = 0;
  const RelationshipRecord* first = nullptr;
  for (const RelationshipRecord* pair : pairs) {
    if (pair->state != group.state) group.state = CopyState::kMixed;
    if (pair->progress != group.progress) group.progress = ProgressStatus::kMixed;
    if (pair->requested != group.requested) group.requested = CopyState::kMixed;
    const uint64_t size = SizeOf(directory, pair->target);
    total += size;
    synced += BytesSynced(*pair, size);
    if (pair->consistency_exempt) continue;
    if (first == nullptr) first = pair;
    if (pair->point != first->point || pair->state != first->state) group.one_point = false;
  }
  if (total != 0) group.percent = static_cast<uint16_t>(static_cast<unsigned __int128>(synced) * 100 / total);
  return group;
}

JobOutlook OutlookOf(const catalog::JobRecord& job, const catalog::Directory& directory,
                     const std::vector<const RelationshipRecord*>& pairs) {
  JobOutlook outlook;
  uint64_t total = 0, synced = 0;
  bool all_reached = true, some_suspended = false, some_copying = false;
  for (const RelationshipRecord* pair : pairs) {
    if (pair == nullptr) {
      outlook.state = JobState::kException;
      outlook.error = Cancelled("a relationship that the job worked on has ended before its copy was complete");
      return outlook;
    }
    const uint64_t size = SizeOf(directory, pair->target);
    total += size;
    synced += BytesSynced(*pair, size);
    if (HasReached(*pair, job.wait_for)) continue;
    all_reached = false;
    if (pair->state == CopyState::kUnsynchronized) {
      some_copying = true;
    } else if (pair->state == CopyState::kSuspended) {
      some_suspended = true;
    } else {
      outlook.state = JobState::kException;
      outlook.error = Cancelled("the copy was given up: a relationship of the job is " +
                                std::string(catalog::Name(pair->state)) + " now");
      return outlook;
    }
  }
  outlook.percent = total == 0 ? 0 : static_cast<uint16_t>(static_cast<unsigned __int128>(synced) * 100 / total);
  if (all_reached) {
    outlook.state = JobState::kCompleted;
    outlook.percent = 100;
  } else if (some_suspended && !some_copying) {
    outlook.state = JobState::kSuspended;
  }
  return outlook;
}

}  // namespace lockstep::replication
