// Goal: lose something by adding, growing and removing devices. Everything is cut at every single I/O, and what a
// restart finds, with the devices named in any order, is held against the model of pool_model.h.
#include <gtest/gtest.h>

#include <functional>

#include "base/checksum.h"
#include "base/codec.h"
#include "block/change_stream.h"
#include "logstore/label_io.h"
#include "sim/crash_points.h"
#include "tests/support/simulated_pool.h"
#include "tests/unit/logstore/crash_node.h"

namespace lockstep::test {
namespace {

using Disks = std::vector<std::string>;

constexpr uint64_t kSegment = 256 << 10;
constexpr uint64_t DiskOf(uint64_t segments) {
  return (1 << 20) + segments * kSegment;
}

// A pool "disk" of some segments, and blank disks beside it.
class Machine {
 public:
  Machine(sim::SimEnv& env, std::vector<Step>* history, uint64_t segments, const Disks& blank) : env_(env) {
    history->clear();
    Node::Format(env, DiskOf(segments), kSegment);
    for (const std::string& name : blank) env.AddDisk(name, DiskOf(segments));
    a = {env.random().NextUuid()};
    b = {env.random().NextUuid()};
    p = {env.random().NextUuid()};
  }
  // Two volumes with content all over the pool, some of it held by a point.
  void Prepare(Node& node) {
    const uint64_t size = kBlocks * kBlockSize;
    ASSERT_TRUE(node.Apply({block::CreateVolume{a, size}, block::CreateVolume{b, size}}).ok());
    for (uint32_t i = 0; i < 40; ++i) node.Write(i % 2 ? a : b, i * 7 % (kBlocks - 3), 3, 100 + i), node.Settle();
    ASSERT_TRUE(node.Apply({block::TakePoint{p, {a, b}}}).ok());
    for (uint32_t i = 0; i < 20; ++i) node.Write(a, i * 5 % (kBlocks - 2), 2, 200 + i), node.Settle();
    ASSERT_TRUE(node.Flush());
  }
  void Overwrite(Node& node, uint32_t times, uint32_t tag) {
    for (uint32_t i = 0; i < times; ++i) {
      node.Write(i % 2 ? a : b, i * 7 % (kBlocks - 2), 2, tag + i);
      if (i % 4 == 3) node.Settle();
    }
    node.Settle();
  }
  void Grow(const std::string& name, uint64_t segments) { env_.media(name)->Grow(DiskOf(segments)); }
  void FormatAnother(const std::string& name) {
    auto disk = env_.OpenDisk(name, 0);
    const block::PoolId pool{env_.random().NextUuid()};
    ASSERT_TRUE(sim::Await(env_, logstore::Format(**disk, pool, {.segment_size = kSegment})).ok());
  }
  logstore::Label LabelOf(const std::string& name) {
    auto disk = env_.OpenDisk(name, 0);
    auto label = sim::Await(env_, logstore::ReadLabel(**disk));
    EXPECT_TRUE(label.ok()) << name << ": " << label.status().ToString();
    return label.ok() ? *label : logstore::Label();
  }
  void WriteLabel(const std::string& name, const logstore::Label& label) {
    auto disk = env_.OpenDisk(name, 0);
    ASSERT_TRUE(sim::Await(env_, logstore::WriteLabel(**disk, label)).ok());
  }

  block::VolumeId a, b;
  block::PointId p;

 private:
  sim::SimEnv& env_;
};

class Devices : public testing::Test {
 protected:
  void Expect(const Disks& disks, size_t certain) { ExpectPrefix(env_, history_, certain, disks); }
  Code OpenOn(const Disks& disks) {
    Node node(env_, &history_, disks);
    const Status opened = node.Open();
    message_ = opened.message();
    return opened.code();
  }

