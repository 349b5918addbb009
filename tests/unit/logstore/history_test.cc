// Goal: prove that a window shows something else than what was. An oracle remembers every state of a few volumes by
// position and by time; power cuts at every I/O, trims, reverts and the engine's own expiry come in between.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>

#include "logstore/logstore.h"
#include "sim/crash_points.h"
#include "sim/env.h"
#include "tests/support/aligned_memory.h"
#include "tests/support/simulated_pool.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it

constexpr uint64_t kBlocks = 24;
using State = std::vector<uint32_t>;  // a tag for each block; 0: zeroes

io::Duration Seconds(double s) {
  return std::chrono::microseconds(static_cast<int64_t>(s * 1e6));
}

// An open pool on a simulated machine.
class WindowMachine {
 public:
  explicit WindowMachine(sim::SimEnv& env) : env_(env) {}
  ~WindowMachine() {
    if (!pool_) return;
    sim::Await(env_, pool_->Close());
  }
  static void Format(sim::SimEnv& env, uint64_t size = 64 << 20) {
    env.AddDisk("disk", size);
    auto disk = env.OpenDisk("disk", 0);
    const Status s = sim::Await(env, logstore::Format(**disk, {env.random().NextUuid()}, {.segment_size = 512 << 10}));
    ASSERT_TRUE(s.ok()) << s.ToString();
  }
  Status Open() {
    auto disk = env_.OpenDisk("disk", 0);
    if (!disk.ok()) return disk.status();
    auto pool = Await(logstore::Open(std::move(*disk), "index", logstore::Options::Tiny(), SeamsOf(env_)));
    if (!pool.ok()) return pool.status();
    pool_ = std::move(*pool);
    return {};
  }
  Pool& pool() { return *pool_; }
  SequenceNumber Last() const { return pool_->Info().last; }
  io::WallTime Wall() const { return env_.clock().Wall(); }
  void Pass(io::Duration duration) { env_.loop().RunFor(duration); }

  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(env_, std::move(task));
  }
  Status Apply(std::vector<Change> changes) {
    return Await(pool_->Apply({{env_.random().NextUuid()}, std::move(changes)}));
  }
  Status Write(VolumeId id, uint64_t first, uint64_t count, uint32_t tag) {
    AlignedMemory memory(count * kBlockSize);
    for (size_t i = 0; i < memory.size(); i += 4) std::memcpy(memory.data() + i, &tag, 4);
    const io::Buffer buffer = memory.buffer();
    Request request;
    request.op = tag == 0 ? Request::Op::kDiscard : Request::Op::kWrite;
    request.offset = first * kBlockSize;
    request.length = count * kBlockSize;
    if (tag != 0) request.buffers = {&buffer, 1};
    return Execute(**pool_->OpenVolume(id), request);
  }
  std::optional<State> Read(const std::shared_ptr<Volume>& volume) {
    AlignedMemory memory(volume->size());
    const io::Buffer buffer = memory.buffer();
    Request request;
    request.op = Request::Op::kRead;
    request.length = volume->size();
    request.buffers = {&buffer, 1};
    if (!Execute(*volume, request).ok()) return std::nullopt;
    State state;
    for (size_t at = 0; at < memory.size(); at += kBlockSize) {
      uint32_t tag;
      std::memcpy(&tag, memory.data() + at, 4);
      state.push_back(tag);
    }
    return state;
  }
  // What the volume was at the position; nullopt when that cannot be had.
  std::optional<State> At(VolumeId id, SequenceNumber position) {
    const PointId point{env_.random().NextUuid()};
    if (!Apply({TakePoint{point, {id}, position}}).ok()) return std::nullopt;
    const auto state = Read(*pool_->OpenPoint(point, id));
    EXPECT_TRUE(Apply({ReleasePoint{point}}).ok());
    return state;
  }
  void ExpectSound() {
    const auto report = Await(logstore::Check(*pool_));
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    for (const std::string& problem : report->problems) ADD_FAILURE() << problem;
  }
  bool AwaitSwept() {
    return env_.loop().RunUntil([this] { return !pool_->Info().freeing || env_.faults().power_is_cut(); });
  }

 private:
  Status Execute(Volume& volume, Request& request) { return RunOn(env_, volume, request); }
  sim::SimEnv& env_;
  std::unique_ptr<Pool> pool_;
};

