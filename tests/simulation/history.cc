#include "tests/simulation/history.h"

#include <fmt/format.h>

#include <algorithm>

#include "logstore/inspect.h"
#include "logstore/pool.h"
#include "tests/simulation/follower.h"
#include "tests/simulation/index_loss.h"
#include "tests/simulation/shape.h"

namespace rocksdb {
// From its shared library, without a header: what the heights of its skip lists are drawn from, one per thread. It has
// to begin alike in every history, because the size of a memtable decides when it is written.
class Random {
 public:
  static Random* GetTLSInstance();
  uint32_t seed;
};
}  // namespace rocksdb

namespace lockstep::simulation {
namespace {

using block::kBlockSize;

constexpr uint64_t kSegment = 256 << 10;

enum class Fault { kNone, kPowerCut, kError, kHang, kUnreadable, kMisdirected };

class History {
 public:
  History(sim::SimEnv& env, uint64_t seed, Report& report)
      : env_(env),
        random_(seed * 0x9e3779b97f4a7c15ull + 1),
        more_(seed * 0xd1342543de82ef95ull + 1),
        report_(report),
        shape_(DrawShape(random_, more_)),
        disks_(env) {}

  void Run() {
    env_.set_disk_timing(shape_.timing);
    if (!Format()) return;
    for (int life = 0; life < shape_.lives && Fine(); ++life) Live(life + 1 == shape_.lives);
    for (int i = 0; i < shape_.torn_ends && Fine() && !damaged_; ++i) TearAndRepeat();
    if (Fine() && !damaged_) Inspect();
    if (Fine()) damaged_ ? EndDamaged() : End();
  }

 private:
  bool Fine() const { return report_.problems.empty() && !report_.stuck; }

  bool Format() {
    disks_.Add("disk", SizeOf(shape_.segments));
    for (size_t i = 0; i < shape_.more_disks; ++i)
      disks_.Add(fmt::format("disk {}", i + 2), SizeOf(8 + more_.Below(20)));
    auto disk = disks_.Open("disk");
    pool_ = {env_.random().NextUuid()};
    Status status = Internal("does not end");
    Spawn(logstore::Format(**disk, pool_, {.segment_size = kSegment}), [&](Status s) { status = std::move(s); });
    env_.loop().RunUntilIdle();
    if (!status.ok()) report_.Add("formatting: " + status.ToString());
    return status.ok();
  }

  static uint64_t SizeOf(uint64_t segments) { return (1 << 20) + segments * kSegment; }

  // Whatever the last life has left: it is sound, and looking at it changes nothing.
  void Inspect() {
    auto files = disks_.OpenAll();
    const auto index = logstore::Index::OpenReadOnly(
        env_.files(), "index", {256 << 10, 64 << 10, &env_.background()}, env_.log());
    if (!files.ok() || !index.ok()) {
      return report_.Add("the pool cannot be inspected: " + (files.ok() ? index.status() : files.status()).ToString());
    }
    Result<logstore::PoolDevices> pool = Internal("does not end");
    Spawn(logstore::FindDevices(std::move(*files), pool_, env_.loop(), env_.log()),
          [&](Result<logstore::PoolDevices> p) { pool = std::move(p); });
    env_.loop().RunUntilIdle();
    if (!pool.ok()) return report_.Add("inspecting: " + pool.status().ToString());
    Result<logstore::Inspection> found = Internal("does not end");
    Spawn(logstore::Inspect(*pool, index->get()), [&](Result<logstore::Inspection> f) { found = std::move(f); });
    env_.loop().RunUntilIdle();
    if (!found.ok()) return report_.Add("inspecting: " + found.status().ToString());
    for (const std::string& problem : found->problems) report_.Add("inspecting finds: " + problem);
    ++report_.counts["inspected"];
  }

  // Opens the pool, now and then with the index lost or an old one in its place. It must refuse that, or hold what it
  // held: then it gets back what it had.
  Status TryOpen(Node& node) {
    IndexCopy index = SaveIndex(env_.files(), "index");
    if (random_.OneIn(5)) {
      RestoreIndex(env_.files(), "index", random_.OneIn(2) ? IndexCopy() : old_index_);
      const Status status = node.Open(shape_.options);
      ++report_.counts[status.ok() ? "index lost, rebuilt" : "index lost, refused"];
      if (status.ok() || report_.stuck) return status;
      if (status.code() != Code::kCorrupted) report_.Add("without its index the pool says: " + status.ToString());
      RestoreIndex(env_.files(), "index", index);
    }
    if (random_.OneIn(2)) old_index_ = std::move(index);
    return node.Open(shape_.options);
  }

