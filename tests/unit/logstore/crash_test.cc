// Goal: prove that the engine loses something. Histories of writes, holes, flushes and every kind of transaction are
// cut by power failures, at every single I/O or at random ones, with the caches torn apart from a seed; what a restart
// finds is held against the model of pool_model.h.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <optional>

#include "logstore/index.h"
#include "logstore/logstore.h"
#include "sim/crash_points.h"
#include "sim/env.h"
#include "tests/support/aligned_memory.h"
#include "tests/unit/logstore/pool_model.h"

namespace lockstep::test {
namespace {

using block::kBlockSize;

constexpr uint64_t kBlocks = 40;  // of each volume: a few chunks, so that they are rewritten often

void Paint(std::byte* block, uint32_t tag) {
  std::memset(block, 0, kBlockSize);
  if (tag == 0) return;
  for (size_t i = 0; i < kBlockSize; i += 4) std::memcpy(block + i, &tag, 4);
}
// The tag of a block that holds one pattern throughout; UINT32_MAX for a torn one.
uint32_t TagOf(const std::byte* block) {
  uint32_t tag, other;
  std::memcpy(&tag, block, 4);
  for (size_t i = 0; i < kBlockSize; i += 4) {
    std::memcpy(&other, block + i, 4);
    if (other != tag) return UINT32_MAX;
  }
  return tag;
}

// One node's life on a machine: an open pool, the history so far and what of it is certain.
class Node {
 public:
  explicit Node(sim::SimEnv& env, std::vector<Step>* history) : env_(env), history_(history) {}
  ~Node() {
    if (!pool_) return;
    // The loop must unwind what is in flight; after a power cut that ends in errors.
    env_.loop().RunUntil([&] { return in_flight_ == 0; });
    volumes_.clear();
    AwaitVoid(pool_->Close());
    pool_.reset();
  }

  static void Format(sim::SimEnv& env, uint64_t disk_size = 64 << 20, uint64_t segment_size = 512 << 10) {
    env.AddDisk("disk", disk_size);
    auto disk = env.OpenDisk("disk", 0);
    const Status s = AwaitOn(env, logstore::Format(**disk, {env.random().NextUuid()}, {.segment_size = segment_size}));
    ASSERT_TRUE(s.ok()) << s.ToString();
  }
  Status Open() {
    auto disk = env_.OpenDisk("disk", 0);
    if (!disk.ok()) return disk.status();
    auto pool = AwaitOn(env_, logstore::Open(std::move(*disk), "index", logstore::Options::Tiny(),
                                             {env_.loop(), env_.executor(), env_.files(), env_.random(), env_.log(),
                                              env_.clock(), &env_.background()}));
    if (!pool.ok()) return pool.status();
    pool_ = std::move(*pool);
    return {};
  }

