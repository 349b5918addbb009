// The use cases: what every management face calls, so that none implements anything twice and all behave alike.
//
// Thread and time. One object, owned by the control loop: every method is called there and every task ends there.
// Questions are answered at once from memory. Changes are tasks; they are carried out one after the other, in the order
// in which they were asked for, and survive a crash at any step all or not at all (docs/decisions/005). Engines are
// used on the data loop.
//
// Errors are alike for all use cases; the face maps the codes (CIM_ReplicationService return codes in brackets):
// invalid-argument, not-found (of an object named in the request), already-exists [5 Invalid Parameter]; not-supported
// [1 Not Supported]; in-use [6 In Use]; timeout [3 Timeout]; invalid-state and everything else [4 Failed]. Where a
// method has a return code of its own, the method's comment says which code stands for it. After an error nothing has
// changed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "base/task.h"
#include "block/pool.h"
#include "catalog/catalog.h"
#include "catalog/model.h"
#include "control/interfaces.h"
#include "control/requests.h"
#include "control/views.h"
#include "io/clock.h"
#include "io/loop.h"
#include "io/random.h"

namespace lockstep::control {

// When pools are scrubbed by themselves.
struct ScrubSchedule {
  uint64_t every_seconds = 0;  // after the last one began or ended; 0: never
  uint64_t bytes_per_second = 0;
};

// Everything outlives the Control. The two loops may be the same.
struct Surroundings {
  io::Loop& control_loop;
  io::Loop& data_loop;
  io::Clock& clock;
  io::Random& random;
  Log& log;
  PoolOpener& pools;
  ExportSink& exports;
  ExportUse& use;
  ScrubSchedule scrubs = {};
  std::vector<std::string> devices = {};  // that management clients may make pools of: absolute paths
};

class Control {
 public:
  Control(Surroundings surroundings, std::unique_ptr<catalog::Catalog> catalog);
  // REQUIRES: Stop has ended, or Start was never called.
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // Opens the pools, settles what a crash left half done, publishes the exports, goes on with running jobs. A pool that
  // does not open is shown as failed, with its reason, and does not stop the others; only a catalog that cannot be used
  // is an error. Called once, before anything else.
  Task<Status> Start();
  // Lets the change that runs end, refuses further ones (unavailable), stops copying (it goes on after the next start),
  // withdraws the exports, closes the pools. Called once.
  Task<void> Stop();

  // ---- Pools.
  Task<Result<PoolId>> CreatePool(CreatePoolRequest request);
  // Takes in a pool that exists at the path, as of another catalog. Its volumes are known by generated names.
  Task<Result<PoolId>> AddPool(std::string name, std::string path);
  // Takes in an exported pool with the volumes, groups, relationships, aspects and exports that it brings along; names
  // that are taken get a number. A pool that is known and not open is opened where it is now.
  Task<Result<PoolId>> ImportPool(ImportPoolRequest request);
  // Takes leave of a pool with all its volumes and what belongs to them, so that it can be imported elsewhere. Answers
  // where its index is, which goes along: in the directory `index_to`, which is made, or where it was. in-use: clients
  // are connected, jobs run, or a group holds volumes of other pools, too.
  Task<Result<std::string>> ExportPool(PoolId pool, std::string index_to);
  // Its devices can be used again, by another pool too; files stay. in-use: it has volumes, points, exports or jobs. A
  // pool that is not usable is forgotten, when the catalog knows of nothing in it, and its devices keep what they hold.
  Task<Status> DeletePool(PoolId pool);
  // Makes a pool of devices that are offered and free, or adds them to one, or renames it. not-supported: none are
  // offered. in-use: one is part of a pool. too-large [4097 Size Not Supported]: not within SizesWith. Devices are
  // added one after the other: after an I/O error those before it stay.
  Task<Result<PoolId>> ShapePool(ShapePoolRequest request);
  // Looks which of the offered devices are free; done by itself after the start, and when a device is let go.
  Task<void> LookForDevices();
  std::vector<FreeDevice> FreeDevices() const;  // as last looked at, in the order of the configuration
  Status OffersDevices() const;                 // not-supported: none are
  // What the pool, or a new one, can have with these devices. Errors are those of ShapePool.
  Result<SizeRange> SizesWith(std::optional<PoolId> pool, const std::vector<std::string>& devices) const;
  // One more device or file, on which is nothing. `size` as in CreatePoolRequest.
  Task<Result<block::DeviceId>> AddDevice(PoolId pool, std::string path, uint64_t size);
  // Takes in what devices or files have become larger by. Answers how many bytes the pool has more.
  Task<Result<uint64_t>> GrowPool(PoolId pool);
  // A job that moves everything elsewhere and then forgets the device, which is named by its path or its id. It goes on
  // after a restart; suspended it leaves the device half emptied, cancelled it leaves it in use.
  Task<Result<JobId>> RemoveDevice(PoolId pool, std::string device);
  // Reads sizes and use of pools and volumes afresh from the engines; the questions below answer what was last read.
  // Done by itself after every change, for the pool and the volumes that it has changed.
  Task<void> RefreshUsage();
  // A job that reads everything in the pool and compares it with its checksums, at most so fast (0: no limit). It ends
  // in Exception with corrupted when blocks are bad, and names them. After a restart it goes on where it stood. in-use:
  // the pool is being scrubbed.
  Task<Result<JobId>> ScrubPool(PoolId pool, uint64_t bytes_per_second);
  // Holds the pool's counts and references against each other (block::Pool::Check).
  Task<Result<block::CheckReport>> CheckPool(PoolId pool);
  // What a volume takes (block::Pool::Space), and what releasing each of a pool's points, and no other, would free, in
  // bytes; points that are released meanwhile may be missing. Counted when asked: may take a while.
  Task<Result<block::VolumeSpace>> SpaceOf(VolumeId volume);
  Task<Result<std::map<PointId, uint64_t>>> FreedByPoints(PoolId pool, std::vector<PointId> points);
  std::vector<PoolView> Pools() const;            // by name
  Result<PoolView> Pool(PoolId pool) const;       // not-found
  Result<PoolView> PoolByName(std::string_view name) const;

