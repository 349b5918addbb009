#include "logstore/cleaner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/checksum.h"
#include "base/planted.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/segment_scan.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {
namespace {

constexpr uint64_t kBytesPerCheckpoint = 32 << 20;
constexpr uint32_t kLeastRoom = 5;            // blocks at the end of a segment that are still worth a batch
constexpr uint32_t kMostIdleRounds = 128;     // without a gain, while nothing is written
constexpr uint64_t kUnreadable = UINT64_MAX;  // as MovedBlock::to
constexpr auto kPause = std::chrono::milliseconds(2);
// Victims in hand at once when writes wait, as far as their images take no more memory than this.
constexpr uint32_t kMostVictims = 2;
constexpr uint64_t kMostImageBytes = 128 << 20;

uint32_t MostVictims(const Superblock& superblock) {
  return static_cast<uint32_t>(std::clamp<uint64_t>(kMostImageBytes / superblock.segment_size, 1, kMostVictims));
}

Status Full(const Superblock& superblock) {
  return NoSpace(
      fmt::format("pool {} is full: delete volumes or points, or use a larger pool", superblock.pool.ToString()));
}

Status CannotDrain(const SegmentTable& segments) {
  if (segments.draining_left() == 0) return {};
  if (segments.set_aside() != 0)
    return IoError("some of its blocks cannot be read; a scrub names them, and they are to be written anew or deleted");
  return NoSpace("the other devices have no room for what it holds; delete volumes or points, or add a device");
}

}  // namespace

SpaceMarks SpaceMarks::For(uint64_t segment_size, uint32_t count) {
  SpaceMarks m;
  m.per_checkpoint = static_cast<uint32_t>(
      std::clamp<uint64_t>(kBytesPerCheckpoint / segment_size, 1, std::max<uint32_t>(1, count / 64)));
  m.cleaner_reserve = std::max<uint32_t>(2, m.per_checkpoint * 3 / 4 + 1);
  m.structure_reserve = count > 64 ? 2 : 1;
  m.throttle_below = m.cleaner_reserve + m.structure_reserve + 2 * m.per_checkpoint + 1;
  m.start_below = m.throttle_below + std::clamp<uint32_t>(count / 64, 2, 64);
  m.stop_at = m.start_below + std::max<uint32_t>(1, m.start_below / 4);
  return m;
}

Cleaner::Cleaner(LogPool& pool, io::Disk& disk, const Superblock& superblock, SegmentTable& segments)
    : pool_(pool),
      disk_(disk),
      superblock_(superblock),
      segments_(segments),
      marks_(SpaceMarks::For(superblock.segment_size, segments.usable())),
      least_gain_(std::max<uint32_t>(12, superblock.segment_blocks() / 32)),
      writer_(pool.seams().loop, disk, superblock, segments) {}

Cleaner::~Cleaner() {
  LS_ASSERT(!running_ && waiting_.empty() && drain_waiting_.empty());
}

uint32_t Cleaner::Emptied() const {
  return static_cast<uint32_t>(segments_.empty_waiting() + copied_.size() + folding_.size());
}
uint32_t Cleaner::SoonFree() const {
  return segments_.free_count() + Emptied() + static_cast<uint32_t>(segments_.dying());
}
bool Cleaner::Short() const {
  return segments_.free_count() < marks_.start_below || !waiting_.empty() || !drain_waiting_.empty();
}
bool Cleaner::Urgent() const {
  return SoonFree() <= marks_.throttle_below + 1 || !waiting_.empty();
}
bool Cleaner::Admits() const {
  return !running_ || SoonFree() >= marks_.throttle_below;
}
bool Cleaner::CanHelp() const {
  return !stopping_ && pool_.writer().failure().ok() && (hopeless_at_ == 0 || hopeless_at_ != pool_.writer().last());
}

void Cleaner::Kick() {
  // A run that takes its time hears that there is none left.
  if (running_ && !hurried_ && Urgent()) return Changed();
  if (running_ || stopping_ || !Short()) return;
  // Where all was alive, something worth while has to die before it is worth looking again; unless somebody waits.
  const SequenceNumber since = pool_.writer().last() - hopeless_at_;
  const bool wanted = !waiting_.empty() || !drain_waiting_.empty();
  if (!wanted && hopeless_at_ != 0 && since < superblock_.segment_blocks() / 2) return;
  running_ = true;
  pool_.seams().loop.Post([this] { Spawn(Run()); });
}

void Cleaner::WaitForSpace(std::move_only_function<void(Status)> go_on) {
  waiting_.push_back(std::move(go_on));
  Kick();
}

void Cleaner::Answer(const Status& status) {
  for (auto& go_on : std::exchange(waiting_, {}))
    pool_.seams().loop.Post([go_on = std::move(go_on), status]() mutable { go_on(status); });
}

