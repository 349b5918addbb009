// Inside Control: its state, and the use cases by file. change.cc carries changes out (the intent protocol), startup.cc
// settles what a crash left, exports.cc keeps the server in step, copying.cc drives background copies, scrubbing.cc
// scrubs and scrub_schedule.cc begins them, pools.cc makes and deletes pools, devices.cc changes a pool's devices,
// moving.cc exports and imports pools,
// rules.cc checks the parameters of requests, group_plans.cc names and makes groups; volumes.cc, groups.cc,
// replicas.cc, pairing.cc, aspects.cc, modify.cc and jobs.cc are the use cases, views.cc answers questions.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/directory.h"
#include "control/control.h"
#include "io/async_mutex.h"
#include "replication/draft.h"
#include "replication/plan.h"

namespace lockstep::control {

using catalog::Directory;
using replication::Draft;

struct OpenPool {
  std::shared_ptr<block::Pool> pool;  // null while it is not usable
  Status state;                       // why not
  block::PoolInfo info;               // as last read
  std::vector<block::DeviceInfo> devices{};  // likewise
};

// The removal of a device whose job has not ended.
struct Draining {
  JobId job;
  block::DeviceId device;
  std::string path;
  bool running = false;
  uint16_t percent = 0;
  bool storing = false;  // the percentage is on its way into the catalog
  std::shared_ptr<std::atomic<block::DrainAnswer>> answer{};  // to the run; read on the data loop
};

// A scrub whose job has not ended.
struct Scrubbing {
  JobId job;
  uint64_t bytes_per_second = 0;
  uint64_t position = 0;  // how far it has come, and where the next run begins
  uint64_t bad = 0;
  std::string names;         // of the bad ones, as far as they are named
  uint64_t bad_before = 0;   // found by the runs before this one
  std::string names_before;  // likewise
  bool running = false;  // a run is under way
  uint16_t percent = 0;
  bool storing = false;  // the percentage is on its way into the catalog
  std::shared_ptr<std::atomic<bool>> stop;  // of the run; read on the data loop
};

// What a run of a scrub tells on its way.
struct Seen {
  uint64_t position = 0, bad = 0;
  uint16_t percent = 0;
  std::vector<block::BadBlock> bad_blocks{};
};

// When the pool is due; never: scrubs are not scheduled.
catalog::WallTime NextScrub(const catalog::PoolRecord& pool, const ScrubSchedule& schedule);

class Control::Impl {
 public:
  Impl(Surroundings surroundings, std::unique_ptr<catalog::Catalog> catalog);
  ~Impl();

  Task<Status> Start();
  Task<void> Stop();

  Task<Result<PoolId>> CreatePool(CreatePoolRequest request);
  Task<Result<PoolId>> AddPool(std::string name, std::string path);
  Task<Result<PoolId>> ImportPool(ImportPoolRequest request);
  Task<Result<std::string>> ExportPool(PoolId pool, std::string index_to);
  Task<Status> DeletePool(PoolId id);
  Task<Result<PoolId>> ShapePool(ShapePoolRequest request);
  Task<void> LookForDevices();
  std::vector<FreeDevice> FreeDevices() const;
  Status OffersDevices() const;
  Result<SizeRange> SizesWith(std::optional<PoolId> pool, const std::vector<std::string>& devices) const;
  Task<Result<block::DeviceId>> AddDevice(PoolId pool, std::string path, uint64_t size);
  Task<Result<uint64_t>> GrowPool(PoolId pool);
  Task<Result<JobId>> RemoveDevice(PoolId pool, std::string device);
  Task<Result<JobId>> ScrubPool(PoolId pool, uint64_t bytes_per_second);
  Task<Result<block::CheckReport>> CheckPool(PoolId pool);
  Task<Result<block::VolumeSpace>> SpaceOf(VolumeId volume);
  Task<Status> SetHistory(std::vector<VolumeId> volumes, block::HistoryWindow window);
  Task<Result<std::vector<VolumeId>>> CloneVolumes(CloneVolumesRequest request);
  Task<Status> RevertVolumes(RevertVolumesRequest request);
  Task<Result<std::map<PointId, uint64_t>>> FreedByPoints(PoolId pool, std::vector<PointId> points);
  Task<void> RefreshUsage();
  PoolView ViewOf(const catalog::PoolRecord& record) const;

