// Goal: what was committed is there after any crash, whole; what was not is not; and a file that is damaged, foreign or
// newer is refused with a sentence. Method: the real catalog on simulated files.

#include "catalog/catalog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "base/checksum.h"
#include "catalog/encoding.h"
#include "catalog/schema.h"
#include "catalog/sqlite.h"
#include "catalog/sqlite_vfs.h"
#include "sim/crash_points.h"
#include "sim/env.h"

namespace lockstep::catalog {
namespace {

constexpr char kPath[] = "/catalog.db";

template <typename IdType>
IdType MakeId(uint8_t n) {
  IdType id;
  id.uuid.bytes.fill(n);
  return id;
}

// One record of each kind, every field different from its default. `n` tells one set from another.
std::vector<Record> OneOfEach(uint8_t n) {
  const auto time = [&](int64_t us) { return WallTime{us + n}; };
  const std::string suffix = std::to_string(n);
  PoolRecord pool{MakeId<PoolId>(n), "pool " + suffix, "/dev/p", 1ull << 40, time(1)};
  VolumeRecord volume{MakeId<VolumeId>(n), pool.id, "vol\xc3\xbcme", 4096ull * n, time(2)};
  GroupRecord group{MakeId<GroupId>(n), "group", {MakeId<VolumeId>(9), volume.id, MakeId<VolumeId>(1)}};
  group.persistent = false;
  group.delete_on_empty_element = group.delete_on_unassociated = group.consistent_point_in_time = true;
  group.reserved_as = ReservedAs::kTargetOnly;
  PointRecord point{MakeId<PointId>(n), pool.id, {volume.id}, time(3)};
  RelationshipRecord pair{MakeId<RelationshipId>(n), volume.id, MakeId<VolumeId>(200), SyncType::kClone};
  pair.mode = Mode::kAsynchronous;
  pair.state = CopyState::kUnsynchronized;
  pair.progress = ProgressStatus::kSynchronizing;
  pair.requested = CopyState::kSynchronized;
  pair.point = point.id;
  pair.group = MakeId<GroupRelationshipId>(n);
  pair.full_copy = pair.consistency_exempt = pair.target_created = true;
  pair.copied = ~uint64_t{0} >> 1;
  pair.priority = CopyPriority::kUrgent;
  pair.methodology = CopyMethodology::kFullCopy;
  pair.read_only = ReadOnlyEnd::kSyncedElement;
  pair.when_established = time(4);
  pair.when_activated = time(5);
  pair.when_deactivated = time(6);
  pair.when_suspended = time(7);
  pair.when_synchronized = time(8);
  pair.when_synced = time(9);
  GroupRelationshipRecord relation{pair.group, "relation", group.id, MakeId<VolumeId>(3), MakeId<GroupId>(7)};
  relation.consistency_enabled = true;
  relation.when_established = time(10);
  AspectRecord aspect{MakeId<AspectId>(n), "aspect", point.id, {volume.id}, group.id, SyncType::kClone};
  aspect.state = AspectState::kRestored;
  aspect.when_point_in_time = time(11);
  pool.last_scrub = time(20);
  pool.last_scrub_bad = 3;
  pool.scrub_begun = time(21);
  pool.last_bad_at = time(22);
  pool.last_bad = "block 7";
  JobRecord job{MakeId<JobId>(n), JobKind::kCopy, "job", "CreateListReplica", JobState::kSuspended, 42};
  job.error_code = Code::kNoSpace;
  job.error = "the pool is full";
  job.wait_for = CopyState::kUnsynchronized;
  job.relationships = {pair.id, MakeId<RelationshipId>(5)};
  job.group_relationship = pair.group;
  job.volumes = {volume.id};
  job.groups = {group.id};
  job.delete_on_completion = false;
  job.time_before_removal_us = 7;
  job.submitted = time(12);
  job.pool = pool.id;
  job.position = 5;
  job.bad = 6;
  job.bytes_per_second = 1 << 20;
  ExportRecord exported{MakeId<ExportId>(n), volume.id, "export", true, time(13)};
  return {pool, volume, group, point, pair, relation, aspect, job, exported};
}

Intent MakeIntent(uint8_t n) {
  Intent intent{MakeId<TransactionId>(n), MakeId<PoolId>(n), {MakeId<VolumeId>(1)}, {MakeId<PointId>(2)}, {}};
  intent.mutation.puts = OneOfEach(n);
  intent.mutation.removes = {MakeId<VolumeId>(n), MakeId<JobId>(n)};
  return intent;
}

std::vector<Record> AllOf(const Contents& c) {
  std::vector<Record> all;
  const auto add = [&](const auto& rows) { all.insert(all.end(), rows.begin(), rows.end()); };
  add(c.pools), add(c.volumes), add(c.groups), add(c.points), add(c.relationships), add(c.group_relationships);
  add(c.aspects), add(c.jobs), add(c.exports);
  return all;
}

class CatalogTest : public testing::Test {
 protected:
  std::unique_ptr<Catalog> Open() {
    Result<std::unique_ptr<Catalog>> opened = Catalog::Open(env_.files(), kPath, env_.log());
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  Contents LoadAfresh() {
    Result<Contents> loaded = Open()->Load();
    EXPECT_TRUE(loaded.ok()) << loaded.status().ToString();
    return loaded.ok() ? *loaded : Contents{};
  }
  void WriteFile(uint64_t offset, const std::string& bytes) {
    auto file = env_.files().Open(kPath, io::FileSystem::Mode::kCreate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Write(offset, std::as_bytes(std::span(bytes))).ok());
    ASSERT_TRUE((*file)->Sync().ok());
  }
  sim::SimEnv env_{1};
};

TEST_F(CatalogTest, KeepsEveryFieldOfEveryRecord) {
  const std::vector<Record> records = OneOfEach(77);
  ASSERT_TRUE(Open()->Commit({{{}, records}, {}, {}}).ok());
  EXPECT_EQ(AllOf(LoadAfresh()), records);
}

TEST_F(CatalogTest, APutReplacesAndARemoveRemoves) {
  std::unique_ptr<Catalog> catalog = Open();
  ASSERT_TRUE(catalog->Commit({{{}, OneOfEach(1)}, {}, {}}).ok());
  VolumeRecord changed{MakeId<VolumeId>(1), MakeId<PoolId>(1), "renamed", 8192, {}};
  Mutation mutation{{MakeId<PoolId>(1), MakeId<JobId>(1), MakeId<JobId>(99)}, {changed}};
  ASSERT_TRUE(catalog->Commit({mutation, {}, {}}).ok());
  const Contents contents = *catalog->Load();
  EXPECT_TRUE(contents.pools.empty());
  EXPECT_TRUE(contents.jobs.empty());
  ASSERT_EQ(contents.volumes.size(), 1u);
  EXPECT_EQ(contents.volumes[0], changed);
  EXPECT_EQ(contents.exports.size(), 1u);
}

TEST_F(CatalogTest, KeepsIntentsInOrderUntilTheyAreRemoved) {
  std::unique_ptr<Catalog> catalog = Open();
  ASSERT_TRUE(catalog->Commit({{}, {MakeIntent(9)}, {}}).ok());
  ASSERT_TRUE(catalog->Commit({{}, {MakeIntent(3)}, {}}).ok());
  const std::vector<Intent> expected = {MakeIntent(9), MakeIntent(3)};
  EXPECT_EQ(catalog->Load()->intents, expected);
  ASSERT_TRUE(catalog->Commit({MakeIntent(9).mutation, {}, {MakeIntent(9).transaction}}).ok());
  EXPECT_EQ(catalog->Load()->intents, std::vector<Intent>{MakeIntent(3)});
  EXPECT_EQ(AllOf(*catalog->Load()), OneOfEach(9));
}

TEST_F(CatalogTest, AnEncodedMutationComesBackAndEveryShorterOneIsRefused) {
  const Mutation mutation = MakeIntent(4).mutation;
  const std::string bytes = EncodeMutation(mutation);
  ASSERT_TRUE(DecodeMutation(bytes).ok());
  EXPECT_EQ(*DecodeMutation(bytes), mutation);
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_EQ(DecodeMutation(std::string_view(bytes).substr(0, n)).status().code(), Code::kCorrupted) << n;
  }
  EXPECT_EQ(DecodeMutation(bytes + "x").status().code(), Code::kCorrupted);
}

TEST_F(CatalogTest, KeepsAnotherProcessOut) {
  std::unique_ptr<Catalog> first = Open();
  EXPECT_EQ(Catalog::Open(env_.files(), kPath, env_.log()).status().code(), Code::kInUse);
}

TEST_F(CatalogTest, RefusesAFileThatIsNoDatabase) {
  WriteFile(0, std::string(8192, 'x'));
  const Status refused = Catalog::Open(env_.files(), kPath, env_.log()).status();
  EXPECT_EQ(refused.code(), Code::kCorrupted);
  EXPECT_NE(refused.message().find(kPath), std::string::npos) << refused.message();
  EXPECT_NE(refused.message().find("backup"), std::string::npos) << refused.message();
}

TEST_F(CatalogTest, RefusesADamagedDatabase) {
  ASSERT_TRUE(Open()->Commit({{{}, OneOfEach(1)}, {}, {}}).ok());
  WriteFile(4096, std::string(8 * 4096, '\xff'));
  EXPECT_EQ(Catalog::Open(env_.files(), kPath, env_.log()).status().code(), Code::kCorrupted);
}

TEST_F(CatalogTest, RefusesACatalogOfANewerVersion) {
  Open();
  WriteFile(60, std::string("\0\0\0\x7f", 4));  // user_version, SQLite file format section 1.3
  const Status refused = Catalog::Open(env_.files(), kPath, env_.log()).status();
  EXPECT_EQ(refused.code(), Code::kNotSupported);
  EXPECT_NE(refused.message().find("127"), std::string::npos) << refused.message();
}

TEST_F(CatalogTest, RefusesTheDatabaseOfAnotherProgram) {
  Open();
  WriteFile(68, "XXXX");  // application_id
  EXPECT_EQ(Catalog::Open(env_.files(), kPath, env_.log()).status().code(), Code::kCorrupted);
}

TEST_F(CatalogTest, AfterAnIoErrorTakesNoFurtherCommitAndLosesNothingCommitted) {
  {
    std::unique_ptr<Catalog> catalog = Open();
    ASSERT_TRUE(catalog->Commit({{{}, OneOfEach(1)}, {}, {}}).ok());
    env_.faults().FailAt(1, sim::Only(sim::IoKind::kFileSync));
    EXPECT_EQ(catalog->Commit({{{}, OneOfEach(2)}, {}, {}}).code(), Code::kIoError);
    EXPECT_EQ(catalog->Commit({{{}, OneOfEach(3)}, {}, {}}).code(), Code::kIoError);
  }
  const Contents contents = LoadAfresh();
  EXPECT_EQ(contents.volumes.size(), 1u);
}

// The schema is a format: who changes this text has to write a migration step and raise kSchemaVersion.
TEST_F(CatalogTest, SchemaVersion1IsWhatItWas) {
  const std::string tables = TablesVersion1();
  EXPECT_NE(tables.find("CREATE TABLE volumes (id BLOB NOT NULL PRIMARY KEY, pool BLOB NOT NULL, name TEXT NOT NULL, "
                        "size INTEGER NOT NULL, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;"),
            std::string::npos)
      << tables;
  EXPECT_EQ(std::count(tables.begin(), tables.end(), ';'), 10);
  EXPECT_EQ(Crc32c(std::as_bytes(std::span(tables))), 1936212527u) << tables;
}

// Everything that a file of version 1 held is there, and what version 2 added has its default; an intent of version 1
// is understood.
TEST_F(CatalogTest, TakesACatalogOfVersion1Along) {
  {
    SqliteVfs vfs(env_.files());
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open_v2(kPath, &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                              vfs.name().c_str()),
              SQLITE_OK);
    const Database db(raw);
    ASSERT_TRUE(Execute(raw, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE").ok());
    ASSERT_TRUE(Execute(raw, TablesVersion1()).ok());
    // The intent: nothing to remove, one pool to put.
    ASSERT_TRUE(Execute(raw,
                        "INSERT INTO pools VALUES (x'01010101010101010101010101010101', 'main', '/dev/p', 4096, 77);"
                        "INSERT INTO jobs VALUES (x'02020202020202020202020202020202', 0, 'a', 'b', 2, 42, 0, '', 0,"
                        " x'', x'00000000000000000000000000000000', x'', x'', 1, 5, 6, 7, 8);"
                        "INSERT INTO intents (transaction_id, pool, volumes, points, mutation) VALUES ("
                        "x'03030303030303030303030303030303', x'01010101010101010101010101010101', x'', x'',"
                        "x'01" "00000000" "01000000" "00" "01010101010101010101010101010101"
                        "0100000061" "0100000062" "0010000000000000" "0700000000000000');"
                        "PRAGMA application_id = 1280525140; PRAGMA user_version = 1")
                    .ok());
  }
  const Contents contents = LoadAfresh();
  ASSERT_EQ(contents.pools.size(), 1u);
  EXPECT_EQ(contents.pools[0], (PoolRecord{MakeId<PoolId>(1), "main", "/dev/p", 4096, {77}}));
  ASSERT_EQ(contents.jobs.size(), 1u);
  EXPECT_EQ(contents.jobs[0].percent, 42);
  EXPECT_EQ(contents.jobs[0].state_changed.us, 8);
  EXPECT_TRUE(contents.jobs[0].pool.IsNil());
  EXPECT_EQ(contents.jobs[0].position, 0u);
  ASSERT_EQ(contents.intents.size(), 1u);
  ASSERT_EQ(contents.intents[0].mutation.puts.size(), 1u);
  EXPECT_EQ(std::get<PoolRecord>(contents.intents[0].mutation.puts[0]),
            (PoolRecord{MakeId<PoolId>(1), "a", "b", 4096, {7}}));
  ASSERT_TRUE(Open()->Commit({{{}, OneOfEach(2)}, {}, {}}).ok());
  EXPECT_EQ(LoadAfresh().pools.size(), 2u);
}

// The crash loop: state before, one commit that makes, replaces and removes records and intents, state after.
class CatalogCrash : public testing::TestWithParam<int> {
 protected:
  static std::unique_ptr<Catalog> TryOpen(sim::SimEnv& env) {
    Result<std::unique_ptr<Catalog>> opened = Catalog::Open(env.files(), kPath, env.log());
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  static Batch Before() { return {{{}, OneOfEach(1)}, {MakeIntent(1)}, {}}; }
  static Batch Change() {
    Batch batch;
    batch.mutation.removes = {MakeId<VolumeId>(1), MakeId<GroupId>(1)};
    batch.mutation.puts = OneOfEach(2);
    batch.add_intents = {MakeIntent(2)};
    batch.remove_intents = {MakeIntent(1).transaction};
    return batch;
  }
  // Commits `before`, and cuts the power at every change of committing `change`. `look` checks what is there afterwards
  // and tells whether it is what `change` makes of it.
  static void CutEverywhere(const Batch& before, const Batch& change,
                            const std::function<bool(Catalog&, const Contents&)>& look) {
    sim::CrashPoints points;
    points.seed = static_cast<uint64_t>(GetParam());
    bool done = false;
    ForEachCrashPoint(
        points,
        [&](sim::SimEnv& env, sim::CrashPoint& point) {
          std::unique_ptr<Catalog> catalog = TryOpen(env);
          ASSERT_NE(catalog, nullptr);
          ASSERT_TRUE(catalog->Commit(before).ok());
          point.Arm();
          done = catalog->Commit(change).ok();
        },
        [&](sim::SimEnv& env, bool completed) {
          Result<std::unique_ptr<Catalog>> catalog = Catalog::Open(env.files(), kPath, env.log());
          ASSERT_TRUE(catalog.ok()) << catalog.status().ToString();
          const bool changed = look(**catalog, *(*catalog)->Load());
          EXPECT_TRUE(changed || !done) << "a commit that answered OK is lost";
          EXPECT_TRUE(done || !completed);
        });
  }
};

TEST_P(CatalogCrash, ACommitIsThereAsAWholeOrNotAtAll) {
  CutEverywhere(Before(), Change(), [](Catalog& catalog, const Contents& contents) {
    const bool changed = contents.pools.size() == 2;
    EXPECT_EQ(contents.volumes.size(), 1u);
    EXPECT_EQ(contents.volumes[0].id, MakeId<VolumeId>(changed ? 2 : 1));
    EXPECT_EQ(contents.jobs.size(), changed ? 2u : 1u);
    EXPECT_EQ(contents.intents, std::vector<Intent>{MakeIntent(changed ? 2 : 1)});
    EXPECT_TRUE(catalog.Commit({{{}, OneOfEach(3)}, {}, {}}).ok());
    return changed;
  });
}

// Many pages change: what ends the journal must not leave a part of it, which would take back a part of the commit.
TEST_P(CatalogCrash, ALargeCommitIsThereAsAWholeOrNotAtAll) {
  const auto volumes = [](const std::string& name) {
    Batch batch;
    for (uint8_t i = 1; i <= 200; ++i) {
      VolumeRecord volume;
      volume.id = MakeId<VolumeId>(i);
      volume.pool = MakeId<PoolId>(1);
      volume.name = name + std::string(60, '.') + std::to_string(i);
      batch.mutation.puts.push_back(volume);
    }
    return batch;
  };
  CutEverywhere(volumes("old"), volumes("new"), [](Catalog&, const Contents& contents) {
    EXPECT_EQ(contents.volumes.size(), 200u);
    const auto changed = std::count_if(contents.volumes.begin(), contents.volumes.end(),
                                       [](const VolumeRecord& v) { return v.name.starts_with("new"); });
    EXPECT_TRUE(changed == 0 || changed == 200) << changed;
    return changed == 200;
  });
}

TEST_P(CatalogCrash, MakingACatalogCanBeRepeatedAfterACrashAtAnyStep) {
  sim::CrashPoints points;
  points.seed = static_cast<uint64_t>(GetParam());
  ForEachCrashPoint(
      points,
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        point.Arm();
        if (std::unique_ptr<Catalog> catalog = TryOpen(env)) (void)catalog->Commit(Before());
      },
      [&](sim::SimEnv& env, bool) {
        std::unique_ptr<Catalog> catalog = TryOpen(env);
        ASSERT_NE(catalog, nullptr) << (env.sim_log().lines().empty() ? "" : env.sim_log().lines().back());
        EXPECT_TRUE(catalog->Commit(Change()).ok());
      });
}

INSTANTIATE_TEST_SUITE_P(Seeds, CatalogCrash, testing::Range(1, 8));

}  // namespace
}  // namespace lockstep::catalog
