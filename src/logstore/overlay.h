// The newest part of the map, in memory: what has been written since the last fold. Lookups come here first; a fold
// moves it into the index as one batch. Old versions are kept only where a retained position still sees them.
//
// Owned by the pool's loop while it grows; once frozen it is constant and a fold may read it from another thread.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "logstore/chunk_table.h"
#include "logstore/index.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

// A long hole in whole chunks, kept as a range: a discarded terabyte costs one of these.
struct HoleRange {
  uint64_t first_chunk = 0;
  uint64_t last_chunk = 0;
  SequenceNumber birth = 0;
};

class Overlay {
 public:
  Overlay() = default;
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  // `version.birth` is newer than everything in the overlay.
  void Write(const Layer& layer, uint64_t block, const Version& version);
  // `mapped`: chunks that the index may hold under it, at most.
  void PunchHole(const Layer& layer, uint64_t block, uint64_t count, SequenceNumber birth, uint64_t mapped);

  // As Index::Lookup, from memory.
  void Lookup(const ChunkKey& key, SequenceNumber at, uint16_t& wanted, ChunkVersions& to) const;

  // Every hole, as it was punched.
  const std::vector<HoleRecord>& holes() const { return holes_; }

  bool empty() const { return chunks_.empty() && ranges_.empty(); }
  // A measure of its size, and of what a fold of it takes: chunks touched, old versions, holes; hole ranges, weighed by
  // what scanning them costs and by the chunks that a fold may have to name under them.
  size_t weight() const { return chunks_.size() + older_count_ + holes_.size() / 2 + 256 * range_count_ + under_; }

  // Layers that anything in here belongs to.
  const std::unordered_set<LayerId>& layers() const { return layers_; }
  // For the fold: every chunk touched, unordered; the hole ranges of a layer; all versions of one block, oldest first.
  std::vector<ChunkKey> Chunks() const;
  const std::unordered_map<LayerId, std::vector<HoleRange>>& ranges() const { return ranges_; }
  void Versions(const ChunkKey& key, uint32_t slot, std::vector<Version>& to) const;
  // The chunk's newest versions when they are all that there is of it: nothing older, no hole range of its layer. Null
  // when Versions has to be asked.
  const ChunkVersions* OnlyVersions(const ChunkKey& key) const {
    return older_.empty() && !ranges_.contains(key.layer) ? chunks_.Find(key) : nullptr;
  }

 private:
  struct BlockKey {
    LayerId layer;
    uint64_t block;
    bool operator==(const BlockKey&) const = default;
  };
  struct BlockKeyHash {
    size_t operator()(const BlockKey& k) const noexcept {
      return static_cast<size_t>((k.block ^ uint64_t{k.layer} << 40) * 0x9e3779b97f4a7c15ull >> 7);
    }
  };
  void Put(const Layer& layer, ChunkVersions& slots, uint64_t block, const Version& version);
  void PunchSlots(const Layer& layer, uint64_t block, uint64_t count, SequenceNumber birth);
  // The newest hole range over the chunk with birth <= at, as a version; none: !exists().
  Version HoleOver(const ChunkKey& key, SequenceNumber at) const;
  Version OlderThan(const BlockKey& key, SequenceNumber at) const;

  ChunkTable chunks_;
  std::unordered_map<BlockKey, std::vector<Version>, BlockKeyHash> older_;  // oldest first
  std::unordered_map<LayerId, std::vector<HoleRange>> ranges_;
  size_t range_count_ = 0, older_count_ = 0, under_ = 0;
  std::vector<HoleRecord> holes_;
  std::unordered_set<LayerId> layers_;
};

}  // namespace lockstep::logstore