void Cleaner::WaitForDrain(std::move_only_function<void(Status)> go_on) {
  drain_waiting_.push_back(std::move(go_on));
  if (stopping_) return AnswerDrain(Cancelled("the pool is being closed"));
  Kick();
}

void Cleaner::Added() {
  hopeless_at_ = 0;
  Answer(Status());
}

void Cleaner::AnswerDrain(const Status& status) {
  for (auto& go_on : std::exchange(drain_waiting_, {}))
    pool_.seams().loop.Post([go_on = std::move(go_on), status]() mutable { go_on(status); });
}

uint32_t Cleaner::PickDraining() const {
  const uint64_t promised = pool_.writer().promised_segments();
  const uint64_t kept = uint64_t{marks_.cleaner_reserve} + marks_.structure_reserve + promised;
  return segments_.free_count() > kept ? segments_.PickDraining(pool_.folded()) : kNoSegment;
}

Task<void> Cleaner::Stop() {
  stopping_ = true;
  AnswerDrain(Cancelled("the pool is being closed"));
  Answer(NoSpace("the pool is being closed"));
  if (running_) co_await SuspendWith([this](auto resume) { stopped_ = std::move(resume); });
}

Task<void> Cleaner::Run() {
  bool go_on = true;
  uint32_t idle_rounds = 0, best = 0;
  const uint32_t most_idle = std::max(kMostIdleRounds, 4 * marks_.per_checkpoint);
  SequenceNumber last = 0;
  failure_ = {};
  while (go_on && !stopping_ && (Short() || segments_.free_count() < marks_.stop_at)) {
    const uint32_t before = SoonFree(), draining = segments_.draining_left();
    const Result<bool> useful = co_await Round();
    if (!useful.ok())
      pool_.seams().log.Error("pool {}: cleaning: {}", superblock_.pool.ToString(), useful.status().message());
    // Rewriting what is nearly full gains nothing in the end, however often it is done.
    if (std::exchange(last, pool_.writer().last()) != pool_.writer().last() || segments_.free_count() > best) {
      best = segments_.free_count();
      idle_rounds = 0;
    }
    if (segments_.draining_left() < draining) idle_rounds = 0;
    go_on = useful.ok() && *useful && ++idle_rounds <= most_idle;
    // Before writes are refused, a follower that holds back what could be freed has to let go.
    if (!go_on && useful.ok() && (Urgent() || !drain_waiting_.empty()) && pool_.changes().GiveUpSlowest(least_gain_)) {
      idle_rounds = 0;
      go_on = true;
    }
    if (go_on && SoonFree() != before) Answer(Status());
    if (!drain_waiting_.empty())
      AnswerDrain(go_on ? Status() : useful.ok() ? CannotDrain(segments_) : useful.status());
    if (go_on && !Urgent()) co_await pool_.seams().loop.Sleep(kPause);
  }
  co_await EndRun();
  hopeless_at_ = 0;
  if (!go_on) {
    hopeless_at_ = pool_.writer().last();
    Answer(Full(superblock_));
  }
  running_ = false;
  // They came while this one was ending.
  if ((!waiting_.empty() || !drain_waiting_.empty()) && !LS_PLANTED(13)) Kick();
  if (stopped_) pool_.seams().loop.Post(std::exchange(stopped_, {}));
}

Task<void> Cleaner::EndRun() {
  // A checkpoint of the pool's own may have some copies in its fold.
  while (copying_ != 0 || checkpointing_ != 0 || !folding_.empty() || !copied_.empty()) {
    const bool usable = !stopping_ && failure_.ok() && pool_.writer().failure().ok();
    if (!usable) {
      // No fold has seen these copies, and none will: they are as if they had never been made.
      for (const auto& victim : std::exchange(copied_, {})) {
        segments_.EndCleaning(victim->segment);
        writer_.Settled(victim->copies);
      }
    } else if (!copied_.empty() && checkpointing_ == 0) {
      StartCheckpoint();
    }
    if (copying_ == 0 && checkpointing_ == 0 && folding_.empty()) continue;
    co_await Event();
  }
  memory_.clear();
}

Task<void> Cleaner::Event() {
  if (!event_) co_await SuspendWith([this](auto resume) { changed_ = std::move(resume); });
  event_ = false;
}

void Cleaner::Changed() {
  event_ = true;
  if (changed_) pool_.seams().loop.Post(std::exchange(changed_, {}));
}

