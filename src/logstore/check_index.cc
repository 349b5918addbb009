#include "logstore/check_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace lockstep::logstore {
namespace {

constexpr size_t kMostProblems = 100;

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
    LS_ASSIGN_OR_RETURN(const auto counts, index_.UsedBlocks());
    for (const auto& [layer, blocks] : counts)
      if (used_[layer] != blocks)
        Complain(fmt::format("layer {} holds {} blocks, but {} are counted", layer, used_[layer], blocks));
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
