#include "logstore/cleaner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/checksum.h"
#include "base/planted.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/segment_scan.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {
namespace {

constexpr uint64_t kBytesPerCheckpoint = 64 << 20;
constexpr uint32_t kLeastRoom = 5;            // blocks at the end of a segment that are still worth a batch
constexpr uint32_t kMostIdleRounds = 128;     // without a gain, while nothing is written
constexpr uint64_t kUnreadable = UINT64_MAX;  // as MovedBlock::to
constexpr auto kPause = std::chrono::milliseconds(2);

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
      writer_(disk, superblock, segments) {}

Cleaner::~Cleaner() {
  LS_ASSERT(!running_ && waiting_.empty() && drain_waiting_.empty());
}

uint32_t Cleaner::SoonFree() const {
  return segments_.free_count() + static_cast<uint32_t>(segments_.empty_waiting() + segments_.dying());
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
  for (Image& image : images_) {
    image.memory.reset(
        static_cast<std::byte*>(std::aligned_alloc(io::Disk::kMemoryAlignment, superblock_.segment_size)));
    LS_ASSERT(image.memory);
  }
  bool go_on = true;
  uint32_t idle_rounds = 0, best = 0;
  SequenceNumber last = 0;
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
    go_on = useful.ok() && *useful && ++idle_rounds <= kMostIdleRounds;
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
  hopeless_at_ = 0;
  if (!go_on) {
    hopeless_at_ = pool_.writer().last();
    Answer(Full(superblock_));
  }
  for (Image& image : images_) {
    if (image.reading) co_await SuspendWith([&image](auto resume) { image.read = std::move(resume); });
    image = {};
  }
  running_ = false;
  // Whoever began to wait while the last reads came to their end has been answered by nobody.
  if ((!waiting_.empty() || !drain_waiting_.empty()) && !LS_PLANTED(13)) Kick();
  if (stopped_) pool_.seams().loop.Post(std::exchange(stopped_, {}));
}

Task<Result<bool>> Cleaner::Round() {
  if (segments_.is_draining(writer_.segment())) writer_.CloseSegment();
  // What has been emptied, or has died by itself, comes back with a checkpoint.
  if (segments_.empty_waiting() >= marks_.per_checkpoint || pool_.AnythingToSweep()) {
    LS_CO_ASSIGN_OR_RETURN(const bool freed, co_await Checkpoint());
    if (freed) co_return true;
  }
  uint32_t victim = PickDraining();
  if (victim == kNoSegment) victim = segments_.PickVictim(pool_.folded(), least_gain_, Urgent());
  if (victim != kNoSegment && MakeRoom()) {
    const uint32_t before = segments_.live(victim);
    LS_CO_RETURN_IF_ERROR(co_await Clean(victim));
    if (segments_.live(victim) < before) co_return true;
  }
  // Nothing can be moved as it is: what a fold makes known as dead, and what it frees, is the last hope.
  co_return co_await Checkpoint();
}

Task<Result<bool>> Cleaner::Checkpoint() {
  const uint32_t before = segments_.free_count(), draining = segments_.draining_left();
  const uint64_t dead_before = segments_.dead_blocks();
  LS_CO_RETURN_IF_ERROR(co_await pool_.FoldNow(true));
  if (segments_.dying() != 0 && segments_.free_count() == before && segments_.draining_left() == draining) {
    // Reads that began before are still under way; they end.
    co_await pool_.reads().WhenNoneBefore(segments_.oldest_dying());
    LS_CO_RETURN_IF_ERROR(co_await pool_.FreeDying());
  }
  co_return segments_.free_count() > before || segments_.dead_blocks() > dead_before ||
      segments_.draining_left() < draining;
}

bool Cleaner::MakeRoom() {
  if (writer_.room() >= kLeastRoom) return true;
  if (segments_.free_count() <= pool_.writer().promised_segments()) return false;
  return writer_.NextSegment({pool_.seams().random.Next64(), surveyed_, pool_.fold_number()});
}

Task<Result<std::vector<MovedBlock>>> Cleaner::Survey(uint32_t segment, std::span<const std::byte> image) {
  std::vector<MovedBlock> blocks;
  const NewestRetained history = pool_.structure().NewestRetainedOfLayers();
  surveyed_ = pool_.folded();
  Status kept;
  auto survey = [&] {
    blocks = BlocksOf(ParseSegment(superblock_, segment, image));
    kept = KeepLive(pool_.map().index(), history, blocks);
    std::sort(blocks.begin(), blocks.end(), [](const MovedBlock& a, const MovedBlock& b) { return a.from < b.from; });
    for (MovedBlock& b : blocks)
      if (Crc32c(image.subspan((b.from - superblock_.first_block(segment)) * kBlockSize, kBlockSize)) != b.crc)
        b.to = kUnreadable;
  };
  co_await pool_.seams().executor.Call(pool_.seams().loop, survey);
  LS_CO_RETURN_IF_ERROR(kept);
  co_return blocks;
}

Task<void> Cleaner::Read(Image& image, uint32_t segment) {
  image.segment = segment;
  image.uses = segments_.uses(segment);
  image.reading = true;
  // One request at a time leaves the disk to the volumes' I/O; when they wait for us, that is no kindness.
  image.unreadable = co_await ReadSegment(disk_, superblock_, segment, {image.memory.get(), superblock_.segment_size},
                                          Urgent() ? 8 : 1);
  image.reading = false;
  if (image.read) pool_.seams().loop.Post(std::exchange(image.read, {}));
}

Task<void> Cleaner::ReadAhead(uint32_t victim) {
  co_await Read(images_[1], victim);
}

Task<void> Cleaner::Load(uint32_t victim) {
  Image& ahead = images_[1];
  if (ahead.reading) co_await SuspendWith([&ahead](auto resume) { ahead.read = std::move(resume); });
  std::swap(images_[0], images_[1]);
  const Image& image = images_[0];
  if (image.segment != victim || image.uses != segments_.uses(victim)) co_await Read(images_[0], victim);
}

Task<Status> Cleaner::Clean(uint32_t victim) {
  co_await Load(victim);
  const std::span<const std::byte> image(images_[0].memory.get(), superblock_.segment_size);
  LS_CO_ASSIGN_OR_RETURN(std::vector<MovedBlock> blocks, co_await Survey(victim, image));
  // While this one is written, the disk reads the one that will probably be next.
  const uint32_t next = segments_.PickVictim(pool_.folded(), least_gain_, true, victim);
  if (Urgent() && next != kNoSegment) Spawn(ReadAhead(next));
  LS_CO_RETURN_IF_ERROR(co_await Copy(blocks, image));
  if (images_[0].unreadable)
    pool_.seams().log.Error("pool {}: parts of segment {} cannot be read", superblock_.pool.ToString(), victim);
  co_return co_await Settle(victim, blocks);
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

Task<Status> Cleaner::Settle(uint32_t victim, const std::vector<MovedBlock>& blocks) {
  std::vector<MovedBlock> copied;
  bool unreadable = false, left = false;
  for (const MovedBlock& b : blocks) {
    if (b.to != 0 && b.to != kUnreadable)
      copied.push_back(b);
    else
      (b.to == kUnreadable ? unreadable : left) = true;
  }
  if (!copied.empty()) {
    LS_CO_RETURN_IF_ERROR(co_await pool_.Relocate(copied));
    moved_blocks_ += copied.size();
  }
  writer_.Settled();
  if (left || segments_.live(victim) == 0) co_return Status();
  if (unreadable)
    pool_.seams().log.Error("pool {}: segment {} holds blocks that cannot be read; it is left as it is",
                            superblock_.pool.ToString(), victim);
  segments_.SetAside(victim);
  co_return Status();
}

}  // namespace lockstep::logstore
