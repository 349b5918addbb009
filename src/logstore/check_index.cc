#include "logstore/check_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "logstore/view.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kMostProblems = 100;
constexpr uint64_t kLastShortcutChunk = UINT64_MAX >> 24;

class Checker {
 public:
  Checker(const Index& index, const Superblock& superblock, const HeldLayers& held)
      : index_(index), superblock_(superblock), held_(held) {}

  Result<CheckReport> Run() {
    LS_RETURN_IF_ERROR(index_.VisitCurrent(kNoLayer, [this](LayerId layer, uint64_t block, const Version& version) {
      Hold("block", layer, block, version, kNow);
      if (!version.is_data()) return true;
      ++report_.current;
      ++used_[layer];
      Locate("block", layer, block, version);
      return true;
    }));
    LS_RETURN_IF_ERROR(index_.VisitHistory(kNoLayer, [this](const HistoryRecord& r) {
      Hold("old version of block", r.layer, r.block, r.version, r.death);
      ++history_[r.layer];
      if (!r.version.is_data()) return true;
      ++report_.history;
      Locate("old version of block", r.layer, r.block, r.version);
      return true;
    }));
    LS_RETURN_IF_ERROR(CompareDeaths());
    LS_RETURN_IF_ERROR(CompareSegments());
    LS_RETURN_IF_ERROR(CompareLayers());
    LS_RETURN_IF_ERROR(CheckShortcuts());
    return std::move(report_);
  }

 private:
  void Complain(std::string problem) {
    if (report_.problems.size() < kMostProblems) report_.problems.push_back(std::move(problem));
  }
  void Locate(const char* what, LayerId layer, uint64_t block, const Version& version) {
    const uint64_t begin = superblock_.first_block(0), end = superblock_.first_block(superblock_.segment_count);
    if (version.location < begin || version.location >= end)
      return Complain(fmt::format("{} {} of layer {} is at device block {}, outside all segments", what, block, layer,
                                  version.location));
    ++live_[superblock_.segment_of(version.location)];
  }
  void Hold(const char* what, LayerId layer, uint64_t block, const Version& version, SequenceNumber death) {
    const auto found = held_.layers.find(layer);
    const auto& dropped = held_.to_sweep.dropped;
    if (found == held_.layers.end()) {
      if (std::find(dropped.begin(), dropped.end(), layer) == dropped.end())
        Complain(fmt::format("{} {} is of layer {}, which does not exist", what, block, layer));
    } else if (version.birth > found->second.written) {
      Complain(fmt::format("{} {} of layer {} was written as entry {}, and the layer last as entry {}", what, block,
                           layer, version.birth, found->second.written));
    } else if (held_.to_sweep.empty() && !found->second.Holds(version.birth, death)) {
      Complain(fmt::format("{} {} of layer {}, written as entry {}, is held by nothing", what, block, layer,
                           version.birth));
    }
  }
  // As many in the order of death as there are.
  Status CompareDeaths() {
    constexpr size_t kAtOnce = 4096;
    for (const auto& [id, layer] : held_.layers) {
      DeathSpan span{id, 0, 0, 0, kNow};
      uint64_t deaths = 0;
      while (true) {
        LS_ASSIGN_OR_RETURN(const auto records, index_.HistoryByDeath(span, kAtOnce));
        deaths += records.size();
        if (records.size() < kAtOnce) break;
        span = {id, records.back().death, records.back().block, records.back().version.birth + 1, kNow};
      }
      if (deaths != history_[id])
        Complain(fmt::format("layer {} has {} old versions, but {} records of their deaths", id, history_[id], deaths));
    }
    return {};
  }
  Status CompareSegments() {
    LS_ASSIGN_OR_RETURN(const auto counts, index_.Segments());
    std::map<uint32_t, uint32_t> counted;
    for (const SegmentCount& c : counts) counted[c.segment] = c.live;
    for (const auto& [segment, live] : live_)
      if (counted[segment] != live)
        Complain(fmt::format("segment {} has {} live blocks, but {} are counted", segment, live, counted[segment]));
    for (const auto& [segment, live] : counted)
      if (!live_.contains(segment) && live != 0)
        Complain(fmt::format("segment {} has no live block, but {} are counted", segment, live));
    return {};
  }
  Status CompareLayers() {
    LS_ASSIGN_OR_RETURN(const auto counts, index_.Layers());
    for (const LayerCounts& c : counts)
      if (used_[c.layer] != c.used)
        Complain(fmt::format("layer {} holds {} blocks, but {} are counted", c.layer, used_[c.layer], c.used));
    return {};
  }
  // Each must say what a walk over the ancestors finds.
  Status CheckShortcuts() {
    LS_ASSIGN_OR_RETURN(const auto owners, index_.LayersWithShortcuts());
    const auto& dropped = held_.to_sweep.dropped;
    for (const LayerId id : owners)
      if (!held_.layers.contains(id) && std::find(dropped.begin(), dropped.end(), id) == dropped.end())
        Complain(fmt::format("there are shortcuts of layer {}, which does not exist", id));
    for (const auto& [id, layer] : held_.layers)
      if (layer.shortcuts != 0) LS_RETURN_IF_ERROR(CheckShortcutsOf(layer));
    return {};
  }
  Status CheckShortcutsOf(const Layer& layer) {
    constexpr size_t kAtOnce = 1024;
    ViewChain below = ChainOf(held_.layers, layer.parent, layer.parent_at);
    below.insert(below.begin(), {layer.id, 0, layer.shortcuts, true});  // for its shortcuts alone, to find chunks
    const ViewChain chain(below.begin() + 1, below.end());
    for (uint64_t next = 0; next < layer.shortcuts;) {
      uint64_t last = std::min(layer.shortcuts - 1, kLastShortcutChunk);
      LS_ASSIGN_OR_RETURN(const auto chunks, ChunksOf(index_, below, next, last, kAtOnce));
      for (const uint64_t chunk : chunks) {
        Shortcut kept;
        LS_ASSIGN_OR_RETURN(const Shortcut there, HoldersIn(index_, chain, chunk));
        LS_RETURN_IF_ERROR(index_.LookupShortcut({layer.id, chunk}, Index::Tier::kDisk, kept));
        if (kept != there)
          Complain(fmt::format("the shortcut of layer {} for blocks {} to {} is wrong", layer.id, chunk * kChunkBlocks,
                               chunk * kChunkBlocks + kChunkBlocks - 1));
      }
      if (last >= kLastShortcutChunk) break;
      next = last + 1;
    }
    return {};
  }

  const Index& index_;
  const Superblock& superblock_;
  const HeldLayers& held_;
  CheckReport report_;
  std::map<LayerId, uint64_t> history_;
  std::map<uint32_t, uint32_t> live_;
  std::map<LayerId, uint64_t> used_;
};

}  // namespace

Result<CheckReport> CheckIndex(const Index& index, const Superblock& superblock, const HeldLayers& held) {
  return Checker(index, superblock, held).Run();
}

}  // namespace lockstep::logstore
