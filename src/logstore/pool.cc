#include "logstore/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "logstore/disk_io.h"
#include "logstore/read_path.h"
#include "logstore/volume.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {
namespace {

Status NoVolume(block::VolumeId id) {
  return NotFound(fmt::format("there is no volume {}", id.ToString()));
}
Status NoPoint(block::PointId id) {
  return NotFound(fmt::format("there is no point {}", id.ToString()));
}

constexpr uint32_t kUsualTransactionBlocks = 16;
constexpr uint64_t kMostOfOneHole = uint64_t{1} << 31;  // blocks
constexpr size_t kMostHoles = 384;                      // of one transaction

// Deleting and releasing must be possible when everything else has used up the reserve: nothing else brings space back.
LogWriter::Use UseOf(const block::Transaction& transaction) {
  const bool frees = std::all_of(transaction.changes.begin(), transaction.changes.end(), [](const block::Change& c) {
    return std::holds_alternative<block::DeleteVolume>(c) || std::holds_alternative<block::ReleasePoint>(c);
  });
  return frees ? LogWriter::Use::kFreeing : LogWriter::Use::kStructure;
}

// Those of the table's devices, free.
SegmentTable SegmentsOf(const Superblock& superblock, const DeviceTable& table) {
  SegmentTable segments(superblock);
  segments.Remove(0, segments.count());
  for (const DeviceRecord& device : table.devices)
    for (const SegmentRange& r : device.ranges) segments.Add(r.first, r.count);
  return segments;
}

LogWriterOptions WriterOptions(const SegmentTable& segments, const Superblock& superblock, const Options& options) {
  const SpaceMarks marks = SpaceMarks::For(superblock.segment_size, segments.usable());
  return {options.max_batches_in_flight, marks.structure_reserve, marks.cleaner_reserve};
}

}  // namespace

LogPool::LogPool(std::unique_ptr<DeviceSet> devices, Label label, std::unique_ptr<Index> index, Options options,
                 Seams seams)
    : superblock_(label.superblock),
      options_(options),
      seams_(seams),
      devices_(std::move(devices)),
      table_(std::move(label.table)),
      exported_(label.exported),
      compatible_(label.compatible),
      bad_blocks_(superblock_.pool, seams.log, options.on_bad_block),
      map_(std::move(index), options.index_cache_bytes / kRecordShare),
      segments_(SegmentsOf(superblock_, table_)),
      writer_(seams.loop, *devices_, seams.log, superblock_, segments_, WriterOptions(segments_, superblock_, options)),
      reads_(std::make_unique<ReadPath>(*this)),
      writes_(std::make_unique<WritePath>(*this)),
      cleaner_(std::make_unique<Cleaner>(*this, *devices_, superblock_, segments_)),
      changes_(*this, superblock_.segment_blocks(),
               std::min(options.change_budget_bytes, superblock_.segment_size * segments_.usable() / 4),
               options.change_tail_bytes),
      anchors_(first_device(), *devices_, superblock_),
      structure_turn_(seams.loop),
      fold_turn_(seams.loop),
      checkpoint_turn_(seams.loop),
      copy_turn_(seams.loop),
      space_watch_(options.warn_used) {}

LogPool::~LogPool() = default;

Task<void> LogPool::Close() {
  closing_ = true;
  co_await history_.Stop();
  co_await flattener_.Stop();
  CancelSweep();
  if (sweeping_) co_await SuspendWith([this](auto resume) { swept_ = std::move(resume); });
  co_await cleaner_->Stop();
  // The last fold, if one runs, is over when this has had its turn.
  { const auto turn = co_await fold_turn_.Lock(); }
  { const auto turn = co_await checkpoint_turn_.Lock(); }
  { const auto turn = co_await structure_turn_.Lock(); }
  co_await SuspendWith([this](auto resume) { writer_.WhenSettled(std::move(resume)); });
  co_await SuspendWith(
      [this](auto resume) { writer_.Sync([resume = std::move(resume)](Status) mutable { resume(); }); });
  // A background fold that was only waiting for its turn ends in a turn of its own.
  while (background_fold_) co_await seams_.loop.Sleep(std::chrono::milliseconds(1));
  // What the writer has asked the loop for comes before this, and finds the writer still there.
  co_await SuspendWith([this](auto resume) { seams_.loop.BeforeWait(std::move(resume)); });
  co_await SuspendWith([this](auto resume) { seams_.loop.Post(std::move(resume)); });
}

Task<Status> LogPool::SyncNow() {
  Status outcome;
  co_await SuspendWith([&](auto resume) {
    writer_.Sync([&outcome, resume = std::move(resume)](Status status) mutable {
      outcome = std::move(status);
      resume();
    });
  });
  co_return outcome;
}

Task<Status> LogPool::Flush() {
  LS_CO_RETURN_IF_ERROR(co_await SyncNow());
  if (!map_.active().empty() || map_.folding()) co_return co_await FoldNow(false);
  co_return Status();
}