  Task<Result<std::vector<VolumeId>>> CreateVolumes(CreateVolumesRequest request);
  Task<Status> DeleteVolume(VolumeId volume);
  Task<Status> ResizeVolume(VolumeId volume, uint64_t size, bool discard_data);
  Task<Status> RenameVolume(VolumeId volume, std::string name);
  VolumeView ViewOf(const catalog::VolumeRecord& record) const;
  std::optional<VolumeGlance> Glance(VolumeId volume) const;
  Status PoolState(PoolId pool) const;

  Task<Result<ExportId>> CreateExport(CreateExportRequest request);
  Task<Status> DeleteExport(ExportId id, bool force);
  ExportView ViewOf(const catalog::ExportRecord& record) const;

  Task<Result<GroupId>> CreateGroup(CreateGroupRequest request);
  Task<Status> ModifyGroup(ModifyGroupRequest request);
  Task<Status> DeleteGroup(GroupId group, bool remove_elements);
  Task<Status> AddMembers(GroupId group, std::vector<VolumeId> members);
  Task<Status> RemoveMembers(GroupId group, std::vector<VolumeId> members, std::optional<bool> delete_on_empty);

  Task<Result<ReplicaResult>> CreateElementReplica(CreateElementReplicaRequest request);
  Task<Result<ListReplicaResult>> CreateListReplica(CreateListReplicaRequest request);
  Task<Result<GroupReplicaResult>> CreateGroupReplica(CreateGroupReplicaRequest request);
  Task<Result<GroupReplicaResult>> CreateGroupReplicaFromElements(CreateGroupReplicaFromElementsRequest request);
  Task<Result<ListReplicaResult>> AddElementsToGroup(AddElementsRequest request);
  Task<Result<GroupReplicaResult>> CreateGroupFromPairs(GroupFromPairsRequest request);
  Task<Result<std::optional<JobId>>> ConfirmTargetData(RelationshipRef synchronized, uint64_t wait_us);
  Status MayPair(VolumeId source, VolumeId target) const;
  Task<Result<ModifyResult>> ModifyReplica(ModifyReplicaRequest request);
  Task<Result<ModifyResult>> ModifyList(ModifyListRequest request);
  Task<Status> SetCopyPriority(RelationshipId id, catalog::CopyPriority priority);
  RelationshipView ViewOf(const catalog::RelationshipRecord& record) const;
  GroupRelationshipView ViewOf(const catalog::GroupRelationshipRecord& record) const;

  Task<Result<AspectId>> CreateAspect(CreateAspectRequest request);
  Task<Result<ModifyAspectsResult>> ModifyAspects(ModifyAspectsRequest request);
  Task<Status> DeleteAspect(AspectId id);
  PointView ViewOf(const catalog::PointRecord& record) const;

  Task<Status> DeleteJob(JobId id);
  Task<Status> CancelJob(JobId id);
  Task<Status> SuspendJob(JobId id);
  Task<Status> ResumeJob(JobId id);
  Task<Status> SetJobRetention(JobId id, bool delete_on_completion, uint64_t time_before_removal_us);
  Task<Result<catalog::JobRecord>> WaitForJob(JobId id);
  catalog::JobRecord ViewOf(catalog::JobRecord record) const;  // with live progress

  uint64_t Subscribe(Listener listener);
  void Unsubscribe(uint64_t subscription);

  const Directory& directory() const { return directory_; }

 private:
  // A record with the progress that the copier has made since the last commit.
  struct Progress {
    PointId point;        // of the relationship, when it was read: another one is another copy
    uint64_t copied = 0;  // bytes
    uint64_t stored = 0;  // of them, in the catalog
  };
  using ExportSet = std::map<std::string, PublishedExport>;

  // ---- change.cc. `Carry` and everything below it REQUIRES the mutex.
  Draft NewDraft();
  // OK unless Control is stopping or has lost its catalog.
  Status MayChange() const;
  void Fail(const Status& why);
  // Carries out what is drafted, by the intent protocol.
  Task<Status> Carry(Draft& draft);
  Task<Status> CarryWithEngine(replication::Plan plan);
  Status CommitOnly(const catalog::Mutation& mutation);
  // The mutation is committed: memory, listeners and waiters learn of it.
  void Adopt(const catalog::Mutation& mutation);
  void Tell(const std::vector<catalog::RecordChange>& changes);
  Result<std::shared_ptr<block::Pool>> UsablePool(PoolId pool) const;
  bool InUseNow(VolumeId volume) const { return surroundings_.use.Connections(volume) != 0; }
  replication::HostUse HostUse() const {
    return [this](VolumeId volume) { return InUseNow(volume); };
  }
  Task<void> ReadUsage(PoolId pool, std::optional<std::vector<VolumeId>> of = std::nullopt);

