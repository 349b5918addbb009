#include "logstore/relocation.h"

#include <algorithm>

#include "base/planted.h"
#include "logstore/fold.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kRelocatedAtOnce = 512;  // chunks looked up together

// The chunks of `blocks`, ascending, without repetitions.
std::vector<ChunkKey> ChunksOf(const std::vector<MovedBlock>& blocks) {
  std::vector<ChunkKey> keys;
  keys.reserve(blocks.size());
  for (const MovedBlock& b : blocks) keys.push_back({b.layer, b.block / kChunkBlocks});
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

// visit(key, record, first, end) for every chunk, with the blocks [first, end) of it. REQUIRES: sorted by place.
template <typename Visit>
Status ForEachChunk(const Index& index, const std::vector<MovedBlock>& blocks, Visit visit) {
  const std::vector<ChunkKey> keys = ChunksOf(blocks);
  std::vector<ChunkVersions> records;
  size_t at = 0;
  for (size_t i = 0; i < keys.size(); i += kRelocatedAtOnce) {
    const size_t until = std::min(keys.size(), i + kRelocatedAtOnce);
    const std::vector<ChunkKey> group(keys.begin() + static_cast<ptrdiff_t>(i),
                                      keys.begin() + static_cast<ptrdiff_t>(until));
    LS_RETURN_IF_ERROR(index.LookupAll(group, records));
    for (size_t j = 0; j < group.size(); ++j) {
      const size_t first = at;
      while (at < blocks.size() && ChunkKey{blocks[at].layer, blocks[at].block / kChunkBlocks} == group[j]) ++at;
      LS_RETURN_IF_ERROR(visit(group[j], records[j], first, at));
    }
  }
  return {};
}

bool IsAt(const Version& version, const MovedBlock& block) {
  return version.birth == block.birth && version.location == block.from;
}

}  // namespace

std::vector<MovedBlock> BlocksOf(const std::vector<SegmentBatch>& batches) {
  std::vector<MovedBlock> blocks;
  for (const SegmentBatch& batch : batches) {
    uint64_t at = batch.data_location;
    size_t index = 0;
    for (size_t i = 0; i < batch.header.entries.size(); ++i) {
      const Entry& e = batch.header.entries[i];
      for (uint32_t j = 0; j < e.data_blocks(); ++j, ++at, ++index)
        if (e.type == EntryType::kWrite)
          blocks.push_back({e.layer, e.block + j, batch.header.birth(i), 0, at, 0, batch.header.block_crcs[index]});
    }
  }
  return blocks;
}

void SortByPlace(std::vector<MovedBlock>& blocks) {
  std::sort(blocks.begin(), blocks.end(), [](const MovedBlock& a, const MovedBlock& b) {
    return a.layer != b.layer ? a.layer < b.layer : a.block != b.block ? a.block < b.block : a.birth < b.birth;
  });
}

Status KeepLive(const Index& index, const NewestRetained& history, std::vector<MovedBlock>& blocks) {
  SortByPlace(blocks);
  std::vector<MovedBlock> live;
  LS_RETURN_IF_ERROR(ForEachChunk(
      index, blocks, [&](const ChunkKey&, const ChunkVersions& record, size_t first, size_t end) -> Status {
        for (size_t i = first; i < end; ++i) {
          MovedBlock& b = blocks[i];
          bool lives = IsAt(record[b.block % kChunkBlocks], b);
          b.death = 0;
          const auto newest = history.find(b.layer);
          if (!lives && newest != history.end() && b.birth <= newest->second) {
            LS_ASSIGN_OR_RETURN(const auto old, index.FindHistory(b.layer, b.block, b.birth));
            lives = old && IsAt(old->version, b);
            if (lives) b.death = old->death;
          }
          if (lives) live.push_back(b);
        }
        return {};
      }));
  blocks = std::move(live);
  return {};
}

Status KeepMarked(const Index& index, const NewestRetained& history, std::span<const uint64_t> bits, uint64_t first,
                  std::vector<MovedBlock>& blocks) {
  std::erase_if(blocks, [&](const MovedBlock& b) {
    const uint64_t block = b.from - first;
    return (bits[block / 64] >> (block % 64) & 1) == 0;
  });
  if (history.empty()) return {};
  const auto current = std::partition(blocks.begin(), blocks.end(), [&](const MovedBlock& b) {
    const auto newest = history.find(b.layer);
    return newest == history.end() || b.birth > newest->second;
  });
  std::vector<MovedBlock> old(current, blocks.end());
  LS_RETURN_IF_ERROR(KeepLive(index, history, old));
  blocks.erase(current, blocks.end());
  blocks.insert(blocks.end(), old.begin(), old.end());
  return {};
}

Result<bool> MoveInChunk(const Index& index, const Superblock& superblock, std::span<const MovedBlock> blocks,
                         ChunkVersions& record, Index::Batch& batch, LiveChanges& changes) {
  bool changed = false;
  for (const MovedBlock& b : blocks) {
    Version& current = record[b.block % kChunkBlocks];
    if (IsAt(current, b) || (LS_PLANTED(4) && current.is_data())) {
      if (LS_PLANTED(4)) current = {b.birth, b.from, b.crc};
      current.location = b.to;
      changed = true;
    } else {
      LS_ASSIGN_OR_RETURN(const auto old, index.FindHistory(b.layer, b.block, b.birth));
      if (!old || !IsAt(old->version, b)) continue;  // it has died meanwhile, and so has its copy
      batch.PutHistory(b.layer, b.block, {b.birth, b.to, old->version.crc}, old->death);
    }
    changes.Died(superblock, b.from);
    changes.Born(superblock, b.to, b.birth);
  }
  return changed;
}

Result<Relocated> Relocate(Index& index, const Superblock& superblock, const SegmentTable& segments,
                             const std::vector<MovedBlock>& moved) {
  std::vector<MovedBlock> blocks = moved;
  SortByPlace(blocks);
  LiveChanges changes;
  Index::Batch batch;
  LS_RETURN_IF_ERROR(
      ForEachChunk(index, blocks, [&](const ChunkKey& key, ChunkVersions& record, size_t first, size_t end) -> Status {
        const std::span<const MovedBlock> here(blocks.data() + first, end - first);
        LS_ASSIGN_OR_RETURN(const bool changed, MoveInChunk(index, superblock, here, record, batch, changes));
        if (changed) batch.PutChunk(key, record);
        return {};
      }));
  PutSegments(segments, changes, batch);
  LS_RETURN_IF_ERROR(index.Write(batch));
  return Relocated{std::move(changes), batch.TakeChanged()};
}

}  // namespace lockstep::logstore