Task<Status> LogPool::WaitForSpace() {
  Status outcome;
  co_await SuspendWith([&](auto resume) {
    cleaner_->WaitForSpace([&outcome, resume = std::move(resume)](Status status) mutable {
      outcome = std::move(status);
      resume();
    });
  });
  co_return outcome;
}

Task<io::AsyncMutex::Guard> LogPool::TurnWithSpace(LogWriter::Use use) {
  for (bool gave_up = false;;) {
    auto turn = co_await structure_turn_.Lock();
    const Status room = writer_.CheckSpace(1, kUsualTransactionBlocks, use);
    if (room.code() != Code::kNoSpace || !cleaner_->CanHelp() || gave_up) co_return std::move(turn);
    turn.Release();  // the cleaner needs it; and what has come free may be gone again when we have it back
    const Status waited = co_await WaitForSpace();
    gave_up = !waited.ok();
  }
}

Task<Status> LogPool::Apply(block::Transaction transaction) {
  const auto turn = co_await TurnWithSpace(UseOf(transaction));
  LS_CO_RETURN_IF_ERROR(writer_.failure());
  LS_CO_RETURN_IF_ERROR(map_failure_);
  LS_CO_RETURN_IF_ERROR(structure_.Validate(transaction, writer_.last()));
  co_return co_await AppendTransaction(transaction);
}

std::deque<Append> LogPool::HolesOf(const block::Transaction& transaction) {
  std::deque<Append> holes;
  for (const block::Change& change : transaction.changes) {
    const auto* resize = std::get_if<block::ResizeVolume>(&change);
    const VolumeRecord* volume = resize ? structure_.Find(resize->volume) : nullptr;
    if (!volume) continue;
    for (uint64_t at = resize->size / kBlockSize, end = volume->size / kBlockSize; at < end;) {
      const uint32_t count = static_cast<uint32_t>(std::min(kMostOfOneHole, end - at));
      Append& hole = holes.emplace_back();
      hole.entry = {EntryType::kHole, volume->top, at, count, 0};
      hole.with_next = true;
      hole.context = this;
      hole.done = [](Append& a) {
        if (a.status.ok()) static_cast<LogPool*>(a.context)->Record(a.entry, a.sequence, a.location, a.crcs);
      };
      at += count;
    }
  }
  return holes;
}

Task<Status> LogPool::AppendTransaction(const block::Transaction& transaction) {
  // Told from the first window on.
  const auto opens = [](const block::Change& c) { return std::holds_alternative<block::SetHistory>(c); };
  const bool timed = !structure_.windows().empty() || std::any_of(transaction.changes.begin(),
                                                                  transaction.changes.end(), opens);
  io::WallTime now = timed ? history_.Now() : io::WallTime();
  // In the same batch, so a crash keeps both or neither; and nothing gets in between.
  std::deque<Append> holes = HolesOf(transaction);
  if (holes.size() > kMostHoles)
    co_return Status(Code::kTooLarge, "the transaction drops too much at once; make fewer volumes smaller with each");
  // No time names a position between the holes and the new size: a mark is before them, and the size comes later.
  const bool marked = !holes.empty() && !structure_.windows().empty();
  const io::WallTime before = now;
  if (marked) ++now.us;
  const std::string payload = EncodeTransaction({transaction, now});
  const size_t padded = (payload.size() + kBlockSize - 1) / kBlockSize * kBlockSize;
  const uint32_t blocks = static_cast<uint32_t>(padded / kBlockSize);
  if (blocks > writer_.max_transaction_blocks())
    co_return Status(Code::kTooLarge,
                     fmt::format("the transaction takes {} bytes; this pool's limit is {}", payload.size(),
                                 uint64_t{writer_.max_transaction_blocks()} * kBlockSize));
  const uint32_t entries = static_cast<uint32_t>(holes.size()) + 1 + marked;
  LS_CO_RETURN_IF_ERROR(writer_.CheckSpace(entries, blocks + marked, UseOf(transaction)));

  const DiskMemory memory = AllocateZeros(padded);
  std::memcpy(memory.get(), payload.data(), payload.size());

  Append append;
  append.entry = {EntryType::kTransaction, kNoLayer, 0, blocks, static_cast<uint32_t>(payload.size())};
  append.buffers = {{memory.get(), padded}};
  co_await SuspendWith([&](auto resume) {
    using Resume = decltype(resume);
    append.context = new Resume(std::move(resume));
    append.done = [](Append& a) {
      const std::unique_ptr<Resume> go_on(static_cast<Resume*>(a.context));
      (*go_on)();
    };
    if (marked) history_.Mark(before);
    for (Append& hole : holes) writer_.Append(hole);
    writer_.Append(append);
    // From here on requests see the new structure: they get later sequence numbers than the transaction.
    structure_.Apply(transaction, append.sequence, now);
    if (timed) history_.Learn({now, append.sequence});
    drop_generation_ = reads_->NewGeneration();
  });
  SweepSoon();
  flattener_.Look();
  history_.Watch();
  // Resumed in the middle of a batch's completions: let the others be recorded first.
  const Status appended = append.status;
  const LogPosition batch = append.batch;
  co_await SuspendWith([this](auto resume) { seams_.loop.Post(std::move(resume)); });
  LS_CO_RETURN_IF_ERROR(appended);
  for (const block::Change& change : transaction.changes)
    if (const auto* take = std::get_if<block::TakePoint>(&change); take && take->at == 0)
      structure_.SetLogPosition(take->point, batch);
  co_return co_await SyncNow();
}

