#include "logstore/scrub.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>
#include <utility>

#include "base/checksum.h"
#include "logstore/disk_io.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/scan.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {
namespace {

constexpr uint32_t kPieceBlocks = 256;
constexpr uint32_t kWidestGap = 32;       // blocks that are read along rather than read around
constexpr size_t kMostListed = 100;       // in the report
constexpr size_t kMostVolumesAsked = 64;  // for one bad block
constexpr auto kRestWhenBusy = std::chrono::microseconds(1000), kRestWhenIdle = std::chrono::microseconds(100);
constexpr auto kLongestRest = std::chrono::milliseconds(50);

void SortByLocation(std::vector<MovedBlock>& blocks) {
  std::sort(blocks.begin(), blocks.end(), [](const MovedBlock& a, const MovedBlock& b) { return a.from < b.from; });
}

// Everything that the index says is in the segment. Blocking.
Status VisitSegment(const Index& index, const Superblock& superblock, uint32_t segment,
                    std::vector<MovedBlock>& blocks) {
  const uint64_t begin = superblock.first_block(segment), end = begin + superblock.segment_blocks();
  const auto visit = [&](LayerId layer, uint64_t block, const Version& v) {
    if (v.is_data() && v.location >= begin && v.location < end)
      blocks.push_back({layer, block, v.birth, 0, v.location, 0, v.crc});
    return true;
  };
  LS_RETURN_IF_ERROR(index.VisitCurrent(kNoLayer, visit));
  return index.VisitHistory(kNoLayer, [&](const HistoryRecord& r) { return visit(r.layer, r.block, r.version); });
}

}  // namespace

Scrub::Scrub(LogPool& pool, const Superblock& superblock, block::ScrubOptions options)
    : pool_(pool),
      superblock_(superblock),
      options_(std::move(options)),
      memory_(AllocateBlocks(size_t{kPieceBlocks} * kBlockSize)) {}

Task<Result<block::ScrubReport>> Scrub::Run() {
  LS_CO_RETURN_IF_ERROR(co_await pool_.FoldNow(false));
  const uint32_t segment_blocks = superblock_.segment_blocks();
  report_.end = uint64_t{superblock_.segment_count} * segment_blocks;
  report_.position = std::min(options_.from, report_.end);
  while (report_.position < report_.end && GoOn()) {
    const uint32_t segment = static_cast<uint32_t>(report_.position / segment_blocks);
    if (pool_.segments().live(segment) != 0) {
      LS_CO_ASSIGN_OR_RETURN(const bool whole, co_await ReadSegment(segment));
      if (!whole) break;
    }
    report_.position = (uint64_t{segment} + 1) * segment_blocks;
  }
  if (report_.position == report_.end) (void)GoOn();
  co_return std::move(report_);
}

Task<Result<bool>> Scrub::ReadSegment(uint32_t segment) {
  const uint64_t origin = superblock_.first_block(0);
  LS_CO_ASSIGN_OR_RETURN(const std::vector<MovedBlock> blocks, co_await Survey(segment));
  size_t first = 0;
  while (first < blocks.size() && blocks[first].from - origin < report_.position) ++first;
  while (first < blocks.size()) {
    size_t end = first + 1;
    while (end < blocks.size() && blocks[end].from - blocks[first].from < kPieceBlocks &&
           blocks[end].from - blocks[end - 1].from <= kWidestGap)
      ++end;
    std::vector<MovedBlock> piece(blocks.begin() + static_cast<ptrdiff_t>(first),
                                  blocks.begin() + static_cast<ptrdiff_t>(end));
    const uint64_t behind = piece.back().from + 1 - origin, read_before = report_.bytes_read;
    LS_CO_RETURN_IF_ERROR(co_await ReadPiece(std::move(piece)));
    report_.position = behind;
    if (!co_await Rest(report_.bytes_read - read_before)) co_return false;
    first = end;
  }
  co_return true;
}

Task<Status> Scrub::KeepLiveNow(std::vector<MovedBlock>& blocks) {
  const NewestRetained history = pool_.structure().NewestRetainedOfLayers();
  Status kept;
  auto keep = [&] { kept = KeepLive(pool_.map().index(), history, blocks); };
  co_await pool_.seams().executor.Call(pool_.seams().loop, keep);
  SortByLocation(blocks);
  co_return kept;
}

Task<Result<std::vector<MovedBlock>>> Scrub::Scan(uint32_t segment, uint64_t& readable_until) {
  readable_until = superblock_.first_block(segment);
  const auto batches = co_await ScanSegment(pool_.disk(), superblock_, segment);
  // A header that the device does not return is as good as damaged.
  if (!batches.ok()) co_return std::vector<MovedBlock>();
  for (const SegmentBatch& batch : *batches) report_.bytes_read += uint64_t{batch.header.header_blocks()} * kBlockSize;
  if (!batches->empty())
    readable_until = batches->back().data_location + batches->back().header.data_blocks();
  std::vector<MovedBlock> blocks = BlocksOf(*batches);
  LS_CO_RETURN_IF_ERROR(co_await KeepLiveNow(blocks));
  co_return blocks;
}

Task<Result<std::vector<MovedBlock>>> Scrub::Survey(uint32_t segment) {
  uint64_t readable_until = 0;
  LS_CO_ASSIGN_OR_RETURN(std::vector<MovedBlock> blocks, co_await Scan(segment, readable_until));
  if (blocks.size() >= pool_.segments().live(segment)) co_return blocks;
  co_return co_await SurveyByIndex(segment);
}

