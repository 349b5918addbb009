#include "logstore/log_tail.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "logstore/log_writer.h"

namespace lockstep::logstore {
namespace {

// So that dropping one drops little of the whole, and none is larger than a batch.
uint32_t ChunkBlocks(uint64_t budget, uint32_t max_entry_blocks) {
  const uint64_t share = std::min<uint64_t>(budget / kBlockSize / 16, kMaxBlocksPerBatch);
  return std::max(static_cast<uint32_t>(share), max_entry_blocks);
}

}  // namespace

// A stretch of the log: blocks, and what says whose they are. All of it is there from the beginning.
struct LogTail::Chunk {
  struct End {
    size_t kept = 0;  // entries before it, of this chunk
    LogPosition position;
  };
  explicit Chunk(uint32_t blocks)
      : capacity(blocks),
        most_kept(size_t{blocks} * 2),
        memory(AllocateBlocks(size_t{blocks} * kBlockSize)),
        crcs(blocks) {
    kept.reserve(most_kept);
    ends.reserve(most_kept);
  }
  bool Fits(uint32_t blocks) const { return kept.size() < most_kept && blocks <= capacity - used; }
  void Clear() {
    used = 0;
    kept.clear();
    ends.clear();
  }
  uint64_t bytes() const {
    return uint64_t{capacity} * (kBlockSize + sizeof(uint32_t)) + most_kept * (sizeof(Kept) + sizeof(End));
  }

  const uint32_t capacity;
  const size_t most_kept;  // holes take no blocks
  const DiskMemory memory;
  std::vector<uint32_t> crcs;  // of each block
  uint32_t used = 0;           // blocks
  std::vector<Kept> kept;
  std::vector<End> ends;  // of batches, in order; batches that hold nothing more belong to the one before
};

LogTail::LogTail(const Structure& structure, uint64_t budget, uint32_t max_entry_blocks)
    : structure_(structure),
      chunk_blocks_(ChunkBlocks(budget, max_entry_blocks)),
      budget_blocks_(budget == 0 ? 0 : std::max<uint64_t>(budget / kBlockSize, uint64_t{chunk_blocks_} * 2)) {}

LogTail::~LogTail() = default;

SequenceNumber LogTail::Follow(const std::unordered_set<block::VolumeId>& volumes, const LogPosition& completed) {
  if (budget_blocks_ == 0) return kNow;
  if (!followed()) {
    Restart(completed.next);
    end_ = completed;
  }
  SequenceNumber from = 0;
  for (const block::VolumeId volume : volumes) {
    Followed& f = followed_[volume];
    if (f.streams++ == 0) f.since = end_.next;
    from = std::max(from, f.since);
  }
  return from;
}

void LogTail::Unfollow(const std::unordered_set<block::VolumeId>& volumes) {
  for (const block::VolumeId volume : volumes) {
    const auto it = followed_.find(volume);
    if (it != followed_.end() && --it->second.streams == 0) followed_.erase(it);
  }
  if (followed()) return;
  Restart(end_.next);
  spare_.reset();
}

void LogTail::Restart(SequenceNumber first) {
  while (!chunks_.empty()) DropOldest();
  first_ = first;
}

void LogTail::DropOldest() {
  const std::shared_ptr<Chunk> chunk = std::move(chunks_.front());
  chunks_.pop_front();
  blocks_ -= chunk->capacity;
  first_ = chunk->kept.back().sequence + 1;
  // Unless a stream has it in hand: then it goes when that lets it go.
  if (spare_ || chunk.use_count() != 1 || chunk->capacity != chunk_blocks_) return;
  chunk->Clear();
  spare_ = chunk;
}

LogTail::Chunk& LogTail::Room(uint32_t blocks) {
  if (!chunks_.empty() && chunks_.back()->Fits(blocks)) return *chunks_.back();
  const uint32_t capacity = std::max(blocks, chunk_blocks_);
  while (!chunks_.empty() && blocks_ + capacity > budget_blocks_) DropOldest();
  if (spare_ && capacity == chunk_blocks_)
    chunks_.push_back(std::exchange(spare_, nullptr));
  else
    chunks_.push_back(std::make_shared<Chunk>(capacity));
  spare_.reset();
  blocks_ += capacity;
  return *chunks_.back();
}

bool LogTail::Wants(const Append& append) const {
  if (append.entry.type == EntryType::kTransaction) return true;
  const LayerOwner* owner = structure_.OwnerOf(append.entry.layer);
  return owner && append.sequence < owner->until && followed_.contains(owner->volume);
}

void LogTail::KeepEntry(const Append& append, const uint32_t* crcs) {
  const uint32_t blocks = append.entry.data_blocks();
  if (blocks > budget_blocks_) return Restart(append.sequence + 1);
  Chunk& chunk = Room(blocks);
  std::byte* const to = chunk.memory.get() + size_t{chunk.used} * kBlockSize;
  std::byte* at = to;
  for (const io::Buffer& b : append.buffers) {
    std::memcpy(at, b.data, b.size);
    at += b.size;
  }
  LS_ASSERT(at == to + size_t{blocks} * kBlockSize);
  uint32_t* const sums = chunk.crcs.data() + chunk.used;
  std::copy_n(crcs, blocks, sums);
  chunk.used += blocks;
  chunk.kept.push_back({append.entry, append.sequence, {to, at}, sums});
}

void LogTail::Keep(const LogPosition& begin, const LogPosition& end, const Append* entries, const uint32_t* crcs) {
  if (begin.next != end_.next) Restart(begin.next);
  for (const Append* a = entries; a; a = a->next) {
    if (Wants(*a)) KeepEntry(*a, crcs);
    crcs += a->entry.data_blocks();
  }
  end_ = end;
  if (chunks_.empty()) return;
  Chunk& last = *chunks_.back();
  if (!last.ends.empty() && last.ends.back().kept == last.kept.size())
    last.ends.back().position = end;
  else
    last.ends.push_back({last.kept.size(), end});
}

const LogPosition& LogTail::near_first() const {
  for (const auto& chunk : chunks_)
    if (!chunk->ends.empty()) return chunk->ends.front().position;
  return end_;
}

void LogTail::Read(SequenceNumber from, Piece& piece) const {
  LS_ASSERT(first_ <= from);
  piece.entries.clear();
  piece.chunks.clear();
  piece.end = end_;
  auto at = std::partition_point(chunks_.begin(), chunks_.end(),
                                 [from](const auto& chunk) { return chunk->kept.back().sequence < from; });
  for (; at != chunks_.end(); ++at) {
    const Chunk& chunk = **at;
    const auto first = std::partition_point(chunk.kept.begin(), chunk.kept.end(),
                                            [from](const Kept& kept) { return kept.sequence < from; });
    const size_t before = static_cast<size_t>(first - chunk.kept.begin());
    const auto end = std::partition_point(chunk.ends.begin(), chunk.ends.end(),
                                          [before](const Chunk::End& e) { return e.kept <= before; });
    const size_t upto = end == chunk.ends.end() ? chunk.kept.size() : end->kept;
    piece.entries.insert(piece.entries.end(), first, chunk.kept.begin() + static_cast<ptrdiff_t>(upto));
    piece.chunks.push_back(*at);
    if (end == chunk.ends.end()) continue;  // the batch goes on in the next one
    piece.end = end->position;
    return;
  }
}

uint64_t LogTail::memory() const {
  uint64_t bytes = spare_ ? spare_->bytes() : 0;
  for (const auto& chunk : chunks_) bytes += chunk->bytes();
  return bytes;
}

}  // namespace lockstep::logstore
