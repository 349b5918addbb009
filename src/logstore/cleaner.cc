#include "logstore/cleaner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/checksum.h"
#include "logstore/log_reader.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/segment_scan.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {
namespace {

constexpr uint32_t kMaxGap = 32;    // blocks that are read along rather than read around
constexpr uint32_t kLeastRoom = 5;  // blocks at the end of a segment that are still worth a batch
constexpr uint32_t kSegmentsPerCheckpoint = 8;
constexpr uint32_t kMostIdleRounds = 128;     // without a gain, while nothing is written
constexpr uint64_t kUnreadable = UINT64_MAX;  // as MovedBlock::to
constexpr auto kPause = std::chrono::milliseconds(1);

uint32_t StartBelow(uint32_t segments) {
  return std::max<uint32_t>(5, std::min<uint32_t>(segments / 16, 64));
}

}  // namespace

Cleaner::Cleaner(LogPool& pool, io::Disk& disk, const Superblock& superblock, SegmentTable& segments)
    : pool_(pool),
      disk_(disk),
      superblock_(superblock),
      segments_(segments),
      writer_(disk, superblock, segments),
      piece_memory_(static_cast<std::byte*>(
                        std::aligned_alloc(io::Disk::kMemoryAlignment, size_t{MovedWriter::kMaxBlocks} * kBlockSize)),
                    std::free),
      least_gain_(std::max<uint32_t>(12, superblock.segment_blocks() / 32)),
      start_below_(StartBelow(superblock.segment_count)),
      stop_at_(start_below_ + std::max<uint32_t>(1, start_below_ / 4)) {
  LS_ASSERT(piece_memory_);
}

Cleaner::~Cleaner() {
  LS_ASSERT(!running_ && waiting_.empty());
}

bool Cleaner::Short() const {
  return segments_.free_count() < start_below_ || !waiting_.empty();
}
bool Cleaner::Urgent() const {
  return segments_.free_count() <= start_below_ / 2 + 2 || !waiting_.empty();
}

void Cleaner::Kick() {
  if (running_ || stopping_ || !Short()) return;
  // Where all was alive, something worth while has to die before it is worth looking again; unless somebody waits.
  const SequenceNumber since = pool_.writer().last() - hopeless_at_;
  if (waiting_.empty() && hopeless_at_ != 0 && since < superblock_.segment_blocks() / 2) return;
  running_ = true;
  pool_.seams().loop.Post([this] { Spawn(Run()); });
}

bool Cleaner::CanHelp() const {
  return !stopping_ && pool_.writer().failure().ok() && (hopeless_at_ == 0 || hopeless_at_ != pool_.writer().last());
}

void Cleaner::WaitForSpace(std::move_only_function<void(Status)> go_on) {
  waiting_.push_back(std::move(go_on));
  Kick();
}

void Cleaner::Answer(const Status& status) {
  for (auto& go_on : std::exchange(waiting_, {}))
    pool_.seams().loop.Post([go_on = std::move(go_on), status]() mutable { go_on(status); });
}

Task<void> Cleaner::Stop() {
  stopping_ = true;
  Answer(NoSpace("the pool is being closed"));
  if (running_) co_await SuspendWith([this](auto resume) { stopped_ = std::move(resume); });
}

Task<void> Cleaner::Run() {
  bool go_on = true;
  uint32_t idle_rounds = 0, best = 0;
  SequenceNumber last = 0;
  while (go_on && !stopping_ && (Short() || segments_.free_count() < stop_at_)) {
    const uint32_t free_before = segments_.free_count();
    const Result<bool> useful = co_await Round();
    if (!useful.ok())
      pool_.seams().log.Error("pool {}: cleaning: {}", superblock_.pool.ToString(), useful.status().message());
    // Rewriting what is nearly full gains nothing in the end, however often it is done.
    if (std::exchange(last, pool_.writer().last()) != pool_.writer().last() || segments_.free_count() > best) {
      best = segments_.free_count();
      idle_rounds = 0;
    }
    go_on = useful.ok() && *useful && ++idle_rounds <= kMostIdleRounds;
    if (segments_.free_count() > free_before) Answer(Status());
    if (go_on && !Urgent()) co_await Yield();
  }
  hopeless_at_ = 0;
  if (!go_on) {
    hopeless_at_ = pool_.writer().last();
    Answer(NoSpace(
        fmt::format("pool {} is full: delete volumes or points, or use a larger pool", superblock_.pool.ToString())));
  }
  running_ = false;
  if (stopped_) pool_.seams().loop.Post(std::exchange(stopped_, {}));
}

Task<void> Cleaner::Yield() {
  co_await pool_.seams().loop.Sleep(kPause);
}

Task<Result<bool>> Cleaner::Round() {
  // What has been emptied, or has died by itself, comes back with a checkpoint.
  const uint32_t enough =
      Urgent() ? 1 : std::min(kSegmentsPerCheckpoint, std::max<uint32_t>(1, segments_.count() / 32));
  if (segments_.empty_waiting() >= enough || pool_.AnythingToSweep()) {
    LS_CO_ASSIGN_OR_RETURN(const bool freed, co_await Checkpoint());
    if (freed) co_return true;
  }
  const uint32_t victim = segments_.PickVictim(pool_.folded(), least_gain_, Urgent());
  if (victim != kNoSegment && MakeRoom()) {
    const uint32_t before = segments_.live(victim);
    LS_CO_RETURN_IF_ERROR(co_await Clean(victim));
    if (segments_.live(victim) < before) co_return true;
  }
  // Nothing can be moved as it is: what a fold makes known as dead, and what it frees, is the last hope.
  co_return co_await Checkpoint();
}