  // Submits and does not wait.
  void Write(block::VolumeId volume, uint64_t first, uint64_t count, uint32_t tag) {
    struct Pending {
      explicit Pending(uint64_t blocks) : memory(blocks * kBlockSize), buffer(memory.buffer()) {}
      AlignedMemory memory;
      io::Buffer buffer;
      block::Request request;
      Node* node = nullptr;
      size_t step = 0;
      std::shared_ptr<block::Volume> volume;
    };
    auto handle = pool_->OpenVolume(volume);
    ASSERT_TRUE(handle.ok());
    auto* p = new Pending(count);
    for (uint64_t b = 0; b < count; ++b) Paint(p->memory.bytes().data() + b * kBlockSize, tag);
    p->node = this;
    p->volume = *handle;
    p->request.op = tag == 0 ? block::Request::Op::kDiscard : block::Request::Op::kWrite;
    p->request.offset = first * kBlockSize;
    p->request.length = count * kBlockSize;
    if (tag != 0) p->request.buffers = {&p->buffer, 1};
    p->request.context = p;
    p->request.done = [](block::Request& r) {
      const std::unique_ptr<Pending> own(static_cast<Pending*>(r.context));
      --own->node->in_flight_;
      if (r.status.code() != Code::kNoSpace) return;
      // Refused, so it never was.
      std::get<WriteStep>((*own->node->history_)[own->step]).count = 0;
      ++own->node->refused_;
    };
    ++in_flight_;
    p->step = history_->size();
    history_->push_back(WriteStep{volume, first, count, tag});
    p->volume->Submit(p->request);
  }
  void Settle() {
    env_.loop().RunUntil([&] { return in_flight_ == 0; });
  }
  // What was submitted and has completed is certain after this answers OK.
  bool Flush() {
    Settle();
    const size_t covered = history_->size();
    if (!AwaitOn(env_, pool_->Flush()).ok()) return false;
    certain_ = covered;
    return true;
  }
  Status Apply(std::vector<block::Change> changes) {
    block::Transaction t{{env_.random().NextUuid()}, std::move(changes)};
    history_->push_back(TransactionStep{t});
    const size_t covered = history_->size();
    const Status s = AwaitOn(env_, pool_->Apply(t));
    // A refusal changes nothing; an I/O error may have left it in the log.
    if (s.ok())
      certain_ = in_flight_ == 0 ? covered : certain_;
    else if (s.code() != Code::kIoError)
      history_->pop_back();
    return s;
  }
  Status CopyUp(block::VolumeId volume) {
    return AwaitOn(env_, pool_->CopyUp(volume, 0, kBlocks * kBlockSize)).status();
  }
  // Until what was let go has been swept out of the index, or the power is gone.
  void AwaitSwept() {
    env_.loop().RunUntil([this] { return !pool_->Info().freeing || env_.faults().power_is_cut(); });
  }
  size_t certain() const { return certain_; }
  size_t refused() const { return refused_; }
  uint64_t moved() const { return pool_->Info().moved; }
  // Every count of the engine agrees with what it counts.
  void ExpectSound() {
    const auto report = AwaitOn(env_, logstore::Check(*pool_));
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    for (const std::string& problem : report->problems) ADD_FAILURE() << problem;
  }

  std::optional<PoolModel> ReadAll() {
    PoolModel seen;
    for (const auto& info : pool_->Volumes())
      if (!ReadVolume(**pool_->OpenVolume(info.id), seen.volumes[info.id])) return std::nullopt;
    for (const auto& point : pool_->Points())
      for (const auto& v : point.volumes)
        if (!ReadVolume(**pool_->OpenPoint(point.id, v), seen.points[point.id][v])) return std::nullopt;
    return seen;
  }

 private:
  template <typename T>
  static T AwaitOn(sim::SimEnv& env, Task<T> task) {
    std::optional<T> result;
    Spawn(std::move(task), [&result](T r) { result.emplace(std::move(r)); });
    LS_ASSERT(env.loop().RunUntil([&result] { return result.has_value(); }));
    return std::move(*result);
  }
  void AwaitVoid(Task<void> task) {
    bool done = false;
    Spawn([](Task<void> t, bool& d) -> Task<void> {
      co_await std::move(t);
      d = true;
    }(std::move(task), done));
    LS_ASSERT(env_.loop().RunUntil([&done] { return done; }));
  }
  bool ReadVolume(block::Volume& volume, ModelVolume& to) {
    const uint64_t blocks = volume.size() / kBlockSize;
    AlignedMemory memory(volume.size());
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.op = block::Request::Op::kRead;
    r.length = volume.size();
    r.buffers = {&buffer, 1};
    const auto run = [](block::Volume& v, block::Request& request) -> Task<Status> {
      co_return co_await block::Run(v, request);
    };
    const Status s = AwaitOn(env_, run(volume, r));
    EXPECT_TRUE(s.ok()) << s.ToString();
    for (uint64_t b = 0; b < blocks; ++b) to.blocks.push_back(TagOf(memory.bytes().data() + b * kBlockSize));
    return s.ok();
  }

