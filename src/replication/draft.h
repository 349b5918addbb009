// A change in the making: what the catalog will hold, and the engine transaction that goes with it. Nothing of it takes
// effect before control carries it out; a draft that is dropped has done nothing.
//
// Pure but for the ids that it draws. Single use.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "block/pool.h"
#include "catalog/catalog.h"
#include "catalog/directory.h"
#include "io/random.h"

namespace lockstep::replication {

// One change, ready to be carried out: intent, transaction, mutation. Without engine changes the mutation is all.
struct Plan {
  catalog::PoolId pool;           // nil when no engine takes part
  block::Transaction transaction;
  catalog::Mutation mutation;
  std::vector<catalog::VolumeId> volumes;  // made or removed by the transaction
  std::vector<catalog::PointId> points;    // likewise
};

// A second copy of the catalog for drafts to work on, one at a time, so that none has to copy the whole of it. Equal to
// what is committed while no draft uses it: whoever commits a mutation applies it here, too.
struct Scratch {
  catalog::Directory directory{};
  bool in_use = false;
};

class Draft {
 public:
  // `committed` does not change before Finish, and outlives the draft like `random` and `scratch`. Works on a copy of
  // its own when there is no scratch, or another draft uses it.
  Draft(const catalog::Directory& committed, io::Random& random, catalog::WallTime now, Scratch* scratch = nullptr);
  ~Draft();
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  // The catalog as it will be, with everything drafted so far.
  const catalog::Directory& directory() const { return working_; }
  catalog::WallTime now() const { return now_; }
  template <typename IdType>
  IdType NewId() {
    return IdType{random_.NextUuid()};
  }

  void Put(catalog::Record record);
  void Remove(catalog::RecordId id);

  // All changes of a transaction are of one pool: not-supported for a second one.
  Status UsePool(catalog::PoolId pool);
  void Add(block::Change change);

  // A new point of these volumes (duplicates are left out), with its record.
  catalog::PointId TakePoint(const std::vector<catalog::VolumeId>& volumes);
  // A point that lives inside the transaction only, without a record.
  // `at`: of that position, which lies in the volumes' windows; 0: of now.
  catalog::PointId TakePassingPoint(const std::vector<catalog::VolumeId>& volumes, block::SequenceNumber at = 0);
  void ReleasePassingPoint(catalog::PointId point);
  // Whoever held this point holds it no longer: it is released if nobody else does when the draft is finished.
  void LetGo(catalog::PointId point);

  // A name for something new: `wanted`, or the first of wanted_2, wanted_3, ... that no volume (group, ...) has.
  std::string FreeVolumeName(const std::string& wanted) const;
  std::string FreeGroupName(const std::string& wanted) const;
  std::string FreeRelationshipName(const std::string& wanted) const;
  std::string FreeAspectName(const std::string& wanted) const;

  // The volume goes, with its exports and its places in groups. REQUIRES: no relationship names it.
  void RemoveVolume(catalog::VolumeId volume);
  // Appends; one that is a member stays where it is.
  void AddMember(catalog::GroupId group, catalog::VolumeId member);
  // Takes members out of a group. An empty group goes if it, or `delete_on_empty`, says so.
  void RemoveMembers(catalog::GroupId group, const std::set<catalog::VolumeId>& members,
                     std::optional<bool> delete_on_empty = std::nullopt);
  // The relationship goes, lets go of its point, and with the last pair its group relationship.
  void RemoveRelationship(catalog::RelationshipId id);
  // A group that is an end of no group relationship any more goes if it was to last only so long.
  void GroupUnpaired(catalog::GroupId group);

  // Releases the points that nobody holds, brings the jobs up to date and says what is to be done.
  Plan Finish();

 private:
  void ReleasePoints();
  void UpdateJobs();
  void RemoveGroupRelationship(catalog::GroupRelationshipId id);

  const catalog::Directory& committed_;
  Scratch* const scratch_;  // null: `own_` is worked on
  std::unique_ptr<catalog::Directory> own_;
  catalog::Directory& working_;
  io::Random& random_;
  const catalog::WallTime now_;
  Plan plan_;
  std::vector<catalog::RecordId> touched_;  // in order, no duplicates
  std::set<catalog::RecordId> touched_set_;
  std::set<catalog::PointId> let_go_;
};

// "the Snapshot of db1 to db1_snap", for sentences.
std::string Describe(const catalog::Directory& directory, const catalog::RelationshipRecord& pair);
std::string NameOf(const catalog::Directory& directory, catalog::VolumeId volume);

}  // namespace lockstep::replication
