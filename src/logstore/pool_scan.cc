// Questions about ranges, and the copying that makes a clone its own.
#include <fmt/format.h>

#include <algorithm>

#include "logstore/check_index.h"
#include "logstore/disk_io.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/scan.h"
#include "logstore/scrub.h"
#include "logstore/view.h"
#include "logstore/volume.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {

Task<Result<std::vector<block::Extent>>> LogPool::Extents(LayerId layer, SequenceNumber at, uint64_t offset,
                                                          uint64_t length, size_t limit) {
  const ReadPath::Pin pin(*reads_);
  const ViewChain chain = ChainOf(structure_, layer, at);
  // Everything written so far goes to the index first, so that one source has the whole answer.
  if (!map_.active().empty() || map_.folding()) LS_CO_RETURN_IF_ERROR(co_await FoldNow(false));
  Result<std::vector<block::Extent>> extents = Internal("not scanned");
  auto scan = [&] {
    extents = ScanExtents(map_.index(), chain, offset / kBlockSize, (offset + length) / kBlockSize, limit);
  };
  co_await seams_.executor.Call(seams_.loop, scan);
  co_return extents;
}

namespace {

std::vector<block::Extent> MergeRanges(std::vector<std::pair<uint64_t, uint64_t>> ranges, uint64_t size) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<block::Extent> merged;
  for (const auto& [first, count] : ranges) {
    const uint64_t offset = first * kBlockSize, end = std::min((first + count) * kBlockSize, size);
    if (offset >= end) continue;
    if (!merged.empty() && offset <= merged.back().offset + merged.back().length)
      merged.back().length = std::max(merged.back().length, end - merged.back().offset);
    else
      merged.push_back({offset, end - offset, true});
  }
  return merged;
}

}  // namespace

Task<Result<std::vector<block::Extent>>> LogPool::Diff(block::VolumeId volume, block::PointId from,
                                                       std::optional<block::PointId> to) {
  const auto missing = [](const std::string& what) { return NotFound("there is no " + what); };
  const PointRecord* begin = structure_.Find(from);
  const PointRecord* end = to ? structure_.Find(*to) : nullptr;
  const VolumeRecord* now = structure_.Find(volume);
  if (!begin) co_return missing("point " + from.ToString());
  if (to && !end) co_return missing("point " + to->ToString());
  if (!to && !now) co_return missing("volume " + volume.ToString());
  const PointMember* first = Structure::Member(*begin, volume);
  const PointMember* last = end ? Structure::Member(*end, volume) : nullptr;
  if (!first || (end && !last)) co_return missing("volume " + volume.ToString() + " in the point");
  const LayerId layer = first->layer;
  if (layer != (end ? last->layer : now->top))
    co_return NotSupported(fmt::format("volume {}: its content was replaced between the two points; compare as a whole",
                                       volume.ToString()));
  const SequenceNumber after = begin->position, until = end ? end->position : writer_.completed();
  const uint64_t size = end ? last->size : now->size;
  if (until < after) co_return InvalidArgument("the first point is later than the second");
  const LogPosition log = begin->log;
  if (log.next >= segments_.log_start()) {
    auto walked = co_await DiffByLog(log, layer, after, until);
    if (walked.ok()) co_return MergeRanges(std::move(*walked), size);
    if (walked.status().code() == Code::kIoError) co_return walked.status();
  }
  // Up to now is up to whatever is newest when a block is looked at: what it held when this was asked nobody keeps.
  LS_CO_ASSIGN_OR_RETURN(auto ranges, co_await DiffByIndex(layer, after, to ? until : kNow));
  // The index keeps history for points. Of one that was released meanwhile a part may have gone before it was seen.
  if (!structure_.Find(from)) co_return missing("point " + from.ToString());
  if (to && !structure_.Find(*to)) co_return missing("point " + to->ToString());
  co_return MergeRanges(std::move(ranges), size);
}

Task<Result<LogPool::BlockRanges>> LogPool::DiffByLog(LogPosition from, LayerId layer, SequenceNumber after,
                                                      SequenceNumber until) {
  // The log between the two positions names every block that changed; only batch headers are read. A log that has been
  // cleaned meanwhile does not continue its chain.
  segments_.Pin(from.next);
  LogReader reader(*devices_, superblock_, from, LogReader::Depth::kHeaders);
  BlockRanges ranges;
  Status status;
  while (status.ok() && reader.position().next <= until) {
    const Result<std::optional<LogBatch>> batch = co_await reader.Next();
    status = batch.status();
    if (batch.ok() && !*batch) status = Corrupted("the log has been cleaned");
    if (!status.ok()) break;
    SequenceNumber sequence = (*batch)->header.first;
    for (const Entry& e : (*batch)->header.entries) {
      if (e.layer == layer && e.type != EntryType::kTransaction && sequence > after && sequence <= until)
        ranges.emplace_back(e.block, e.count);
      ++sequence;
    }
  }
  segments_.Unpin(from.next);
  if (!status.ok()) co_return status;
  co_return ranges;
}