  sim::SimEnv& env_;
  std::vector<Step>* history_;
  std::unique_ptr<block::Pool> pool_;
  std::vector<std::shared_ptr<block::Volume>> volumes_;
  size_t in_flight_ = 0;
  size_t certain_ = 0;
  size_t refused_ = 0;
};

// Finds how much of the history the pool shows; fails when it is no prefix, or one without what is certain. Cuts the
// history there.
void ExpectPrefix(sim::SimEnv& env, std::vector<Step>& history, size_t certain) {
  Node node(env, &history);
  const Status opened = node.Open();
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  const std::optional<PoolModel> seen = node.ReadAll();
  ASSERT_TRUE(seen);
  node.ExpectSound();
  PoolModel model;
  std::optional<size_t> match;
  for (size_t k = 0;; ++k) {
    if (k >= certain && model == *seen) match = k;  // the longest: steps that change nothing look like being there
    if (k == history.size()) break;
    Advance(model, history[k]);
  }
  ASSERT_TRUE(match) << "what survived is no prefix of the " << history.size() << " steps that holds the first "
                     << certain << ", which were durable";
  history.resize(*match);
}

// The device alone leads to the same pool: its index is thrown away and made again. Where the space of what lies in
// the log has been reused, that is the anchor's work.
void ExpectRebuildable(sim::SimEnv& env, std::vector<Step>& history) {
  std::optional<PoolModel> with_index;
  {
    Node node(env, &history);
    ASSERT_TRUE(node.Open().ok());
    with_index = node.ReadAll();
    ASSERT_TRUE(with_index);
  }
  const Status gone = logstore::Index::Destroy(env.files(), "index");
  ASSERT_TRUE(gone.ok()) << gone.ToString();
  Node node(env, &history);
  const Status opened = node.Open();
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  const std::optional<PoolModel> without = node.ReadAll();
  ASSERT_TRUE(without);
  ASSERT_TRUE(*without == *with_index) << "a rebuilt index shows something else";
  node.ExpectSound();
}

struct Ids {
  block::VolumeId a, b, c, d;
  block::PointId p, q;
  explicit Ids(sim::SimEnv& env)
      : a{env.random().NextUuid()},
        b{env.random().NextUuid()},
        c{env.random().NextUuid()},
        d{env.random().NextUuid()},
        p{env.random().NextUuid()},
        q{env.random().NextUuid()} {}
};

// Prepares two volumes with content and a point, then crashes at I/O 1, 2, 3, ... of `operation`, and once not at all.
void CrashEverywhere(const std::function<void(Node&, const Ids&)>& operation, uint64_t disk_size = 64 << 20,
                     uint64_t segment_size = 512 << 10) {
  std::vector<Step> history;
  size_t certain = 0;
  sim::ForEachCrashPoint(
      {.seed = 11},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        history.clear();
        Node::Format(env, disk_size, segment_size);
        Node node(env, &history);
        ASSERT_TRUE(node.Open().ok());
        const Ids ids(env);
        const uint64_t size = kBlocks * kBlockSize;
        ASSERT_TRUE(node.Apply({block::CreateVolume{ids.a, size}, block::CreateVolume{ids.b, size}}).ok());
        for (uint32_t i = 0; i < 10; ++i) node.Write(i % 2 ? ids.a : ids.b, i * 3, 3, 100 + i);
        node.Settle();
        ASSERT_TRUE(node.Apply({block::TakePoint{ids.p, {ids.a, ids.b}}}).ok());
        node.Write(ids.a, 2, 5, 200);
        ASSERT_TRUE(node.Flush());
        point.Arm();
        operation(node, ids);
        certain = node.certain();
      },
      [&](sim::SimEnv& env, bool) {
        ExpectPrefix(env, history, certain);
        ExpectRebuildable(env, history);
      });
}

TEST(CrashEverywhere, Writes) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    for (uint32_t i = 0; i < 8; ++i) n.Write(i % 2 ? ids.a : ids.b, i * 4, 1 + i % 3, 300 + i);
    n.Flush();
    for (uint32_t i = 0; i < 4; ++i) n.Write(ids.a, i, 1, 400 + i);
    n.Settle();
  });
}
TEST(CrashEverywhere, Holes) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    n.Write(ids.a, 1, 30, 0);
    n.Write(ids.a, 5, 2, 500);
    n.Write(ids.b, 0, kBlocks, 0);
    n.Flush();
  });
}
TEST(CrashEverywhere, CreateDeleteResize) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    (void)n.Apply({block::CreateVolume{ids.c, 4 * kBlockSize}, block::ResizeVolume{ids.a, (kBlocks + 8) * kBlockSize}});
    n.Write(ids.a, kBlocks, 1, 600);
    n.Settle();
    (void)n.Apply({block::DeleteVolume{ids.b}, block::DeleteVolume{ids.c}});
  });
}
TEST(CrashEverywhere, GroupSnapshot) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    n.Write(ids.a, 0, 2, 700);
    n.Write(ids.b, 0, 2, 701);
    (void)n.Apply({block::TakePoint{ids.q, {ids.a, ids.b}}, block::Clone{ids.q, ids.a, ids.c, 0},
                   block::Clone{ids.q, ids.b, ids.d, 0}});
    n.Settle();
  });
}
TEST(CrashEverywhere, RevertAndRelease) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    (void)n.Apply({block::SetContent{ids.a, ids.p, ids.a}, block::SetContent{ids.b, ids.p, ids.a}});
    (void)n.Apply({block::ReleasePoint{ids.p}});
    n.Flush();
  });
}
TEST(CrashEverywhere, GivingBackWhatNothingHolds) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    n.Write(ids.a, 0, kBlocks, 800);  // behind the point
    (void)n.Apply({block::TakePoint{ids.q, {ids.a}}});
    n.Write(ids.a, 5, 30, 801);
    n.Settle();
    (void)n.Apply({block::SetContent{ids.a, ids.p, ids.a}, block::DeleteVolume{ids.b}});
    n.AwaitSwept();
    (void)n.Apply({block::ReleasePoint{ids.q}});
    n.AwaitSwept();
    n.Flush();
  });
}
TEST(CrashEverywhere, CopyUp) {
  CrashEverywhere([](Node& n, const Ids& ids) {
    (void)n.Apply({block::Clone{ids.p, ids.a, ids.c, 0}});
    (void)n.CopyUp(ids.c);
    n.Flush();
  });
}
TEST(CrashEverywhere, Cleaning) {
  // Ten segments of 64 blocks. The point keeps blocks alive all over them, so they do not die by themselves.
  bool moved = false;
  CrashEverywhere(
      [&moved](Node& n, const Ids& ids) {
        for (uint32_t i = 0; i < 150 && n.moved() == 0; ++i) {
          n.Write(i % 2 ? ids.a : ids.b, i * 7 % (kBlocks - 2), 2, 300 + i);
          if (i == 20) (void)n.Apply({block::TakePoint{ids.q, {ids.a}}});
          n.Settle();
        }
        moved = moved || n.moved() != 0;
        n.Flush();
      },
      (1 << 20) + 10 * (256 << 10), 256 << 10);
  EXPECT_TRUE(moved);
}
TEST(CrashEverywhere, Reopening) {
  // The recovery itself is cut, again and again, and the one after it.
  std::vector<Step> history;
  size_t certain = 0;
  sim::ForEachCrashPoint(
      {.seed = 12},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        history.clear();
        Node::Format(env);
        {
          Node node(env, &history);
          ASSERT_TRUE(node.Open().ok());
          const Ids ids(env);
          ASSERT_TRUE(node.Apply({block::CreateVolume{ids.a, kBlocks * kBlockSize}}).ok());
          for (uint32_t i = 0; i < 60; ++i) node.Write(ids.a, i % kBlocks, 1, 100 + i), node.Settle();
          ASSERT_TRUE(node.Apply({block::TakePoint{ids.p, {ids.a}}}).ok());
          certain = node.certain();
        }
        env.Crash();
        point.Arm();
        Node node(env, &history);
        (void)node.Open();
      },
      [&](sim::SimEnv& env, bool) { ExpectPrefix(env, history, certain); });
}

