// A node without its faces: the real Control and catalog, pools in memory and a recording export server, on a simulated
// machine whose power can be cut at every file and pool change.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/control.h"
#include "sim/await.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/memory_pool.h"

namespace lockstep::control {

using catalog::CopyState;
using catalog::Operation;
using catalog::SyncType;

inline constexpr uint64_t kMiB = 1 << 20;

// A MemoryPool that takes part in the machine's power failures: a transaction that the cut hits is there or not, as the
// seed says, and answers an error in both cases.
class FragilePool final : public block::Pool {
 public:
  FragilePool(std::shared_ptr<test::MemoryStorage> storage, sim::SimEnv& env)
      : inner_(std::move(storage), env.loop(), &env.clock()), env_(env) {}

  block::PoolId id() const override { return inner_.id(); }
  Task<Status> Apply(block::Transaction transaction) override {
    const sim::FaultPlan::Verdict verdict = env_.faults().Next(sim::IoKind::kDiskFlush);
    if (verdict == sim::FaultPlan::Verdict::kProceed) {
      const Status applied = co_await inner_.Apply(std::move(transaction));
      if (after_apply_) after_apply_();
      co_return applied;
    }
    const bool reached = verdict == sim::FaultPlan::Verdict::kCut && env_.fault_random().Below(2) == 1;
    if (reached) (void)co_await inner_.Apply(std::move(transaction));
    co_return IoError("the power is gone");
  }
  bool WasApplied(block::TransactionId id) const override { return inner_.WasApplied(id); }
  Result<std::shared_ptr<block::Volume>> OpenVolume(block::VolumeId id) override { return inner_.OpenVolume(id); }
  Result<std::shared_ptr<block::Volume>> OpenPoint(block::PointId point, block::VolumeId volume) override {
    return inner_.OpenPoint(point, volume);
  }
  Task<Result<std::vector<block::Extent>>> Diff(block::VolumeId volume, block::PointId from,
                                                std::optional<block::PointId> to) override {
    return inner_.Diff(volume, from, to);
  }
  Task<Result<uint64_t>> CopyUp(block::VolumeId volume, uint64_t offset, uint64_t length) override {
    ++pieces_;
    if (!copy_error_.ok()) co_return copy_error_;
    // Time passes, so that a test can look at a copy while it runs.
    co_await env_.loop().Sleep(std::chrono::milliseconds(10));
    if (env_.faults().Next(sim::IoKind::kDiskWrite) != sim::FaultPlan::Verdict::kProceed) {
      co_return IoError("the power is gone");
    }
    co_return co_await inner_.CopyUp(volume, offset, length);
  }
  Task<Status> Flush() override {
    if (env_.faults().Next(sim::IoKind::kDiskFlush) != sim::FaultPlan::Verdict::kProceed) {
      co_return IoError("the power is gone");
    }
    co_return co_await inner_.Flush();
  }
  // A hundred positions of 10 ms each, with what MakeBad said in the middle.
  Task<Result<block::ScrubReport>> Scrub(block::ScrubOptions options) override {
    block::ScrubReport report;
    report.position = options.from;
    report.end = 100;
    scrub_rate_ = options.bytes_per_second;
    while (report.position < report.end && options.go_on(report)) {
      co_await env_.loop().Sleep(std::chrono::milliseconds(10));
      if (!scrub_error_.ok()) co_return scrub_error_;
      ++scrubbed_;
      if (++report.position != 50 || bad_.empty()) continue;
      report.bad_blocks = bad_;
      report.bad = bad_.size();
    }
    co_return report;
  }
  Task<Result<block::CheckReport>> Check() override { return inner_.Check(); }
  Task<Result<block::SequenceNumber>> PositionAt(io::WallTime time) override { return inner_.PositionAt(time); }
  Task<Result<io::WallTime>> TimeOf(block::SequenceNumber position) override { return inner_.TimeOf(position); }
  Task<Result<block::VolumeSpace>> Space(block::VolumeId volume) override { return inner_.Space(volume); }
  Task<Result<std::vector<uint64_t>>> WouldFree(std::vector<block::Removal> removals) override {
    return inner_.WouldFree(std::move(removals));
  }
  block::PoolInfo Info() const override { return inner_.Info(); }
  std::vector<block::VolumeInfo> Volumes() const override { return inner_.Volumes(); }
  std::vector<block::PointInfo> Points() const override { return inner_.Points(); }
  Result<block::VolumeInfo> Find(block::VolumeId volume) const override { return inner_.Find(volume); }
  Result<block::PointInfo> Find(block::PointId point) const override { return inner_.Find(point); }