Task<Result<LogPool::BlockRanges>> LogPool::DiffByIndex(LayerId layer, SequenceNumber after, SequenceNumber until) {
  const ReadPath::Pin pin(*reads_);
  if (!map_.active().empty() || map_.folding()) LS_CO_RETURN_IF_ERROR(co_await FoldNow(false));
  Result<BlockRanges> ranges = Internal("not scanned");
  auto scan = [&] { ranges = ScanChanges(map_.index(), layer, after, until); };
  co_await seams_.executor.Call(seams_.loop, scan);
  co_return ranges;
}

Task<Result<CheckReport>> Check(block::Pool& pool) {
  return pool.Check();
}

Task<Result<CheckReport>> LogPool::Check() {
  const Result<io::AsyncMutex::Guard> fold_turn = co_await FoldAll();
  if (!fold_turn.ok()) co_return fold_turn.status();
  const HeldLayers held{structure_.layers(), structure_.to_sweep()};
  uint64_t mapped = 0;
  for (const auto& [id, volume] : structure_.volumes()) mapped += structure_.layer(volume.top).used_blocks;
  const block::PoolInfo counted = Info();
  Result<CheckReport> report = Internal("not checked");
  auto check = [&] { report = CheckIndex(map_.index(), superblock_, held); };
  co_await seams_.executor.Call(seams_.loop, check);
  if (!report.ok()) co_return report;
  for (uint32_t segment = 0; segment < segments_.count(); ++segment)
    if (segments_.is_free(segment) && segments_.live(segment) != 0)
      report->problems.push_back(fmt::format("segment {} is free, but has live blocks", segment));
  if (segments_.live_blocks() != report->current + report->history)
    report->problems.push_back(fmt::format("{} live blocks are counted in all, but there are {}",
                                           segments_.live_blocks(), report->current + report->history));
  if (counted.mapped != mapped * kBlockSize)
    report->problems.push_back(fmt::format("volumes hold {} bytes of their own, but {} are counted",
                                           mapped * kBlockSize, counted.mapped));
  co_return report;
}

Task<Result<block::ScrubReport>> LogPool::Scrub(block::ScrubOptions options) {
  lockstep::logstore::Scrub scrub(*this, superblock_, std::move(options));
  co_return co_await scrub.Run();
}

Task<Result<uint64_t>> LogPool::CopyUp(block::VolumeId volume, uint64_t offset, uint64_t length) {
  if (offset % kBlockSize != 0 || length % kBlockSize != 0)
    co_return InvalidArgument("copying up needs a range of whole blocks");
  const VolumeRecord* asked = structure_.Find(volume);
  if (!asked) co_return NotFound(fmt::format("there is no volume {}", volume.ToString()));
  if (offset > asked->size || length > asked->size - offset)
    co_return InvalidArgument(fmt::format("volume {}: the range to copy up is beyond its end", volume.ToString()));
  const auto turn = co_await copy_turn_.Lock();
  uint64_t copied = 0;
  for (uint64_t at = offset; at < offset + length;) {
    const VolumeRecord* v = structure_.Find(volume);
    if (!v) co_return NotFound(fmt::format("there is no volume {}", volume.ToString()));
    if (at >= v->size || structure_.layer(v->top).parent == kNoLayer) break;
    const uint64_t piece =
        std::min({uint64_t{writer_.max_entry_blocks()} * kBlockSize, offset + length - at, v->size - at});
    LS_CO_ASSIGN_OR_RETURN(const uint64_t some,
                           co_await CopyUpPiece(volume, at / kBlockSize, static_cast<uint32_t>(piece / kBlockSize)));
    copied += some;
    at += piece;
  }
  co_return copied;
}