Task<Result<std::vector<MovedBlock>>> Scrub::SurveyByIndex(uint32_t segment) {
  // The counts and the index agree while folds are held, so what is missing now is missing.
  const auto held = co_await pool_.HoldFolds();
  uint64_t readable_until = 0;
  LS_CO_ASSIGN_OR_RETURN(std::vector<MovedBlock> blocks, co_await Scan(segment, readable_until));
  if (blocks.size() >= pool_.segments().live(segment)) co_return blocks;
  Status visited;
  blocks.clear();
  auto visit = [&] { visited = VisitSegment(pool_.map().index(), superblock_, segment, blocks); };
  co_await pool_.seams().executor.Call(pool_.seams().loop, visit);
  LS_CO_RETURN_IF_ERROR(visited);
  SortByLocation(blocks);
  // Told once, also when the scrub is gone on with in the middle of the segment.
  const bool beyond = !blocks.empty() && blocks.back().from >= readable_until;
  if (beyond && report_.position <= readable_until - superblock_.first_block(0))
    Count({{}, 0, 0, readable_until}, 0);
  co_return blocks;
}

Task<Status> Scrub::ReadPiece(std::vector<MovedBlock> piece) {
  const ReadPath::Pin pin(pool_.reads());
  LS_CO_RETURN_IF_ERROR(co_await KeepLiveNow(piece));
  if (piece.empty()) co_return Status();
  const uint64_t begin = piece.front().from, blocks = piece.back().from - begin + 1;
  const Status read = co_await ReadDisk(pool_.disk(), begin * kBlockSize, {memory_.get(), blocks * kBlockSize});
  report_.bytes_read += blocks * kBlockSize;
  for (const MovedBlock& b : piece) {
    const std::span<std::byte> data(memory_.get() + (b.from - begin) * kBlockSize, kBlockSize);
    Status one = read;
    // One bad place makes the whole piece unreadable; each block by itself tells which it is.
    if (!read.ok()) one = co_await ReadDisk(pool_.disk(), b.from * kBlockSize, data);
    ++report_.blocks;
    if (!one.ok() || Crc32c(data) != b.crc) LS_CO_RETURN_IF_ERROR(co_await Complain(b));
  }
  co_return Status();
}

Task<Status> Scrub::Complain(MovedBlock block) {
  // It may have died or moved while it was read.
  std::vector<MovedBlock> still = {block};
  LS_CO_RETURN_IF_ERROR(co_await KeepLiveNow(still));
  if (still.empty()) co_return Status();
  const block::VolumeId volume = co_await VolumeThatShows(block);
  Count({volume, block.layer, block.block, block.from}, block.crc);
  co_return Status();
}

void Scrub::Count(const block::BadBlock& bad, uint32_t crc) {
  ++report_.bad;
  pool_.bad_blocks().Found(bad, crc);
  if (report_.bad_blocks.size() < kMostListed) report_.bad_blocks.push_back(bad);
}

Task<block::VolumeId> Scrub::VolumeThatShows(MovedBlock block) {
  const Structure& structure = pool_.structure();
  std::vector<block::VolumeId> candidates;
  for (const auto& [id, volume] : structure.volumes()) {
    LayerId layer = volume.top;
    SequenceNumber at = kNow;
    while (layer != kNoLayer && layer != block.layer) {
      at = structure.layer(layer).parent_at;
      layer = structure.layer(layer).parent;
    }
    if (layer == kNoLayer || at < block.birth) continue;
    // The layer's own volume first.
    candidates.insert(layer == volume.top ? candidates.begin() : candidates.end(), id);
  }
  if (candidates.size() > kMostVolumesAsked) candidates.resize(kMostVolumesAsked);
  const uint64_t chunk = block.block / kChunkBlocks;
  const uint16_t slot = static_cast<uint16_t>(block.block % kChunkBlocks);
  for (const block::VolumeId id : candidates) {
    const VolumeRecord* volume = structure.Find(id);
    if (!volume) continue;
    // The records come into the cache on the executor, so that the lookup below does not wait for a disk.
    const ViewChain chain = ChainOf(structure, volume->top, kNow);
    auto warm = [&] {
      ChunkVersions ignored;
      uint16_t wanted = static_cast<uint16_t>(1u << slot);
      (void)LookupView(pool_.map().index(), chain, chunk, wanted, ignored);  // an error shows again below
    };
    co_await pool_.seams().executor.Call(pool_.seams().loop, warm);
    volume = structure.Find(id);
    if (!volume) continue;
    ChunkVersions versions{};
    const Status found = pool_.map().Resolve(structure, volume->top, kNow, chunk, static_cast<uint16_t>(1u << slot),
                                             Index::Tier::kDisk, versions);
    if (found.ok() && versions[slot].birth == block.birth && versions[slot].location == block.from) co_return id;
  }
  co_return block::VolumeId();
}

Task<bool> Scrub::Rest(uint64_t bytes) {
  if (!GoOn()) co_return false;
  if (options_.bytes_per_second == 0) {
    const bool busy = pool_.writes().in_flight() != 0 || pool_.reads().AnyInFlight();
    co_await pool_.seams().loop.Sleep(busy ? kRestWhenBusy : kRestWhenIdle);
    co_return true;
  }
  // As if reading took no time: the rate is a limit, not a promise.
  const double seconds = static_cast<double>(bytes) / static_cast<double>(options_.bytes_per_second);
  auto left = std::chrono::duration_cast<io::Duration>(std::chrono::duration<double>(std::min(seconds, 1e6)));
  while (left > io::Duration(0)) {
    const io::Duration now = std::min<io::Duration>(left, kLongestRest);
    co_await pool_.seams().loop.Sleep(now);
    left -= now;
    if (!GoOn()) co_return false;
  }
  co_return true;
}

}  // namespace lockstep::logstore