  // Devices that are nothing but names. A removal takes a hundred steps of 10 ms each.
  std::vector<block::DeviceInfo> Devices() const override { return devices_; }
  Task<Result<block::DeviceId>> AddDevice(std::unique_ptr<io::Disk> disk, std::string path) override {
    if (!device_error_.ok()) co_return device_error_;
    block::DeviceInfo device;
    device.id.uuid.bytes[15] = static_cast<uint8_t>(devices_.size() + 1);
    device.path = std::move(path);
    device.size = disk->size();
    devices_.push_back(device);
    co_return device.id;
  }
  Task<Status> RemoveDevice(block::DeviceId id, block::DrainOptions options) override {
    if (!device_error_.ok()) co_return device_error_;
    const auto find = [&] {
      return std::find_if(devices_.begin(), devices_.end(), [&](const auto& d) { return d.id == id; });
    };
    find()->draining = true;
    for (block::DrainReport report{0, 100}; report.emptied < report.total; ++report.emptied) {
      const block::DrainAnswer answer = options.go_on(report);
      if (answer == block::DrainAnswer::kGiveUp) find()->draining = false;
      if (answer != block::DrainAnswer::kGoOn) co_return Status(Code::kCancelled, "told to");
      co_await env_.loop().Sleep(std::chrono::milliseconds(10));
    }
    devices_.erase(find());
    co_return Status::Ok();
  }
  void SetDevices(std::vector<block::DeviceInfo> devices) { devices_ = std::move(devices); }
  void FailDevices(Status error) { device_error_ = std::move(error); }

  uint64_t pieces() const { return pieces_; }
  uint64_t scrubbed() const { return scrubbed_; }  // positions
  uint64_t scrub_rate() const { return scrub_rate_; }
  void MakeBad(std::vector<block::BadBlock> bad) { bad_ = std::move(bad); }
  void FailScrub(Status error) { scrub_error_ = std::move(error); }
  void FailCopies(Status error) { copy_error_ = std::move(error); }
  // Called when a transaction is applied and before anybody knows.
  void AfterApply(std::function<void()> call) { after_apply_ = std::move(call); }

 private:
  test::MemoryPool inner_;
  sim::SimEnv& env_;
  uint64_t pieces_ = 0, scrubbed_ = 0, scrub_rate_ = 0;
  Status copy_error_, scrub_error_;
  std::vector<block::BadBlock> bad_;
  std::vector<block::DeviceInfo> devices_;
  Status device_error_;
  std::function<void()> after_apply_;
};

// What survives a crash beside the files: the pools' bytes.
using Media = std::map<std::string, std::shared_ptr<test::MemoryStorage>>;

class Opener final : public PoolOpener {
 public:
  Opener(Media& media, sim::SimEnv& env) : media_(media), env_(env) {}