  // Opens the pool and checks what it holds. False: the history is over.
  bool Open(Node& node) {
    const Status status = TryOpen(node);
    if (!status.ok() && !report_.stuck) {
      if (!damaged_)
        report_.Add(fmt::format("the pool cannot be opened after a {}: {}", crashed_ ? "crash" : "restart",
                                status.ToString()));
      return false;
    }
    if (report_.stuck) return false;
    node.CheckAfterRestart(crashed_);
    return Fine();
  }

  Fault DrawFault(bool last) {
    switch (random_.Below(10)) {
      case 0: return Fault::kNone;
      case 1: return Fault::kError;
      case 2: return Fault::kHang;
      case 3: return Fault::kUnreadable;
      case 4: return last ? Fault::kMisdirected : Fault::kPowerCut;
      default: return Fault::kPowerCut;
    }
  }

  void Plan(Node& node, Fault fault) {
    sim::FaultPlan& faults = env_.faults();
    const uint64_t changes = static_cast<uint64_t>(shape_.acts);
    if (fault == Fault::kPowerCut) faults.CutPowerAt(1 + random_.Below(changes * 3));
    if (fault == Fault::kError) {
      const sim::IoKinds kinds = random_.OneIn(2)   ? sim::kAllIo
                                 : random_.OneIn(2) ? sim::Only(sim::IoKind::kDiskWrite)
                                 : random_.OneIn(2) ? sim::Only(sim::IoKind::kDiskFlush)
                                                    : sim::kFileIo;
      // There are few flushes, and what follows one that failed is what matters.
      const uint64_t most = kinds == sim::Only(sim::IoKind::kDiskFlush) ? 20 : changes;
      if (random_.OneIn(3))
        faults.FailFrom(1 + random_.Below(most), kinds);
      else
        faults.FailAt(1 + random_.Below(most), kinds);
      node.set_excuses({.io_errors = true});
    }
    // A read that takes so long that all segments could be reused meanwhile.
    slow_read_ = fault == Fault::kHang && random_.OneIn(2);
    if (slow_read_) {
      faults.HangAt(1 + random_.Below(changes / 8), sim::Only(sim::IoKind::kDiskRead));
    } else if (fault == Fault::kHang) {
      faults.HangAt(1 + random_.Below(changes), sim::kDiskIo);
      if (random_.OneIn(2)) faults.CutPowerAt(changes + random_.Below(changes));
    }
    if (fault == Fault::kMisdirected) {
      faults.MisdirectAt(1 + random_.Below(changes / 2));
      node.set_excuses({.damage = true});
      damaged_ = true;
    }
  }

  void Live(bool last) {
    Node node(env_, disks_, pool_, oracle_, report_);
    if (!Open(node)) return node.Close();
    const Fault fault = DrawFault(last);
    env_.trace().Add("life", {static_cast<uint64_t>(fault)});
    ++report_.counts[fmt::format("lives, fault {}", static_cast<int>(fault))];
    Follower follower(node, random_.OneIn(2));
    follow_at_ = random_.OneIn(2) ? random_.Below(4) : UINT64_MAX;
    node.on_point = [&](PointId point) {
      if (follow_at_-- == 0) follower.Start(point);
    };
    if (RepeatLost(node)) return Stop(node, follower, Fault::kPowerCut);
    Plan(node, fault);
    acts_after_failure_ = static_cast<int>(random_.Below(60));
    unreadable_at_ = fault == Fault::kUnreadable ? shape_.acts / 4 : INT32_MAX;
    for (int i = 0; i < shape_.acts && GoesOn(node); ++i) Act(node, i);
    Stop(node, follower, fault);
  }

  // Users notice late that a pool has failed.
  bool GoesOn(Node& node) {
    return Fine() && !env_.faults().power_is_cut() && (!node.failed() || acts_after_failure_-- > 0);
  }