  // ---- history.cc
  // All of one pool, which is usable, and there.
  Result<PoolId> PoolOf(const std::vector<VolumeId>& volumes) const;
  // 0: now. REQUIRES the mutex.
  Task<Result<block::SequenceNumber>> PositionOf(PoolId pool, Moment moment);

  // ---- startup.cc
  Task<void> OpenOne(catalog::PoolRecord record);
  Task<Status> SettleIntents(std::vector<catalog::Intent> intents);
  Task<void> ReportOrphans(PoolId pool);
  // Its volumes, with records of generated names for those that the catalog does not know.
  Task<Status> TakeInPool(catalog::PoolRecord record, std::shared_ptr<block::Pool> pool);

  // ---- exports.cc
  ExportSet Wanted(const Directory& directory) const;
  // Withdraws what is published and not wanted (any more, or not like this).
  Task<Status> WithdrawUnwanted(ExportSet wanted);
  // Makes what is published what is wanted now.
  Task<void> SyncExports();

  // ---- copying.cc
  void KickCopies();
  void EndBackground();  // wakes Stop when nothing runs any more
  Task<void> CopyLoop(PoolId pool);
  const catalog::RelationshipRecord* PickCopy(PoolId pool) const;
  Task<Status> CopyPiece(catalog::RelationshipRecord pair, uint64_t offset, uint64_t length);
  Task<void> StoreProgress(catalog::RelationshipRecord pair, uint64_t copied);
  Task<void> FailCopy(catalog::RelationshipRecord pair, Status error);
  bool IsStillCopying(const catalog::RelationshipRecord& pair) const;
  uint64_t CopiedOf(const catalog::RelationshipRecord& pair) const;
  catalog::RelationshipRecord Live(catalog::RelationshipRecord pair) const;

  // ---- scrubbing.cc
  void StartScrub(PoolId pool);
  Task<void> RunScrub(PoolId pool);
  // REQUIRES the mutex.
  Task<Result<JobId>> BeginScrub(PoolId pool, uint64_t bytes_per_second);
  void SeeScrub(PoolId pool, const Seen& seen);
  void Collect(Scrubbing& scrub, const Seen& seen) const;
  std::string NameOf(const block::BadBlock& bad) const;
  catalog::JobRecord WithProgress(catalog::JobRecord job, const Scrubbing& scrub) const;
  Task<void> StoreScrub(PoolId pool, JobId job);
  Task<void> EndScrub(PoolId pool, Result<block::ScrubReport> report);
  Task<void> FinishScrub(PoolId pool, catalog::JobRecord job, Result<block::ScrubReport> report);  // REQUIRES the mutex
  Task<Status> ModifyScrub(catalog::JobRecord job, catalog::Operation operation);  // REQUIRES the mutex
  Task<void> GoOnWithScrubs();                                                     // likewise
  void StopScrubs();

  // ---- pools.cc. REQUIRE the mutex.
  // Commits; a failure that leaves the catalog's state unknown stops all further changes.
  Status Store(const catalog::Batch& batch);
  Task<Result<PoolId>> MakePool(CreatePoolRequest request);
  Task<Result<std::shared_ptr<block::Pool>>> PutTogether(PoolId id, std::vector<std::string> paths, uint64_t size);
  Status MayBeDeleted(const catalog::PoolRecord& pool) const;
  Task<Status> HoldsNothing(std::shared_ptr<block::Pool> pool, std::string name);
  Task<Status> ForgetPool(catalog::PoolRecord record);
  // At the start, before pools are opened: those that were being made or deleted go. Answers the other intents.
  Task<Result<std::vector<catalog::Intent>>> SettlePools(std::vector<catalog::Intent> intents);
  Task<void> FindFreeDevices();
  const catalog::PoolRecord* OwnerOf(const std::string& path) const;
  Status MayBeRenamed(const catalog::PoolRecord& pool, const std::string& name) const;

