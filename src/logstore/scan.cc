#include "logstore/scan.h"

#include <algorithm>

namespace lockstep::logstore {
namespace {

constexpr size_t kChunksOfPage = 1024;

class ExtentList {
 public:
  void Add(uint64_t first, uint64_t end, bool allocated) {
    if (first >= end) return;
    const uint64_t offset = first * kBlockSize, length = (end - first) * kBlockSize;
    if (!extents_.empty() && extents_.back().allocated == allocated)
      extents_.back().length += length;
    else
      extents_.push_back({offset, length, allocated});
  }
  size_t size() const { return extents_.size(); }
  std::vector<block::Extent> Take(size_t limit) {
    if (extents_.size() > limit) extents_.resize(limit);
    return std::move(extents_);
  }

 private:
  std::vector<block::Extent> extents_;
};

Status AddChunk(const Index& index, const ViewChain& chain, uint64_t chunk, uint64_t from, uint64_t to,
                ExtentList& extents) {
  uint16_t wanted = 0xffff;
  ChunkVersions versions = {};
  LS_RETURN_IF_ERROR(LookupView(index, chain, chunk, wanted, versions));
  for (uint64_t b = from; b < to; ++b) extents.Add(b, b + 1, versions[b % kChunkBlocks].is_data());
  return {};
}

}  // namespace

Result<std::vector<block::Extent>> ScanExtents(const Index& index, const ViewChain& chain, uint64_t first, uint64_t end,
                                               size_t limit) {
  ExtentList extents;
  uint64_t at = first;
  // One extent more than asked for shows that the one before is complete.
  while (at < end && extents.size() <= limit) {
    uint64_t horizon = (end - 1) / kChunkBlocks;  // chunks up to here are known
    LS_ASSIGN_OR_RETURN(const auto chunks, ChunksOf(index, chain, at / kChunkBlocks, horizon, kChunksOfPage));
    for (const uint64_t chunk : chunks) {
      if (extents.size() > limit) break;
      const uint64_t from = std::max(at, chunk * kChunkBlocks), to = std::min(end, (chunk + 1) * kChunkBlocks);
      extents.Add(at, from, false);
      LS_RETURN_IF_ERROR(AddChunk(index, chain, chunk, from, to, extents));
      at = to;
    }
    if (extents.size() > limit) break;
    const uint64_t known = std::min(end, (horizon + 1) * kChunkBlocks);
    extents.Add(at, known, false);
    at = known;
  }
  return extents.Take(limit);
}

Result<std::vector<std::pair<uint64_t, uint64_t>>> ScanChanges(const Index& index, LayerId layer, SequenceNumber after,
                                                               SequenceNumber until) {
  constexpr uint64_t kLastChunk = block::kMaxVolumeSize / kBlockSize / kChunkBlocks;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (uint64_t next = 0; next <= kLastChunk;) {
    LS_ASSIGN_OR_RETURN(const auto chunks, index.Chunks(layer, next, kLastChunk, kChunksOfPage));
    for (const uint64_t chunk : chunks) {
      ChunkVersions before = {}, now = {};
      uint16_t wanted_before = 0xffff, wanted_now = 0xffff;
      LS_RETURN_IF_ERROR(index.Lookup({layer, chunk}, after, Index::Tier::kDisk, wanted_before, before));
      LS_RETURN_IF_ERROR(index.Lookup({layer, chunk}, until, Index::Tier::kDisk, wanted_now, now));
      for (uint32_t slot = 0; slot < kChunkBlocks; ++slot) {
        if (before[slot].birth == now[slot].birth) continue;
        const uint64_t block = chunk * kChunkBlocks + slot;
        if (!ranges.empty() && ranges.back().first + ranges.back().second == block)
          ++ranges.back().second;
        else
          ranges.emplace_back(block, 1);
      }
    }
    if (chunks.size() < kChunksOfPage) break;
    next = chunks.back() + 1;
  }
  return ranges;
}

}  // namespace lockstep::logstore
