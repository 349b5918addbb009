// Bringing a pool back: the checkpoint from the index, then the log behind it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/planted.h"
#include "logstore/disk_io.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {
namespace {

IndexOptions IndexOptionsOf(const Options& options, const Seams& seams) {
  return {options.index_cache_bytes - options.index_cache_bytes / kRecordShare, options.index_memtable_bytes,
          seams.background};
}

}  // namespace

Result<std::unique_ptr<Index>> OpenIndex(const std::string& directory, const Superblock& superblock,
                                         const Options& options, const Seams& seams) {
  const block::PoolId pool = superblock.pool;
  LS_RETURN_IF_ERROR(seams.files.CreateDirectory(directory));
  auto index = Index::Open(seams.files, directory, IndexOptionsOf(options, seams), seams.log);
  Status usable = index.status();
  if (index.ok()) {
    const auto checkpoint = (*index)->LoadCheckpoint();
    usable = checkpoint.status();
    if (checkpoint.ok() && !*checkpoint && superblock.least_index != 0) usable = Corrupted("the index is empty");
    if (checkpoint.ok() && *checkpoint) {
      if ((*checkpoint)->pool != pool)
        usable = Corrupted("the index belongs to another pool");
      else if ((*checkpoint)->number < superblock.least_index)
        usable = Corrupted(fmt::format("the index is an old one, number {}, and the pool needs {} or a later one",
                                       (*checkpoint)->number, superblock.least_index));
      else if (const auto structure = Structure::Decode((*checkpoint)->structure); !structure.ok())
        usable = structure.status();
    }
  }
  if (usable.ok()) return index;
  return usable;
}

Result<std::unique_ptr<Index>> MakeIndex(const std::string& directory, const Options& options, const Seams& seams) {
  LS_RETURN_IF_ERROR(Index::Destroy(seams.files, directory));
  return Index::Open(seams.files, directory, IndexOptionsOf(options, seams), seams.log);
}

Task<Result<std::optional<Anchor>>> SourceOfIndex(AnchorStore& anchors, const Superblock& superblock) {
  if (superblock.least_index == 0) co_return std::optional<Anchor>();
  LS_CO_ASSIGN_OR_RETURN(const std::optional<AnchorPlace> place, co_await anchors.Find());
  if (!place) co_return Corrupted("there is nothing on the device to rebuild it from (no anchor)");
  LS_CO_ASSIGN_OR_RETURN(Anchor anchor, co_await anchors.Read(*place));
  if (anchor.holes_from > anchor.written)
    co_return Corrupted("what is on the device goes back to a version that wrote too little to rebuild it");
  co_return std::optional(std::move(anchor));
}

Task<Status> LogPool::Recover(const Anchor* anchor) {
  LS_CO_ASSIGN_OR_RETURN(std::optional<AnchorPlace> newest, co_await anchors_.Find());
  anchors_.Restore(std::move(newest));
  if (anchors_.newest())
    for (const uint32_t segment : anchors_.newest()->segments) segments_.RestoreKept(segment);
  replaying_ = true;
  Result<LogPosition> from = anchor ? anchor->position : LogPosition();
  if (anchor) {
    LS_CO_RETURN_IF_ERROR(co_await Rebuild(*anchor));
  } else {
    from = co_await LoadIndex();
    LS_CO_RETURN_IF_ERROR(from.status());
    if (anchors_.newest()) segments_.RestoreAnchored(LimitOfAnchor(), from->next);
    // An old index, or a new one made from the whole log, may be before the anchor; the next anchor must not be.
    if (anchors_.newest()) fold_number_ = std::max(fold_number_, anchors_.newest()->number);
  }
  Result<std::optional<TimeMark>> mark = Internal("not read");
  auto load_mark = [&] { mark = map_.index().MarkAt({INT64_MAX}); };
  co_await seams_.executor.Call(seams_.loop, load_mark);
  LS_CO_RETURN_IF_ERROR(mark.status());
  Status replayed = co_await Replay(*from);
  if (replayed.ok() && anchor) replayed = co_await FinishRebuild();
  replaying_ = false;
  LS_CO_RETURN_IF_ERROR(replayed);
  LS_CO_RETURN_IF_ERROR(co_await EraseTornEnd());
  for (const DeviceRecord& device : table_.devices)
    for (const SegmentRange& r : device.ranges)
      if (device.draining) segments_.Drain(r.first, r.count);
  if (anchor) LS_CO_RETURN_IF_ERROR(co_await KeepRoom());
  Resized();
  writer_.Start(replay_position_, LS_PLANTED(3) ? 1 : seams_.random.Next64());
  writer_.OnProgress([this] { changes_.Progress(); });
  SweepSoon();
  flattener_.Look();
  history_.Start(*mark);
  // What was replayed may have been only in the device's cache; from here on it is acknowledged again, by being read.
  co_return co_await SyncNow();
}