Task<Result<bool>> Cleaner::Round() {
  bool last_hope = false;
  if (segments_.is_draining(writer_.segment())) writer_.Leave();
  while (true) {
    if (CheckpointIsDue()) StartCheckpoint();
    StartVictims();
    // Nothing can be moved as it is: what a fold makes known as dead, and what it frees, is the last hope.
    if (copying_ == 0 && checkpointing_ == 0) {
      last_hope = true;
      StartCheckpoint();
    }
    co_await Event();
    LS_CO_RETURN_IF_ERROR(failure_);
    if (std::exchange(progress_, false) || stopping_) co_return true;
    if (last_hope && copying_ == 0 && checkpointing_ == 0) co_return false;
  }
}

bool Cleaner::CheckpointIsDue() const {
  // What has been emptied, or has died by itself, comes back with a checkpoint: at once when little else is free. While
  // one is being made durable, the fold of the next may begin.
  const bool pressing = segments_.free_count() <= marks_.cleaner_reserve + marks_.structure_reserve + 1;
  if (checkpointing_ == 0)
    return Emptied() >= held_ + (pressing ? 1 : marks_.per_checkpoint) || pool_.AnythingToSweep();
  return checkpointing_ == 1 && folding_.empty() && copied_.size() >= marks_.per_checkpoint;
}

void Cleaner::StartCheckpoint() {
  ++checkpointing_;
  Spawn(RunCheckpoint());
}

Task<void> Cleaner::RunCheckpoint() {
  const Result<bool> useful = co_await Checkpoint();
  if (!useful.ok()) failure_ = useful.status();
  if (useful.ok() && *useful) progress_ = true;
  --checkpointing_;
  Changed();
}

Task<Result<bool>> Cleaner::Checkpoint() {
  const uint64_t freed_before = segments_.freed(), dead_before = segments_.dead_blocks();
  LS_CO_RETURN_IF_ERROR(co_await pool_.FoldNow(true));
  if (segments_.dying() != 0 && segments_.freed() == freed_before) {
    // Reads that began before are still under way; they end.
    co_await pool_.reads().WhenNoneBefore(segments_.oldest_dying());
    LS_CO_RETURN_IF_ERROR(co_await pool_.FreeDying());
  }
  const bool freed = segments_.freed() > freed_before;
  held_ = freed ? 0 : static_cast<uint32_t>(segments_.empty_waiting());
  co_return freed || segments_.dead_blocks() > dead_before;
}

bool Cleaner::HasRoomFor(uint32_t live) const {
  const uint64_t free = segments_.free_count(), promised = pool_.writer().promised_segments();
  const uint64_t room = writer_.room() + (free > promised ? free - promised : 0) * superblock_.segment_blocks();
  const uint64_t wanted = copying_live_ + live;
  return room >= wanted + wanted / 16 + kLeastRoom * (copying_ + 1);
}

void Cleaner::StartVictims() {
  hurried_ = Urgent();
  const uint32_t most = hurried_ ? MostVictims(superblock_) : 1;
  while (copying_ < most && !stopping_) {
    uint32_t segment = PickDraining();
    if (segment == kNoSegment) segment = segments_.PickVictim(pool_.folded(), least_gain_, hurried_);
    if (segment == kNoSegment) return;
    // One alone goes as far as the room does.
    const uint32_t live = segments_.live(segment);
    if (copying_ == 0 ? !MakeRoom() : !HasRoomFor(live)) return;
    auto victim = std::make_unique<Victim>();
    victim->segment = segment;
    victim->live = live;
    segments_.BeginCleaning(segment);
    ++copying_;
    copying_live_ += live;
    Spawn(Empty(std::move(victim)));
  }
}

DiskMemory Cleaner::TakeMemory() {
  if (memory_.empty()) return AllocateBlocks(superblock_.segment_size);
  DiskMemory memory = std::move(memory_.back());
  memory_.pop_back();
  return memory;
}

Task<void> Cleaner::Empty(std::unique_ptr<Victim> victim) {
  DiskMemory memory = TakeMemory();
  const Status cleaned = co_await Clean(*victim, {memory.get(), superblock_.segment_size});
  memory_.push_back(std::move(memory));
  --copying_;
  copying_live_ -= victim->live;
  if (!cleaned.ok()) failure_ = cleaned;
  if (victim->copies.empty()) {
    segments_.EndCleaning(victim->segment);
    LeaveIfStuck(*victim);
  } else {
    progress_ = true;
    copied_.push_back(std::move(victim));
  }
  Changed();
}

