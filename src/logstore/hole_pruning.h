// Which holes a rebuilding can do without: those in whose place there is something newer, when no position between is
// retained. What they hid is then hidden by that, for all who look. Without this an anchor would grow with every
// discard for as long as any segment of before is in use, or, of a layer with a parent, for as long as the layer is
// there. On an executor.
#pragma once

#include <vector>

#include "logstore/index.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

class HolePruning {
 public:
  // `holes` ascend by birth, and are all of their layers. The structure is that of the index.
  HolePruning(const Structure& structure, std::vector<HoleRecord>& holes) : structure_(structure), holes_(holes) {}

  // Takes out those that newer holes of their layer cover.
  void DropCovered();
  // Takes out those of whose blocks the index knows newer versions. Looks at `most`, from the first behind `after` on
  // and then from the beginning; answers the birth of the last one.
  Result<SequenceNumber> DropOverwritten(const Index& index, SequenceNumber after, size_t most);

  // What was taken out.
  const std::vector<SequenceNumber>& dropped() const { return dropped_; }

 private:
  Result<bool> IsOverwritten(const Index& index, const HoleRecord& hole) const;
  void Drop(const std::vector<bool>& which);

  const Structure& structure_;
  std::vector<HoleRecord>& holes_;
  std::vector<SequenceNumber> dropped_;
};

}  // namespace lockstep::logstore
