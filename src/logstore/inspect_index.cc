#include "logstore/inspect_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "logstore/check_index.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kInspectedTogether = 512;             // chunks looked up together
constexpr size_t kMostUnsupported = 1000;  // told one by one

// The blocks of the batches; `death` is what a batch of moved blocks says of them.
std::vector<MovedBlock> BlocksWithDeaths(const std::vector<SegmentBatch>& batches) {
  std::vector<MovedBlock> blocks = BlocksOf(batches);
  size_t at = 0;
  for (const SegmentBatch& batch : batches) {
    const BatchHeader& h = batch.header;
    for (size_t i = 0; i < h.entries.size(); ++i) {
      if (h.entries[i].type != EntryType::kWrite) continue;
      for (uint32_t j = 0; j < h.entries[i].count; ++j, ++at)
        if (!h.deaths.empty()) blocks[at].death = h.deaths[i];
    }
  }
  return blocks;
}

}  // namespace

void HoleMap::Add(uint64_t block, uint64_t count, SequenceNumber birth) {
  const uint64_t end = block + count;
  if (end <= block) return;
  auto it = ranges_.upper_bound(block);
  if (it != ranges_.begin()) {
    const auto before = std::prev(it);
    const Range old = before->second;
    if (old.end > block) {
      before->second.end = block;
      if (before->first == block) ranges_.erase(before);
      if (old.end > end) ranges_[end] = old;
    }
  }
  for (it = ranges_.lower_bound(block); it != ranges_.end() && it->first < end;) {
    const Range old = it->second;
    it = ranges_.erase(it);
    if (old.end > end) it = ranges_.emplace(end, old).first;
  }
  ranges_[block] = {end, birth};
}

SequenceNumber HoleMap::NewestOver(uint64_t block) const {
  auto it = ranges_.upper_bound(block);
  if (it == ranges_.begin()) return 0;
  --it;
  return it->second.end > block ? it->second.birth : 0;
}

bool IndexInspector::Usable(const Result<std::optional<Checkpoint>>& loaded) {
  std::string why;
  if (!loaded.ok())
    why = loaded.status().message();
  else if (!*loaded && superblock_.least_index == 0)
    return false;  // nothing has been folded into it yet
  else if (!*loaded)
    why = "it is empty";
  else if ((*loaded)->pool != superblock_.pool)
    why = "it is that of pool " + (*loaded)->pool.ToString();
  else if ((*loaded)->number < superblock_.least_index)
    why = fmt::format("it is an old one, number {}, and segments that it speaks of have been written over; the pool "
                      "needs number {} or a later one",
                      (*loaded)->number, superblock_.least_index);
  if (!why.empty()) complain_("index: it cannot be used: " + why + "; it has to be rebuilt");
  return why.empty();
}

Result<bool> IndexInspector::Load() {
  auto loaded = index_.LoadCheckpoint();
  if (!loaded.ok() && loaded.status().code() != Code::kCorrupted) return loaded.status();
  if (!Usable(loaded)) return false;
  checkpoint_ = std::move(*loaded);
  Status status = LoadAll();
  if (status.ok()) return true;
  if (status.code() != Code::kCorrupted) return status;
  complain_("index: " + status.message());
  return false;
}

Status IndexInspector::LoadAll() {
  LS_ASSIGN_OR_RETURN(structure_, Structure::Decode(checkpoint_->structure));
  LS_ASSIGN_OR_RETURN(const std::vector<LayerCounts> layers, index_.Layers());
  for (const LayerCounts& counts : layers) structure_.RestoreLayer(counts);
  for (const auto& [id, volume] : structure_.volumes()) tops_[volume.top] = id;
  LS_ASSIGN_OR_RETURN(const std::vector<SegmentCount> counts, index_.Segments());
  for (const SegmentCount& c : counts) {
    if (c.segment >= superblock_.segment_count)
      complain_(fmt::format("index: it counts blocks of segment {}, which the pool does not have", c.segment));
    counts_[c.segment] = c;
  }
  LS_RETURN_IF_ERROR(Walk());
  LS_ASSIGN_OR_RETURN(const CheckReport report,
                      CheckIndex(index_, superblock_, {structure_.layers(), structure_.to_sweep()}));
  for (const std::string& problem : report.problems) complain_("index: " + problem);
  LS_RETURN_IF_ERROR(LoadHoles());
  return CheckMarks();
}