Task<Result<LogPosition>> LogPool::LoadIndex() {
  LogPosition from{.segment = 0, .block = 0, .next_segment = 1, .previous_crc = 0, .next = 1};
  Result<std::optional<Checkpoint>> checkpoint = Internal("not read");
  Result<std::vector<LayerCounts>> layers = Internal("not read");
  Result<std::vector<SegmentCount>> segments = Internal("not read");
  auto load = [&] {
    checkpoint = map_.index().LoadCheckpoint();
    layers = map_.index().Layers();
    segments = map_.index().Segments();
  };
  co_await seams_.executor.Call(seams_.loop, load);
  LS_CO_RETURN_IF_ERROR(checkpoint.status());
  LS_CO_RETURN_IF_ERROR(layers.status());
  LS_CO_RETURN_IF_ERROR(segments.status());
  for (const SegmentCount& s : *segments) {
    // Freed behind what the index knows, and gone with its device or taken for the anchor since.
    if (s.live == 0 && s.segment < segments_.count() && !segments_.is_free(s.segment)) continue;
    if (s.segment >= segments_.count() || segments_.is_absent(s.segment) || s.live > segments_.segment_blocks())
      co_return Corrupted(fmt::format("pool {}: the index counts blocks of a segment that the pool does not have",
                                      superblock_.pool.ToString()));
    segments_.Restore(s.segment, s.live, s.youngest, s.written);
  }
  if (*checkpoint) {
    LS_CO_ASSIGN_OR_RETURN(structure_, Structure::Decode((*checkpoint)->structure));
    for (const LayerCounts& counts : *layers) structure_.RestoreLayer(counts);
    structure_folded_ = structure_.version();
    from = (*checkpoint)->position;
    fold_number_ = (*checkpoint)->number;
    structure_.RestoreOwners(from.next);
    segments_.RestoreLogStart((*checkpoint)->log_start);
  }
  changes_.Begin(from);
  if (*checkpoint) changes_.Restore((*checkpoint)->places);
  LS_CO_RETURN_IF_ERROR(co_await LoadHolesKnownFrom(!*checkpoint && superblock_.least_index == 0, from.next));
  co_return from;
}

Task<Status> LogPool::LoadHolesKnownFrom(bool whole_log, SequenceNumber position) {
  Status status;
  auto load = [&] {
    const auto known = map_.index().HolesKnownFrom();
    status = known.status();
    if (!known.ok()) return;
    holes_from_ = known->value_or(whole_log ? 1 : position);
    if (*known) return;
    Index::Batch batch;
    batch.PutHolesKnownFrom(holes_from_);
    status = map_.index().Write(batch);
  };
  co_await seams_.executor.Call(seams_.loop, load);
  co_return status;
}

Task<Status> LogPool::Replay(LogPosition from) {
  LogReader reader(*devices_, superblock_, from, LogReader::Depth::kVerifyData);
  replay_position_ = from;
  folded_ = from.next;
  segments_.Open(from.segment);
  uint64_t batches = 0;
  while (true) {
    LS_CO_ASSIGN_OR_RETURN(const std::optional<LogBatch> batch, co_await reader.Next());
    if (!batch) break;
    LS_CO_RETURN_IF_ERROR(ReplayBatch(*batch));
    if (batch->begin.segment != replay_position_.segment) {
      segments_.Close(replay_position_.segment, batch->header.first);
      segments_.Open(batch->begin.segment);
      segments_.SetWritten(batch->begin.segment, batch->header.first);
    }
    replay_position_ = batch->end;
    changes_.Replayed(batch->end, batch->header.total_blocks());
    ++batches;
    // What was frozen and what was growing when the crash came, and the batches that were in flight: nothing else takes
    // memory yet, so there is room for that, and a fold would look everything up in an index that nobody has in memory.
    if (map_.active().weight() >= 3 * options_.fold_weight) LS_CO_RETURN_IF_ERROR(co_await FoldNow(false));
  }
  segments_.Open(replay_position_.next_segment);
  if (batches != 0)
    seams_.log.Info("pool {}: replayed {} batches, entries {} to {}", superblock_.pool.ToString(), batches, from.next,
                    replay_position_.next - 1);
  co_return Status();
}

