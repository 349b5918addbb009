// Where the blocks of a segment are in the map, and pointing the map at their copies. The cleaner changes nothing but
// places: a block that it has moved is the same version at another location, so neither log nor structure know of it.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "logstore/index.h"
#include "logstore/segment_scan.h"
#include "logstore/segment_table.h"

namespace lockstep::logstore {

// A block as a batch header describes it, and where its copy is.
struct MovedBlock {
  LayerId layer = kNoLayer;
  uint64_t block = 0;
  SequenceNumber birth = 0;
  SequenceNumber death = 0;  // what replaced it, when it is a replaced version
  uint64_t from = 0, to = 0;  // device blocks
  uint32_t crc = 0;
};

// The data blocks of the batches, in their order.
std::vector<MovedBlock> BlocksOf(const std::vector<SegmentBatch>& batches);

// Of layers that may have history: the newest position that sees it. Others have none.
using NewestRetained = std::unordered_map<LayerId, SequenceNumber>;

// Keeps those of `blocks` that the index points to at `from`. Blocking.
Status KeepLive(const Index& index, const NewestRetained& history, std::vector<MovedBlock>& blocks);
// The same where it is known which blocks of the segment live: bit i for block `first` + i of the device. The index is
// asked only about those that may be history, and when they died.
Status KeepMarked(const Index& index, const NewestRetained& history, std::span<const uint64_t> bits, uint64_t first,
                  std::vector<MovedBlock>& blocks);

// Sorts by layer, block and birth: the order of the index.
void SortByPlace(std::vector<MovedBlock>& blocks);

// Points a chunk at `to` for those of `blocks`, all of that chunk, that the index still knows at `from`: `record` is
// the chunk's and the caller's to write, history goes into `batch`. Answers whether the record has changed. Blocking.
Result<bool> MoveInChunk(const Index& index, const Superblock& superblock, std::span<const MovedBlock> blocks,
                         ChunkVersions& record, Index::Batch& batch, LiveChanges& changes);

struct Relocated {
  LiveChanges segments;
  std::vector<ChunkKey> changed;  // records of the index
};
// The same for any blocks, as one atomic write of its own. REQUIRES: the copies are durable. In the turn of a fold.
// Blocking.
Result<Relocated> Relocate(Index& index, const Superblock& superblock, const SegmentTable& segments,
                             const std::vector<MovedBlock>& blocks);

}  // namespace lockstep::logstore