Status IndexInspector::Walk() {
  mapped_.assign(superblock_.segment_count, 0);
  const uint64_t begin = superblock_.first_block(0), end = superblock_.first_block(superblock_.segment_count);
  const SequenceNumber next = checkpoint_->position.next;
  const auto visit = [&](LayerId layer, uint64_t block, const Version& v, uint64_t& count) {
    if (v.birth >= next)
      complain_(fmt::format("index: {} was written as entry {}, but it holds only those before entry {}",
                            NameOf(layer, block), v.birth, next));
    if (!v.is_data()) return true;
    ++count;
    if (v.location >= begin && v.location < end) ++mapped_[superblock_.segment_of(v.location)];
    return true;
  };
  LS_RETURN_IF_ERROR(index_.VisitCurrent(
      kNoLayer, [&](LayerId layer, uint64_t block, const Version& v) { return visit(layer, block, v, current_); }));
  return index_.VisitHistory(kNoLayer, [&](const HistoryRecord& r) {
    if (r.death <= r.version.birth)
      complain_(fmt::format("index: an old version of {} was replaced as entry {}, but written as entry {}",
                            NameOf(r.layer, r.block), r.death, r.version.birth));
    return visit(r.layer, r.block, r.version, history_);
  });
}

Status IndexInspector::LoadHoles() {
  constexpr size_t kPage = 4096;
  LS_ASSIGN_OR_RETURN(holes_from_, index_.HolesKnownFrom());
  for (SequenceNumber from = 0;;) {
    LS_ASSIGN_OR_RETURN(const std::vector<HoleRecord> page, index_.Holes(from, kPage));
    for (const HoleRecord& hole : page) {
      holes_[hole.layer].Add(hole.block, hole.count, hole.birth);
      hole_births_.push_back(hole.birth);
    }
    if (page.size() < kPage) return {};
    from = page.back().birth + 1;
  }
}

Status IndexInspector::CheckMarks() {
  TimeMark last{{-1}, 0};
  while (true) {
    LS_ASSIGN_OR_RETURN(const std::optional<TimeMark> mark, index_.MarkAfter(last.time));
    if (!mark) return {};
    if (mark->at < last.at)
      complain_(fmt::format("index: by its time marks entry {} was written after entry {}", mark->at, last.at));
    last = *mark;
  }
}

std::string IndexInspector::NameOf(LayerId layer, uint64_t block) const {
  const auto volume = tops_.find(layer);
  if (volume == tops_.end()) return fmt::format("block {} of layer {}", block, layer);
  return fmt::format("block {} of volume {} (layer {})", block, volume->second.ToString(), layer);
}

Status IndexInspector::Look(uint32_t segment, const std::vector<SegmentBatch>& batches,
                            const std::set<uint64_t>& bad) {
  confirmed_.clear();
  std::vector<MovedBlock> blocks = BlocksWithDeaths(batches);
  std::sort(blocks.begin(), blocks.end(), [](const MovedBlock& a, const MovedBlock& b) {
    return a.layer != b.layer ? a.layer < b.layer : a.block < b.block;
  });
  const auto chunk_of = [](const MovedBlock& b) { return ChunkKey{b.layer, b.block / kChunkBlocks}; };
  std::vector<ChunkKey> keys;
  std::vector<ChunkVersions> records;
  for (size_t at = 0; at < blocks.size();) {
    keys.clear();
    size_t end = at;
    for (; end < blocks.size(); ++end) {
      if (!keys.empty() && keys.back() == chunk_of(blocks[end])) continue;
      if (keys.size() == kInspectedTogether) break;
      keys.push_back(chunk_of(blocks[end]));
    }
    LS_RETURN_IF_ERROR(index_.LookupAll(keys, records));
    for (size_t key = 0; at < end; ++at) {
      while (keys[key] != chunk_of(blocks[at])) ++key;
      LS_RETURN_IF_ERROR(LookAt(blocks[at], records[key][blocks[at].block % kChunkBlocks], bad));
    }
  }
  CheckHoles(batches);
  const auto count = counts_.find(segment);
  if (count != counts_.end() && count->second.live != 0 && count->second.written != 0 && !batches.empty() &&
      count->second.written != batches.front().header.first)
    complain_(fmt::format("index: segment {} begins with entry {}, but the index says {}", segment,
                          batches.front().header.first, count->second.written));
  if (confirmed_.size() == mapped_[segment]) return {};
  strange_.insert(segment);
  confirmed_there_.insert(confirmed_.begin(), confirmed_.end());
  for (const MovedBlock& b : blocks) there_[b.from] = b;
  return {};
}

Status IndexInspector::LookAt(const MovedBlock& b, const Version& current, const std::set<uint64_t>& bad) {
  if (current.exists() && current.birth == b.birth) {
    // At another place: it has been moved, and what is here is the copy that was left.
    if (current.location == b.from) Confirm(b, current.crc, false, bad);
    return {};
  }
  LS_ASSIGN_OR_RETURN(const auto old, index_.FindHistory(b.layer, b.block, b.birth));
  if (old) {
    if (old->version.location == b.from) Confirm(b, old->version.crc, true, bad);
    return {};
  }
  if (!current.exists() || current.birth < b.birth) Explain(b);
  return {};
}

