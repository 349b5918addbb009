#include "logstore/inspect_structure.h"

#include <fmt/format.h>

namespace lockstep::logstore {
namespace {

bool SameMembers(const PointRecord& a, const PointRecord& b) {
  return std::equal(a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
                    [](const PointMember& x, const PointMember& y) {
                      return x.volume == y.volume && x.layer == y.layer && x.size == y.size;
                    });
}

// Complains of each thing of `mine` and `theirs` that only one has, or that `same` finds to differ.
template <typename Map, typename Name, typename Same>
void Compare(const Map& mine, const Map& theirs, const std::string& whose, Name name, Same same,
             std::vector<std::string>& to) {
  for (const auto& [id, one] : mine) {
    const auto other = theirs.find(id);
    if (other == theirs.end())
      to.push_back(fmt::format("{} does not know {}", whose, name(id)));
    else if (!same(one, other->second))
      to.push_back(fmt::format("{} has another {}", whose, name(id)));
  }
  for (const auto& [id, one] : theirs)
    if (!mine.contains(id)) to.push_back(fmt::format("{} has {}, which is not there", whose, name(id)));
}

}  // namespace

std::vector<std::string> ProblemsOf(const Structure& structure, SequenceNumber next) {
  std::vector<std::string> problems;
  for (const auto& [id, layer] : structure.layers()) {
    if (id == kNoLayer) problems.push_back("there is a layer 0, which cannot be");
    if (layer.parent == kNoLayer) continue;
    // Layers are numbered as they are made, so this also finds those that stand on themselves.
    if (layer.parent >= id)
      problems.push_back(fmt::format("layer {} stands on layer {}, which is not older", id, layer.parent));
    if (layer.parent_at >= next)
      problems.push_back(fmt::format("layer {} stands on position {} of layer {}, which has not been", id,
                                     layer.parent_at, layer.parent));
  }
  for (const auto& [id, volume] : structure.volumes())
    if (volume.size == 0 || volume.size % kBlockSize != 0 || volume.size > block::kMaxVolumeSize)
      problems.push_back(fmt::format("volume {} has an impossible size of {} bytes", id.ToString(), volume.size));
  for (const auto& [id, point] : structure.points()) {
    if (point.position >= next)
      problems.push_back(
          fmt::format("point {} is at position {}, which has not been", id.ToString(), point.position));
    if (point.members.empty()) problems.push_back(fmt::format("point {} holds no volume", id.ToString()));
    if (point.index.size() != point.members.size())
      problems.push_back(fmt::format("point {} holds a volume twice", id.ToString()));
  }
  return problems;
}

std::vector<std::string> DifferencesOf(const Structure& structure, const Structure& other, const std::string& whose) {
  std::vector<std::string> found;
  Compare(
      structure.volumes(), other.volumes(), whose, [](const auto& id) { return "volume " + id.ToString(); },
      [](const VolumeRecord& a, const VolumeRecord& b) {
        return a.top == b.top && a.size == b.size && a.history_from == b.history_from && a.window == b.window;
      },
      found);
  Compare(
      structure.points(), other.points(), whose, [](const auto& id) { return "point " + id.ToString(); },
      [](const PointRecord& a, const PointRecord& b) { return a.position == b.position && SameMembers(a, b); }, found);
  Compare(
      structure.layers(), other.layers(), whose, [](LayerId id) { return fmt::format("layer {}", id); },
      [](const Layer& a, const Layer& b) {
        return a.parent == b.parent && a.parent_at == b.parent_at && a.tops == b.tops && a.retained == b.retained;
      },
      found);
  return found;
}

}  // namespace lockstep::logstore
