#include "logstore/sweep.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace lockstep::logstore {
namespace {

class Sweeper {
 public:
  Sweeper(const std::map<LayerId, Layer>& layers, const Superblock& superblock, size_t limit, const Index& index,
          Index::Batch& batch, LiveChanges& changes)
      : layers_(layers), superblock_(superblock), left_(limit), index_(index), batch_(batch), changes_(changes) {}

  Result<SweepWork> Run(const SweepWork& work) {
    SweepWork rest;
    for (const LayerId layer : work.dropped) {
      LS_ASSIGN_OR_RETURN(const bool done, DropLayer(layer));
      if (!done) rest.dropped.push_back(layer);
    }
    for (const DeathSpan& span : work.forgotten) LS_RETURN_IF_ERROR(Forget(span, rest.forgotten));
    return rest;
  }

 private:
  void Dies(const Version& version) {
    if (version.is_data()) changes_.Died(superblock_, version.location);
  }

  // Whether nothing of it is left.
  Result<bool> DropLayer(LayerId layer) {
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
    const auto history = [&](LayerId, uint64_t block, const Version& version) {
      if (block >= end_block && left_ == 0) return !(stopped = true);
      end_block = block + 1;
      Dies(version);
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
    const auto layer = layers_.find(span.layer);
    if (layer == layers_.end()) return {};  // it has died as a whole meanwhile
    if (left_ == 0) {
      rest.push_back(span);
      return {};
    }
    const size_t limit = left_;
    LS_ASSIGN_OR_RETURN(const auto records, index_.HistoryByDeath(span, limit));
    for (const HistoryRecord& r : records) {
      if (layer->second.Retains(r.version.birth, r.death)) continue;
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

  const std::map<LayerId, Layer>& layers_;
  const Superblock& superblock_;
  size_t left_;
  const Index& index_;
  Index::Batch& batch_;
  LiveChanges& changes_;
  std::set<std::tuple<LayerId, uint64_t, SequenceNumber>> forgotten_;
};

}  // namespace

Result<SweepWork> Sweep(const SweepWork& work, const std::map<LayerId, Layer>& layers, const Superblock& superblock,
                        size_t limit, const Index& index, Index::Batch& batch, LiveChanges& changes) {
  return Sweeper(layers, superblock, limit, index, batch, changes).Run(work);
}

}  // namespace lockstep::logstore
