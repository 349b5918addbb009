#include "logstore/fold.h"

#include <algorithm>

#include "base/planted.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kGroup = 512;  // chunks looked up together

class Folder {
 public:
  Folder(const Overlay& overlay, const FoldPlan& plan, Index& index) : overlay_(overlay), plan_(plan), index_(index) {}

  Result<FoldResult> Run() {
    LS_ASSIGN_OR_RETURN(const std::vector<ChunkKey> written, WrittenChunks());
    const std::vector<ChunkKey> keys = WithMoved(written);
    std::vector<ChunkVersions> records;
    auto next_written = written.begin();
    auto next_move = plan_.moves.begin();
    for (size_t i = 0; i < keys.size(); i += kGroup) {
      const std::vector<ChunkKey> group(keys.begin() + static_cast<ptrdiff_t>(i),
                                        keys.begin() + static_cast<ptrdiff_t>(std::min(keys.size(), i + kGroup)));
      LS_RETURN_IF_ERROR(index_.LookupAll(group, records));
      for (size_t j = 0; j < group.size(); ++j) {
        const auto first = next_move;
        while (next_move != plan_.moves.end() && ChunkOf(*next_move) == group[j]) ++next_move;
        LS_ASSIGN_OR_RETURN(bool changed, MoveInChunk(index_, plan_.superblock, {first, next_move}, records[j], batch_,
                                                      result_.segments));
        if (next_written != written.end() && *next_written == group[j]) {
          FoldChunk(group[j], records[j]);
          ++next_written;
          changed = true;
        }
        if (changed) batch_.PutChunk(group[j], records[j]);
      }
    }
    const SweepPlan sweep{plan_.sweep, plan_.layers, overlay_.layers(), plan_.superblock, plan_.sweep_limit};
    LS_ASSIGN_OR_RETURN(result_.unfinished, Sweep(sweep, index_, batch_, {result_.segments, result_.used_blocks}));
    PutLayers();
    for (const auto& [point, record] : plan_.points) batch_.PutPoint(point, record);
    for (const HoleRecord& hole : overlay_.holes()) batch_.PutHole(hole);
    for (const uint32_t segment : plan_.freed) batch_.DropSegment(segment);
    for (const uint32_t segment : plan_.closed) result_.segments.Mention(segment);
    PutSegments(*plan_.segments, result_.segments, batch_);
    LS_RETURN_IF_ERROR(PutMarks());
    batch_.PutCheckpoint(plan_.superblock.pool, plan_.position, plan_.structure, plan_.number, plan_.log_start,
                         plan_.places);
    LS_RETURN_IF_ERROR(index_.Write(batch_));
    result_.changed = batch_.TakeChanged();
    return std::move(result_);
  }