// A random history of several lives.
class RandomLife {
 public:
  RandomLife(uint64_t seed, sim::SimLoop::Order order) : random_(seed), env_(seed * 7919, order) {
    env_.set_disk_timing({.shuffled = order == sim::SimLoop::Order::kShuffled});
  }

  void Run() {
    Node::Format(env_);
    for (int life = 0; life < 5 && !testing::Test::HasFatalFailure(); ++life) {
      Live();
      env_.Crash();
      ExpectPrefix(env_, history_, certain_);
      certain_ = history_.size();  // opening makes durable what it has found
      if (random_.OneIn(3)) env_.Crash();
    }
  }

 private:
  void Live() {
    Node node(env_, &history_);
    const Status opened = node.Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    now_ = {};
    for (const Step& s : history_) Advance(now_, s);
    env_.faults().CutPowerAt(1 + random_.Below(120));
    for (int i = 0; i < 400 && !env_.faults().power_is_cut(); ++i) {
      const size_t before = history_.size();
      Act(node);
      for (size_t s = before; s < history_.size(); ++s) Advance(now_, history_[s]);
    }
    node.Settle();
    certain_ = std::max(certain_, node.certain());
  }

  void Act(Node& node) {
    const uint64_t what = random_.Below(20);
    if (now_.volumes.empty() || (what == 0 && now_.volumes.size() < 5)) {
      (void)node.Apply({block::CreateVolume{{env_.random().NextUuid()}, kBlocks * kBlockSize}});
    } else if (what == 1) {
      node.Flush();
    } else if (what == 2) {
      block::TakePoint take{{env_.random().NextUuid()}, {}};
      for (const auto& [id, v] : now_.volumes)
        if (take.volumes.empty() || random_.OneIn(2)) take.volumes.push_back(id);
      (void)node.Apply({take});
    } else if (what <= 5 && !now_.points.empty()) {
      ActOnPoint(node, what);
    } else if (what == 6 && now_.volumes.size() > 2) {
      (void)node.Apply({block::DeleteVolume{AnyVolume()}});
    } else if (what == 7) {
      (void)node.CopyUp(AnyVolume());
    } else {
      const uint64_t first = random_.Below(kBlocks), count = 1 + random_.Below(std::min<uint64_t>(20, kBlocks - first));
      node.Write(AnyVolume(), first, count, random_.OneIn(6) ? 0 : ++tag_);
      if (random_.OneIn(3)) node.Settle();
    }
  }
  void ActOnPoint(Node& node, uint64_t what) {
    auto point = now_.points.begin();
    std::advance(point, static_cast<long>(random_.Below(now_.points.size())));
    const block::VolumeId source = point->second.begin()->first;
    if (what == 3 && now_.points.size() > 2)
      (void)node.Apply({block::ReleasePoint{point->first}});
    else if (what == 4 && now_.volumes.size() < 6)
      (void)node.Apply({block::Clone{point->first, source, {env_.random().NextUuid()}, 0}});
    else
      (void)node.Apply({block::SetContent{AnyVolume(), point->first, source}});
  }
  block::VolumeId AnyVolume() {
    auto it = now_.volumes.begin();
    std::advance(it, static_cast<long>(random_.Below(now_.volumes.size())));
    return it->first;
  }