Task<Result<bool>> Cleaner::Checkpoint() {
  const uint32_t before = segments_.free_count();
  const uint64_t dead_before = segments_.dead_blocks();
  LS_CO_RETURN_IF_ERROR(co_await pool_.FoldNow(true));
  if (segments_.dying() != 0 && segments_.free_count() == before) {
    // Reads that began before are still under way; they end.
    co_await pool_.reads().WhenNoneBefore(segments_.oldest_dying());
    LS_CO_RETURN_IF_ERROR(co_await pool_.FreeDying());
  }
  co_return segments_.free_count() > before || segments_.dead_blocks() > dead_before;
}

bool Cleaner::MakeRoom() {
  if (writer_.room() >= MovedWriter::kMaxTotalBlocks) return true;
  // Less will do, down to where a batch would be mostly header.
  if (writer_.room() >= kLeastRoom) return true;
  if (segments_.free_count() <= pool_.writer().promised_segments()) return false;
  return writer_.NextSegment(pool_.seams().random.Next64());
}

Task<Result<std::vector<MovedBlock>>> Cleaner::Survey(uint32_t segment) {
  std::vector<MovedBlock> blocks;
  {
    LS_CO_ASSIGN_OR_RETURN(const auto batches, co_await ScanSegment(disk_, superblock_, segment));
    for (const SegmentBatch& batch : batches) {
      uint64_t at = batch.data_location;
      size_t index = 0;
      for (size_t i = 0; i < batch.header.entries.size(); ++i) {
        const Entry& e = batch.header.entries[i];
        for (uint32_t j = 0; j < e.data_blocks(); ++j, ++at, ++index)
          if (e.type == EntryType::kWrite)
            blocks.push_back({e.layer, e.block + j, batch.header.birth(i), at, 0, batch.header.block_crcs[index]});
      }
    }
  }
  const NewestRetained history = pool_.structure().NewestRetainedOfLayers();
  Status kept;
  auto keep = [&] { kept = KeepLive(pool_.map().index(), history, blocks); };
  co_await pool_.seams().executor.Call(pool_.seams().loop, keep);
  LS_CO_RETURN_IF_ERROR(kept);
  std::sort(blocks.begin(), blocks.end(), [](const MovedBlock& a, const MovedBlock& b) { return a.from < b.from; });
  co_return blocks;
}

Task<Status> Cleaner::Clean(uint32_t victim) {
  Result<std::vector<MovedBlock>> blocks = co_await Survey(victim);
  if (!blocks.ok() && blocks.status().code() != Code::kIoError) co_return blocks.status();
  if (blocks.ok()) LS_CO_RETURN_IF_ERROR(co_await Copy(*blocks));
  std::vector<MovedBlock> copied;
  bool unreadable = !blocks.ok(), left = false;
  for (const MovedBlock& b : blocks.ok() ? *blocks : std::vector<MovedBlock>()) {
    if (b.to != 0 && b.to != kUnreadable)
      copied.push_back(b);
    else
      (b.to == kUnreadable ? unreadable : left) = true;
  }
  if (!copied.empty()) {
    LS_CO_RETURN_IF_ERROR(co_await pool_.Relocate(copied));
    moved_blocks_ += copied.size();
    ++cleaned_segments_;
  }
  if (!left && segments_.live(victim) != 0) {
    if (unreadable)
      pool_.seams().log.Error("pool {}: segment {} holds blocks that cannot be read; it is left as it is",
                              superblock_.pool.ToString(), victim);
    segments_.SetAside(victim);
  }
  co_return Status();
}

Task<Status> Cleaner::Copy(std::vector<MovedBlock>& blocks) {
  for (size_t first = 0; first < blocks.size();) {
    if (!MakeRoom()) co_return Status();
    size_t end = first + 1;
    const uint64_t begin = blocks[first].from;
    while (end < blocks.size() && end - first < MovedWriter::kMaxBlocks &&
           blocks[end].from - begin < MovedWriter::kMaxBlocks && blocks[end].from - blocks[end - 1].from <= kMaxGap &&
           HeaderBlocks(static_cast<uint32_t>(end - first + 1), static_cast<uint32_t>(end - first + 1), true) + end -
                   first + 1 <=
               writer_.room())
      ++end;
    LS_CO_RETURN_IF_ERROR(co_await CopyPiece(std::span(blocks).subspan(first, end - first)));
    first = end;
    if (!Urgent() && pool_.writes().in_flight() != 0) co_await Yield();
  }
  co_return Status();
}

Task<Status> Cleaner::CopyPiece(std::span<MovedBlock> piece) {
  const uint64_t begin = piece.front().from, blocks = piece.back().from - begin + 1;
  const Status read = co_await ReadDisk(disk_, begin * kBlockSize, {piece_memory_.get(), blocks * kBlockSize});
  std::vector<MovedBlock> good;
  std::vector<const std::byte*> data;
  std::vector<size_t> index;
  for (size_t i = 0; i < piece.size(); ++i) {
    const std::byte* at = piece_memory_.get() + (piece[i].from - begin) * kBlockSize;
    if (!read.ok() || Crc32c({at, kBlockSize}) != piece[i].crc) {
      piece[i].to = kUnreadable;
      continue;
    }
    good.push_back(piece[i]);
    data.push_back(at);
    index.push_back(i);
  }
  if (good.empty()) co_return Status();
  LS_CO_RETURN_IF_ERROR(co_await writer_.Write(good, data));
  for (size_t i = 0; i < good.size(); ++i) piece[index[i]].to = good[i].to;
  co_return Status();
}

}  // namespace lockstep::logstore
