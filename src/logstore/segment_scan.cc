#include "logstore/segment_scan.h"

#include <cstdlib>

#include "logstore/log_reader.h"

namespace lockstep::logstore {
namespace {

// Whether `next` goes on where `last` ended.
bool Continues(const BatchHeader& last, const BatchHeader& next) {
  if (next.moved != last.moved || next.previous_crc != last.crc) return false;
  return last.moved ? next.epoch == last.epoch : next.first == last.first + last.entries.size();
}

}  // namespace

Task<Result<std::vector<SegmentBatch>>> ScanSegment(io::Disk& disk, const Superblock& superblock, uint32_t segment) {
  const std::unique_ptr<std::byte, void (*)(void*)> memory(
      static_cast<std::byte*>(std::aligned_alloc(io::Disk::kMemoryAlignment, size_t{kMaxHeaderBlocks} * kBlockSize)),
      std::free);
  LS_ASSERT(memory);
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
    if (!header.ok() || block + header->total_blocks() > superblock.segment_blocks()) break;
    if (batches.empty() ? header->moved && header->previous_crc != 0 : !Continues(batches.back().header, *header))
      break;
    block += header->total_blocks();
    const uint64_t data = begin + block - header->data_blocks();
    batches.push_back({std::move(*header), data});
  }
  co_return batches;
}

}  // namespace lockstep::logstore
