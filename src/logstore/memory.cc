#include "logstore/memory.h"

#include <algorithm>

#include "base/assert.h"
#include "logstore/format.h"

namespace lockstep::logstore {
namespace {

// What a chunk takes in an overlay, its slot in the table included, and then again while it is folded.
constexpr uint64_t kChunkBytes = 512;

}  // namespace

void SetMemory(Options& options, uint64_t bytes) {
  LS_ASSERT(bytes >= kLeastMemory);
  // 1/4 for what is read, 1/5 for two memtables, 1/16 for the growing overlay and the one being folded (after a crash
  // they come back as one, and another grows behind it), 1/16 for what change streams follow. The rest is for open
  // tables, for what a fold and a compaction hold meanwhile, and for what the allocator cannot give back.
  options.index_cache_bytes = bytes / 4;
  options.index_memtable_bytes = bytes / 10;
  options.change_tail_bytes = bytes / 16;
  options.fold_weight = std::max<uint64_t>(1024, bytes / 16 / kChunkBytes / 2);
  // A fold of scattered blocks is a checkpoint, so what has to be replayed fits into the two overlays, and opening
  // needs nothing from the index.
  options.checkpoint_bytes = std::clamp<uint64_t>(options.fold_weight * kBlockSize, 16 << 20, 256 << 20);
}

}  // namespace lockstep::logstore
