#include "logstore/rebuild.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/checksum.h"
#include "logstore/disk_io.h"
#include "logstore/relocation.h"
#include "logstore/segment_scan.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kReadDepth = 8;
constexpr size_t kPage = 4096;  // found records taken at a time
constexpr uint64_t kMostBlocks = block::kMaxVolumeSize / kBlockSize;

bool Possible(const Entry& e) {
  return e.block <= kMostBlocks && e.count <= kMostBlocks - e.block;
}

}  // namespace

Finder::Finder(io::Disk& disk, const Superblock& superblock, const Anchor& anchor, Index& index,
               SegmentTable& segments, io::Loop& loop, io::Executor& executor, Log& log)
    : disk_(disk),
      superblock_(superblock),
      anchor_(anchor),
      index_(index),
      segments_(segments),
      loop_(loop),
      executor_(executor),
      log_(log) {
  for (const SegmentUse& s : anchor.segments) in_use_.emplace(s.segment, s);
}

bool Finder::Counts(uint32_t segment, const BatchHeader& header) const {
  if (in_use_.contains(segment)) return true;
  // Begun by the cleaner after the anchor. What the log wrote after it comes from the log.
  return header.kind == BatchKind::kMoved && header.durable >= anchor_.number;
}

Task<Status> Finder::Run() {
  const DiskMemory memory = AllocateBlocks(superblock_.segment_size);
  Index::Batch batch;
  for (const HoleRecord& h : anchor_.holes)
    batch.PutFound({h.layer, h.block, {h.birth, kHole, 0}, h.count, 0, true, 0});
  LS_CO_RETURN_IF_ERROR(index_.Write(batch));
  for (uint32_t segment = 0; segment < superblock_.segment_count; ++segment) {
    if (segments_.is_absent(segment)) continue;
    LS_CO_RETURN_IF_ERROR(co_await Look(segment, {memory.get(), superblock_.segment_size}));
    if (segment % 1024 == 1023)
      log_.Info("pool {}: rebuilding the index, {} of {} segments read", superblock_.pool.ToString(), segment + 1,
                superblock_.segment_count);
  }
  if (damaged_ != 0)
    log_.Error("pool {}: {} blocks found while rebuilding do not match their checksums", superblock_.pool.ToString(),
               damaged_);
  co_return Status();
}

Task<Status> Finder::Look(uint32_t segment, std::span<std::byte> memory) {
  const bool unreadable = co_await ReadSegment(disk_, superblock_, segment, memory, kReadDepth);
  if (unreadable && in_use_.contains(segment))
    log_.Error("pool {}: parts of segment {} cannot be read", superblock_.pool.ToString(), segment);
  Status kept;
  SequenceNumber written = 0;
  bool in_place = false, suspect = false;
  auto keep = [&] {
    const std::vector<SegmentBatch> batches = ParseSegment(superblock_, segment, memory);
    if (batches.empty() || !Counts(segment, batches.front().header)) return;
    written = batches.front().header.first;
    const auto use = in_use_.find(segment);
    in_place = use != in_use_.end() && use->second.written == written;
    // What the cleaner wrote and did not settle may have been lost in part; the log has no gaps.
    suspect = in_place && !batches.back().header.moved() && GoesOnBehind(segment, batches.back(), memory);
    kept = Keep(segment, batches, memory);
  };
  co_await executor_.Call(loop_, keep);
  segments_.SetWritten(segment, written);
  if (in_place) in_place_.push_back(segment);
  if (suspect) suspects_.insert(segment);
  co_return kept;
}

bool Finder::GoesOnBehind(uint32_t segment, const SegmentBatch& last, std::span<const std::byte> image) const {
  const BatchHeader& l = last.header;
  const uint64_t end = last.data_location + l.data_blocks() - superblock_.first_block(segment);
  for (uint64_t block = end; block < superblock_.segment_blocks(); ++block) {
    const auto rest = image.subspan(block * kBlockSize);
    const auto blocks = PeekHeaderBlocks(superblock_.pool, rest.first<kBlockSize>());
    if (!blocks.ok() || block + *blocks > superblock_.segment_blocks()) continue;
    const auto header = DecodeBatchHeader(superblock_.pool, rest.first(size_t{*blocks} * kBlockSize));
    if (header.ok() && header->kind == l.kind && header->epoch == l.epoch && header->first > l.first &&
        header->first < anchor_.position.next)
      return true;
  }
  return false;
}