  // ---- Volumes.
  Task<Result<std::vector<VolumeId>>> CreateVolumes(CreateVolumesRequest request);
  // in-use: it is exported, or is source or target of a relationship (say which in the sentence). A member of groups
  // leaves them.
  Task<Status> DeleteVolume(VolumeId volume);
  // Smaller only with `discard_data` (invalid-state otherwise): what lies beyond the new end is gone, but for points.
  // in-use: the target of a relationship.
  Task<Status> ResizeVolume(VolumeId volume, uint64_t size, bool discard_data = false);
  Task<Status> RenameVolume(VolumeId volume, std::string name);
  // Opens the volumes' windows, changes their limits, or closes them when there is none: all or none. Volumes of one
  // pool only.
  Task<Status> SetHistory(std::vector<VolumeId> volumes, block::HistoryWindow window);
  // New volumes with what the sources were at one moment: all or none. invalid-state: not in the window of one of them.
  // They are related to nothing, and have no window. already-exists: a name is taken.
  Task<Result<std::vector<VolumeId>>> CloneVolumes(CloneVolumesRequest request);
  // Gives the volumes the content that they had at one moment: all or none. What they are now is in the window then,
  // and can be gone back to. invalid-state: not in the window of one of them. in-use: it is the target of a
  // relationship, or clients are connected to it and `force` is false.
  Task<Status> RevertVolumes(RevertVolumesRequest request);
  std::vector<VolumeView> Volumes() const;        // by name
  Result<VolumeView> Volume(VolumeId volume) const;
  Result<VolumeView> VolumeByName(std::string_view name) const;
  std::vector<VolumeId> VolumeIds() const;        // by name
  std::optional<VolumeGlance> Glance(VolumeId volume) const;  // nothing when it does not exist
  Status PoolState(PoolId pool) const;            // PoolView::state

  // ---- Exports.
  Task<Result<ExportId>> CreateExport(CreateExportRequest request);
  // in-use: clients are connected and `force` is false.
  Task<Status> DeleteExport(ExportId id, bool force);
  std::vector<ExportView> Exports() const;        // by name
  Result<ExportView> ExportByName(std::string_view name) const;

  // ---- Groups. Never a job.
  Task<Result<GroupId>> CreateGroup(CreateGroupRequest request);
  Task<Status> ModifyGroup(ModifyGroupRequest request);
  // invalid-state [7 One or more elements in a replication relationship]. in-use [6]: it has members and
  // `remove_elements` is false. Volumes are never deleted.
  Task<Status> DeleteGroup(GroupId group, bool remove_elements);
  // Appends; what is a member already stays where it is. not-found [7 Group does not exist]; a volume that does not
  // exist is invalid-argument. in-use: the group is an end of a group relationship.
  Task<Status> AddMembers(GroupId group, std::vector<VolumeId> members);
  // not-found [7 Group does not exist]; invalid-state [8 Member not in group]; in-use: a member is replicated through
  // this group. `delete_on_empty_element`, when given, overrides the group's own for this call.
  Task<Status> RemoveMembers(GroupId group, std::vector<VolumeId> members, std::optional<bool> delete_on_empty_element);
  std::vector<catalog::GroupRecord> Groups() const;  // by name
  Result<catalog::GroupRecord> Group(GroupId group) const;
  Result<catalog::GroupRecord> GroupByName(std::string_view name) const;