  sim::SimRandom random_;
  sim::SimEnv env_;
  std::vector<Step> history_;
  PoolModel now_;
  size_t certain_ = 0;
  uint32_t tag_ = 0;
};

// A pool so small that what dies has to come back all the time, and often does not suffice: 24 segments of 64 blocks
// for up to five volumes of 40 blocks, their clones and their points.
class SmallPool {
 public:
  SmallPool(uint64_t seed, sim::SimLoop::Order order) : random_(seed), env_(seed * 104'729, order) {
    env_.set_disk_timing({.shuffled = order == sim::SimLoop::Order::kShuffled});
  }

  void Run() {
    Node::Format(env_, (1 << 20) + 24 * (256 << 10), 256 << 10);
    for (int life = 0; life < 4 && !testing::Test::HasFatalFailure(); ++life) {
      Live();
      env_.Crash();
      ExpectPrefix(env_, history_, certain_);
      certain_ = history_.size();
      if (!testing::Test::HasFatalFailure() && random_.OneIn(2)) ExpectRebuildable(env_, history_);
    }
  }
  uint64_t moved() const { return moved_; }

 private:
  template <typename Map>
  typename Map::key_type AnyOf(const Map& map) {
    auto it = map.begin();
    std::advance(it, static_cast<long>(random_.Below(map.size())));
    return it->first;
  }
  void Live() {
    Node node(env_, &history_);
    const Status opened = node.Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    PoolModel now;
    for (const Step& s : history_) Advance(now, s);
    env_.faults().CutPowerAt(300 + random_.Below(1500));
    for (int i = 0; i < 1500 && !env_.faults().power_is_cut(); ++i) {
      const size_t before = history_.size();
      Act(node, now);
      for (size_t s = before; s < history_.size(); ++s) Advance(now, history_[s]);
    }
    node.Settle();
    moved_ += node.moved();
    certain_ = std::max(certain_, node.certain());
  }
  void Act(Node& node, const PoolModel& now) {
    const uint64_t what = random_.Below(60);
    if (what < 6) node.Settle();  // a transaction may overtake writes that wait for space
    if (now.volumes.size() < 3) {
      (void)node.Apply({block::CreateVolume{{env_.random().NextUuid()}, kBlocks * kBlockSize}});
    } else if (what < 2 && now.points.size() < 6) {
      block::TakePoint take{{env_.random().NextUuid()}, {}};
      for (const auto& [id, v] : now.volumes)
        if (take.volumes.empty() || random_.OneIn(2)) take.volumes.push_back(id);
      (void)node.Apply({take});
    } else if (what < 4 && now.points.size() > 2) {
      (void)node.Apply({block::ReleasePoint{AnyOf(now.points)}});
    } else if (what == 4 && !now.points.empty() && now.volumes.size() < 5) {
      const auto point = now.points.find(AnyOf(now.points));
      (void)node.Apply({block::Clone{point->first, point->second.begin()->first, {env_.random().NextUuid()}, 0}});
    } else if (what == 5 && now.volumes.size() > 3) {
      (void)node.Apply({block::DeleteVolume{AnyOf(now.volumes)}});
    } else if (what == 6) {
      node.Flush();
    } else if (what == 7) {
      (void)node.CopyUp(AnyOf(now.volumes));
    } else {
      const uint64_t first = random_.Below(kBlocks), count = 1 + random_.Below(std::min<uint64_t>(8, kBlocks - first));
      node.Write(AnyOf(now.volumes), first, count, random_.OneIn(12) ? 0 : ++tag_);
      if (random_.OneIn(3)) node.Settle();
    }
  }
  sim::SimRandom random_;
  sim::SimEnv env_;
  std::vector<Step> history_;
  size_t certain_ = 0;
  uint32_t tag_ = 0;
  uint64_t moved_ = 0;
};

class SmallPools : public testing::TestWithParam<uint64_t> {};

TEST_P(SmallPools, GiveSpaceBackAndSurvivePowerCuts) {
  uint64_t moved = 0;
  for (uint64_t seed = GetParam() * 2; seed < GetParam() * 2 + 2; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SmallPool pool(seed, seed % 2 ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled);
    pool.Run();
    moved += pool.moved();
    if (HasFailure()) return;
  }
  EXPECT_GT(moved, 0u) << "nothing was cleaned, so nothing was tried";
}
INSTANTIATE_TEST_SUITE_P(Seeds, SmallPools, testing::Range<uint64_t>(1, 9));

class RandomHistories : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomHistories, SurvivePowerCuts) {
  for (uint64_t seed = GetParam() * 5; seed < GetParam() * 5 + 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomLife(seed, seed % 2 ? sim::SimLoop::Order::kAsPosted : sim::SimLoop::Order::kShuffled).Run();
    if (HasFailure()) return;
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomHistories, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace lockstep::test
