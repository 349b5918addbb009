// Counting what a removal would free, and what a volume shows, in an index that does not change meanwhile. In pieces,
// so that neither a loop nor an executor's thread is held up for long.
#pragma once

#include <vector>

#include "logstore/index.h"
#include "logstore/removal.h"
#include "logstore/view.h"

namespace lockstep::logstore {

// Counts the versions that a removal would free. Of a layer that dies it visits everything, of one that loses its
// volume what is current, of one that loses positions the history that died behind each, up to the next one.
class FreedWalk {
 public:
  // REQUIRES: `losses` outlives it.
  FreedWalk(const Index& index, const Losses& losses);
  // Looks at about so many records. False: it is done. Blocking.
  Result<bool> Step(size_t records);
  uint64_t blocks() const { return blocks_; }

 private:
  struct Part {
    const LayerLoss* loss = nullptr;
    bool current = false;  // the current records, from span.block's chunk on; else the history of the span
    DeathSpan span;
  };
  void Plan(const LayerLoss& loss);
  Result<size_t> StepCurrent(Part& part, size_t limit, bool& done);
  Result<size_t> StepHistory(Part& part, size_t limit, bool& done);

  const Index& index_;
  std::vector<Part> parts_;
  size_t at_ = 0;
  uint64_t blocks_ = 0;
};

// Counts the blocks that a chain of views shows, and how many of them something else than `losses` holds too.
class ShownWalk {
 public:
  // REQUIRES: `losses` outlives it.
  ShownWalk(const Index& index, ViewChain chain, uint64_t volume_blocks,
            const Losses& losses);
  // As FreedWalk's; `records` are chunks here.
  Result<bool> Step(size_t records);
  uint64_t shown() const { return shown_; }
  uint64_t shared() const { return shared_; }

 private:
  Status CountChunk(uint64_t chunk);
  Status Count(const Holder& holder, uint64_t block, const Version& current);

  const Index& index_;
  const ViewChain chain_;
  const uint64_t last_chunk_;
  const Losses& losses_;
  uint64_t next_chunk_ = 0, shown_ = 0, shared_ = 0;
};

}  // namespace lockstep::logstore
