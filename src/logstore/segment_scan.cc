#include "logstore/segment_scan.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "logstore/disk_io.h"

namespace lockstep::logstore {
namespace {

// Whether `next` goes on where `last` ended.
bool Continues(const BatchHeader& last, const BatchHeader& next) {
  if (next.kind != last.kind || next.previous_crc != last.crc) return false;
  return last.moved() ? next.epoch == last.epoch : next.first == last.first + last.entries.size();
}

// Appends the batch at `block` unless it does not continue the list.
bool Take(const Superblock& superblock, uint32_t segment, uint32_t block, Result<BatchHeader> header,
          std::vector<SegmentBatch>& batches) {
  if (!header.ok() || block + header->total_blocks() > superblock.segment_blocks()) return false;
  if (batches.empty() ? header->moved() && header->previous_crc != 0 : !Continues(batches.back().header, *header))
    return false;
  const uint64_t data = superblock.first_block(segment) + block + header->header_blocks();
  batches.push_back({std::move(*header), data});
  return true;
}

constexpr size_t kPiece = 1 << 20;  // bytes of one read

}  // namespace

Task<bool> ReadSegment(io::Disk& disk, const Superblock& superblock, uint32_t segment, std::span<std::byte> to,
                       size_t depth) {
  LS_ASSERT(to.size() == superblock.segment_size);
  const uint64_t begin = superblock.first_block(segment) * kBlockSize;
  std::vector<io::Buffer> buffers;
  for (size_t at = 0; at < to.size(); at += kPiece)
    buffers.push_back({to.data() + at, std::min(kPiece, to.size() - at)});
  std::vector<io::DiskRequest> reads(buffers.size());
  for (size_t i = 0; i < reads.size(); ++i) {
    reads[i].op = io::DiskRequest::Op::kRead;
    reads[i].offset = begin + i * kPiece;
    reads[i].length = buffers[i].size;
    reads[i].buffers = {&buffers[i], 1};
  }
  co_await TransferAll(disk, reads, depth);
  bool unreadable = false;
  for (const io::DiskRequest& failed : reads) {
    if (failed.status.ok()) continue;
    // Only the blocks that are bad, not their neighbours.
    for (uint64_t at = failed.offset; at < failed.offset + failed.length; at += kBlockSize) {
      const std::span<std::byte> block = to.subspan(at - begin, kBlockSize);
      const Status read = co_await ReadDisk(disk, at, block);
      if (read.ok()) continue;
      std::memset(block.data(), 0, kBlockSize);
      unreadable = true;
    }
  }
  co_return unreadable;
}

std::vector<SegmentBatch> ParseSegment(const Superblock& superblock, uint32_t segment,
                                       std::span<const std::byte> bytes) {
  std::vector<SegmentBatch> batches;
  for (uint32_t block = 0; block < superblock.segment_blocks();) {
    const auto rest = bytes.subspan(size_t{block} * kBlockSize);
    const auto blocks = PeekHeaderBlocks(superblock.pool, rest.first<kBlockSize>());
    if (!blocks.ok() || block + *blocks > superblock.segment_blocks()) break;
    auto header = DecodeBatchHeader(superblock.pool, rest.first(size_t{*blocks} * kBlockSize));
    if (!Take(superblock, segment, block, std::move(header), batches)) break;
    block += batches.back().header.total_blocks();
  }
  return batches;
}

Task<Result<std::vector<SegmentBatch>>> ScanSegment(io::Disk& disk, const Superblock& superblock, uint32_t segment) {
  const DiskMemory memory = AllocateBlocks(size_t{kMaxHeaderBlocks} * kBlockSize);
  const uint64_t begin = superblock.first_block(segment);
  std::vector<SegmentBatch> batches;
  for (uint32_t block = 0; block < superblock.segment_blocks();) {
    const std::span<std::byte> first(memory.get(), kBlockSize);
    LS_CO_RETURN_IF_ERROR(co_await ReadDisk(disk, (begin + block) * kBlockSize, first));
    const auto blocks = PeekHeaderBlocks(superblock.pool, std::span<const std::byte, kBlockSize>(first));
    if (!blocks.ok() || block + *blocks > superblock.segment_blocks()) break;
    const std::span<std::byte> whole(memory.get(), size_t{*blocks} * kBlockSize);
    if (*blocks > 1)
      LS_CO_RETURN_IF_ERROR(co_await ReadDisk(disk, (begin + block + 1) * kBlockSize, whole.subspan(kBlockSize)));
    auto header = DecodeBatchHeader(superblock.pool, whole);
    if (!Take(superblock, segment, block, std::move(header), batches)) break;
    block += batches.back().header.total_blocks();
  }
  co_return batches;
}

}  // namespace lockstep::logstore