// Every state of one volume, by the position that brought it.
class Memory {
 public:
  void Note(SequenceNumber position, State state) { states_[position] = std::move(state); }
  const State& Now() const { return states_.rbegin()->second; }
  const std::map<SequenceNumber, State>& states() const { return states_; }
  const State& At(SequenceNumber position) const { return std::prev(states_.upper_bound(position))->second; }
  // Forgets what a crash took.
  void CutAfter(SequenceNumber last) { states_.erase(states_.upper_bound(last), states_.end()); }

 private:
  std::map<SequenceNumber, State> states_;
};

void Fill(State& state, uint64_t first, uint64_t count, uint32_t tag) {
  std::fill_n(state.begin() + static_cast<ptrdiff_t>(first), count, tag);
}

// All positions of the window, and those before it not.
void ExpectWindow(WindowMachine& machine, VolumeId id, const Memory& memory, SequenceNumber newest) {
  const auto info = machine.pool().Find(id);
  ASSERT_TRUE(info.ok());
  ASSERT_NE(info->history_from, 0u);
  for (const auto& [position, state] : memory.states()) {
    if (position > newest) break;
    const auto seen = machine.At(id, position);
    if (position < info->history_from) {
      EXPECT_FALSE(seen) << "position " << position << " lies before the window";
      continue;
    }
    ASSERT_TRUE(seen) << "position " << position << " of a window from " << info->history_from;
    ASSERT_EQ(*seen, state) << "position " << position;
  }
}

// One volume with a window, written to; `operation` is cut at each of its I/Os. Afterwards the present must be the
// state of some position not before what was certain, and the window must show every state up to there.
struct Cut {
  sim::SimEnv& env;
  WindowMachine& machine;
  VolumeId id;
  Memory& memory;
  SequenceNumber& certain;

  void Write(uint64_t first, uint64_t count, uint32_t tag) {
    State state = memory.Now();
    Fill(state, first, count, tag);
    const SequenceNumber before = machine.Last();
    if (machine.Write(id, first, count, tag).ok() || machine.Last() > before) memory.Note(machine.Last(), state);
  }
  bool Change(std::vector<block::Change> changes, const State& state) {
    const SequenceNumber before = machine.Last();
    const Status applied = machine.Apply(std::move(changes));
    if (applied.ok() || machine.Last() > before) memory.Note(machine.Last(), state);
    if (applied.ok()) certain = machine.Last();
    return applied.ok();
  }
  bool Revert(SequenceNumber at) {
    const PointId point{env.random().NextUuid()};
    return Change({TakePoint{point, {id}, at}, SetContent{id, point, id}, ReleasePoint{point}}, memory.At(at));
  }
};

void CutEverywhere(const std::function<void(Cut&)>& operation) {
  Memory memory;
  VolumeId id;
  SequenceNumber certain = 0;
  sim::ForEachCrashPoint(
      {.seed = 21},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        memory = {};
        WindowMachine::Format(env);
        WindowMachine machine(env);
        ASSERT_TRUE(machine.Open().ok());
        id = {env.random().NextUuid()};
        ASSERT_TRUE(machine.Apply({CreateVolume{id, kBlocks * kBlockSize}}).ok());
        ASSERT_TRUE(machine.Write(id, 0, kBlocks, 1).ok());
        ASSERT_TRUE(machine.Apply({SetHistory{{id}, {3600, 0}}}).ok());
        memory.Note(machine.Last(), State(kBlocks, 1));
        Cut cut{env, machine, id, memory, certain};
        for (uint32_t i = 0; i < 12; ++i) cut.Write(i * 2 % kBlocks, 2, 10 + i);
        ASSERT_TRUE(machine.Await(machine.pool().Flush()).ok());
        certain = machine.Last();
        point.Arm();
        operation(cut);
      },
      [&](sim::SimEnv& env, bool) {
        WindowMachine machine(env);
        const Status opened = machine.Open();
        ASSERT_TRUE(opened.ok()) << opened.ToString();
        const SequenceNumber last = machine.Last();
        ASSERT_GE(last, certain);
        memory.CutAfter(last);
        machine.ExpectSound();
        ASSERT_EQ(*machine.Read(*machine.pool().OpenVolume(id)), memory.Now());
        ExpectWindow(machine, id, memory, last);
        ASSERT_TRUE(machine.AwaitSwept());
        machine.ExpectSound();
      });
}

