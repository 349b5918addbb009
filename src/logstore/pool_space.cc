// What volumes and points take, and giving back what they have let go.
#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/space_walk.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kRecordsAtOnce = 4096;  // one visit to the executor
constexpr size_t kChunksAtOnce = 512;
constexpr io::Duration kSweepDelay = std::chrono::milliseconds(500);  // what is deleted together is swept together

template <typename Walk>
Task<Status> WalkThrough(const Seams& seams, Walk& walk, size_t records) {
  Result<bool> more = true;
  while (more.ok() && *more) {
    auto step = [&] { more = walk.Step(records); };
    co_await seams.executor.Call(seams.loop, step);
  }
  co_return more.status();
}

}  // namespace

Task<Result<io::AsyncMutex::Guard>> LogPool::FoldAll() {
  if (!map_.active().empty()) LS_CO_RETURN_IF_ERROR(co_await FoldNow(false));
  while (true) {
    auto turn = co_await fold_turn_.Lock();
    LS_CO_RETURN_IF_ERROR(map_failure_);
    if (transactions_folded_ == structure_.transactions()) co_return std::move(turn);
    turn.Release();
    LS_CO_RETURN_IF_ERROR(co_await FoldNow(false));
  }
}

Task<Result<block::VolumeSpace>> LogPool::Space(block::VolumeId volume) {
  Result<io::AsyncMutex::Guard> turn = co_await FoldAll();
  if (!turn.ok()) co_return turn.status();
  const std::unique_ptr<Index> index = map_.index().Freeze();  // and of this very moment are losses and chain
  turn->Release();
  LS_CO_ASSIGN_OR_RETURN(const std::vector<Losses> all, LossesOf(structure_, {block::Removal{{volume}, {}}}));
  const Losses& losses = all.front();
  const VolumeRecord& record = *structure_.Find(volume);
  ShownWalk shown(*index, ChainOf(structure_, record.top, kNow), record.size / kBlockSize, losses);
  FreedWalk freed(*index, losses);
  LS_CO_RETURN_IF_ERROR(co_await WalkThrough(seams_, shown, kChunksAtOnce));
  LS_CO_RETURN_IF_ERROR(co_await WalkThrough(seams_, freed, kRecordsAtOnce));
  co_return block::VolumeSpace{shown.shown() * kBlockSize, freed.blocks() * kBlockSize, shown.shared() * kBlockSize};
}

Task<Result<std::vector<uint64_t>>> LogPool::WouldFree(std::vector<block::Removal> removals) {
  Result<io::AsyncMutex::Guard> turn = co_await FoldAll();
  if (!turn.ok()) co_return turn.status();
  const std::unique_ptr<Index> index = map_.index().Freeze();
  turn->Release();
  LS_CO_ASSIGN_OR_RETURN(const std::vector<Losses> all, LossesOf(structure_, removals));
  std::vector<uint64_t> freed;
  for (const Losses& some : all) {
    FreedWalk walk(*index, some);
    LS_CO_RETURN_IF_ERROR(co_await WalkThrough(seams_, walk, kRecordsAtOnce));
    freed.push_back(walk.blocks() * kBlockSize);
  }
  co_return freed;
}

void LogPool::SweepSoon() {
  if (structure_.to_sweep().empty() || sweeping_ || closing_) return;
  sweeping_ = true;
  sweep_timer_ = seams_.loop.After(kSweepDelay, [this] {
    sweep_timer_ = io::TimerId::kNone;
    Spawn(SweepAll());
  });
}

void LogPool::CancelSweep() {
  if (sweep_timer_ == io::TimerId::kNone) return;
  seams_.loop.Cancel(std::exchange(sweep_timer_, io::TimerId::kNone));
  sweeping_ = false;
}

Task<void> LogPool::SweepAll() {
  Status status;
  while (status.ok() && !closing_ && !structure_.to_sweep().empty()) {
    co_await reads_->WhenNoneBefore(drop_generation_);
    if (!closing_) status = co_await FoldNow(false);
    if (!status.ok()) seams_.log.Error("pool {}: {}", superblock_.pool.ToString(), status.message());
  }
  sweeping_ = false;
  if (swept_) seams_.loop.Post(std::exchange(swept_, {}));
}

}  // namespace lockstep::logstore