  // The power fails while two writes are on their way, each a batch of its own; the first is often lost alone.
  void LeaveTwoWrites(Node& node) {
    const auto v = AnyVolume(node, true);
    if (!v) return;
    node.Flush(*v);
    node.Settle();
    if (!GoesOn(node) || oracle_.volumes().at(*v).blocks() < 2) return;
    disks_.set_timing({std::chrono::milliseconds(2), std::chrono::milliseconds(2)});
    repeat_ = Lost{*v, random_.Below(oracle_.volumes().at(*v).blocks() - 1), ++tag_};
    node.Write(*v, repeat_->block, 1, repeat_->tag, false);
    Advance(6);
    node.Write(*v, repeat_->block + 1, 1, ++tag_, false);
    Advance(6);
    env_.faults().CutPowerNow();
  }

  // Its client writes again what was lost, in the next life, and the power fails again. What came behind it in the log
  // of the life before must not come back.
  bool RepeatLost(Node& node) {
    if (!repeat_) return false;
    const Lost lost = *std::exchange(repeat_, std::nullopt);
    if (!oracle_.volumes().contains(lost.volume)) return false;
    node.Write(lost.volume, lost.block, 1, lost.tag, false);
    node.Settle();
    env_.faults().CutPowerNow();
    return true;
  }

  // Nothing but that, in two lives.
  void TearAndRepeat() {
    for (int life = 0; life < 2 && Fine(); ++life) {
      Node node(env_, disks_, pool_, oracle_, report_);
      if (!Open(node)) return node.Close();
      Follower follower(node, false);
      if (!RepeatLost(node)) LeaveTwoWrites(node);
      Stop(node, follower, Fault::kPowerCut);
    }
  }

  // The life ends: by a power cut, by closing in the midst of everything, or in good order.
  void Stop(Node& node, Follower& follower, Fault fault) {
    if (fault == Fault::kMisdirected) env_.faults().Clear();
    if (GoesOn(node) && fault != Fault::kError && !node.failed() && random_.OneIn(3)) {
      disks_.ReleaseHung();
      node.CheckAll();
      if (Fine()) follower.Compare();
    }
    if (GoesOn(node) && !node.failed() && node.excuses().none() && random_.OneIn(3)) LeaveTwoWrites(node);
    if (!report_.stuck && random_.OneIn(2)) {
      Advance(random_.Below(40));
      env_.faults().CutPowerNow();
    }
    node.on_point = nullptr;
    if (!report_.stuck) {
      disks_.ReleaseHung();
      env_.faults().HangAt(0);
      follower.Stop();
      node.RunUntil([&] { return !follower.running(); }, "a change stream that was closed");
      node.Settle();
    }
    if (report_.stuck) return;
    follower.Drop();
    node.Close();
    if (report_.stuck) return;
    crashed_ = env_.faults().power_is_cut();  // or it came while the node was being closed
    if (crashed_) {
      env_.Crash();
    } else if (env_.faults().Clear(); fault == Fault::kError) {
      // A device that failed is reset: what it had not flushed may be gone, as after a crash.
      disks_.LoseUnflushed();
      crashed_ = true;
    }
    disks_.ForgetReadErrors();
  }

  void Advance(uint64_t closures) {
    const uint64_t end = env_.loop().closures_run() + closures;
    env_.loop().RunUntil([&] { return env_.loop().closures_run() >= end; }, std::chrono::milliseconds(50));
  }

  void Act(Node& node, int i) {
    if (i == unreadable_at_) LoseBlocks(node);
    if (!slow_read_ && random_.OneIn(60)) disks_.ReleaseHung();
    // Only so much at once.
    if (node.in_flight() >= shape_.most_in_flight) {
      const size_t most = random_.Below(shape_.most_in_flight);
      if (disks_.hung() != 0 && random_.OneIn(3)) disks_.ReleaseHung();
      if (disks_.hung() != 0) return Advance(20);
      if (!node.RunUntil([&] { return node.in_flight() <= most; }, "a request")) return;
    }
    if (shape_.tight && !node.chore_busy() && more_.OneIn(3)) node.Start(Node::Chore::kCopyUp);
    const uint64_t what = random_.Below(100);
    if (oracle_.volumes().empty()) {
      if (!node.structure_busy() && !oracle_.pending()) ChangeStructure(node);
      if (!node.RunUntil([&] { return !node.structure_busy() || disks_.hung() != 0; }, "a transaction")) return;
      disks_.ReleaseHung();
      return;
    }
    if (what < 6) {
      if (!node.structure_busy() && !oracle_.pending()) ChangeStructure(node);
    } else if (what < 9) {
      if (!node.chore_busy()) node.Start(DrawChore());
    } else if (what < 14) {
      if (const auto v = AnyVolume(node)) node.Flush(*v);
    } else if (what < 26) {
      ReadSomething(node);
    } else {
      WriteSomething(node);
    }
    if (random_.OneIn(2)) Advance(random_.Below(12));
    if (random_.OneIn(shape_.settles) && disks_.hung() == 0) node.Settle();
  }