Result<std::unique_ptr<block::ChangeStream>> LogPool::Changes(std::vector<block::VolumeId> volumes,
                                                              SequenceNumber from) {
  return changes_.Open(std::move(volumes), from);
}

Result<std::shared_ptr<block::Volume>> LogPool::OpenVolume(block::VolumeId volume) {
  if (!structure_.Find(volume)) return NoVolume(volume);
  return std::shared_ptr<block::Volume>(std::make_shared<LogVolume>(*this, volume));
}

Result<std::shared_ptr<block::Volume>> LogPool::OpenPoint(block::PointId point, block::VolumeId volume) {
  const PointRecord* p = structure_.Find(point);
  if (!p) return NoPoint(point);
  if (!Structure::Member(*p, volume))
    return NotFound(fmt::format("point {} does not hold volume {}", point.ToString(), volume.ToString()));
  return std::shared_ptr<block::Volume>(std::make_shared<LogPointVolume>(*this, point, volume));
}

uint64_t LogPool::MappedUnder(const Layer& top) const {
  uint64_t blocks = top.used_blocks;
  for (LayerId id = top.parent; structure_.HasLayer(id); id = structure_.layer(id).parent)
    blocks += structure_.layer(id).used_blocks;
  return blocks;
}

void LogPool::Record(const Entry& entry, SequenceNumber sequence, uint64_t location, const uint32_t* crcs) {
  const Layer* const written = structure_.Wrote(entry.layer, sequence);
  if (!written) return;
  const Layer& layer = *written;
  if (entry.type == EntryType::kWrite) {
    for (uint32_t i = 0; i < entry.count; ++i)
      map_.active().Write(layer, entry.block + i, {sequence, location + i, crcs[i]});
    blocks_since_checkpoint_ += entry.count;
    unfolded_blocks_ += entry.count;
  } else {
    map_.active().PunchHole(layer, entry.block, entry.count, sequence, MappedUnder(layer));
  }
  MaybeFold();
}

block::VolumeInfo LogPool::InfoOf(const VolumeRecord& volume) const {
  return {volume.id,     volume.size,         structure_.layer(volume.top).used_blocks * kBlockSize,
          volume.window, volume.history_from, volume.history_since};
}

block::PoolInfo LogPool::Info() const {
  block::PoolInfo info;
  info.id = superblock_.pool;
  info.size = writer_.size_bytes();
  // What could be written if all that has died came back, to segments as full as the cleaner leaves them.
  const uint64_t capacity = writer_.usable_segments() * (segments_.segment_blocks() - cleaner_->least_gain());
  const uint64_t taken = segments_.live_blocks() + unfolded_blocks_;
  info.free = (capacity > taken ? capacity - taken : 0) * kBlockSize;
  info.used = info.size - info.free;
  info.live = segments_.live_blocks() * kBlockSize;
  info.mapped = structure_.top_blocks() * kBlockSize;
  info.history = info.live - std::min(info.live, info.mapped);
  // What was written since the last fold lies there as well, and lives.
  const uint64_t dead = segments_.closed_dead_blocks();
  info.reclaimable = (dead > unfolded_blocks_ ? dead - unfolded_blocks_ : 0) * kBlockSize;
  info.freeing = !structure_.to_sweep().empty();
  info.flattening = flattener_.busy();
  info.moved = cleaner_->moved_blocks() * kBlockSize;
  info.last = writer_.last();
  info.durable = writer_.durable();
  return info;
}

std::vector<block::VolumeInfo> LogPool::Volumes() const {
  std::vector<block::VolumeInfo> all;
  for (const auto& [id, v] : structure_.volumes()) all.push_back(InfoOf(v));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return all;
}

namespace {
block::PointInfo InfoOfPoint(const PointRecord& point) {
  block::PointInfo info{point.id, point.position, {}};
  for (const PointMember& m : point.members) info.volumes.push_back(m.volume);
  return info;
}
}  // namespace

std::vector<block::PointInfo> LogPool::Points() const {
  std::vector<block::PointInfo> all;
  for (const auto& [id, p] : structure_.points()) all.push_back(InfoOfPoint(p));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.position != b.position ? a.position < b.position : a.id < b.id;
  });
  return all;
}

Result<block::VolumeInfo> LogPool::Find(block::VolumeId volume) const {
  const VolumeRecord* v = structure_.Find(volume);
  if (!v) return NoVolume(volume);
  return InfoOf(*v);
}

Result<block::PointInfo> LogPool::Find(block::PointId point) const {
  const PointRecord* p = structure_.Find(point);
  if (!p) return NoPoint(point);
  return InfoOfPoint(*p);
}

}  // namespace lockstep::logstore
