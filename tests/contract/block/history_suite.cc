// Randomized histories: the same operations on the engine and on the reference pool; after each few, everything that
// can be seen of the two is compared. A seed decides the history; a failure prints it.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "sim/clock.h"
#include "sim/loop.h"
#include "tests/contract/block/suite.h"
#include "tests/support/memory_pool.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it
using Op = Request::Op;

// Drives the engine of a running test and the reference pool side by side.
class History {
 public:
  explicit History(BlockContract& test)
      : test_(test),
        random_(test.random_),
        oracle_(std::make_unique<MemoryPool>(std::make_shared<MemoryStorage>(), loop_)) {}

  // One operation, drawn at random, on both.
  void Step() {
    if (positions_.empty()) Mark();
    const auto volumes = oracle_->Volumes();
    const auto points = oracle_->Points();
    const uint64_t draw = random_.Below(100);
    if (volumes.empty() || (draw < 4 && volumes.size() < kMaxVolumes)) {
      return ApplyBoth({CreateVolume{test_.NewVolumeId(), (1 + random_.Below(kMaxBlocks)) * kBlock}});
    }
    const VolumeInfo& volume = Pick(volumes);
    if (draw < 50) return DataStep(volume, Op::kWrite);
    if (draw < 57) return DataStep(volume, Op::kDiscard);
    if (draw < 62) return DataStep(volume, Op::kWriteZeroes);
    if (draw < 64) return ApplyBoth({DeleteVolume{volume.id}});
    if (draw < 67) return ApplyBoth({ResizeVolume{volume.id, (1 + random_.Below(kMaxBlocks)) * kBlock}});
    if (draw < 76) return points.size() < kMaxPoints ? TakeStep(volumes) : ApplyBoth({ReleasePoint{Pick(points).id}});
    if (draw < 78) return CopyUpStep(volume);
    if (draw < 81) return WindowStep(volume);
    if (draw < 83) return PastStep(volumes);
    if (points.empty()) return;
    const PointInfo& point = Pick(points);
    const VolumeId source = Pick(point.volumes);
    if (draw < 84) return ApplyBoth({ReleasePoint{point.id}});
    if (draw < 90 && volumes.size() >= kMaxVolumes) return;
    if (draw < 90) return ApplyBoth({Clone{point.id, source, test_.NewVolumeId(), 0}});
    if (draw < 95) return ApplyBoth({SetContent{volume.id, point.id, source}});
    // Several at once, some of which will not do.
    ApplyBoth({TakePoint{test_.NewPointId(), {volume.id}}, SetContent{volume.id, point.id, source},
               DeleteVolume{random_.OneIn(2) ? test_.NewVolumeId() : volume.id}});
  }

  void Compare() {
    ASSERT_EQ(test_.Picture(), BlockContract::Picture(*oracle_));
    for (const VolumeInfo& v : oracle_->Volumes()) {
      ASSERT_EQ(Image(*test_.pool_->OpenVolume(v.id)), OracleImage(*oracle_->OpenVolume(v.id))) << v.id.ToString();
    }
    for (const PointInfo& p : oracle_->Points()) {
      for (const VolumeId v : p.volumes) {
        ASSERT_EQ(Image(*test_.pool_->OpenPoint(p.id, v)), OracleImage(*oracle_->OpenPoint(p.id, v)))
            << "point " << p.id.ToString() << ", volume " << v.ToString();
      }
    }
    CompareSpace();
  }