  // ---- Replicas.
  Task<Result<ReplicaResult>> CreateElementReplica(CreateElementReplicaRequest request);
  Task<Result<ListReplicaResult>> CreateListReplica(CreateListReplicaRequest request);
  Task<Result<GroupReplicaResult>> CreateGroupReplica(CreateGroupReplicaRequest request);
  Task<Result<GroupReplicaResult>> CreateGroupReplicaFromElements(CreateGroupReplicaFromElementsRequest request);
  // Pairs for new members of a group relationship. invalid-argument: a source is a member already.
  Task<Result<ListReplicaResult>> AddElementsToGroup(AddElementsRequest request);
  // invalid-argument: the pairs differ in sync type or mode. in-use: one belongs to a group relationship already.
  Task<Result<GroupReplicaResult>> CreateGroupFromPairs(GroupFromPairsRequest request);
  // OK without a job: what the targets show has all been copied. A job: it is being copied, and `wait_us` is 0;
  // otherwise waits so long, and answers timeout. invalid-state [7 Unable to confirm target data].
  Task<Result<std::optional<JobId>>> ConfirmTargetData(RelationshipRef synchronized, uint64_t wait_us);
  // Operations are legal as replication/table.h says for the type and the present state. invalid-state: not legal now,
  // or needs Force (the sentence says so). in-use: an operation on it is running, or the target is in use by a host
  // where the operation is Return To ResourcePool.
  Task<Result<ModifyResult>> ModifyReplica(ModifyReplicaRequest request);
  // The same operation on several: all or none.
  Task<Result<ModifyResult>> ModifyList(ModifyListRequest request);
  // CIM_StorageSynchronized.CopyPriority, its one writable property.
  Task<Status> SetCopyPriority(RelationshipId id, catalog::CopyPriority priority);

  std::vector<RelationshipView> Relationships(const RelationshipFilter& filter = {}) const;  // oldest first
  std::vector<GroupRelationshipView> GroupRelationships(const RelationshipFilter& filter = {}) const;
  Result<RelationshipView> Relationship(RelationshipId id) const;
  Result<RelationshipView> RelationshipOf(VolumeId source, VolumeId target) const;  // by its CIM keys
  Result<GroupRelationshipView> GroupRelationship(GroupRelationshipId id) const;
  Result<GroupRelationshipView> GroupRelationshipByName(std::string_view name) const;

  // Whether a new pair of these two could be made now (PlanCreate's errors).
  Status MayPair(VolumeId source, VolumeId target) const;

  // ---- Points and aspects.
  Task<Result<AspectId>> CreateAspect(CreateAspectRequest request);
  // The operations of replication/aspects.h, on all or none.
  Task<Result<ModifyAspectsResult>> ModifyAspects(ModifyAspectsRequest request);
  std::vector<PointView> Points() const;  // oldest first
  std::vector<catalog::AspectRecord> Aspects() const;
  Result<catalog::AspectRecord> Aspect(AspectId id) const;
  // Forgets it; its point is released when nothing else holds it.
  Task<Status> DeleteAspect(AspectId id);

  // ---- Jobs.
  std::vector<catalog::JobRecord> Jobs() const;  // oldest first
  Result<catalog::JobRecord> Job(JobId id) const;
  // in-use: it has not ended.
  Task<Status> DeleteJob(JobId id);
  // CIM_ConcreteJob.RequestStateChange: Terminate, Suspend and Start. invalid-state [4097]: it has ended, or is not
  // suspended. Cancelling aborts the copies (CopyState Aborted; only Resync Replica restarts them).
  Task<Status> CancelJob(JobId id);
  Task<Status> SuspendJob(JobId id);
  Task<Status> ResumeJob(JobId id);
  Task<Status> SetJobRetention(JobId id, bool delete_on_completion, uint64_t time_before_removal_us);
  // Ends when the job has: its last record.
  Task<Result<catalog::JobRecord>> WaitForJob(JobId id);

  // ---- Changes. The listener is called after every change that is durable, on the control loop, and must not change
  // anything itself from within.
  using Listener = std::function<void(const ChangeEvent&)>;
  uint64_t Subscribe(Listener listener);
  void Unsubscribe(uint64_t subscription);
  // What a record of a ChangeEvent looks like, or did; what follows from other records is as it is now.
  PoolView ViewOf(const catalog::PoolRecord& record) const;
  VolumeView ViewOf(const catalog::VolumeRecord& record) const;
  RelationshipView ViewOf(const catalog::RelationshipRecord& record) const;
  GroupRelationshipView ViewOf(const catalog::GroupRelationshipRecord& record) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::control
