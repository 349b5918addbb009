// Moving an overlay into the index: the one place that sees what each write replaces, so it keeps the history that
// retained positions need and counts the blocks that layers map.
#pragma once

#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "logstore/index.h"
#include "logstore/overlay.h"
#include "logstore/relocation.h"
#include "logstore/segment_table.h"
#include "logstore/sweep.h"

namespace lockstep::logstore {

// What a fold needs to know of the structure, as of the moment the overlay was frozen. Positions retained later are all
// behind everything in the overlay, so they need nothing of what the fold replaces.
struct FoldPlan {
  uint64_t number = 0;  // of this fold; one more than that of the last
  Superblock superblock;
  std::map<LayerId, Layer> layers;  // those of the overlay and of the sweep, and all their ancestors; others are dead
  SweepWork sweep;
  size_t sweep_limit = 0;                  // records to forget at most
  const SegmentTable* segments = nullptr;  // live counts as of the last fold
  LogPosition position;                    // behind the last entry of the overlay
  SequenceNumber log_start = 1;            // SegmentTable::log_start
  std::string structure;                   // its base; empty when it has not changed since the last fold
  std::vector<std::pair<block::PointId, std::string>> points;  // Structure::TakeChangedPoints
  std::vector<LogPosition> places;         // Checkpoint::places
  std::vector<uint32_t> closed;            // segments, since the last fold
  std::set<uint32_t> freed;                // the same
  std::vector<TimeMark> marks;             // of entries before `position`
  io::WallTime oldest_history;             // marks that end before it are forgotten
  // Copies of blocks that the index may still know at their old places, sorted by place: what the overlay does not
  // replace is found at the new ones. REQUIRES: none together with a sweep.
  std::vector<MovedBlock> moves;
};

struct FoldResult {
  std::unordered_map<LayerId, int64_t> used_blocks;  // change of each layer's count
  LiveChanges segments;                              // change of each segment's count
  std::unordered_map<LayerId, uint64_t> kept;        // blocks that died in a window and stay for it
  SweepWork unfinished;
  std::vector<ChunkKey> changed;  // records of the index
};

// Adds to `batch` what the changes make of the counts in `segments`.
void PutSegments(const SegmentTable& segments, const LiveChanges& changes, Index::Batch& batch);

// One atomic write to the index. Blocking. REQUIRES: the overlay is frozen; everything in it is durable on the data
// device, because the index may become durable at any time.
Result<FoldResult> Fold(const Overlay& overlay, const FoldPlan& plan, Index& index);

}  // namespace lockstep::logstore