  Node::Chore DrawChore() {
    const auto chore = static_cast<Node::Chore>(random_.Below(5));
    if (shape_.more_disks == 0 || more_.OneIn(2)) return chore;
    return more_.OneIn(2) ? Node::Chore::kAddDevice : Node::Chore::kRemoveDevice;
  }

  std::optional<VolumeId> AnyVolume(Node& node, bool quiet = false) {
    std::vector<VolumeId> volumes;
    for (const auto& [id, v] : oracle_.volumes())
      if (node.Usable(id) && (!quiet || node.Quiet(id))) volumes.push_back(id);
    if (volumes.empty()) return std::nullopt;
    return volumes[random_.Below(volumes.size())];
  }

  std::pair<uint64_t, uint64_t> Range(uint64_t blocks) {
    const uint64_t reach = shape_.hot && !random_.OneIn(8) ? std::max<uint64_t>(1, blocks / 8) : blocks;
    const uint64_t first = random_.Below(reach);
    const uint64_t most = random_.OneIn(shape_.large_writes) ? 40 : 4;
    return {first, 1 + random_.Below(std::min(most, blocks - first))};
  }

  void WriteSomething(Node& node) {
    const auto v = AnyVolume(node);
    if (!v) return;
    const auto [first, count] = Range(oracle_.volumes().at(*v).blocks());
    const bool hole = random_.OneIn(14);
    node.Write(*v, first, count, hole ? 0 : ++tag_, random_.OneIn(25));
  }

  void ReadSomething(Node& node) {
    if (random_.OneIn(3)) {
      std::vector<PointId> points;
      for (const auto& [id, p] : oracle_.points())
        if (p.known() && node.Usable(id)) points.push_back(id);
      if (points.empty()) return;
      const PointId point = points[random_.Below(points.size())];
      const auto& members = oracle_.points().at(point).seen;
      auto it = members.begin();
      std::advance(it, static_cast<long>(random_.Below(members.size())));
      const auto [first, count] = Range(it->second.size());
      return node.ReadPoint(point, it->first, first, count);
    }
    const auto v = AnyVolume(node);
    if (!v) return;
    const auto [first, count] = Range(oracle_.volumes().at(*v).blocks());
    node.Read(*v, first, count);
  }

  void ChangeStructure(Node& node) {
    std::vector<block::Change> changes = DrawChanges(node);
    if (changes.empty()) return;
    node.Apply(std::move(changes));
  }

  std::optional<PointId> AnyPoint(Node& node, bool quiet) {
    std::vector<PointId> points;
    for (const auto& [id, p] : oracle_.points())
      if (p.known() && (!quiet || node.Quiet(id))) points.push_back(id);
    if (points.empty()) return std::nullopt;
    return points[random_.Below(points.size())];
  }

