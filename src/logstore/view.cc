#include "logstore/view.h"

#include <algorithm>
#include <bit>

namespace lockstep::logstore {
namespace {

// Looks up the blocks that a shortcut leads to, and takes every block that it speaks of out of `wanted`.
Status FollowShortcut(const Index& index, const Shortcut& shortcut, uint64_t chunk, uint16_t& wanted,
                      ChunkVersions& to) {
  LayerId loaded = kNoLayer;
  ChunkVersions record;
  for (; wanted != 0; wanted &= static_cast<uint16_t>(wanted - 1)) {
    const auto slot = static_cast<uint32_t>(std::countr_zero(wanted));
    const Holder& holder = shortcut[slot];
    if (holder.layer == kNoLayer) continue;
    if (holder.layer != loaded)
      LS_RETURN_IF_ERROR(index.LookupRecord({holder.layer, chunk}, Index::Tier::kDisk, record));
    loaded = holder.layer;
    LS_ASSIGN_OR_RETURN(to[slot], VersionOf(index, holder, chunk * kChunkBlocks + slot, record, Index::Tier::kDisk));
  }
  return {};
}

}  // namespace

ViewChain ChainOf(const std::map<LayerId, Layer>& layers, LayerId layer, SequenceNumber at) {
  ViewChain chain;
  while (layer != kNoLayer) {
    const auto found = layers.find(layer);
    if (found == layers.end()) {  // a read that began before it died
      chain.push_back({layer, at});
      break;
    }
    const Layer& l = found->second;
    chain.push_back({layer, at, l.shortcuts, at >= l.written});
    if (l.flat()) break;
    at = l.parent_at;
    layer = l.parent;
  }
  return chain;
}

Result<Version> VersionOf(const Index& index, const Holder& holder, uint64_t block, const ChunkVersions& record,
                          Index::Tier tier) {
  const Version& current = record[block % kChunkBlocks];
  if (current.birth == holder.birth) return current;
  LS_ASSIGN_OR_RETURN(const auto old, index.FindHistory(holder.layer, block, holder.birth, tier));
  if (old) return old->version;
  return Corrupted("a shortcut in the index leads nowhere; rebuild the index from the log");
}

Status LookupView(const Index& index, const ViewChain& chain, uint64_t chunk, uint16_t& wanted, ChunkVersions& to,
                  ReadRecords* records) {
  for (const LayerView& view : chain) {
    const ChunkKey key{view.layer, chunk};
    ChunkVersions record;
    LS_RETURN_IF_ERROR(index.LookupRecord(key, Index::Tier::kDisk, record));
    if (records) records->emplace_back(key, record);
    LS_RETURN_IF_ERROR(index.LookupWith(record, key, view.at, Index::Tier::kDisk, wanted, to));
    if (wanted == 0) break;
    if (chunk >= view.shortcuts) continue;
    Shortcut shortcut;
    LS_RETURN_IF_ERROR(index.LookupShortcut({view.layer, chunk}, Index::Tier::kDisk, shortcut));
    return FollowShortcut(index, shortcut, chunk, wanted, to);
  }
  return {};
}

Result<std::vector<uint64_t>> ChunksOf(const Index& index, const ViewChain& chain, uint64_t first, uint64_t& last,
                                       size_t limit) {
  std::vector<uint64_t> chunks;
  const auto add = [&](const std::vector<uint64_t>& some) {
    chunks.insert(chunks.end(), some.begin(), some.end());
    if (some.size() == limit) last = std::min(last, some.back());
  };
  for (const LayerView& view : chain) {
    LS_ASSIGN_OR_RETURN(const auto own, index.Chunks(view.layer, first, last, limit));
    add(own);
    if (view.shortcuts <= first) continue;
    LS_ASSIGN_OR_RETURN(const auto below, index.ShortcutChunks(view.layer, first, last, limit));
    add(below);
  }
  std::sort(chunks.begin(), chunks.end());
  chunks.erase(std::unique(chunks.begin(), chunks.end()), chunks.end());
  chunks.erase(std::upper_bound(chunks.begin(), chunks.end(), last), chunks.end());
  return chunks;
}

Result<Shortcut> HoldersIn(const Index& index, const ViewChain& chain, uint64_t chunk) {
  Shortcut holders;
  uint16_t wanted = UINT16_MAX;
  for (const LayerView& view : chain) {
    const uint16_t before = wanted;
    ChunkVersions found = {};
    const SequenceNumber at = view.settled ? kNow : view.at;  // which saves looking for history
    LS_RETURN_IF_ERROR(index.Lookup({view.layer, chunk}, at, Index::Tier::kDisk, wanted, found));
    for (uint32_t slot = 0; slot < kChunkBlocks; ++slot)
      if ((before & ~wanted & (1u << slot)) != 0 && found[slot].is_data())
        holders[slot] = {view.layer, found[slot].birth};
    if (wanted == 0) break;
    if (chunk >= view.shortcuts) continue;
    Shortcut below;
    LS_RETURN_IF_ERROR(index.LookupShortcut({view.layer, chunk}, Index::Tier::kDisk, below));
    for (uint32_t slot = 0; slot < kChunkBlocks; ++slot)
      if ((wanted & (1u << slot)) != 0) holders[slot] = below[slot];
    break;
  }
  return holders;
}

}  // namespace lockstep::logstore
