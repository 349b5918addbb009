#include "logstore/removal.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lockstep::logstore {
namespace {

using Layers = std::map<LayerId, std::shared_ptr<const Layer>>;

// The same steps as Structure's, written down instead of done.
class Remover {
 public:
  Remover(const Structure& structure, Layers& layers) : structure_(structure), layers_(layers) {}

  void Delete(const VolumeRecord& volume) {
    for (const Era& era : volume.eras) Touch(era.layer).window = true;
    Touch(volume.top).top = true;
    for (const Era& era : volume.eras) Settle(era.layer);
    Settle(volume.top);
  }
  void Release(const PointRecord& point) {
    for (const PointMember& m : point.members) {
      Unretain(m.layer, point.position);
      Settle(m.layer);
    }
  }
  Losses Take() { return std::move(losses_); }

 private:
  LayerLoss& Touch(LayerId id) {
    LayerLoss& loss = losses_[id];
    if (loss.before) return loss;
    std::shared_ptr<const Layer>& shared = layers_[id];
    if (!shared) shared = std::make_shared<Layer>(structure_.layer(id));
    loss.before = shared;
    return loss;
  }
  void Unretain(LayerId id, SequenceNumber at) {
    auto& lost = Touch(id).lost;
    lost.insert(std::upper_bound(lost.begin(), lost.end(), at), at);
  }
  void Settle(LayerId id) {
    while (id != kNoLayer) {
      LayerLoss& loss = Touch(id);
      const Layer& layer = *loss.before;
      const bool topless = layer.tops == 0 || loss.top, windowless = !layer.keeps() || loss.window;
      if (loss.dies || !topless || !windowless || loss.lost.size() != layer.retained.size()) return;
      loss.dies = true;
      if (layer.parent != kNoLayer) Unretain(layer.parent, layer.parent_at);
      id = layer.parent;
    }
  }

  const Structure& structure_;
  Layers& layers_;
  Losses losses_;
};

size_t CountIn(const std::vector<SequenceNumber>& sorted, SequenceNumber from, SequenceNumber to) {
  return static_cast<size_t>(std::lower_bound(sorted.begin(), sorted.end(), to) -
                             std::lower_bound(sorted.begin(), sorted.end(), from));
}

}  // namespace

bool LayerLoss::Frees(SequenceNumber birth, SequenceNumber death) const {
  if (!before->Holds(birth, death)) return false;
  if (dies) return true;
  if (death == kNow && before->tops != 0 && !top) return false;
  if (!window && before->Keeps(birth, death)) return false;
  return CountIn(before->retained, birth, death) == CountIn(lost, birth, death);
}

SequenceNumber LayerLoss::KeptFrom(SequenceNumber at) const {
  const SequenceNumber listed = ListedFrom(at);
  if (window || !before->keeps() || at > before->keep_to) return listed;
  return std::min(listed, std::max(at, before->keep_from));
}

SequenceNumber LayerLoss::ListedFrom(SequenceNumber at) const {
  const auto& all = before->retained;
  for (auto it = std::lower_bound(all.begin(), all.end(), at); it != all.end();) {
    const SequenceNumber position = *it;
    if (CountIn(all, position, position + 1) != CountIn(lost, position, position + 1)) return position;
    it = std::upper_bound(it, all.end(), position);
  }
  return kNow;
}

bool LayerLoss::LosesEnd() const {
  if (before->tops != 0 && !top) return false;
  const SequenceNumber listed = before->retained.empty() ? 0 : before->retained.back();
  const SequenceNumber newest = std::max(listed, before->keeps() ? before->keep_to : 0);
  return newest != 0 && KeptFrom(newest) == kNow;
}

Result<std::vector<Losses>> LossesOf(const Structure& structure, const std::vector<block::Removal>& removals) {
  Layers layers;
  std::vector<Losses> all;
  for (const block::Removal& removal : removals) {
    Remover remover(structure, layers);
    for (const block::VolumeId& id : std::set(removal.volumes.begin(), removal.volumes.end())) {
      const VolumeRecord* volume = structure.Find(id);
      if (!volume) return NotFound(fmt::format("there is no volume {}", id.ToString()));
      remover.Delete(*volume);
    }
    for (const block::PointId& id : std::set(removal.points.begin(), removal.points.end())) {
      const PointRecord* point = structure.Find(id);
      if (!point) return NotFound(fmt::format("there is no point {}", id.ToString()));
      remover.Release(*point);
    }
    all.push_back(remover.Take());
  }
  return all;
}

}  // namespace lockstep::logstore