  sim::SimEnv env_{5};
  std::vector<Step> history_;
  std::string message_;
};

TEST_F(Devices, MakeRoomInAFullPool) {
  Machine machine(env_, &history_, 12, {"two"});
  size_t certain = 0;
  {
    Node node(env_, &history_);
    ASSERT_TRUE(node.Open().ok());
    machine.Prepare(node);
    const uint64_t before = node.pool().Info().size;
    block::VolumeId big{env_.random().NextUuid()};
    ASSERT_TRUE(node.Apply({block::CreateVolume{big, 1024 * kBlockSize}}).ok());
    for (uint32_t i = 0; i < 1024 && node.refused() == 0; i += 8) node.Write(big, i, 8, 1000 + i), node.Settle();
    ASSERT_NE(node.refused(), 0u);
    ASSERT_TRUE(node.AddDevice("two").ok());
    EXPECT_EQ(node.pool().Info().size, 2 * before);
    const size_t refused = node.refused();
    for (uint32_t i = 512; i < 640; i += 8) node.Write(big, i, 8, 3000 + i), node.Settle();
    EXPECT_EQ(node.refused(), refused) << "what is new is used at once";
    machine.Overwrite(node, 300, 5000);
    ASSERT_TRUE(node.Flush());
    const auto devices = node.pool().Devices();
    ASSERT_EQ(devices.size(), 2u);
    for (const block::DeviceInfo& device : devices) EXPECT_GT(device.live, 0u) << device.path;
    certain = node.certain();
  }
  env_.Crash();
  Expect({"two", "disk"}, certain);
  Expect({"disk", "two"}, history_.size());
}

TEST_F(Devices, AreAllNeededAndNamedWhenTheyAreNot) {
  Machine machine(env_, &history_, 12, {"two", "other"});
  {
    Node node(env_, &history_);
    ASSERT_TRUE(node.Open().ok());
    machine.Prepare(node);
    ASSERT_TRUE(node.AddDevice("two").ok());
  }
  const std::string two = machine.LabelOf("two").device.ToString();
  EXPECT_EQ(OpenOn({"disk"}), Code::kUnavailable);
  EXPECT_NE(message_.find(two), std::string::npos) << message_;
  EXPECT_EQ(OpenOn({"two"}), Code::kUnavailable);
  machine.FormatAnother("other");
  EXPECT_EQ(OpenOn({"disk", "other"}), Code::kUnavailable);
  const logstore::Label stranger = machine.LabelOf("other");
  Expect({"disk", "other", "two"}, history_.size());
  EXPECT_EQ(machine.LabelOf("other"), stranger) << "somebody else's device is left alone";

  env_.AddDisk("copy", DiskOf(12));
  machine.WriteLabel("copy", machine.LabelOf("two"));
  EXPECT_EQ(OpenOn({"disk", "copy", "two"}), Code::kInUse);
  EXPECT_NE(message_.find("copy"), std::string::npos) << message_;

  env_.AddDisk("short", DiskOf(11));
  machine.WriteLabel("short", machine.LabelOf("two"));
  EXPECT_EQ(OpenOn({"disk", "short"}), Code::kCorrupted);
}

TEST_F(Devices, AreRefusedWhenTheyBelongToAPoolOrAreTooSmall) {
  Machine machine(env_, &history_, 12, {"two", "other"});
  env_.AddDisk("tiny", (1 << 20) + kSegment - 4096);
  machine.FormatAnother("other");
  Node node(env_, &history_);
  ASSERT_TRUE(node.Open().ok());
  EXPECT_EQ(node.AddDevice("other").status().code(), Code::kInUse);
  EXPECT_EQ(node.AddDevice("tiny").status().code(), Code::kInvalidArgument);
  ASSERT_TRUE(node.AddDevice("two").ok());
  EXPECT_EQ(node.AddDevice("two").status().code(), Code::kInUse);
  EXPECT_EQ(node.pool().Devices().size(), 2u);
}

TEST_F(Devices, TheFirstOneCanGoWithTheLogOnIt) {
  Machine machine(env_, &history_, 16, {"two"});
  size_t certain = 0;
  {
    Node node(env_, &history_);
    ASSERT_TRUE(node.Open().ok());
    machine.Prepare(node);
    ASSERT_TRUE(node.AddDevice("two").ok());
    uint64_t told = 0;
    const Status removed = node.RemoveDevice("disk", {[&](const block::DrainReport& report) {
                                               EXPECT_GE(report.emptied, told);
                                               EXPECT_LE(report.emptied, report.total);
                                               told = report.emptied;
                                               return block::DrainAnswer::kGoOn;
                                             }});
    ASSERT_TRUE(removed.ok()) << removed.ToString();
    ASSERT_EQ(node.pool().Devices().size(), 1u);
    EXPECT_EQ(node.pool().Devices()[0].path, "two");
    EXPECT_TRUE(env_.OpenDisk("disk", 0).ok()) << "it has been let go";
    node.ExpectSound();
    certain = node.certain();
  }
  env_.Crash();
  EXPECT_EQ(machine.LabelOf("disk").role, logstore::Label::Role::kRemoved);
  EXPECT_EQ(OpenOn({"disk"}), Code::kNotFound);
  Expect({"two"}, certain);
  // It can come back, as a new one.
  {
    Node node(env_, &history_, {"two"});
    ASSERT_TRUE(node.Open().ok());
    ASSERT_TRUE(node.AddDevice("disk").ok());
    machine.Overwrite(node, 400, 5000);
    ASSERT_TRUE(node.Flush());
    ASSERT_TRUE(node.RemoveDevice("two").ok());
    machine.Overwrite(node, 100, 7000);
    ASSERT_TRUE(node.Flush());
    certain = node.certain();
  }
  env_.Crash();
  Expect({"disk"}, certain);
}

TEST_F(Devices, StayWhenTheRestIsTooSmallOrThereIsNone) {
  Machine machine(env_, &history_, 16, {"two"});
  Node node(env_, &history_);
  ASSERT_TRUE(node.Open().ok());
  machine.Prepare(node);
  EXPECT_EQ(node.RemoveDevice("disk").code(), Code::kInvalidState);
  EXPECT_EQ(node.RemoveDevice("nowhere").code(), Code::kNotFound);
  ASSERT_TRUE(node.AddDevice("two").ok());
  const block::VolumeId big{env_.random().NextUuid()};
  ASSERT_TRUE(node.Apply({block::CreateVolume{big, 1024 * kBlockSize}}).ok());
  for (uint32_t i = 0; i < 640; i += 8) node.Write(big, i, 8, 1000 + i), node.Settle();
  ASSERT_TRUE(node.Flush());
  const Status refused = node.RemoveDevice("two");
  EXPECT_EQ(refused.code(), Code::kNoSpace);
  EXPECT_NE(refused.message().find("two"), std::string::npos) << refused.message();
  for (const block::DeviceInfo& device : node.pool().Devices()) EXPECT_FALSE(device.draining);
  ASSERT_TRUE(node.Apply({block::DeleteVolume{big}}).ok());
  ASSERT_TRUE(node.Flush());
  const Status removed = node.RemoveDevice("two");
  EXPECT_TRUE(removed.ok()) << "what has been deleted makes room: " << removed.message();
}

TEST_F(Devices, ARemovalCanBeGivenUpAndGoneOnWith) {
  Machine machine(env_, &history_, 16, {"two"});
  size_t certain = 0;
  {
    Node node(env_, &history_);
    ASSERT_TRUE(node.Open().ok());
    machine.Prepare(node);
    ASSERT_TRUE(node.AddDevice("two").ok());
    const uint64_t size = node.pool().Info().size;
    const auto answer = [](block::DrainAnswer what, int after) {
      return block::DrainOptions{[what, after, asked = 0](const block::DrainReport&) mutable {
        return ++asked > after ? what : block::DrainAnswer::kGoOn;
      }};
    };
    EXPECT_EQ(node.RemoveDevice("disk", answer(block::DrainAnswer::kGiveUp, 1)).code(), Code::kCancelled);
    EXPECT_EQ(node.pool().Info().size, size);
    EXPECT_FALSE(node.pool().Devices()[0].draining);
    machine.Overwrite(node, 300, 3000);
    const Status paused = node.RemoveDevice("disk", answer(block::DrainAnswer::kPause, 0));
    EXPECT_EQ(paused.code(), Code::kCancelled) << paused.message();
    EXPECT_TRUE(node.pool().Devices()[0].draining);
    machine.Overwrite(node, 50, 5000);
    ASSERT_TRUE(node.Flush());
    certain = node.certain();
  }
  env_.Crash();
  Expect({"disk", "two"}, certain);
  {
    Node node(env_, &history_, {"disk", "two"});
    ASSERT_TRUE(node.Open().ok());
    EXPECT_TRUE(node.pool().Devices()[0].draining) << "after the restart, too";
    machine.Overwrite(node, 100, 6000);
    const Status removed = node.RemoveDevice("disk");
    ASSERT_TRUE(removed.ok()) << removed.ToString();
    ASSERT_TRUE(node.Flush());
    certain = node.certain();
  }
  Expect({"two"}, certain);
}

TEST_F(Devices, ThatHaveGrownAreTakenInFurther) {
  Machine machine(env_, &history_, 12, {"two"});
  size_t certain = 0;
  {
    Node node(env_, &history_);
    ASSERT_TRUE(node.Open().ok());
    machine.Prepare(node);
    EXPECT_EQ(node.Grow().value(), 0u);
    ASSERT_TRUE(node.AddDevice("two").ok());
    env_.media("disk")->Grow(DiskOf(20));  // not the last in the space of numbers
    env_.media("two")->Grow(DiskOf(14) + 4096);
    EXPECT_EQ(node.Grow().value(), 10 * kSegment);
    EXPECT_EQ(node.pool().Info().size, 34 * kSegment);
    const block::VolumeId big{env_.random().NextUuid()};
    ASSERT_TRUE(node.Apply({block::CreateVolume{big, 2048 * kBlockSize}}).ok());
    for (uint32_t i = 0; i < 1000; i += 8) node.Write(big, i, 8, 1000 + i), node.Settle();
    ASSERT_TRUE(node.Flush());
    EXPECT_EQ(node.refused(), 0u);
    certain = node.certain();
  }
  env_.Crash();
  Expect({"two", "disk"}, certain);
}

TEST_F(Devices, AnExportedPoolOpensOnlyAsAnImportAndCarriesItsNote) {
  Machine machine(env_, &history_, 12, {"two"});
  size_t certain = 0;
  const std::string note(100'000, 'x');
  {
    Node node(env_, &history_);
    ASSERT_TRUE(node.Open().ok());
    machine.Prepare(node);
    ASSERT_TRUE(node.AddDevice("two").ok());
    EXPECT_EQ(sim::Await(env_, node.pool().Note()).status().code(), Code::kNotFound);
    EXPECT_EQ(node.Export(std::string(2 << 20, 'x')).code(), Code::kTooLarge);
    ASSERT_TRUE(node.Export(note).ok());
    EXPECT_EQ(node.Apply({block::DeleteVolume{machine.a}}).code(), Code::kInvalidState);
    certain = node.certain();
  }
  EXPECT_EQ(OpenOn({"disk", "two"}), Code::kInvalidState);
  {
    logstore::Opening opening;
    opening.index_directory = "index";
    opening.import = true;
    for (const char* name : {"two", "disk"}) opening.devices.push_back({name, std::move(*env_.OpenDisk(name, 0))});
    auto pool = sim::Await(env_, logstore::OpenDevices(std::move(opening), logstore::Options::Tiny(), SeamsOf(env_)));
    ASSERT_TRUE(pool.ok()) << pool.status().ToString();
    EXPECT_EQ(sim::Await(env_, (*pool)->Note()).value(), note);
    EXPECT_TRUE(sim::Await(env_, (*pool)->Adopt()).ok());
    EXPECT_EQ(sim::Await(env_, (*pool)->Note()).status().code(), Code::kNotFound) << "it is told once";
    sim::Await(env_, (*pool)->Close());
  }
  Expect({"disk", "two"}, certain);
}

TEST_F(Devices, ABlockThatCannotBeReadKeepsItsDevice) {
  Machine machine(env_, &history_, 16, {"two"});
  Node node(env_, &history_);
  ASSERT_TRUE(node.Open().ok());
  machine.Prepare(node);
  ASSERT_TRUE(node.AddDevice("two").ok());
  // The first data of all: volume b, in the second batch, behind its header. A point holds it.
  env_.media("disk")->AddReadError((1 << 20) + 3 * kBlockSize, kBlockSize);
  const Status refused = node.RemoveDevice("disk");
  EXPECT_EQ(refused.code(), Code::kIoError) << refused.message();
  ASSERT_EQ(node.pool().Devices().size(), 2u);
  EXPECT_FALSE(node.pool().Devices()[0].draining);
  machine.Overwrite(node, 100, 3000);
  EXPECT_TRUE(node.Flush()) << "and it is used as before";
}

TEST_F(Devices, AFollowerThatStandsStillDoesNotKeepADevice) {
  Machine machine(env_, &history_, 16, {"two"});
  Node node(env_, &history_);
  ASSERT_TRUE(node.Open().ok());
  machine.Prepare(node);
  ASSERT_TRUE(node.AddDevice("two").ok());
  auto stream = node.pool().Changes({machine.a}, node.pool().Points()[0].position);
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  machine.Overwrite(node, 10, 3000);
  const Status removed = node.RemoveDevice("disk");
  EXPECT_TRUE(removed.ok()) << removed.message();
  Status told;
  for (int i = 0; i < 1000 && told.ok(); ++i) told = sim::Await(env_, (*stream)->Next()).status();
  EXPECT_EQ(told.code(), Code::kInvalidState) << told.message();
  stream->reset();
}

TEST_F(Devices, AScrubAndReadsGoOnWhileOneLeaves) {
  Machine machine(env_, &history_, 16, {"two"});
  size_t certain = 0;
  {
    Node node(env_, &history_);
    ASSERT_TRUE(node.Open().ok());
    machine.Prepare(node);
    ASSERT_TRUE(node.AddDevice("two").ok());
    std::optional<Result<block::ScrubReport>> scrubbed;
    Spawn(node.pool().Scrub({0, 200'000, {}}), [&](Result<block::ScrubReport> r) { scrubbed.emplace(std::move(r)); });
    size_t reads = 0;
    const Status removed = node.RemoveDevice("disk", {[&](const block::DrainReport&) {
                                               ++reads;
                                               return block::DrainAnswer::kGoOn;
                                             }});
    ASSERT_TRUE(removed.ok()) << removed.message();
    EXPECT_GT(reads, 0u);
    ASSERT_TRUE(node.ReadAll());
    ASSERT_TRUE(env_.loop().RunUntil([&] { return scrubbed.has_value(); }));
    ASSERT_TRUE(scrubbed->ok()) << scrubbed->status().ToString();
    EXPECT_EQ((*scrubbed)->bad, 0u);
    ASSERT_TRUE(node.Flush());
    certain = node.certain();
  }
  Expect({"two"}, certain);
}

// A label as a program of version 2 wrote it.
void WriteOldLabel(sim::SimEnv& env, const logstore::Superblock& s) {
  std::string out;
  Encoder e(out);
  e.Little(uint64_t{0x314c4f4f504c534c}).Little(uint32_t{2}).Little(s.least_index != 0 ? 1u : 0u);
  e.Bytes(s.pool.uuid.bytes).Little(s.segment_size).Little(s.segment_count).Little(kBlockSize).Little(s.least_index);
  e.Little(Crc32c(std::as_bytes(std::span(out))));
  AlignedMemory block(kBlockSize);
  std::memset(block.data(), 0, kBlockSize);
  std::memcpy(block.data(), out.data(), out.size());
  auto disk = env.OpenDisk("disk", 0);
  for (const uint64_t at : {uint64_t{0}, uint64_t{kBlockSize}}) {
    const io::Buffer buffer = block.buffer();
    io::DiskRequest write;
    write.op = io::DiskRequest::Op::kWrite;
    write.durable = true;
    write.offset = at;
    write.length = kBlockSize;
    write.buffers = {&buffer, 1};
    bool done = false;
    write.context = &done;
    write.done = [](io::DiskRequest& r) { *static_cast<bool*>(r.context) = true; };
    (*disk)->Submit(write);
    ASSERT_TRUE(env.loop().RunUntil([&] { return done; }));
    ASSERT_TRUE(write.status.ok());
  }
}

struct Trial {
  uint64_t seed = 21;
  uint64_t segments = 16;
  uint64_t step = sim::kUsualStep;
  bool old_label = false;
};

// Crashes at I/O 1, 2, 3, ... of `operation` on a pool with content and a blank disk beside it; what is found on both
// disks, however they are named, must be right.
void CrashDevicesEverywhere(const Trial& trial, const std::function<void(Node&, Machine&)>& before,
                            const std::function<void(Node&, Machine&)>& operation) {
  std::vector<Step> history;
  size_t certain = 0;
  sim::ForEachCrashPoint(
      {.seed = trial.seed, .step = trial.step},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        Machine machine(env, &history, trial.segments, {"two"});
        {
          Node node(env, &history);
          ASSERT_TRUE(node.Open().ok());
          machine.Prepare(node);
          if (before) before(node, machine);
          certain = node.certain();
        }
        if (trial.old_label) WriteOldLabel(env, machine.LabelOf("disk").superblock);
        if (trial.old_label) point.Arm();
        Node node(env, &history, {"disk", "two"});
        const Status opened = node.Open();
        if (!opened.ok()) return;
        if (!trial.old_label) point.Arm();
        operation(node, machine);
        certain = std::max(certain, node.certain());
      },
      [&](sim::SimEnv& env, bool completed) {
        ExpectPrefix(env, history, certain, completed ? Disks{"disk", "two"} : Disks{"two", "disk"});
        if (testing::Test::HasFailure()) return;
        // And it can be worked with: the same once more, to its end.
        const size_t kept = history.size();
        ExpectPrefix(env, history, kept, {"disk", "two"});
      });
}

TEST(CrashDevicesEverywhere, Add) {
  CrashDevicesEverywhere({}, {}, [](Node& n, Machine& m) {
    (void)n.AddDevice("two");
    m.Overwrite(n, 20, 3000);
    n.Flush();
  });
}
TEST(CrashDevicesEverywhere, AddWhatACrashKeptFromJoining) {
  // Every crash point of the first attempt, then a second one without a crash.
  std::vector<Step> history;
  sim::ForEachCrashPoint(
      {.seed = 22},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        Machine machine(env, &history, 16, {"two"});
        Node node(env, &history);
        ASSERT_TRUE(node.Open().ok());
        machine.Prepare(node);
        point.Arm();
        (void)node.AddDevice("two");
      },
      [&](sim::SimEnv& env, bool) {
        const auto try_open = [&](const Disks& disks) {
          Node node(env, &history, disks);
          return node.Open();
        };
        // Either it is one of the pool's and is needed, or it is not and can be taken.
        const bool joined = try_open({"disk"}).code() == Code::kUnavailable;
        Node node(env, &history, joined ? Disks{"disk", "two"} : Disks{"disk"});
        const Status opened = node.Open();
        ASSERT_TRUE(opened.ok()) << opened.ToString();
        ASSERT_EQ(node.pool().Devices().size(), joined ? 2u : 1u);
        const Status added = joined ? Status() : node.AddDevice("two").status();
        ASSERT_TRUE(added.ok()) << added.ToString();
        ASSERT_TRUE(node.RemoveDevice("disk").ok());
      });
}
TEST(CrashDevicesEverywhere, RemoveTheFirst) {
  CrashDevicesEverywhere({}, [](Node& n, Machine&) { ASSERT_TRUE(n.AddDevice("two").ok()); },
                         [](Node& n, Machine& m) {
                           m.Overwrite(n, 4, 3000);
                           (void)n.RemoveDevice("disk");
                           m.Overwrite(n, 8, 4000);
                           n.Flush();
                         });
}
TEST(CrashDevicesEverywhere, RemoveTheSecond) {
  CrashDevicesEverywhere({.seed = 23},
                         [](Node& n, Machine& m) {
                           ASSERT_TRUE(n.AddDevice("two").ok());
                           m.Overwrite(n, 500, 3000);
                         },
                         [](Node& n, Machine& m) {
                           (void)n.RemoveDevice("two");
                           m.Overwrite(n, 8, 4000);
                           n.Flush();
                         });
}
TEST(CrashDevicesEverywhere, Grow) {
  CrashDevicesEverywhere({.seed = 24}, [](Node& n, Machine&) { ASSERT_TRUE(n.AddDevice("two").ok()); },
                         [](Node& n, Machine& m) {
                           m.Grow("disk", 20);
                           m.Grow("two", 17);
                           (void)n.Grow();
                           m.Overwrite(n, 20, 3000);
                           n.Flush();
                         });
}
TEST(CrashDevicesEverywhere, UpgradeFromVersion2) {
  CrashDevicesEverywhere({.seed = 25, .old_label = true}, {}, [](Node& n, Machine& m) {
    m.Overwrite(n, 4, 3000);
    n.Flush();
  });
}

// A random life: writes, points, devices that come, grow and go, and power cuts.
class DeviceLife {
 public:
  DeviceLife(uint64_t seed, sim::SimLoop::Order order) : random_(seed), env_(seed * 15'485'863, order) {
    env_.set_disk_timing({.shuffled = order == sim::SimLoop::Order::kShuffled});
  }
  void Run() {
    Machine machine(env_, &history_, 16, {"two", "three"});
    for (const char* name : {"disk", "two", "three"}) disks_.push_back(name), sizes_[name] = 16;
    for (int life = 0; life < 6 && !testing::Test::HasFatalFailure(); ++life) {
      Live(machine);
      env_.Crash();
      if (random_.OneIn(2)) std::swap(disks_[random_.Below(3)], disks_[random_.Below(3)]);
      ExpectPrefix(env_, history_, certain_, disks_);
      certain_ = history_.size();
    }
  }
  uint64_t changes() const { return changes_; }

 private:
  void Live(Machine& machine) {
    Node node(env_, &history_, disks_);
    const Status opened = node.Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    PoolModel now;
    for (const Step& s : history_) Advance(now, s);
    const size_t at_first = history_.size();
    if (now.volumes.empty()) machine.Prepare(node);
    for (size_t s = at_first; s < history_.size(); ++s) Advance(now, history_[s]);
    env_.faults().CutPowerAt(100 + random_.Below(1200));
    for (int i = 0; i < 600 && !env_.faults().power_is_cut(); ++i) {
      const size_t before = history_.size();
      Act(node, now);
      for (size_t s = before; s < history_.size(); ++s) Advance(now, history_[s]);
    }
    node.Settle();
    certain_ = std::max(certain_, node.certain());
  }
  void Act(Node& node, const PoolModel& now) {
    const uint64_t what = random_.Below(80);
    const std::string name = disks_[random_.Below(disks_.size())];
    if (what < 8) node.Settle();
    if (what < 3) {
      if (node.DeviceAt(name).IsNil())
        changes_ += node.AddDevice(name).ok();
      else
        changes_ += node.RemoveDevice(name, Impatience()).ok();
    } else if (what == 3 && sizes_[name] < 24) {
      env_.media(name)->Grow(DiskOf(++sizes_[name]));
      (void)node.Grow();
    } else if (what == 4 && now.points.size() < 4) {
      block::TakePoint take{{env_.random().NextUuid()}, {}};
      for (const auto& [id, v] : now.volumes) take.volumes.push_back(id);
      (void)node.Apply({take});
    } else if (what == 5 && !now.points.empty()) {
      (void)node.Apply({block::ReleasePoint{now.points.begin()->first}});
    } else if (what == 6) {
      node.Flush();
    } else {
      const uint64_t first = random_.Below(kBlocks), count = 1 + random_.Below(std::min<uint64_t>(6, kBlocks - first));
      auto volume = now.volumes.begin();
      if (random_.OneIn(2)) ++volume;
      node.Write(volume->first, first, count, random_.OneIn(12) ? 0 : ++tag_);
      if (random_.OneIn(3)) node.Settle();
    }
  }
  block::DrainOptions Impatience() {
    if (!random_.OneIn(3)) return {};
    const auto answer = random_.OneIn(2) ? block::DrainAnswer::kPause : block::DrainAnswer::kGiveUp;
    return {[answer, left = random_.Below(6)](const block::DrainReport&) mutable {
      return left-- == 0 ? answer : block::DrainAnswer::kGoOn;
    }};
  }

  sim::SimRandom random_;
  sim::SimEnv env_;
  std::vector<Step> history_;
  Disks disks_;
  std::map<std::string, uint64_t> sizes_;
  size_t certain_ = 0;
  uint32_t tag_ = 1000;
  uint64_t changes_ = 0;
};

class DeviceLives : public testing::TestWithParam<uint64_t> {};

TEST_P(DeviceLives, SurvivePowerCuts) {
  uint64_t changes = 0;
  for (uint64_t seed = GetParam() * 4; seed < GetParam() * 4 + 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    DeviceLife life(seed, seed % 2 ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled);
    life.Run();
    changes += life.changes();
    if (HasFailure()) return;
  }
  EXPECT_GT(changes, 0u) << "no device came or went, so nothing was tried";
}
INSTANTIATE_TEST_SUITE_P(Seeds, DeviceLives, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace lockstep::test
