#include "logstore/sweep.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/planted.h"

namespace lockstep::logstore {
namespace {

class Sweeper {
 public:
  Sweeper(const SweepPlan& plan, const Index& index, Index::Batch& batch, SweepChanges changes)
      : plan_(plan), left_(plan.limit), index_(index), batch_(batch), changes_(changes) {}

  Result<SweepWork> Run() {
    const SweepWork& work = plan_.work;
    SweepWork rest;
    for (const LayerId layer : work.dropped) {
      LS_ASSIGN_OR_RETURN(const bool done, DropLayer(layer));
      if (!done) rest.dropped.push_back(layer);
    }
    for (const DeathSpan& span : work.forgotten) LS_RETURN_IF_ERROR(Forget(span, rest.forgotten));
    for (size_t i = 0; i < work.tails.size(); ++i) {
      // A later walk over all of the layer does for the earlier ones.
      const auto again = [&](const LayerTail& t) { return t.layer == work.tails[i].layer && t.chunk == 0; };
      if (std::any_of(work.tails.begin() + static_cast<ptrdiff_t>(i) + 1, work.tails.end(), again)) continue;
      LS_RETURN_IF_ERROR(CutTail(work.tails[i], rest.tails));
    }
    return rest;
  }

 private:
  void Dies(const Version& version) {
    if (version.is_data()) changes_.segments.Died(plan_.superblock, version.location);
  }

  // Whether nothing of it is left.
  Result<bool> DropLayer(LayerId layer) {
    LS_ASSIGN_OR_RETURN(const auto shortcuts, index_.ShortcutChunks(layer, 0, kLastChunk, left_));
    left_ -= shortcuts.size();
    if (!shortcuts.empty()) batch_.DropShortcuts(layer, shortcuts.back() + 1);
    uint64_t end_chunk = 0;
    bool stopped = left_ == 0;
    const auto current = [&](LayerId, uint64_t block, const Version& version) {
      // Only between two chunks: a chunk goes as a whole.
      if (block / kChunkBlocks >= end_chunk && left_ == 0) return !(stopped = true);
      end_chunk = block / kChunkBlocks + 1;
      Dies(version);
      left_ -= left_ != 0;
      return true;
    };
    if (!stopped) LS_RETURN_IF_ERROR(index_.VisitCurrent(layer, current));
    if (stopped) {
      batch_.DropChunks(layer, end_chunk);
      return false;
    }
    uint64_t end_block = 0;
    const auto history = [&](const HistoryRecord& record) {
      if (record.block >= end_block && left_ == 0) return !(stopped = true);
      end_block = record.block + 1;
      Dies(record.version);
      left_ -= left_ != 0;
      return true;
    };
    LS_RETURN_IF_ERROR(index_.VisitHistory(layer, history));
    if (!stopped) {
      batch_.DropLayer(layer);
      return true;
    }
    batch_.DropChunks(layer, UINT64_MAX >> 16);
    batch_.DropHistoryBefore(layer, end_block);
    return false;
  }

  Status Forget(const DeathSpan& span, std::vector<DeathSpan>& rest) {
    const auto layer = plan_.layers.find(span.layer);
    if (layer == plan_.layers.end()) return {};  // it has died as a whole meanwhile
    if (left_ == 0) {
      rest.push_back(span);
      return {};
    }
    const size_t limit = left_;
    LS_ASSIGN_OR_RETURN(const auto records, index_.HistoryByDeath(span, limit));
    for (const HistoryRecord& r : records) {
      if (layer->second.Retains(r.version.birth, r.death) && !LS_PLANTED(15)) continue;
      // Two spans of one turn may name the same record.
      if (!forgotten_.emplace(r.layer, r.block, r.version.birth).second) continue;
      batch_.DropHistory(r);
      Dies(r.version);
    }
    left_ -= std::min(left_, records.size());
    if (records.size() == limit) {
      const HistoryRecord& last = records.back();
      rest.push_back({span.layer, last.death, last.block, last.version.birth + 1, span.upto});
    }
    return {};
  }

  Status CutTail(const LayerTail& tail, std::vector<LayerTail>& rest) {
    const auto layer = plan_.layers.find(tail.layer);
    if (layer == plan_.layers.end() || layer->second.tops != 0) return {};
    if (left_ == 0 || plan_.written.contains(tail.layer)) {
      rest.push_back(tail);
      return {};
    }
    uint64_t chunk = tail.chunk;
    while (left_ != 0) {
      const size_t limit = std::min<size_t>(left_, kGroup);
      LS_ASSIGN_OR_RETURN(const auto chunks, index_.Chunks(tail.layer, chunk, kLastChunk, limit));
      std::vector<ChunkKey> keys;
      for (const uint64_t c : chunks) keys.push_back({tail.layer, c});
      std::vector<ChunkVersions> records;
      LS_RETURN_IF_ERROR(index_.LookupAll(keys, records));
      for (size_t i = 0; i < keys.size(); ++i) CutChunk(layer->second, keys[i], records[i]);
      left_ -= keys.size();
      if (keys.size() < limit) return {};
      chunk = chunks.back() + 1;
    }
    rest.push_back({tail.layer, chunk});
    return {};
  }
  void CutChunk(const Layer& layer, const ChunkKey& key, ChunkVersions& record) {
    bool changed = false;
    for (Version& version : record) {
      if (!version.exists() || layer.Retains(version.birth, kNow)) continue;
      Dies(version);
      if (version.is_data()) --changes_.used_blocks[key.layer];
      version = {};
      changed = true;
    }
    if (changed) batch_.PutChunk(key, record);
  }

  static constexpr size_t kGroup = 512;  // chunks looked up together
  static constexpr uint64_t kLastChunk = UINT64_MAX >> 24;

  const SweepPlan& plan_;
  size_t left_;
  const Index& index_;
  Index::Batch& batch_;
  SweepChanges changes_;
  std::set<std::tuple<LayerId, uint64_t, SequenceNumber>> forgotten_;
};

}  // namespace

Result<SweepWork> Sweep(const SweepPlan& plan, const Index& index, Index::Batch& batch, SweepChanges changes) {
  return Sweeper(plan, index, batch, changes).Run();
}

}  // namespace lockstep::logstore