Task<Result<uint64_t>> LogPool::CopyUpPiece(block::VolumeId volume, uint64_t first_block, uint32_t blocks) {
  while (true) {
    // New writes to the range wait; those before it get into the map, so that it shows what the volume has of its own.
    writes_->Hold(volume, first_block, blocks);
    co_await SuspendWith([this](auto resume) { writer_.WhenSettled(std::move(resume)); });
    auto copied = co_await CopyUpHeld(volume, first_block, blocks);
    writes_->Unhold();
    if (copied.status().code() != Code::kNoSpace || !cleaner_->CanHelp()) co_return copied;
    // Not before, for freeing segments waits for reads, and a copy is one. What was copied is found to be so.
    LS_CO_RETURN_IF_ERROR(co_await WaitForSpace());
  }
}

Task<Result<std::vector<bool>>> LogPool::Inherited(LayerId layer, uint64_t first_block, uint32_t blocks) {
  std::vector<bool> inherited(blocks);
  for (uint64_t chunk = first_block / kChunkBlocks; chunk <= (first_block + blocks - 1) / kChunkBlocks; ++chunk) {
    ChunkVersions own = {}, seen = {};
    auto tier = Index::Tier::kMemory;
    Status found = map_.ResolveOwn(layer, chunk, 0xffff, tier, own);
    if (found.ok()) found = map_.Resolve(structure_, layer, kNow, chunk, 0xffff, tier, seen);
    if (found.code() == Code::kUnavailable) {
      const ViewChain chain = ChainOf(structure_, layer, kNow);
      auto warm = [&] {
        ChunkVersions ignored;
        uint16_t wanted = 0xffff;
        (void)LookupView(map_.index(), chain, chunk, wanted, ignored);  // an error shows again below
      };
      co_await seams_.executor.Call(seams_.loop, warm);
      tier = Index::Tier::kDisk;  // from the cache now, but for the rarest of races
      own = seen = {};
      found = map_.ResolveOwn(layer, chunk, 0xffff, tier, own);
      if (found.ok()) found = map_.Resolve(structure_, layer, kNow, chunk, 0xffff, tier, seen);
    }
    LS_CO_RETURN_IF_ERROR(found);
    for (uint32_t slot = 0; slot < kChunkBlocks; ++slot) {
      const uint64_t block = chunk * kChunkBlocks + slot;
      if (block >= first_block && block < first_block + blocks)
        inherited[block - first_block] = !own[slot].exists() && seen[slot].is_data();
    }
  }
  co_return inherited;
}

Task<Result<uint64_t>> LogPool::CopyUpHeld(block::VolumeId volume, uint64_t first_block, uint32_t blocks) {
  const ReadPath::Pin pin(*reads_);
  const VolumeRecord* v = structure_.Find(volume);
  if (!v) co_return NotFound(fmt::format("there is no volume {}", volume.ToString()));
  const LayerId layer = v->top;
  LS_CO_ASSIGN_OR_RETURN(const std::vector<bool> inherited, co_await Inherited(layer, first_block, blocks));
  const DiskMemory memory = AllocateBlocks(size_t{blocks} * kBlockSize);
  uint64_t copied = 0;
  for (uint32_t at = 0; at < blocks;) {
    if (!inherited[at]) {
      ++at;
      continue;
    }
    uint32_t count = 1;
    while (at + count < blocks && inherited[at + count]) ++count;
    const io::Buffer buffer{memory.get(), size_t{count} * kBlockSize};
    block::Request read;
    read.op = block::Request::Op::kRead;
    read.offset = (first_block + at) * kBlockSize;
    read.length = buffer.size;
    read.buffers = {&buffer, 1};
    co_await SuspendWith([&](auto resume) {
      using Resume = decltype(resume);
      read.context = new Resume(std::move(resume));
      read.done = [](block::Request& r) {
        const std::unique_ptr<Resume> go_on(static_cast<Resume*>(r.context));
        (*go_on)();
      };
      reads_->Read(volume, layer, kNow, read);
    });
    LS_CO_RETURN_IF_ERROR(read.status);
    // It may have been made smaller, or have got another content, while we read.
    const VolumeRecord* still = structure_.Find(volume);
    if (!still || still->top != layer || read.offset + read.length > still->size) break;
    Status written;
    co_await SuspendWith([&](auto resume) {
      writes_->WriteBlocks(layer, first_block + at, {&buffer, 1},
                           [&written, resume = std::move(resume)](Status status) mutable {
                             written = std::move(status);
                             resume();
                           });
    });
    LS_CO_RETURN_IF_ERROR(written);
    copied += buffer.size;
    at += count;
  }
  co_return copied;
}

}  // namespace lockstep::logstore
