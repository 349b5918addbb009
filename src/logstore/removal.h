// What deleting volumes and releasing points would change of a structure, without doing it.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "block/types.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

struct LayerLoss {
  std::shared_ptr<const Layer> before;
  bool top = false;                  // it would be no volume's top any more
  bool window = false;               // the window that keeps positions of it would be closed
  bool dies = false;                 // nothing of it would be held any more
  std::vector<SequenceNumber> lost;  // retained positions that would go, ascending, with repetitions

  // Whether a version that lived in [birth, death) of the layer would be freed.
  bool Frees(SequenceNumber birth, SequenceNumber death) const;
  // The first position from `at` on that would stay retained; kNow when none would.
  SequenceNumber KeptFrom(SequenceNumber at) const;
  SequenceNumber ListedFrom(SequenceNumber at) const;  // without the window
  // Whether the newest version that is seen would not be any more, while it is no top.
  bool LosesEnd() const;
};
using Losses = std::map<LayerId, LayerLoss>;  // of the layers that change

// Of each removal, if it was the only one. not-found when something that is named is not there.
Result<std::vector<Losses>> LossesOf(const Structure& structure, const std::vector<block::Removal>& removals);

}  // namespace lockstep::logstore