TEST(WindowCutEverywhere, Writes) {
  CutEverywhere([](Cut& cut) {
    for (uint32_t i = 0; i < 40; ++i) {
      cut.Write(i * 5 % 20, 1 + i % 4, i % 7 == 3 ? 0 : 100 + i);
      if (i % 10 == 0) cut.machine.Pass(Seconds(0.7));
    }
  });
}
TEST(WindowCutEverywhere, Trimming) {
  CutEverywhere([](Cut& cut) {
    const auto positions = cut.memory.states();
    (void)cut.Change({TrimHistory{cut.id, std::next(positions.begin(), 5)->first, {}}}, cut.memory.Now());
    cut.machine.AwaitSwept();
    cut.Write(3, 4, 200);
    (void)cut.machine.Await(cut.machine.pool().Flush());
    (void)cut.Change({TrimHistory{cut.id, std::next(positions.begin(), 9)->first, {}}}, cut.memory.Now());
    cut.machine.AwaitSwept();
  });
}
TEST(WindowCutEverywhere, RevertingAndGoingForwardAgain) {
  CutEverywhere([](Cut& cut) {
    const auto positions = cut.memory.states();
    (void)cut.Revert(std::next(positions.begin(), 4)->first);
    cut.Write(0, 3, 300);
    cut.Write(8, 3, 0);
    (void)cut.Revert(positions.rbegin()->first);
    cut.Write(5, 1, 301);
    (void)cut.machine.Await(cut.machine.pool().Flush());
  });
}

// ---- Times.

class Times : public testing::Test {
 protected:
  void SetUp() override {
    WindowMachine::Format(env_);
    Start();
    id_ = {env_.random().NextUuid()};
    ASSERT_TRUE(machine_->Apply({CreateVolume{id_, kBlocks * kBlockSize}}).ok());
  }
  void Start() {
    machine_ = std::make_unique<WindowMachine>(env_);
    const Status opened = machine_->Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
  }
  void Crash() {
    machine_.reset();
    env_.Crash();
    Start();
  }
  void Window(HistoryWindow window) {
    ASSERT_TRUE(machine_->Apply({SetHistory{{id_}, window}}).ok());
    opened_ = machine_->Wall();
  }
  // A write, and its time.
  void Write(uint32_t tag) {
    written_.push_back({machine_->Wall(), tag});
    ASSERT_TRUE(machine_->Write(id_, 0, 1, tag).ok());
  }
  uint32_t TagAt(SequenceNumber position) {
    const auto state = machine_->At(id_, position);
    return state ? (*state)[0] : UINT32_MAX;
  }
  // What is shown of a time was right at some moment within the second around it.
  void ExpectRight(io::WallTime time) {
    const auto position = machine_->Await(machine_->pool().PositionAt(time));
    ASSERT_TRUE(position.ok()) << position.status().ToString();
    const uint32_t seen = TagAt(*position);
    uint32_t least = 0, most = 0;
    for (const auto& [when, tag] : written_) {
      if (when.us <= time.us - 1'000'000) least = tag;
      if (when.us <= time.us + 1'000'000) most = tag;
    }
    EXPECT_TRUE(least <= seen && seen <= most)
        << "at " << time.us - opened_.us << " us: " << seen << ", not from " << least << " to " << most;
  }
  VolumeInfo Info() { return *machine_->pool().Find(id_); }

  sim::SimEnv env_{5};
  std::unique_ptr<WindowMachine> machine_;
  VolumeId id_;
  io::WallTime opened_;
  std::vector<std::pair<io::WallTime, uint32_t>> written_;
};