 private:
  // Also of those in which only places have changed: when they were written to last is kept too.
  void PutLayers() {
    for (const LayerId layer : overlay_.layers())
      if (plan_.layers.contains(layer)) result_.used_blocks[layer];
    for (const auto& [id, delta] : result_.used_blocks) {
      const Layer& layer = plan_.layers.at(id);
      batch_.PutLayer({id, static_cast<uint64_t>(static_cast<int64_t>(layer.used_blocks) + delta), layer.written,
                       layer.shortcuts});
    }
  }
  Status PutMarks() {
    for (const TimeMark& mark : plan_.marks) batch_.PutMark(mark);
    // The one at or before the oldest position that is kept still says when that was.
    LS_ASSIGN_OR_RETURN(const auto needed, index_.MarkAt(plan_.oldest_history));
    LS_ASSIGN_OR_RETURN(const auto first, index_.MarkAfter({-1}));
    if (needed && first->time < needed->time) batch_.DropMarksBefore(needed->time);
    return {};
  }
  static ChunkKey ChunkOf(const MovedBlock& b) { return {b.layer, b.block / kChunkBlocks}; }
  static void SortUnique(std::vector<ChunkKey>& keys) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  }

  std::vector<ChunkKey> WithMoved(const std::vector<ChunkKey>& written) const {
    std::vector<ChunkKey> keys = written;
    for (const MovedBlock& b : plan_.moves)
      if (keys.empty() || keys.back() != ChunkOf(b)) keys.push_back(ChunkOf(b));
    SortUnique(keys);
    return keys;
  }

  // The overlay's own chunks, and under its hole ranges every chunk that holds something the hole has to hide: of the
  // layer itself, and of its ancestors, whose blocks would otherwise show through. Ascending.
  Result<std::vector<ChunkKey>> WrittenChunks() {
    const std::vector<ChunkKey> own = overlay_.Chunks();
    std::vector<ChunkKey> keys;
    keys.reserve(own.size());
    for (const ChunkKey& key : own)
      if (plan_.layers.contains(key.layer)) keys.push_back(key);
    for (const auto& [layer, ranges] : overlay_.ranges()) {
      if (!plan_.layers.contains(layer)) continue;
      for (LayerId source = layer; source != kNoLayer; source = plan_.layers.at(source).parent) {
        for (const HoleRange& r : ranges) {
          LS_ASSIGN_OR_RETURN(const auto chunks, index_.Chunks(source, r.first_chunk, r.last_chunk, SIZE_MAX));
          for (const uint64_t c : chunks) keys.push_back({layer, c});
          for (const ChunkKey& key : own)
            if (key.layer == source && r.first_chunk <= key.chunk && key.chunk <= r.last_chunk)
              keys.push_back({layer, key.chunk});
        }
        if (plan_.layers.at(source).shortcuts != kAllChunks) continue;
        // They say all that is below.
        for (const HoleRange& r : ranges) {
          LS_ASSIGN_OR_RETURN(const auto chunks, index_.ShortcutChunks(source, r.first_chunk, r.last_chunk, SIZE_MAX));
          for (const uint64_t c : chunks) keys.push_back({layer, c});
        }
        break;
      }
    }
    SortUnique(keys);
    return keys;
  }

  void FoldChunk(const ChunkKey& key, ChunkVersions& record) {
    const Layer& layer = plan_.layers.at(key.layer);
    const ChunkVersions* const only = overlay_.OnlyVersions(key);
    int64_t used = 0;
    for (uint32_t slot = 0; slot < kChunkBlocks; ++slot) {
      if (only) {
        versions_.clear();
        if ((*only)[slot].exists()) versions_.push_back((*only)[slot]);
      } else {
        overlay_.Versions(key, slot, versions_);
      }
      if (versions_.empty()) continue;
      Version& current = record[slot];
      used -= current.is_data();
      for (const Version& v : versions_) {
        if (current.exists() && layer.Retains(current.birth, v.birth)) {
          batch_.PutHistory(key.layer, key.chunk * kChunkBlocks + slot, current, v.birth);
          if (current.is_data() && layer.keeps() && v.birth > layer.keep_from) ++result_.kept[key.layer];
        } else if (current.is_data() && !(LS_PLANTED(9) && !v.is_data())) {
          result_.segments.Died(plan_.superblock, current.location);
        }
        // With no parent below, "nothing" says the same as a hole and takes no space.
        current = v.is_data() || layer.parent != kNoLayer ? v : Version();
        if (v.is_data()) result_.segments.Born(plan_.superblock, v.location, v.birth);
      }
      used += current.is_data();
    }
    if (used != 0) result_.used_blocks[key.layer] += used;
  }

  const Overlay& overlay_;
  const FoldPlan& plan_;
  Index& index_;
  Index::Batch batch_;
  FoldResult result_;
  std::vector<Version> versions_;
};

}  // namespace

void PutSegments(const SegmentTable& segments, const LiveChanges& changes, Index::Batch& batch) {
  for (const auto& [segment, change] : changes.counts())
    batch.PutSegment({segment, static_cast<uint32_t>(segments.live(segment) + change.blocks),
                      std::max(segments.youngest(segment), change.youngest), segments.written(segment)});
}

Result<FoldResult> Fold(const Overlay& overlay, const FoldPlan& plan, Index& index) {
  return Folder(overlay, plan, index).Run();
}

}  // namespace lockstep::logstore