  Task<Result<std::shared_ptr<block::Pool>>> Create(std::string path, uint64_t size, block::PoolId id) override {
    if (media_.contains(path)) co_return AlreadyExists(path + " holds a pool already");
    std::vector<block::DeviceInfo> devices;
    if (size == 0) {
      LS_CO_ASSIGN_OR_RETURN(size, co_await RoomOn(path));
      devices.push_back({{id.uuid}, path, size, 0, 0, false});
    }
    if (env_.faults().Next(sim::IoKind::kDiskWrite) != sim::FaultPlan::Verdict::kProceed)
      co_return IoError("the power is gone");
    auto storage = std::make_shared<test::MemoryStorage>();
    storage->id = id;
    storage->size = size;
    media_[path] = storage;
    Result<std::shared_ptr<block::Pool>> made = Make(path);
    if (!devices.empty()) at(path)->SetDevices(std::move(devices));
    co_return made;
  }
  // Of several paths the first that there is; the others are devices that come and go (FragilePool).
  Task<Result<std::shared_ptr<block::Pool>>> Open(PoolPlace place) override {
    for (const std::string& path : place.paths) {
      if (media_.contains(path)) co_return Make(path);
    }
    co_return NotFound(place.paths.front() + " does not exist");
  }
  Task<Result<std::unique_ptr<io::Disk>>> OpenDevice(std::string path, uint64_t size) override {
    co_return env_.OpenDisk(path, size);
  }
  Task<Result<uint64_t>> RoomOn(std::string path) override {
    if (media_.contains(path)) co_return AlreadyExists(path + " holds a pool");
    const Result<std::unique_ptr<io::Disk>> disk = env_.OpenDisk(path, 0);
    if (!disk.ok()) co_return disk.status();
    co_return (*disk)->size();
  }
  Task<Status> Erase(block::PoolId pool, std::vector<std::string> paths) override {
    for (const std::string& path : paths) {
      const auto found = media_.find(path);
      if (found == media_.end() || found->second->id != pool) continue;
      EXPECT_EQ(at(path), nullptr) << "somebody has it open";
      if (env_.faults().Next(sim::IoKind::kDiskWrite) != sim::FaultPlan::Verdict::kProceed)
        co_return IoError("the power is gone");
      media_.erase(found);
    }
    co_return Status();
  }
  Task<Result<std::string>> LeaveIndex(block::PoolId, std::string to) override { co_return to; }
  void OnBadBlock(BadBlockListener listener) override { bad_block = std::move(listener); }
  // The pool that was opened last at the path; null when it is closed.
  std::shared_ptr<FragilePool> at(const std::string& path) { return open_[path].lock(); }

  BadBlockListener bad_block;

 private:
  Result<std::shared_ptr<block::Pool>> Make(const std::string& path) {
    auto pool = std::make_shared<FragilePool>(media_[path], env_);
    open_[path] = pool;
    return std::shared_ptr<block::Pool>(std::move(pool));
  }
  Media& media_;
  sim::SimEnv& env_;
  std::map<std::string, std::weak_ptr<FragilePool>> open_;
};

// Records what is published; a test says who is connected.
class Exports final : public ExportSink, public ExportUse {
 public:
  Task<Status> Publish(PublishedExport one) override {
    EXPECT_FALSE(published.contains(one.name)) << one.name;
    published[one.name] = std::move(one);
    co_return Status::Ok();
  }
  Task<Status> Withdraw(std::string name) override {
    published.erase(name);
    co_return Status::Ok();
  }
  uint32_t Connections(block::VolumeId volume) const override {
    const auto found = connections.find(volume);
    return found == connections.end() ? 0 : found->second;
  }
  std::map<std::string, PublishedExport> published;
  std::map<block::VolumeId, uint32_t> connections;
};

class Node {
 public:
  Node(sim::SimEnv& env, Media& media, ScrubSchedule scrubs = {}, std::vector<std::string> devices = {})
      : env_(env), opener_(media, env) {
    Result<std::unique_ptr<catalog::Catalog>> opened = catalog::Catalog::Open(env.files(), "/catalog.db", env.log());
    start_ = opened.status();
    if (!start_.ok()) return;
    control_ = std::make_unique<Control>(
        Surroundings{env.loop(), env.loop(), env.clock(), env.random(), env.log(), opener_, exports_, exports_,
                     scrubs, std::move(devices)},
        std::move(*opened));
    start_ = Run(control_->Start());
  }
  ~Node() { Stop(); }
  void Stop() {
    if (control_ == nullptr) return;
    sim::Await(env_, control_->Stop());
    control_.reset();
  }

  template <typename T>
  T Run(Task<T> task) {
    return sim::Await(env_, std::move(task));
  }

  bool started() const { return start_.ok(); }
  const Status& start() const { return start_; }
  Control& operator*() { return *control_; }
  Control* operator->() { return control_.get(); }
  Exports& exports() { return exports_; }
  Opener& opener() { return opener_; }

 private:
  sim::SimEnv& env_;
  Opener opener_;
  Exports exports_;
  std::unique_ptr<Control> control_;
  Status start_;
};

// One node with one pool "p" and whatever volumes a test asks for.
class ControlTest : public testing::Test {
 protected:
  void SetUp() override {
    node_ = std::make_unique<Node>(env_, media_, scrubs_, devices_);
    ASSERT_TRUE(node_->started());
    pool_ = Must(Run(control().CreatePool({"p", "/dev/p", 1024 * kMiB})));
  }