// A batch that a crash left in part, its header without all of its data, must not become whole later: if it was written
// again, as a guest does that replays its journal, a second crash could keep the old header and the new data, and with
// them a batch behind, of which everyone has seen that it was lost. Durable before anything is appended.
Task<Status> LogPool::EraseTornEnd() {
  if (LS_PLANTED(18)) co_return Status();
  const DiskMemory memory = AllocateZeros(kBlockSize);
  const std::span<std::byte, kBlockSize> block(memory.get(), kBlockSize);
  for (const auto& [segment, begin] : {std::pair(replay_position_.segment, replay_position_.block),
                                       std::pair(replay_position_.next_segment, 0u)}) {
    if (segment >= segments_.count() || segments_.is_absent(segment) || begin >= superblock_.segment_blocks()) continue;
    const uint64_t offset = (superblock_.first_block(segment) + begin) * kBlockSize;
    LS_CO_RETURN_IF_ERROR(co_await ReadDisk(*devices_, offset, block));
    if (!PeekHeaderBlocks(superblock_.pool, block).ok()) continue;
    std::fill(block.begin(), block.end(), std::byte{});
    LS_CO_RETURN_IF_ERROR(co_await WriteDisk(*devices_, offset, block));
  }
  co_return Status();
}

Status LogPool::CheckReplayed(const Entry& entry) const {
  // The entry passed its checksum, so it is what was once written; but its numbers index memory.
  const uint64_t most_blocks = block::kMaxVolumeSize / kBlockSize;
  if (entry.block > most_blocks || entry.count > most_blocks - entry.block)
    return Corrupted("an entry in the log lies beyond the largest volume");
  return {};
}

Status LogPool::ReplayTransaction(const LoggedTransaction& logged, SequenceNumber sequence, const LogPosition& begin) {
  const block::Transaction& transaction = logged.transaction;
  if (logged.time != io::WallTime()) history_.Learn({logged.time, sequence});
  if (transaction.changes.empty() && logged.time != io::WallTime()) return {};  // it only tells the time
  LS_RETURN_IF_ERROR(structure_.Validate(transaction, sequence - 1)
                         .WithContext("replaying a transaction that cannot have been"));
  structure_.Apply(transaction, sequence, logged.time);
  for (const block::Change& change : transaction.changes)
    if (const auto* take = std::get_if<block::TakePoint>(&change); take && take->at == 0)
      structure_.SetLogPosition(take->point, begin);
  return {};
}

Status LogPool::ReplayBatch(const LogBatch& batch) {
  SequenceNumber sequence = batch.header.first;
  uint64_t location = batch.data_location;
  const uint32_t* crcs = batch.header.block_crcs.data();
  size_t data_at = 0;
  for (const Entry& entry : batch.header.entries) {
    if (entry.type == EntryType::kTransaction) {
      const auto payload = batch.data.subspan(data_at, entry.bytes);
      LS_ASSIGN_OR_RETURN(const LoggedTransaction logged,
                          DecodeTransaction({reinterpret_cast<const char*>(payload.data()), payload.size()}));
      LS_RETURN_IF_ERROR(ReplayTransaction(logged, sequence, batch.begin));
    } else {
      LS_RETURN_IF_ERROR(CheckReplayed(entry));
      Record(entry, sequence, location, crcs);
    }
    ++sequence;
    location += entry.data_blocks();
    crcs += entry.data_blocks();
    data_at += size_t{entry.data_blocks()} * kBlockSize;
  }
  return {};
}

}  // namespace lockstep::logstore