  std::vector<block::Change> DrawChanges(Node& node) {
    const auto& volumes = oracle_.volumes();
    const size_t count = volumes.size();
    if (count == 0 || (count < 2 && random_.OneIn(2)))
      return {block::CreateVolume{{env_.random().NextUuid()}, shape_.volume_blocks * kBlockSize}};
    const bool crowded = node.refused() > refused_;
    refused_ = node.refused();
    if (shape_.chains && !crowded && count < shape_.most_volumes && !more_.OneIn(3)) return Lengthen(node);
    if (more_.OneIn(12)) return Shrink(node);
    switch (crowded ? 6 + random_.Below(2) : random_.Below(9)) {
      case 0: {
        if (count >= shape_.most_volumes) return {};
        return {block::CreateVolume{{env_.random().NextUuid()}, shape_.volume_blocks * kBlockSize}};
      }
      case 1:
      case 2: return TakePoint(node);
      case 3: {
        const auto point = AnyPoint(node, false);
        if (!point || count >= shape_.most_volumes) return {};
        const auto& members = oracle_.points().at(*point).seen;
        return {block::Clone{*point, members.begin()->first, {env_.random().NextUuid()}, 0}};
      }
      case 4: {
        const auto point = AnyPoint(node, false);
        const auto volume = AnyVolume(node, true);
        if (!point || !volume) return {};
        return {block::SetContent{*volume, *point, oracle_.points().at(*point).seen.begin()->first}};
      }
      case 5: {
        const auto volume = AnyVolume(node, true);
        if (!volume || volumes.at(*volume).blocks() > 400) return {};
        return {block::ResizeVolume{*volume, (volumes.at(*volume).blocks() + 1 + random_.Below(20)) * kBlockSize}};
      }
      case 6: {
        const auto volume = AnyVolume(node, true);
        if (!volume || (count < 3 && !crowded)) return {};
        return {block::DeleteVolume{*volume}};
      }
      default: {
        const auto point = AnyPoint(node, true);
        if (!point) return {};
        return {block::ReleasePoint{*point}};
      }
    }
  }

  // A clone of what was cloned last, so that chains become deep, and at times the end of what it was made from.
  std::vector<block::Change> Lengthen(Node& node) {
    if (!oracle_.volumes().contains(youngest_) || !node.Usable(youngest_)) {
      const auto volume = AnyVolume(node);
      if (!volume) return {};
      youngest_ = *volume;
    }
    const VolumeId clone{env_.random().NextUuid()};
    const PointId point{env_.random().NextUuid()};
    std::vector<block::Change> changes;
    changes.push_back(block::TakePoint{point, {youngest_}});
    changes.push_back(block::Clone{point, youngest_, clone, 0});
    if (more_.OneIn(4) && node.Quiet(youngest_)) changes.push_back(block::DeleteVolume{youngest_});
    if (oracle_.points().size() >= shape_.most_points)
      if (const auto old = AnyPoint(node, true)) changes.push_back(block::ReleasePoint{*old});
    youngest_ = clone;
    return changes;
  }

  std::vector<block::Change> Shrink(Node& node) {
    const auto volume = AnyVolume(node, true);
    if (!volume || oracle_.volumes().at(*volume).blocks() < 12) return {};
    const uint64_t less = 1 + more_.Below(oracle_.volumes().at(*volume).blocks() / 3);
    return {block::ResizeVolume{*volume, (oracle_.volumes().at(*volume).blocks() - less) * kBlockSize}};
  }

  // A point of some volumes, and at times what a replication operation would add to the same transaction.
  std::vector<block::Change> TakePoint(Node& node) {
    std::vector<block::Change> changes;
    block::TakePoint take{{env_.random().NextUuid()}, {}};
    std::vector<VolumeId> quiet;
    for (const auto& [id, v] : oracle_.volumes()) {
      if (!node.Usable(id) || (!take.volumes.empty() && random_.OneIn(3))) continue;
      take.volumes.push_back(id);
      if (node.Quiet(id)) quiet.push_back(id);
    }
    if (take.volumes.empty()) return {};
    if (oracle_.points().size() >= shape_.most_points) {
      const auto old = AnyPoint(node, true);
      if (!old) return {};
      changes.push_back(block::ReleasePoint{*old});
    }
    changes.push_back(take);
    if (random_.OneIn(3) && oracle_.volumes().size() < shape_.most_volumes)
      changes.push_back(block::Clone{take.point, take.volumes.back(), {env_.random().NextUuid()}, 0});
    else if (random_.OneIn(4) && !quiet.empty())
      changes.push_back(block::SetContent{quiet.front(), take.point, take.volumes.front()});
    return changes;
  }

  // Latent errors: some blocks of the data cannot be read any more.
  void LoseBlocks(Node& node) {
    node.set_excuses({.bad_reads = true});
    const uint64_t blocks = shape_.segments * 64;
    for (uint64_t i = 1 + random_.Below(6); i != 0; --i)
      disks_.media("disk").AddReadError((1 << 20) + random_.Below(blocks - 4) * kBlockSize,
                                       (1 + random_.Below(4)) * kBlockSize);
  }

  void End();
  void EndDamaged();
  bool GiveAllBack(Node& node);
  void FillUp(Node& node, uint64_t blocks);