void IndexInspector::Confirm(const MovedBlock& b, uint32_t crc, bool old, const std::set<uint64_t>& bad) {
  confirmed_.push_back(b.from);
  const std::string name = (old ? "an old version of " : "") + NameOf(b.layer, b.block);
  if (crc != b.crc)
    complain_(fmt::format("index: {}, written as entry {}, has another checksum there than in its batch, at device "
                          "block {}",
                          name, b.birth, b.from));
  else if (bad.contains(b.from))
    complain_(fmt::format("{}, written as entry {}, does not match its checksum at device block {}: it cannot be read; "
                          "{}",
                          name, b.birth, b.from,
                          old ? "points that show it have lost it" : "write it anew, or restore its volume"));
}

void IndexInspector::Explain(const MovedBlock& b) {
  const auto count = counts_.find(superblock_.segment_of(b.from));
  if (count == counts_.end() || b.birth >= checkpoint_->position.next) return;  // the index does not speak of it
  const auto top = tops_.find(b.layer);
  if (top == tops_.end() || b.block >= structure_.volumes().at(top->second).size / kBlockSize) return;
  if (b.death != 0 && b.death < checkpoint_->position.next) return;
  // Whatever ended it came after the segment was written. Holes of before may have been forgotten.
  if (!holes_from_ || count->second.written < *holes_from_) return;
  const auto holes = holes_.find(b.layer);
  if (holes != holes_.end() && holes->second.NewestOver(b.block) > b.birth) return;
  complain_(fmt::format("index: {} was written as entry {} to device block {}, and nothing has replaced it; but the "
                        "index does not show it",
                        NameOf(b.layer, b.block), b.birth, b.from));
}

void IndexInspector::CheckHoles(const std::vector<SegmentBatch>& batches) {
  if (batches.empty() || !holes_from_ || !InUse(superblock_.segment_of(batches.front().data_location - 1))) return;
  for (const SegmentBatch& batch : batches) {
    const BatchHeader& h = batch.header;
    for (size_t i = 0; i < h.entries.size() && !h.moved(); ++i) {
      const SequenceNumber birth = h.birth(i);
      const Entry& hole = h.entries[i];
      const bool meant = hole.type == EntryType::kHole && birth >= *holes_from_ && birth < checkpoint_->position.next;
      // What came in its place may have gone with all that was written behind the last position that anybody sees.
      if (!meant || !structure_.HasLayer(hole.layer) || !structure_.layer(hole.layer).Holds(birth, kNow)) continue;
      const bool known = std::binary_search(hole_births_.begin(), hole_births_.end(), birth);
      if (!known && !IsReplaced(hole, birth))
        complain_(fmt::format("index: entry {} discarded {} blocks of layer {} from block {} on, but the index does "
                              "not know of it",
                              birth, hole.count, hole.layer, hole.block));
    }
  }
}

bool IndexInspector::IsReplaced(const Entry& hole, SequenceNumber birth) const {
  const auto holes = holes_.find(hole.layer);
  const Layer& layer = structure_.layer(hole.layer);
  const SequenceNumber at = layer.tops != 0 ? kNow : layer.NewestRetained();
  ChunkVersions shown;
  uint64_t read = UINT64_MAX;  // the chunk that these are of
  for (uint64_t b = hole.block; b < hole.block + hole.count; ++b) {
    if (holes != holes_.end() && holes->second.NewestOver(b) > birth) continue;
    const uint64_t chunk = b / kChunkBlocks;
    if (chunk != std::exchange(read, chunk)) {
      shown.fill({});
      uint16_t wanted = UINT16_MAX;
      if (!index_.Lookup({hole.layer, chunk}, at, Index::Tier::kDisk, wanted, shown).ok()) return false;
    }
    if (shown[b % kChunkBlocks].birth <= birth) return false;
  }
  return true;
}

Result<std::vector<IndexInspector::Unsupported>> IndexInspector::NotOnDevice() {
  std::vector<Unsupported> found;
  if (strange_.empty()) return found;
  const uint64_t begin = superblock_.first_block(0), end = superblock_.first_block(superblock_.segment_count);
  const auto visit = [&](LayerId layer, uint64_t block, const Version& v, bool old) {
    if (!v.is_data() || v.location < begin || v.location >= end) return true;
    if (!strange_.contains(superblock_.segment_of(v.location))) return true;
    const auto there = there_.find(v.location);
    const bool same = confirmed_there_.contains(v.location) && there != there_.end() && there->second.layer == layer &&
                      there->second.block == block && there->second.birth == v.birth;
    if (!same) found.push_back({layer, block, v, old});
    return found.size() < kMostUnsupported;
  };
  LS_RETURN_IF_ERROR(index_.VisitCurrent(
      kNoLayer, [&](LayerId layer, uint64_t block, const Version& v) { return visit(layer, block, v, false); }));
  LS_RETURN_IF_ERROR(
      index_.VisitHistory(kNoLayer, [&](const HistoryRecord& r) { return visit(r.layer, r.block, r.version, true); }));
  return found;
}

const MovedBlock* IndexInspector::OnDevice(uint64_t place) const {
  const auto found = there_.find(place);
  return found == there_.end() ? nullptr : &found->second;
}

}  // namespace lockstep::logstore
