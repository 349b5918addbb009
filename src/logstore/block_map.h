// The map of a pool as readers and the log writer see it: the overlay that is growing, the one that is being folded,
// and the index, newest first. Owned by the pool's loop; only a running fold touches it from elsewhere, and only what
// is frozen.
#pragma once

#include <memory>

#include "io/loop.h"
#include "logstore/fold.h"
#include "logstore/index.h"
#include "logstore/overlay.h"
#include "logstore/record_cache.h"
#include "logstore/shortcut_cache.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

class BlockMap {
 public:
  BlockMap(std::unique_ptr<Index> index, size_t cache_bytes)
      : index_(std::move(index)),
        records_(cache_bytes - cache_bytes / kShortcutShare),
        shortcuts_(cache_bytes / kShortcutShare),
        active_(std::make_unique<Overlay>()) {}

  Overlay& active() { return *active_; }
  Index& index() { return *index_; }
  bool folding() const { return frozen_ != nullptr; }

  // What a view of (layer, at) holds in the chunk: for each slot in `wanted` the newest version not after `at` of the
  // layer or of its ancestors, at their positions. Slots that nobody holds stay !exists(). kMemory: unavailable when
  // the answer needs the disk: look it up on an executor, Learn what it found, and try again.
  Status Resolve(const Structure& structure, LayerId layer, SequenceNumber at, uint64_t chunk, uint16_t wanted,
                 Index::Tier tier, ChunkVersions& to);
  // The same without ancestors: what the layer itself holds now.
  Status ResolveOwn(LayerId layer, uint64_t chunk, uint16_t wanted, Index::Tier tier, ChunkVersions& to);
  // The records of these chunks are other ones now.
  void Forget(const std::vector<ChunkKey>& changed);
  // An executor has read this record, after reading_since() was `since` here: the next Resolve need not look it up,
  // unless records have changed meanwhile.
  void Learn(uint64_t since, const ChunkKey& key, const ChunkVersions& record) {
    if (since == forgotten_) records_.Put(key, record);
  }
  uint64_t reading_since() const { return forgotten_; }

  // Folding is three steps: freeze on the loop, Fold(frozen(), ...) on an executor, and Thaw on the loop when it is in
  // the index. REQUIRES: not folding.
  void Freeze();
  const Overlay& frozen() const { return *frozen_; }
  // What was frozen is handed out: destroying it takes time that a loop should not spend.
  std::unique_ptr<Overlay> Thaw() { return std::move(frozen_); }

 private:
  static constexpr size_t kShortcutShare = 8;  // of the cache, one part in so many

  // `layer`: null when it has died.
  Status LookupIndex(const ChunkKey& key, SequenceNumber at, const Layer* layer, uint16_t& wanted, Index::Tier tier,
                     ChunkVersions& to);
  // The record of a chunk.
  Status Record(const ChunkKey& key, Index::Tier tier, ChunkVersions& to);
  // What the shortcut of the layer's chunk leads to, for the blocks wanted.
  Status FollowShortcut(const ChunkKey& key, uint16_t wanted, Index::Tier tier, ChunkVersions& to);

  std::unique_ptr<Index> index_;
  RecordCache records_;     // of lookups on the loop
  uint64_t forgotten_ = 0;  // calls of Forget
  ShortcutCache shortcuts_;
  std::unique_ptr<Overlay> active_, frozen_;
};

}  // namespace lockstep::logstore
