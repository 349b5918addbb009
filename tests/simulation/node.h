// One life of a simulated node: a pool on the machine's disk, and the requests of its users. Everything that the engine
// answers goes to the oracle; what contradicts it becomes a problem of the report.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "logstore/logstore.h"
#include "sim/env.h"
#include "tests/simulation/disks.h"
#include "tests/simulation/oracle.h"
#include "tests/support/aligned_memory.h"

namespace lockstep::simulation {

// What is wrong with a history so far, and what it has tried.
struct Report {
  std::vector<std::string> problems;
  std::map<std::string, uint64_t> counts;
  bool stuck = false;  // something never ends: what waits for it must not be destroyed
  void Add(std::string problem) { problems.push_back(std::move(problem)); }
};

// What may go wrong in this life without being the engine's fault.
struct Excuses {
  bool io_errors = false;  // any request may end with io-error once a fault was injected, and the pool may fail
  bool bad_reads = false;  // blocks cannot be read: what reads may say so, and nothing else may fail
  bool damage = false;     // a write went astray: what reads may say "corrupted"
  bool none() const { return !io_errors && !bad_reads && !damage; }
};

class Node {
 public:
  // A pool on some of the disks.
  Node(sim::SimEnv& env, Disks& disks, block::PoolId id, Oracle& oracle, Report& report)
      : env_(env), disks_(disks), id_(id), oracle_(oracle), report_(report) {}
  // REQUIRES: closed, or the report is stuck.
  ~Node();

  // Hangs and errors planned before count.
  Status Open(const logstore::Options& options);
  // Reads everything, asks the oracle and the engine's own check.
  void CheckAfterRestart(bool crashed);
  // Waits for what is in flight and closes the pool.
  void Close();

  void set_excuses(Excuses excuses) { excuses_ = excuses; }
  const Excuses& excuses() const { return excuses_; }
  block::Pool& pool() { return *pool_; }
  Oracle& oracle() { return oracle_; }
  Report& report() { return report_; }
  sim::SimEnv& env() { return env_; }

  // These submit and do not wait. Tag 0: a discard or zeroes.
  void Write(VolumeId volume, uint64_t first, uint64_t count, Tag tag, bool fua);
  void Read(VolumeId volume, uint64_t first, uint64_t count);
  void ReadPoint(PointId point, VolumeId volume, uint64_t first, uint64_t count);
  void Flush(VolumeId volume);
  // One at a time: a transaction, and the first reading of the points that it took.
  void Apply(std::vector<block::Change> changes);
  bool structure_busy() const { return structure_busy_; }
  // One at a time: something long beside the requests.
  enum class Chore { kCopyUp, kDiff, kScrub, kCheck, kPoolFlush, kAddDevice, kRemoveDevice };
  void Start(Chore chore);
  bool chore_busy() const { return chore_busy_; }

  // Volumes that may be read and written; volumes and points that no request is on its way to.
  bool Usable(VolumeId volume) const { return !locked_.contains(volume); }
  bool Usable(PointId point) const { return !releasing_.contains(point); }
  bool Quiet(VolumeId volume) const { return !using_.contains(volume.uuid); }
  bool Quiet(PointId point) const { return !using_.contains(point.uuid); }
  size_t in_flight() const { return in_flight_; }
  bool failed() const { return failed_; }  // the pool has failed, with an excuse
  uint64_t refused() const { return refused_; }
  // What the points held that have been read, also of those that were released.
  const std::map<PointId, std::map<VolumeId, Contents>>& archive() const { return archive_; }
  // Is told of each point that was taken and read.
  std::function<void(PointId)> on_point;

  // Runs the machine until `over`. False, and the report stuck, when it does not come to that.
  bool RunUntil(const std::function<bool()>& over, const char* what);
  void Settle();  // no request, transaction or chore is in flight
  std::optional<Contents> ReadNow(VolumeId volume);
  Status ApplyNow(std::vector<block::Change> changes);
  // Compares all that can be read with the oracle, and the engine's counts with what they count.
  void CheckAll();
  // For a pool whose device has lost a write: what can be read must at least have been written there once.
  void CheckDamaged();
  template <typename T>
  std::optional<T> Await(Task<T> task, const char* what);

 private:
  struct Op;
  void Submit(std::unique_ptr<Op> op);
  void Done(Op& op);
  void WriteDone(Op& op);
  // Says whether the status needs no further word; adds a problem when nothing excuses it.
  bool Expect(const Status& status, bool reads, const std::string& what);
  Task<void> RunTransaction(block::Transaction transaction);
  Task<bool> LearnPoints(block::Transaction transaction);
  Task<void> RunChore(Chore chore);
  Task<void> RunDiff();
  Task<void> CopyUp();
  Task<void> Scrub();
  Task<void> Check();
  Task<void> FlushPool();
  Task<void> AddDevice();
  Task<void> RemoveDevice();
  Task<std::optional<Contents>> ReadAll(std::shared_ptr<block::Volume> volume);
  Task<std::optional<Contents>> ReadRange(std::shared_ptr<block::Volume> volume, uint64_t first, uint64_t count);
  std::vector<VolumeId> LockedBy(const std::vector<block::Change>& changes) const;
  void Answer(const char* what, const Status& status, uint64_t more = 0);

  sim::SimEnv& env_;
  Disks& disks_;
  const block::PoolId id_;
  Oracle& oracle_;
  Report& report_;
  Excuses excuses_;
  std::unique_ptr<block::Pool> pool_;
  size_t in_flight_ = 0;
  std::map<std::string, size_t> kinds_;  // of them
  std::map<Uuid, size_t> using_;  // requests in flight by volume or point
  std::set<VolumeId> locked_;
  std::set<PointId> releasing_;  // by the transaction that runs, or of which nobody knows the outcome
  bool structure_busy_ = false, chore_busy_ = false, failed_ = false;
  Status structure_status_;
  uint64_t refused_ = 0;
  std::map<PointId, std::map<VolumeId, Contents>> archive_;
};

template <typename T>
std::optional<T> Node::Await(Task<T> task, const char* what) {
  auto result = std::make_shared<std::optional<T>>();
  Spawn(std::move(task), [result](T value) { result->emplace(std::move(value)); });
  RunUntil([result] { return result->has_value(); }, what);
  return std::move(*result);
}

}  // namespace lockstep::simulation