  Control& control() { return **node_; }
  template <typename T>
  T Run(Task<T> task) { return node_->Run(std::move(task)); }
  template <typename T>
  static T Must(Result<T> result) {
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? std::move(*result) : T{};
  }
  void Restart() {
    node_.reset();
    env_.Crash();
    node_ = std::make_unique<Node>(env_, media_, scrubs_, devices_);
    ASSERT_TRUE(node_->started());
  }

  VolumeId Volume(const std::string& name, uint64_t size = kMiB) {
    const std::vector<VolumeId> made = Must(Run(control().CreateVolumes({pool_, name, size, 1})));
    return made.empty() ? VolumeId() : made.front();
  }
  GroupId Group(const std::string& name, std::vector<VolumeId> members) {
    return Must(Run(control().CreateGroup({name, std::move(members), {}, {}, {}, {}})));
  }

  // Fills the first block of a volume with a byte, and reads it back.
  void Write(VolumeId id, char value) {
    test::AlignedMemory memory(block::kBlockSize);
    std::fill(memory.bytes().begin(), memory.bytes().end(), static_cast<std::byte>(value));
    Transfer(id, block::Request::Op::kWrite, memory);
  }
  char Read(VolumeId id) {
    test::AlignedMemory memory(block::kBlockSize);
    Transfer(id, block::Request::Op::kRead, memory);
    return static_cast<char>(memory.bytes().front());
  }

  Result<ReplicaResult> Replicate(SyncType type, VolumeId source, ReplicaOptions options = {}) {
    options.sync_type = type;
    CreateElementReplicaRequest request;
    request.options = std::move(options);
    request.source_element = source;
    return Run(control().CreateElementReplica(std::move(request)));
  }
  Result<ReplicaResult> FullClone(VolumeId source, std::optional<CopyState> wait = {}) {
    ReplicaOptions options;
    options.settings.desired_copy_methodology = catalog::CopyMethodology::kFullCopy;
    options.wait_for_copy_state = wait;
    return Replicate(SyncType::kClone, source, options);
  }
  Result<GroupReplicaResult> ReplicateGroup(SyncType type, GroupId source, CreateGroupReplicaRequest request = {}) {
    request.options.sync_type = type;
    request.source_group = source;
    return Run(control().CreateGroupReplica(std::move(request)));
  }
  Result<ModifyResult> Modify(RelationshipRef what, Operation operation, bool force = false) {
    ModifyReplicaRequest request;
    request.operation = operation;
    request.synchronization = what;
    request.force = force;
    return Run(control().ModifyReplica(std::move(request)));
  }
  Code CodeOf(RelationshipRef what, Operation operation, bool force = false) {
    return Modify(what, operation, force).status().code();
  }
  CopyState StateOf(RelationshipId id) {
    const Result<RelationshipView> view = control().Relationship(id);
    return view.ok() ? view->record.state : CopyState::kNotApplicable;
  }
  size_t PointsInEngine() { return media_["/dev/p"]->now.points.size(); }
  size_t VolumesInEngine() { return media_["/dev/p"]->now.volumes.size(); }

  sim::SimEnv env_{1};
  Media media_;
  ScrubSchedule scrubs_;  // of nodes started from now on
  std::vector<std::string> devices_;  // likewise: those that are offered
  std::unique_ptr<Node> node_;
  PoolId pool_;

 private:
  void Transfer(VolumeId id, block::Request::Op op, test::AlignedMemory& memory) {
    const std::shared_ptr<FragilePool> pool = node_->opener().at("/dev/p");
    Result<std::shared_ptr<block::Volume>> volume = pool->OpenVolume(id);
    ASSERT_TRUE(volume.ok()) << volume.status().ToString();
    const block::Buffer buffer = memory.buffer();
    block::Request request;
    request.op = op;
    request.length = block::kBlockSize;
    request.buffers = std::span(&buffer, 1);
    bool done = false;
    request.context = &done;
    request.done = [](block::Request& r) { *static_cast<bool*>(r.context) = true; };
    (*volume)->Submit(request);
    ASSERT_TRUE(env_.loop().RunUntil([&] { return done; }));
    EXPECT_TRUE(request.status.ok()) << request.status.ToString();
  }
};

}  // namespace lockstep::control
