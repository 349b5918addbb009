#include "logstore/hole_pruning.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "base/planted.h"

namespace lockstep::logstore {
namespace {

constexpr uint64_t kMostLookedAt = 16 * kChunkBlocks;  // of a hole whose blocks are looked at one by one

// Blocks that holes of one layer cover, back to the newest position that is retained.
class Covered {
 public:
  bool Contains(const HoleRecord& hole) const {
    const auto behind = ends_.upper_bound(hole.block);
    return behind != ends_.begin() && std::prev(behind)->second >= hole.block + hole.count;
  }
  void Add(const HoleRecord& hole) {
    uint64_t begin = hole.block, end = hole.block + hole.count;
    auto it = ends_.upper_bound(begin);
    if (it != ends_.begin() && std::prev(it)->second >= begin) --it;
    for (; it != ends_.end() && it->first <= end; it = ends_.erase(it)) {
      begin = std::min(begin, it->first);
      end = std::max(end, it->second);
    }
    ends_[begin] = end;
  }
  void BeginAt(SequenceNumber newest) {
    ends_.clear();
    newest_ = newest;
  }
  SequenceNumber newest() const { return newest_; }  // of the holes in it; kNow: none

 private:
  std::map<uint64_t, uint64_t> ends_;  // by where they begin
  SequenceNumber newest_ = kNow;
};

}  // namespace

void HolePruning::DropCovered() {
  std::map<LayerId, Covered> layers;
  std::vector<bool> covered(holes_.size());
  for (size_t i = holes_.size(); i-- != 0;) {
    const HoleRecord& hole = holes_[i];
    Covered& newer = layers[hole.layer];
    const bool seen = structure_.layer(hole.layer).Retains(hole.birth, newer.newest()) && !LS_PLANTED(19);
    if (newer.newest() == kNow || seen) newer.BeginAt(hole.birth);
    covered[i] = newer.Contains(hole);
    newer.Add(hole);
  }
  Drop(covered);
}

Result<SequenceNumber> HolePruning::DropOverwritten(const Index& index, SequenceNumber after, size_t most) {
  std::vector<bool> overwritten(holes_.size());
  const auto begin = std::upper_bound(holes_.begin(), holes_.end(), after,
                                      [](SequenceNumber birth, const HoleRecord& hole) { return birth < hole.birth; });
  const auto first = static_cast<size_t>(begin - holes_.begin());
  for (size_t n = 0; n < std::min(most, holes_.size()); ++n) {
    const size_t i = (first + n) % holes_.size();
    LS_ASSIGN_OR_RETURN(const bool is, IsOverwritten(index, holes_[i]));
    overwritten[i] = is;
    after = holes_[i].birth;
  }
  Drop(overwritten);
  return after;
}

Result<bool> HolePruning::IsOverwritten(const Index& index, const HoleRecord& hole) const {
  if (hole.count > kMostLookedAt) return false;
  if (structure_.layer(hole.layer).Retains(hole.birth, kNow) && !LS_PLANTED(19)) return false;
  const uint64_t end = hole.block + hole.count;
  for (uint64_t b = hole.block; b < end;) {
    const uint64_t chunk = b / kChunkBlocks, next = std::min(end, (chunk + 1) * kChunkBlocks);
    ChunkVersions record;
    LS_RETURN_IF_ERROR(index.LookupRecord({hole.layer, chunk}, Index::Tier::kDisk, record));
    for (; b < next; ++b)
      if (record[b % kChunkBlocks].birth <= hole.birth) return false;
  }
  return true;
}

void HolePruning::Drop(const std::vector<bool>& which) {
  size_t kept = 0;
  for (size_t i = 0; i < holes_.size(); ++i) {
    if (which[i])
      dropped_.push_back(holes_[i].birth);
    else
      holes_[kept++] = holes_[i];
  }
  holes_.resize(kept);
}

}  // namespace lockstep::logstore
