#include "logstore/space_walk.h"

#include <algorithm>

namespace lockstep::logstore {
namespace {

constexpr uint64_t kLastChunk = block::kMaxVolumeSize / kBlockSize / kChunkBlocks;

// Disjoint spans of deaths (after, upto], ascending, that cover what each lost position may have been the last to see.
std::vector<DeathSpan> SpansOf(const LayerLoss& loss) {
  std::vector<DeathSpan> spans;
  std::vector<SequenceNumber> lost = loss.lost;
  if (loss.window && loss.before->keeps()) {
    // All that died in the window, as far as something retained does not begin earlier.
    lost.erase(std::lower_bound(lost.begin(), lost.end(), loss.before->keep_from), lost.end());
  }
  for (const SequenceNumber at : lost) {
    if (!spans.empty() && at < spans.back().upto) continue;  // lies in the last one
    const SequenceNumber upto = loss.KeptFrom(at);
    if (upto > at) spans.push_back({loss.before->id, at + 1, 0, 0, upto});
  }
  if (loss.window && loss.before->keeps()) {
    const SequenceNumber from = loss.before->keep_from;
    if (!spans.empty() && spans.back().upto > from)
      spans.back().upto = kNow;
    else
      spans.push_back({loss.before->id, from + 1, 0, 0, kNow});
  }
  return spans;
}

}  // namespace

FreedWalk::FreedWalk(const Index& index, const Losses& losses) : index_(index) {
  for (const auto& [layer, loss] : losses) Plan(loss);
}

void FreedWalk::Plan(const LayerLoss& loss) {
  const LayerId id = loss.before->id;
  if (loss.dies || loss.top || loss.LosesEnd()) parts_.push_back({&loss, true, {id, 0, 0, 0, 0}});
  if (loss.dies)
    parts_.push_back({&loss, false, {id, 0, 0, 0, kNow}});
  else
    for (const DeathSpan& span : SpansOf(loss)) parts_.push_back({&loss, false, span});
}

Result<bool> FreedWalk::Step(size_t records) {
  while (at_ < parts_.size() && records != 0) {
    Part& part = parts_[at_];
    bool done = false;
    LS_ASSIGN_OR_RETURN(const size_t seen,
                        part.current ? StepCurrent(part, records, done) : StepHistory(part, records, done));
    records -= std::min(records, seen);
    at_ += done;
  }
  return at_ < parts_.size();
}

Result<size_t> FreedWalk::StepCurrent(Part& part, size_t limit, bool& done) {
  LS_ASSIGN_OR_RETURN(const auto chunks,
                      index_.Chunks(part.span.layer, part.span.block / kChunkBlocks, kLastChunk, limit));
  std::vector<ChunkKey> keys;
  for (const uint64_t chunk : chunks) keys.push_back({part.span.layer, chunk});
  std::vector<ChunkVersions> found;
  LS_RETURN_IF_ERROR(index_.LookupAll(keys, found));
  for (const ChunkVersions& versions : found)
    for (const Version& v : versions) blocks_ += v.is_data() && part.loss->Frees(v.birth, kNow);
  done = chunks.size() < limit;
  if (!done) part.span.block = (chunks.back() + 1) * kChunkBlocks;
  return chunks.size();
}

Result<size_t> FreedWalk::StepHistory(Part& part, size_t limit, bool& done) {
  LS_ASSIGN_OR_RETURN(const auto records, index_.HistoryByDeath(part.span, limit));
  for (const HistoryRecord& r : records) blocks_ += r.version.is_data() && part.loss->Frees(r.version.birth, r.death);
  done = records.size() < limit;
  if (!done) {
    part.span.death = records.back().death;
    part.span.block = records.back().block;
    part.span.birth = records.back().version.birth + 1;
  }
  return records.size();
}

ShownWalk::ShownWalk(const Index& index, ViewChain chain, uint64_t volume_blocks,
                     const Losses& losses)
    : index_(index),
      chain_(std::move(chain)),
      last_chunk_(volume_blocks == 0 ? 0 : (volume_blocks - 1) / kChunkBlocks),
      losses_(losses) {}

Result<bool> ShownWalk::Step(size_t records) {
  // The next chunks that any layer of the chain knows of, as far as every layer has been asked.
  uint64_t bound = last_chunk_;
  LS_ASSIGN_OR_RETURN(const auto chunks, ChunksOf(index_, chain_, next_chunk_, bound, records));
  for (const uint64_t chunk : chunks) LS_RETURN_IF_ERROR(CountChunk(chunk));
  next_chunk_ = bound + 1;
  return next_chunk_ <= last_chunk_;
}

Status ShownWalk::CountChunk(uint64_t chunk) {
  LS_ASSIGN_OR_RETURN(const Shortcut holders, HoldersIn(index_, chain_, chunk));
  LayerId loaded = kNoLayer;
  std::vector<ChunkVersions> current;
  for (uint32_t slot = 0; slot < kChunkBlocks; ++slot) {
    const Holder& holder = holders[slot];
    if (holder.layer == kNoLayer) continue;
    if (holder.layer != loaded) LS_RETURN_IF_ERROR(index_.LookupAll({{holder.layer, chunk}}, current));
    loaded = holder.layer;
    LS_RETURN_IF_ERROR(Count(holder, chunk * kChunkBlocks + slot, current[0][slot]));
  }
  return {};
}

Status ShownWalk::Count(const Holder& holder, uint64_t block, const Version& current) {
  ++shown_;
  const auto loss = losses_.find(holder.layer);
  if (loss == losses_.end()) {
    ++shared_;
    return {};
  }
  SequenceNumber death = kNow;
  if (holder.birth != current.birth) {
    LS_ASSIGN_OR_RETURN(const auto record, index_.FindHistory(holder.layer, block, holder.birth));
    if (!record) return Corrupted("a history record of the index is missing");
    death = record->death;
  }
  if (!loss->second.Frees(holder.birth, death)) ++shared_;
  return {};
}

}  // namespace lockstep::logstore
