#include "logstore/log_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checksum.h"
#include "base/planted.h"
#include "logstore/disk_io.h"

namespace lockstep::logstore {
namespace {

// Room for the largest batch and some reading ahead.
constexpr uint32_t kWindowBlocks = kMaxHeaderBlocks + kMaxBlocksPerBatch + 1024;
// While most of it is not wanted. Reading so much takes hardly longer than reading a block.
constexpr uint32_t kLeastAhead = 64;

}  // namespace

struct LogReader::Window {
  const DiskMemory memory = AllocateBlocks(size_t{kWindowBlocks} * kBlockSize);
  uint32_t segment = 0, block = 0, count = 0;  // what it holds
};

LogReader::LogReader(io::Disk& disk, const Superblock& superblock, const LogPosition& from, Depth depth)
    : disk_(disk),
      superblock_(superblock),
      segment_blocks_(superblock.segment_blocks()),
      depth_(depth),
      position_(from),
      ahead_(kWindowBlocks),
      window_(std::make_unique<Window>()) {}
LogReader::~LogReader() = default;

void LogReader::ReadOnly(std::function<bool(const Entry&, SequenceNumber)> wants) {
  wants_ = std::move(wants);
  ahead_ = 4 * kLeastAhead;
}

uint32_t LogReader::ReadAhead(uint32_t count) {
  if (depth_ != Depth::kVerifyData) return count;
  if (wants_ && window_->count != 0) {
    if (uint64_t{used_} * 8 < window_->count)
      ahead_ = std::max(kLeastAhead, ahead_ / 2);
    else if (uint64_t{used_} * 2 > window_->count)
      ahead_ = std::min(kWindowBlocks, ahead_ * 2);
  }
  used_ = 0;
  return ahead_;
}

Task<Result<std::span<const std::byte>>> LogReader::Read(uint32_t segment, uint32_t block, uint32_t count) {
  Window& w = *window_;
  const auto view = [&] {
    return std::span<const std::byte>(w.memory.get() + size_t{block - w.block} * kBlockSize,
                                      size_t{count} * kBlockSize);
  };
  if (w.segment == segment && w.count != 0 && block >= w.block && block + count <= w.block + w.count) co_return view();
  uint32_t ahead = ReadAhead(count);
  if (end_ && end_->segment == segment) ahead = std::min(ahead, end_->block > block ? end_->block - block : count);
  w.segment = segment;
  w.block = block;
  w.count = std::min(std::max(count, ahead), segment_blocks_ - block);
  const uint64_t offset = kDataOffset + uint64_t{segment} * superblock_.segment_size + uint64_t{block} * kBlockSize;
  const Status read = co_await ReadDisk(disk_, offset, {w.memory.get(), size_t{w.count} * kBlockSize});
  if (!read.ok()) {
    w.count = 0;
    co_return read.WithContext(fmt::format("reading the log of pool {}", superblock_.pool.ToString()));
  }
  co_return view();
}

Task<Result<std::optional<LogBatch>>> LogReader::At(LogPosition place) {
  const std::optional<LogBatch> none;
  if (place.segment >= kMaxSegments || place.block >= segment_blocks_) co_return none;
  const auto first_block = co_await Read(place.segment, place.block, 1);
  if (first_block.status().code() == Code::kInvalidArgument) co_return none;  // no device holds that segment
  LS_CO_RETURN_IF_ERROR(first_block.status());
  const std::span<const std::byte> first = *first_block;
  const auto header_blocks = PeekHeaderBlocks(superblock_.pool, first.first<kBlockSize>());
  if (!header_blocks.ok() || place.block + *header_blocks > segment_blocks_) co_return none;
  LS_CO_ASSIGN_OR_RETURN(const auto bytes, co_await Read(place.segment, place.block, *header_blocks));
  auto header = DecodeBatchHeader(superblock_.pool, bytes);
  if (!header.ok() || header->moved() || header->previous_crc != place.previous_crc || header->first != place.next ||
      place.block + header->total_blocks() > segment_blocks_)
    co_return none;
  LogBatch batch;
  batch.header = std::move(*header);
  batch.begin = place;
  batch.data_location = superblock_.first_block(place.segment) + place.block + batch.header.header_blocks();
  batch.end = {place.segment, place.block + batch.header.total_blocks(), batch.header.next_segment, batch.header.crc,
               place.next + batch.header.entries.size()};
  used_ += batch.header.header_blocks();
  if (depth_ == Depth::kVerifyData && batch.header.data_blocks() != 0) {
    LS_CO_ASSIGN_OR_RETURN(const bool good, co_await ReadData(&batch));
    if (!good) co_return none;
  }
  co_return std::optional(std::move(batch));
}

Task<Result<bool>> LogReader::ReadData(LogBatch* batch) {
  const BatchHeader& h = batch->header;
  std::vector<bool> wanted(h.data_blocks(), true);
  uint32_t first = 0, end = h.data_blocks();
  if (wants_) {
    uint32_t block = 0;
    first = end;
    end = 0;
    for (size_t i = 0; i < h.entries.size(); ++i) {
      const uint32_t count = h.entries[i].data_blocks();
      const bool wants = count != 0 && wants_(h.entries[i], h.first + i);
      std::fill_n(wanted.begin() + block, count, wants);
      if (wants) {
        first = std::min(first, block);
        end = block + count;
        used_ += count;
      }
      block += count;
    }
    if (end == 0) co_return true;
  }
  const LogPosition& begin = batch->begin;
  batch->data_first = first;
  LS_CO_ASSIGN_OR_RETURN(batch->data, co_await Read(begin.segment, begin.block + h.header_blocks() + first,
                                                    end - first));
  for (uint32_t i = first; i < end; ++i) {
    if (!wanted[i]) continue;
    const auto block = batch->data.subspan(size_t{i - first} * kBlockSize, kBlockSize);
    if (Crc32c(block) != h.block_crcs[i] && !LS_PLANTED(6)) co_return false;
  }
  co_return true;
}

Task<Result<std::optional<LogBatch>>> LogReader::Next() {
  LS_CO_ASSIGN_OR_RETURN(auto here, co_await At(position_));
  if (!here) {
    LogPosition there = position_;
    there.segment = position_.next_segment;
    there.block = 0;
    LS_CO_ASSIGN_OR_RETURN(here, co_await At(there));
  }
  if (!here) {
    LS_CO_RETURN_IF_ERROR(co_await CheckForDamage());
    co_return std::optional<LogBatch>();
  }
  position_ = here->end;
  co_return std::move(here);
}

Task<Result<bool>> LogReader::ProvesDamage(uint32_t segment, uint32_t block) {
  const auto first = co_await Read(segment, block, 1);
  if (first.status().code() == Code::kInvalidArgument) co_return false;
  LS_CO_RETURN_IF_ERROR(first.status());
  const auto header_blocks = PeekHeaderBlocks(superblock_.pool, first->first<kBlockSize>());
  if (!header_blocks.ok() || block + *header_blocks > segment_blocks_) co_return false;
  LS_CO_ASSIGN_OR_RETURN(const auto bytes, co_await Read(segment, block, *header_blocks));
  const auto header = DecodeBatchHeader(superblock_.pool, bytes);
  co_return header.ok() && !header->moved() && header->first > position_.next && header->durable >= position_.next;
}

Task<Status> LogReader::CheckForDamage() {
  // A torn end of the log is what a crash leaves, and nothing behind it was acknowledged as durable. But a later batch
  // that says "everything up to here is durable" of what is missing shows that the device has lost data: cutting the
  // log there silently would drop acknowledged writes.
  for (const uint32_t segment : {position_.segment, position_.next_segment}) {
    if (segment >= kMaxSegments) continue;
    for (uint32_t block = segment == position_.segment ? position_.block : 0; block < segment_blocks_; ++block) {
      LS_CO_ASSIGN_OR_RETURN(const bool damaged, co_await ProvesDamage(segment, block));
      if (damaged)
        co_return Corrupted(fmt::format(
            "pool {}: the log is damaged at segment {} block {} (entry {} is missing, but later ones say that it was "
            "durable); restore the device, or the pool from a replica",
            superblock_.pool.ToString(), position_.segment, position_.block, position_.next));
    }
  }
  co_return Status();
}

}  // namespace lockstep::logstore