  sim::SimEnv& env_;
  sim::SimRandom random_, more_;
  Report& report_;
  const Shape shape_;
  Disks disks_;
  block::PoolId pool_;
  Oracle oracle_;
  Tag tag_ = 0;
  bool crashed_ = true, damaged_ = false, slow_read_ = false;
  uint64_t follow_at_ = UINT64_MAX;
  int unreadable_at_ = INT32_MAX;
  uint64_t refused_ = 0;
  IndexCopy old_index_;
  VolumeId youngest_;  // the end of a chain
  struct Lost {
    VolumeId volume;
    uint64_t block;
    Tag tag;
  };
  std::optional<Lost> repeat_;
  int acts_after_failure_ = 0;
};

// Space reachability: when everything is deleted, all of it comes back, and can be written again.
void History::End() {
  Node node(env_, disks_, pool_, oracle_, report_);
  if (Open(node) && GiveAllBack(node)) FillUp(node, node.pool().Info().free / kBlockSize * 3 / 4);
  if (Fine()) node.CheckAll();
  node.Close();
}

// A write had gone astray: nobody can say what was lost. The pool refuses to open, or shows nothing that never was.
void History::EndDamaged() {
  Node node(env_, disks_, pool_, oracle_, report_);
  node.set_excuses({.damage = true});
  if (node.Open(shape_.options).ok() && Fine()) node.CheckDamaged();
  node.Close();
}

bool History::GiveAllBack(Node& node) {
  while (!oracle_.points().empty() && Fine()) {
    const Status s = node.ApplyNow({block::ReleasePoint{oracle_.points().begin()->first}});
    if (!s.ok()) report_.Add("a point cannot be released in the end: " + s.ToString());
  }
  while (!oracle_.volumes().empty() && Fine()) {
    const Status s = node.ApplyNow({block::DeleteVolume{oracle_.volumes().begin()->first}});
    if (!s.ok()) report_.Add("a volume cannot be deleted in the end: " + s.ToString());
  }
  if (!Fine()) return false;
  const VolumeId scratch{env_.random().NextUuid()};
  const Status created = node.ApplyNow({block::CreateVolume{scratch, 400 * kBlockSize}});
  if (!created.ok()) report_.Add("an emptied pool takes no volume: " + created.ToString());
  if (!Fine()) return false;
  // What is left is swept by folds, a piece by each.
  for (int i = 0; i < 400 && Fine() && node.pool().Info().live > 4 * kBlockSize; ++i) {
    node.Write(scratch, 0, 1, ++tag_, false);
    node.Settle();
    node.Start(Node::Chore::kPoolFlush);
    node.Settle();
    if (node.refused() != 0) report_.Add("an emptied pool refuses a write");
  }
  const block::PoolInfo info = node.pool().Info();
  if (info.live > 4 * kBlockSize)
    report_.Add(fmt::format("{} bytes stay in use although everything is deleted", info.live));
  return Fine();
}

void History::FillUp(Node& node, uint64_t blocks) {
  const VolumeId large{env_.random().NextUuid()};
  const Status created = node.ApplyNow({block::CreateVolume{large, (blocks + 8) * kBlockSize}});
  if (!created.ok()) return report_.Add("an emptied pool takes no volume: " + created.ToString());
  for (uint64_t b = 0; b < blocks && Fine(); b += 8) {
    node.Write(large, b, 8, ++tag_, false);
    if (b % 64 == 0) node.Settle();
  }
  node.Settle();
  if (node.refused() != 0 && Fine())
    report_.Add(fmt::format("{} of {} blocks are refused although all space should have come back", node.refused() * 8,
                            blocks));
}

}  // namespace

Outcome RunHistory(uint64_t seed, std::FILE* trace) {
  rocksdb::Random::GetTLSInstance()->seed = 301;
  Outcome outcome;
  sim::SimRandom order(seed ^ 0x5851f42d4c957f2dull);
  auto env = std::make_unique<sim::SimEnv>(
      seed, order.OneIn(2) ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled);
  env->trace().set_echo(trace);
  History history(*env, seed, outcome.report);
  history.Run();
  outcome.hash = env->trace().hash();
  outcome.events = env->trace().events();
  if (outcome.report.stuck) (void)env.release();  // what waits in there must not be destroyed
  return outcome;
}

}  // namespace lockstep::simulation