 private:
  // Every count of space, and what some removals would free.
  void CompareSpace() {
    ASSERT_TRUE(test_.Await(test_.pool_->Flush()).ok());
    ASSERT_TRUE(test_.factory_->RunUntil([this] { return !test_.pool_->Info().freeing; }));
    const PoolInfo expected = oracle_->Info(), got = test_.pool_->Info();
    ASSERT_EQ(got.live, expected.live);
    ASSERT_EQ(got.mapped, expected.mapped);
    ASSERT_EQ(got.history, expected.history);
    std::vector<Removal> removals = {{}};
    for (const VolumeInfo& v : oracle_->Volumes()) {
      ASSERT_EQ(test_.pool_->Find(v.id)->used, v.used);
      const auto a = test_.Await(test_.pool_->Space(v.id)), b = OnOracle(oracle_->Space(v.id));
      ASSERT_TRUE(a.ok() && b.ok());
      ASSERT_EQ(a->mapped, b->mapped);
      ASSERT_EQ(a->unique, b->unique);
      ASSERT_EQ(a->shared, b->shared);
      if (random_.OneIn(2)) removals[0].volumes.push_back(v.id);
    }
    for (const PointInfo& p : oracle_->Points()) {
      removals.push_back({{}, {p.id}});
      if (random_.OneIn(2)) removals[0].points.push_back(p.id);
    }
    const auto a = test_.Await(test_.pool_->WouldFree(removals)), b = OnOracle(oracle_->WouldFree(removals));
    ASSERT_TRUE(a.ok() && b.ok());
    ASSERT_EQ(*a, *b);
    const auto report = test_.Await(test_.pool_->Check());
    ASSERT_TRUE(report.ok());
    ASSERT_EQ(report->problems, std::vector<std::string>());
  }

  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[random_.Below(from.size())];
  }

  template <typename T>
  T OnOracle(Task<T> task) {
    std::optional<T> result;
    Spawn(std::move(task), [&result](T r) { result.emplace(std::move(r)); });
    LS_ASSERT(loop_.RunUntil([&result] { return result.has_value(); }));
    return std::move(*result);
  }

  Status OnOracle(VolumeId id, Request& request) {
    const VolumePtr volume = *oracle_->OpenVolume(id);
    bool finished = false;
    request.context = &finished;
    request.done = [](Request& r) { *static_cast<bool*>(r.context) = true; };
    volume->Submit(request);
    LS_ASSERT(loop_.RunUntil([&finished] { return finished; }));
    return request.status;
  }

  // Positions in `changes` are the reference pool's; the engine may count others: each step makes a pair.
  void ApplyBoth(std::vector<Change> changes) {
    Transaction transaction{{random_.NextUuid()}, std::move(changes)};
    const Status expected = OnOracle(oracle_->Apply(transaction));
    for (Change& change : transaction.changes) {
      if (auto* take = std::get_if<TakePoint>(&change)) take->at = OnEngine(take->at);
      if (auto* trim = std::get_if<TrimHistory>(&change)) trim->from = OnEngine(trim->from);
    }
    const Status got = test_.Await(test_.pool_->Apply(transaction));
    Mark();
    ASSERT_EQ(CodeName(got.code()), CodeName(expected.code())) << got.ToString() << " / " << expected.ToString();
  }

  void Mark() { positions_[oracle_->Info().last] = test_.pool_->Info().last; }
  SequenceNumber OnEngine(SequenceNumber position) const {
    const auto found = positions_.upper_bound(position);
    return position == 0 || found == positions_.begin() ? position : std::prev(found)->second;
  }
  // A position that was the newest once.
  SequenceNumber AnyPosition() {
    auto it = positions_.begin();
    std::advance(it, static_cast<ptrdiff_t>(random_.Below(positions_.size())));
    return it->first;
  }

  void WindowStep(const VolumeInfo& volume) {
    if (volume.history_from == 0) return ApplyBoth({SetHistory{{volume.id}, {1u << 30, 0}}});
    if (random_.OneIn(4)) return ApplyBoth({SetHistory{{volume.id}, {}}});
    ApplyBoth({TrimHistory{volume.id, AnyPosition(), {}}});
  }
  // Goes back, or tries to: most positions lie outside of the window.
  void PastStep(const std::vector<VolumeInfo>& volumes) {
    const VolumeInfo& volume = Pick(volumes);
    SequenceNumber at = AnyPosition();
    for (int i = 0; i < 8 && at < volume.history_from; ++i) at = AnyPosition();
    const PointId point = test_.NewPointId();
    std::vector<Change> changes = {TakePoint{point, {volume.id}, at}};
    if (volumes.size() < kMaxVolumes && random_.OneIn(2))
      changes.push_back(Clone{point, volume.id, test_.NewVolumeId(), 0});
    else
      changes.push_back(SetContent{volume.id, point, volume.id});
    if (oracle_->Points().size() >= kMaxPoints || random_.OneIn(2)) changes.push_back(ReleasePoint{point});
    ApplyBoth(std::move(changes));
  }

  void DataStep(const VolumeInfo& volume, Op op) {
    const uint64_t blocks = volume.size / kBlock;
    const uint64_t first = random_.Below(blocks);
    const uint64_t count = 1 + random_.Below(std::min<uint64_t>(blocks - first, 6));
    AlignedMemory memory(count * kBlock);
    BlockContract::Paint(memory.bytes(), first, 1 + random_.Below(1u << 30));
    const io::Buffer buffer = memory.buffer();
    for (const bool oracle : {true, false}) {
      Request request;
      request.op = op;
      request.offset = first * kBlock;
      request.length = count * kBlock;
      if (op == Op::kWrite) request.buffers = {&buffer, 1};
      const Status status = oracle ? OnOracle(volume.id, request) : test_.Execute(*test_.Open(volume.id), request);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
    Mark();
  }

  void TakeStep(const std::vector<VolumeInfo>& volumes) {
    TakePoint take{test_.NewPointId(), {}};
    for (const VolumeInfo& v : volumes)
      if (random_.OneIn(2)) take.volumes.push_back(v.id);
    ApplyBoth({take});
  }

  void CopyUpStep(const VolumeInfo& volume) {
    const auto copied = test_.Await(test_.pool_->CopyUp(volume.id, 0, volume.size));
    ASSERT_TRUE(copied.ok()) << copied.status().ToString();
    ASSERT_EQ(*copied, *OnOracle(oracle_->CopyUp(volume.id, 0, volume.size)));
    Mark();
  }

  std::vector<std::byte> Image(const VolumePtr& volume) { return *test_.Read(*volume, 0, volume->size() / kBlock); }

  std::vector<std::byte> OracleImage(const VolumePtr& volume) {
    AlignedMemory memory(volume->size());
    const io::Buffer buffer = memory.buffer();
    Request request;
    request.op = Op::kRead;
    request.length = volume->size();
    request.buffers = {&buffer, 1};
    bool finished = false;
    request.context = &finished;
    request.done = [](Request& r) { *static_cast<bool*>(r.context) = true; };
    volume->Submit(request);
    LS_ASSERT(loop_.RunUntil([&finished] { return finished; }));
    return {memory.data(), memory.data() + memory.size()};
  }

  static constexpr uint64_t kMaxBlocks = 24;
  static constexpr size_t kMaxVolumes = 8;
  static constexpr size_t kMaxPoints = 8;

  BlockContract& test_;
  sim::SimRandom& random_;
  sim::SimClock clock_;
  sim::SimLoop loop_{clock_, 1};  // the reference pool's own
  std::unique_ptr<MemoryPool> oracle_;
  std::map<SequenceNumber, SequenceNumber> positions_;  // of the reference pool: the engine's of the same moment
};

// Ten histories of 300 operations; the pool is opened again after every 60.
TEST_P(BlockContract, RandomHistoriesLookLikeTheReferencePool) {
  const uint64_t first_seed = seed_;
  for (uint64_t i = 0; i < 4; ++i) {
    Restart(first_seed + i);
    History history(*this);
    for (int step = 1; step <= 300; ++step) {
      history.Step();
      if (step % 10 == 0 && !HasFailure()) history.Compare();
      ASSERT_FALSE(HasFailure()) << "seed " << seed_ << ", step " << step;
      if (step % 60 != 0) continue;
      ASSERT_TRUE(Await(pool_->Flush()).ok());
      Reopen();
      history.Compare();
      ASSERT_FALSE(HasFailure()) << "after reopening: seed " << seed_ << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace lockstep::test