Task<Status> Cleaner::Clean(Victim& victim, std::span<std::byte> image) {
  // One request at a time leaves the disk to the volumes' I/O; when they wait for us, that is no kindness.
  const bool unreadable = co_await ReadSegment(disk_, superblock_, victim.segment, image, Urgent() ? 2 : 1);
  if (unreadable)
    pool_.seams().log.Error("pool {}: parts of segment {} cannot be read", superblock_.pool.ToString(), victim.segment);
  const auto survey = surveys_.insert(pool_.folded());
  Result<std::vector<MovedBlock>> surveyed = co_await Survey(victim.segment, image);
  std::vector<MovedBlock> blocks;
  if (surveyed.ok()) blocks = std::move(*surveyed);
  const Status copied = co_await Copy(blocks, image);
  surveys_.erase(survey);
  LS_CO_RETURN_IF_ERROR(surveyed.status());
  for (const MovedBlock& b : blocks) {
    if (b.to != 0 && b.to != kUnreadable)
      victim.copies.push_back(b);
    else
      (b.to == kUnreadable ? victim.unreadable : victim.left) = true;
  }
  co_return copied;
}

void Cleaner::LeaveIfStuck(const Victim& victim) {
  if (victim.left || segments_.live(victim.segment) == 0) return;
  if (victim.unreadable)
    pool_.seams().log.Error("pool {}: segment {} holds blocks that cannot be read; it is left as it is",
                            superblock_.pool.ToString(), victim.segment);
  segments_.SetAside(victim.segment);
}

std::vector<MovedBlock> Cleaner::TakeMoves() {
  LS_ASSERT(folding_.empty());
  folding_ = std::exchange(copied_, {});
  std::vector<MovedBlock> moves;
  for (const auto& victim : folding_) moves.insert(moves.end(), victim->copies.begin(), victim->copies.end());
  return moves;
}

void Cleaner::MovesFolded(bool ok) {
  if (folding_.empty()) return;
  for (const auto& victim : std::exchange(folding_, {})) {
    segments_.EndCleaning(victim->segment);
    if (!ok) continue;
    moved_blocks_ += victim->copies.size();
    writer_.Settled(victim->copies);
    LeaveIfStuck(*victim);
  }
  Changed();
}

bool Cleaner::MakeRoom() {
  if (writer_.room() >= kLeastRoom) return true;
  if (segments_.free_count() <= pool_.writer().promised_segments()) return false;
  const SequenceNumber surveyed = surveys_.empty() ? pool_.folded() : *surveys_.begin();
  return writer_.NextSegment({pool_.seams().random.Next64(), surveyed, pool_.fold_number()});
}

Task<Result<std::vector<MovedBlock>>> Cleaner::Survey(uint32_t segment, std::span<const std::byte> image) {
  std::vector<MovedBlock> blocks;
  const std::vector<uint64_t> bits = segments_.live_bits(segment);
  const NewestRetained history = pool_.structure().NewestRetainedOfLayers();
  const uint64_t first = superblock_.first_block(segment);
  Status kept;
  auto survey = [&] {
    blocks = BlocksOf(ParseSegment(superblock_, segment, image));
    kept = bits.empty() ? KeepLive(pool_.map().index(), history, blocks)
                        : KeepMarked(pool_.map().index(), history, bits, first, blocks);
    std::sort(blocks.begin(), blocks.end(), [](const MovedBlock& a, const MovedBlock& b) { return a.from < b.from; });
    for (MovedBlock& b : blocks)
      if (Crc32c(image.subspan((b.from - first) * kBlockSize, kBlockSize)) != b.crc) b.to = kUnreadable;
  };
  co_await pool_.seams().executor.Call(pool_.seams().loop, survey);
  LS_CO_RETURN_IF_ERROR(kept);
  co_return blocks;
}

Task<Status> Cleaner::Copy(std::span<MovedBlock> blocks, std::span<const std::byte> image) {
  std::vector<MovedBlock> batch;
  std::vector<const std::byte*> data;
  std::vector<size_t> index;
  for (size_t at = 0; at < blocks.size();) {
    if (!MakeRoom()) co_return Status();
    batch.clear();
    data.clear();
    index.clear();
    for (; at < blocks.size() && batch.size() < MovedWriter::kMaxBlocks; ++at) {
      const uint32_t with = static_cast<uint32_t>(batch.size()) + 1;
      if (HeaderBlocks(with, with, BatchKind::kMoved) + with > writer_.room()) break;
      if (blocks[at].to == kUnreadable) continue;
      batch.push_back(blocks[at]);
      index.push_back(at);
      const uint64_t offset = (blocks[at].from - superblock_.first_block(0)) * kBlockSize % superblock_.segment_size;
      data.push_back(image.data() + offset);
    }
    if (batch.empty()) continue;
    LS_CO_RETURN_IF_ERROR(co_await writer_.Write(batch, data));
    for (size_t i = 0; i < batch.size(); ++i) blocks[index[i]].to = batch[i].to;
  }
  co_return Status();
}

}  // namespace lockstep::logstore