TEST_F(Times, AreRightWithinASecondAlsoAfterPowerCuts) {
  Window({86'400, 0});
  sim::SimRandom random(7);
  uint32_t tag = 0;
  for (int life = 0; life < 4; ++life) {
    for (int i = 0; i < 60; ++i) {
      Write(++tag);
      machine_->Pass(Seconds(random.OneIn(5) ? 3.0 : 0.01 * static_cast<double>(random.Below(60))));
    }
    ASSERT_TRUE(machine_->Await(machine_->pool().Flush()).ok());
    if (life % 2 == 0) {
      const io::WallTime end = machine_->Wall();
      for (int64_t us = opened_.us; us < end.us; us += 1'300'000) ExpectRight({us});
    }
    machine_->Pass(Seconds(5));
    Crash();
    machine_->Pass(Seconds(5));
    ASSERT_FALSE(HasFailure());
  }
  const io::WallTime end = machine_->Wall();
  for (int64_t us = opened_.us; us < end.us; us += 700'000) ExpectRight({us});
  // And the other way round: no position is said to be from a time at which it was not there.
  for (SequenceNumber p = Info().history_from; p <= machine_->Last(); p += 11) {
    const auto time = machine_->Await(machine_->pool().TimeOf(p));
    ASSERT_TRUE(time.ok());
    const auto back = machine_->Await(machine_->pool().PositionAt(*time));
    ASSERT_TRUE(back.ok());
    EXPECT_LE(*back, p);
  }
  EXPECT_EQ(machine_->Await(machine_->pool().PositionAt({opened_.us - 5'000'000})).status().code(),
            Code::kInvalidState);
}

TEST_F(Times, AreThereAgainWhenTheIndexIsMadeAgain) {
  Window({86'400, 0});
  const VolumeId other{env_.random().NextUuid()};  // without a past: its overwritten blocks make segments free
  ASSERT_TRUE(machine_->Apply({CreateVolume{other, 256 * kBlockSize}}).ok());
  for (uint32_t tag = 1; tag <= 80; ++tag) {
    Write(tag);
    machine_->Pass(Seconds(0.1 * (tag % 17)));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine_->Write(other, 0, 256, tag).ok());
  }
  // Else the times could be found in the log itself.
  ASSERT_GT(80 * 3 * 256 * kBlockSize, 2 * machine_->pool().Info().size);
  const io::WallTime end = machine_->Wall();
  machine_.reset();
  const auto index = env_.files().List("index");
  for (const std::string& name : *index) ASSERT_TRUE(env_.files().Remove("index/" + name).ok());
  Start();
  ASSERT_FALSE(HasFailure());
  for (int64_t us = opened_.us; us < end.us; us += 700'000) ExpectRight({us});
}

TEST_F(Times, WithoutAWindowNothingIsNoted) {
  const SequenceNumber before = machine_->Last();
  for (uint32_t i = 1; i <= 5; ++i) {
    Write(i);
    machine_->Pass(Seconds(2));
  }
  EXPECT_EQ(machine_->Last(), before + 5);
  EXPECT_EQ(machine_->Await(machine_->pool().PositionAt(machine_->Wall())).status().code(), Code::kInvalidState);
}

TEST_F(Times, AWindowOfTimeMovesOnByItself) {
  Window({120, 0});
  for (uint32_t tag = 1; tag <= 400; ++tag) {
    Write(tag);
    machine_->Pass(Seconds(1));
    if (tag == 200) Crash();
    if (tag % 50 != 0 || tag < 150) continue;
    const int64_t reach = machine_->Wall().us - Info().history_since.us;
    EXPECT_GE(reach, 120'000'000) << "less than was asked for is kept";
    EXPECT_LE(reach, 125'000'000);
    ExpectRight({machine_->Wall().us - 119'000'000});
    // Nothing of what left the window stays: a block for each second, and what it shows now.
    ASSERT_TRUE(machine_->Await(machine_->pool().Flush()).ok());
    ASSERT_TRUE(machine_->AwaitSwept());
    EXPECT_LE(machine_->pool().Info().live, 128 * kBlockSize);
    EXPECT_GE(machine_->pool().Info().live, 118 * kBlockSize);
    machine_->ExpectSound();
  }
  machine_->Pass(Seconds(600));
  ASSERT_TRUE(machine_->AwaitSwept());
  EXPECT_EQ(machine_->pool().Info().live, kBlockSize) << "nothing was written for longer than the window";
}

TEST_F(Times, AWindowOfSpaceGivesUpItsOldest) {
  Window({0, 100 * kBlockSize});
  sim::SimRandom random(3);
  for (uint32_t tag = 1; tag <= 1500; ++tag) {
    Write(tag);
    if (random.OneIn(3)) machine_->Pass(Seconds(0.3));
    if (tag == 700) Crash();
    if (tag == 900) {  // a revert leaves what it gives up in the window
      const PointId point{env_.random().NextUuid()};
      ASSERT_TRUE(machine_->Apply({TakePoint{point, {id_}, machine_->Last() - 40}, SetContent{id_, point, id_},
                                   ReleasePoint{point}}).ok());
    }
    if (tag % 100 != 0) continue;
    // What no fold has counted yet comes on top.
    ASSERT_TRUE(machine_->Await(machine_->pool().Flush()).ok());
    machine_->Pass(Seconds(4));
    ASSERT_TRUE(machine_->Await(machine_->pool().Flush()).ok());
    ASSERT_TRUE(machine_->AwaitSwept());
    const uint64_t blocks = machine_->pool().Info().live / kBlockSize;
    EXPECT_LE(blocks, 100u + 16 + 2) << "after write " << tag;
    EXPECT_GE(blocks, std::min<uint64_t>(tag, 98)) << "after write " << tag;
    machine_->ExpectSound();
    ASSERT_FALSE(HasFailure());
  }
}

// ---- Random histories: writes, holes, reverts, points, trims and power cuts; the oracle knows every state.

class WindowHistories : public testing::TestWithParam<uint64_t> {};

TEST_P(WindowHistories, ShowEveryState) {
  const uint64_t seed = GetParam();
  sim::SimRandom random(seed);
  sim::SimEnv env(seed * 977);
  WindowMachine::Format(env);
  Memory memory;
  SequenceNumber certain = 0;
  auto machine = std::make_unique<WindowMachine>(env);
  ASSERT_TRUE(machine->Open().ok());
  const VolumeId id{env.random().NextUuid()};
  ASSERT_TRUE(machine->Apply({CreateVolume{id, kBlocks * kBlockSize}, SetHistory{{id}, {86'400, 0}}}).ok());
  memory.Note(machine->Last(), State(kBlocks, 0));
  uint32_t tag = 0;
  std::map<PointId, State> points;
  for (int life = 0; life < 4; ++life) {
    Cut cut{env, *machine, id, memory, certain};
    env.faults().CutPowerAt(40 + random.Below(250));
    for (int i = 0; i < 400 && !env.faults().power_is_cut(); ++i) {
      const uint64_t what = random.Below(40);
      const auto from = machine->pool().Find(id)->history_from;
      const SequenceNumber at = from + random.Below(machine->Last() - from + 1);
      if (what == 0) {
        (void)cut.Revert(at);
      } else if (what == 1 && points.size() < 4) {
        const PointId point{env.random().NextUuid()};
        if (cut.Change({TakePoint{point, {id}, at}}, memory.Now())) points[point] = memory.At(at);
      } else if (what == 2 && !points.empty()) {
        if (cut.Change({ReleasePoint{points.begin()->first}}, memory.Now()) || env.faults().power_is_cut())
          points.erase(points.begin());
      } else if (what == 3) {
        const SequenceNumber to = from + random.Below((machine->Last() - from) / 3 + 1);
        (void)cut.Change({TrimHistory{id, to, {}}}, memory.Now());
      } else if (what == 4) {
        if (machine->Await(machine->pool().Flush()).ok()) certain = machine->Last();
      } else if (what == 5) {
        machine->Pass(Seconds(1.2));
      } else {
        const uint64_t first = random.Below(kBlocks), count = 1 + random.Below(std::min<uint64_t>(5, kBlocks - first));
        cut.Write(first, count, random.OneIn(6) ? 0 : ++tag);
      }
    }
    machine.reset();
    env.Crash();
    machine = std::make_unique<WindowMachine>(env);
    const Status opened = machine->Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    const SequenceNumber last = machine->Last();
    ASSERT_GE(last, certain);
    memory.CutAfter(last);
    machine->ExpectSound();
    ASSERT_EQ(*machine->Read(*machine->pool().OpenVolume(id)), memory.Now());
    ExpectWindow(*machine, id, memory, last);
    for (const auto& [point, state] : points) {
      if (!machine->pool().Find(point).ok()) continue;
      ASSERT_EQ(*machine->Read(*machine->pool().OpenPoint(point, id)), state);
    }
    ASSERT_TRUE(machine->AwaitSwept());
    machine->ExpectSound();
    memory.Note(machine->Last(), memory.Now());
    certain = machine->Last();
    ASSERT_FALSE(HasFailure()) << "life " << life;
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, WindowHistories, testing::Range<uint64_t>(1, 13));

}  // namespace
}  // namespace lockstep::test
