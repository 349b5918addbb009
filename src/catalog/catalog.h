// The catalog: what was asked for, in one SQLite file, and the intents that make a change of engine and catalog
// together atomic (docs/decisions/005, 006).
//
// Commit is one SQLite transaction and durable when it answers OK; after a crash a commit is there as a whole or not at
// all. All file access goes through io::FileSystem. Calls block for a disk flush: the owner is the control loop, which
// may take milliseconds. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "catalog/model.h"
#include "io/files.h"

namespace lockstep::catalog {

using Record = std::variant<PoolRecord, VolumeRecord, GroupRecord, PointRecord, RelationshipRecord,
                            GroupRelationshipRecord, AspectRecord, JobRecord, ExportRecord>;
using RecordId = std::variant<PoolId, VolumeId, GroupId, PointId, RelationshipId, GroupRelationshipId, AspectId, JobId,
                              ExportId>;

// What happens together. A record is stored whole: put makes or replaces it. Removals come first, then puts; removing
// what is not there is fine.
struct Mutation {
  std::vector<RecordId> removes{};
  std::vector<Record> puts{};
  bool empty() const { return removes.empty() && puts.empty(); }
  bool operator==(const Mutation&) const = default;
};

// "I am about to apply this engine transaction; once it is applied, do that to the catalog."
struct Intent {
  TransactionId transaction{};
  PoolId pool{};
  std::vector<VolumeId> volumes{};  // that the transaction makes or removes
  std::vector<PointId> points{};    // likewise
  Mutation mutation{};
  bool operator==(const Intent&) const = default;
};

// One commit: `mutation`, then the intents.
struct Batch {
  Mutation mutation{};
  std::vector<Intent> add_intents{};
  std::vector<TransactionId> remove_intents{};
};

// Everything, as read at start-up; each vector ordered by id.
struct Contents {
  std::vector<PoolRecord> pools{};
  std::vector<VolumeRecord> volumes{};
  std::vector<GroupRecord> groups{};
  std::vector<PointRecord> points{};
  std::vector<RelationshipRecord> relationships{};
  std::vector<GroupRelationshipRecord> group_relationships{};
  std::vector<AspectRecord> aspects{};
  std::vector<JobRecord> jobs{};
  std::vector<ExportRecord> exports{};
  std::vector<Intent> intents{};
};

class Catalog {
 public:
  // The version of the tables that this program writes. An older file is brought up to it at opening, in one
  // transaction; a newer one is not-supported.
  static constexpr int kSchemaVersion = 2;

  // Opens the file at `path`, making it if it is missing. corrupted: it is no catalog, or damaged; the sentence says
  // what to do. in-use: another process has it. `files` and `log` outlive the catalog.
  static Result<std::unique_ptr<Catalog>> Open(io::FileSystem& files, std::string path, Log& log);

  virtual ~Catalog() = default;
  virtual Result<Contents> Load() = 0;
  // no-space: nothing of the batch is stored; a later Commit may succeed. Any other error: whether the batch is stored
  // is known when the catalog has been opened again; until then it takes no further commit.
  virtual Status Commit(const Batch& batch) = 0;
};

}  // namespace lockstep::catalog