Status Finder::CompareLive() {
  if (!anchor_.swept) return {};
  std::unordered_map<uint32_t, uint64_t> there;
  FoundRecord last;
  for (bool any = false;; any = true) {
    LS_ASSIGN_OR_RETURN(const std::vector<FoundRecord> page, FoundVersions(index_, any ? &last : nullptr));
    if (page.empty()) break;
    last = page.back();
    LS_RETURN_IF_ERROR(CountCopies(page, there));
  }
  for (const uint32_t segment : in_place_)
    if (segments_.live(segment) + there[segment] < in_use_.at(segment).live) suspects_.insert(segment);
  return {};
}

Status Finder::CountCopies(const std::vector<FoundRecord>& page,
                           std::unordered_map<uint32_t, uint64_t>& there) const {
  std::vector<MovedBlock> taken;
  std::unordered_map<uint64_t, std::vector<uint32_t>> others;  // of each location taken: segments with copies
  NewestRetained everything;
  ForEachVersion(page, [&](const FoundRecord* first, const FoundRecord* end) {
    const FoundRecord& best = BestOf(first, end);
    if (best.version.location <= kDiedHere || end - first == 1) return;
    for (const FoundRecord* f = first; f != end; ++f)
      if (f != &best && f->version.location > kDiedHere)
        others[best.version.location].push_back(superblock_.segment_of(f->version.location));
    taken.push_back({best.layer, best.block, best.version.birth, 0, best.version.location, 0, best.version.crc});
    everything[best.layer] = kNow;
  });
  LS_RETURN_IF_ERROR(KeepLive(index_, everything, taken));
  for (const MovedBlock& visible : taken)
    for (const uint32_t segment : others[visible.from]) ++there[segment];
  return {};
}

Status Finder::Keep(uint32_t segment, const std::vector<SegmentBatch>& batches, std::span<const std::byte> image) {
  Index::Batch found;
  const uint64_t begin = superblock_.first_block(segment);
  for (const SegmentBatch& b : batches) {
    // A block that was moved lives where it was moved to last: so what the cleaner had emptied is empty again.
    const uint64_t rank = b.header.moved() ? 2 + b.header.durable : 1;
    uint64_t at = b.data_location;
    size_t index = 0;
    for (size_t i = 0; i < b.header.entries.size(); ++i) {
      const Entry& e = b.header.entries[i];
      const SequenceNumber birth = b.header.birth(i);
      const SequenceNumber death = b.header.deaths.empty() ? 0 : b.header.deaths[i];
      const bool counts = birth < anchor_.position.next && Possible(e);
      if (counts && e.type == EntryType::kHole)
        found.PutFound({e.layer, e.block, {birth, kHole, 0}, e.count, 0, true, 0});
      for (uint32_t j = 0; j < e.data_blocks(); ++j, ++at, ++index) {
        if (!counts || e.type != EntryType::kWrite) continue;
        const uint32_t crc = b.header.block_crcs[index];
        const bool verified = Crc32c(image.subspan((at - begin) * kBlockSize, kBlockSize)) == crc;
        damaged_ += !verified;
        found.PutFound({e.layer, e.block + j, {birth, at, crc}, 1, death, verified, rank});
        if (death != 0 && death < anchor_.position.next)
          found.PutFound({e.layer, e.block + j, {death, kDiedHere, 0}, 1, 0, true, 0});
      }
    }
  }
  return index_.Write(found);
}

Result<std::vector<FoundRecord>> FoundVersions(const Index& index, const FoundRecord* after) {
  LS_ASSIGN_OR_RETURN(std::vector<FoundRecord> page, index.Found(after, kPage));
  if (page.size() < kPage) return page;
  const FoundRecord last = page.back();  // the page may end among its copies
  while (!page.empty() && SameVersion(page.back(), last)) page.pop_back();
  if (page.empty()) return Corrupted("a block has more copies than there can be");
  return page;
}

const FoundRecord& BestOf(const FoundRecord* first, const FoundRecord* last) {
  // Holes come first, for they have no location: data is better, and data that is whole is best.
  const FoundRecord* best = first;
  for (const FoundRecord* f = first; f != last; ++f) {
    const bool data = f->version.location > kDiedHere, best_data = best->version.location > kDiedHere;
    const bool better = f->verified != best->verified ? f->verified : f->rank > best->rank;
    if (data && (!best_data || better)) best = f;
  }
  return *best;
}

}  // namespace lockstep::logstore