  // ---- devices.cc. All but Run, See, Store and End REQUIRE the mutex.
  Task<std::vector<block::DeviceInfo>> DevicesOf(std::shared_ptr<block::Pool> pool);
  Task<Result<block::DeviceId>> JoinDevice(PoolId id, std::string path, uint64_t size);
  Task<Status> PutPaths(PoolId pool, std::vector<std::string> paths);
  void StartDrain(PoolId pool);
  Task<void> RunDrain(PoolId pool);
  void SeeDrain(PoolId pool, uint16_t percent);
  Task<void> StoreDrain(PoolId pool, JobId job);
  Task<void> EndDrain(PoolId pool, Status status);
  Task<Status> ModifyDrain(catalog::JobRecord job, catalog::Operation operation);
  // After a restart: paths that are no devices (any more) are forgotten, removals go on.
  Task<void> SettleDevices(PoolId pool);
  Task<void> SettleDrainJobs();
  void PauseDrains();

  // ---- moving.cc. REQUIRE the mutex.
  Status MayLeave(PoolId pool) const;
  catalog::Mutation EverythingOf(PoolId pool) const;
  Task<Status> TakeInNote(catalog::PoolRecord record, std::shared_ptr<block::Pool> pool, catalog::Mutation brought);
  Task<Status> Relocate(catalog::PoolRecord record, std::shared_ptr<block::Pool> pool);
  // The pool is one of ours from here on, in whatever state this answers.
  Task<Status> TakeOver(PoolId id, std::shared_ptr<block::Pool> pool);
  Task<void> Drop(std::shared_ptr<block::Pool> pool);

  // ---- scrub_schedule.cc
  void ScheduleScrubs();
  Task<void> BeginDueScrubs();
  void SeeBadBlock(PoolId pool, const block::BadBlock& bad);
  Task<void> StoreBadBlocks();

  // ---- jobs.cc
  void ScheduleJobRemoval();
  Task<Status> StoreModifiedJob(catalog::JobRecord job, catalog::Operation operation);  // REQUIRES the mutex
  Task<void> RemoveExpiredJobs();
  std::optional<JobId> RunningJobOn(RelationshipId id) const;
  Task<Status> ModifyJob(JobId id, catalog::Operation operation);

  // ---- aspects.cc
  // What sizes the volumes had at the point. REQUIRES the mutex.
  Task<Result<std::vector<uint64_t>>> SizesAt(PointId point, std::vector<VolumeId> volumes);
  // The pairs to make for one aspect, each with its point. REQUIRES the mutex.
  Task<Result<std::vector<replication::PairSpec>>> PairsAt(AspectRef ref);
  Task<Result<ModifyAspectsResult>> CopyAspects(ModifyAspectsRequest request, replication::AspectRow row);

  // ---- pairing.cc
  // Ends when the job has, or after the time.
  Task<void> WaitForJobOr(JobId job, uint64_t wait_us);

  // ---- modify.cc
  Task<Result<ModifyResult>> CarryModify(replication::ModifySpec spec, std::optional<catalog::CopyState> wait);

  Surroundings surroundings_;
  std::unique_ptr<catalog::Catalog> catalog_;
  Directory directory_;
  replication::Scratch scratch_;  // for drafts
  std::map<PoolId, OpenPool> pools_;
  std::vector<FreeDevice> free_devices_;  // of those that are offered, as last looked at
  std::unordered_map<VolumeId, block::VolumeInfo> used_;  // as last read
  io::AsyncMutex changes_;
  bool stopping_ = false;
  Status failed_;  // why nothing can be changed any more: the catalog's state is not known

  ExportSet published_;
  std::map<RelationshipId, Progress> progress_;
  std::map<PoolId, Scrubbing> scrubs_;
  std::map<PoolId, Draining> drains_;
  std::set<PoolId> copying_;               // pools whose copy loop runs
  std::vector<io::Closure> copies_ended_;  // who waits for copying_ to become empty
  std::map<JobId, std::vector<io::Closure>> job_waiters_;
  io::TimerId job_timer_ = io::TimerId::kNone, scrub_timer_ = io::TimerId::kNone;
  io::WallTime scrub_not_before_{};              // the last attempt of the schedule failed
  std::map<PoolId, block::BadBlock> bad_blocks_;  // about to be noted
  uint64_t tasks_ = 0;  // that were started from timers and run
  std::map<uint64_t, Listener> listeners_;
  uint64_t next_listener_ = 1;
};

}  // namespace lockstep::control
