#include "logstore/moved_writer.h"

#include <cstdlib>

#include "base/assert.h"
#include "logstore/disk_io.h"

namespace lockstep::logstore {

MovedWriter::MovedWriter(io::Disk& disk, const Superblock& superblock, SegmentTable& segments)
    : disk_(disk),
      superblock_(superblock),
      segments_(segments),
      header_memory_(static_cast<std::byte*>(
          std::aligned_alloc(io::Disk::kMemoryAlignment, size_t{kMaxHeaderBlocks} * kBlockSize))) {
  LS_ASSERT(header_memory_);
}

MovedWriter::~MovedWriter() {
  std::free(header_memory_);
}

void MovedWriter::Settled() {
  for (const uint32_t segment : std::exchange(full_, {})) segments_.Close(segment, 0);
}

void MovedWriter::CloseSegment() {
  if (segment_ != kNoSegment) segments_.Close(std::exchange(segment_, kNoSegment), 0);
}

bool MovedWriter::NextSegment(const Stamp& stamp) {
  if (segment_ != kNoSegment) full_.push_back(segment_);
  segment_ = segments_.Take();
  if (segment_ != kNoSegment) segments_.SetWritten(segment_, stamp.surveyed);
  block_ = previous_crc_ = 0;
  stamp_ = stamp;
  return segment_ != kNoSegment;
}

Task<Status> MovedWriter::Write(std::span<MovedBlock> blocks, std::span<const std::byte* const> data) {
  header_ = {};
  header_.kind = BatchKind::kMoved;
  header_.first = stamp_.surveyed;
  header_.epoch = stamp_.random;
  header_.durable = stamp_.fold;
  header_.previous_crc = previous_crc_;
  header_.next_segment = kNoSegment;
  buffers_.assign(1, {header_memory_, 0});
  for (size_t i = 0; i < blocks.size(); ++i) {
    const MovedBlock& b = blocks[i];
    const bool joins = i != 0 && blocks[i - 1].layer == b.layer && blocks[i - 1].birth == b.birth &&
                       blocks[i - 1].death == b.death && blocks[i - 1].block + 1 == b.block;
    if (joins) {
      ++header_.entries.back().count;
    } else {
      header_.entries.push_back({EntryType::kWrite, b.layer, b.block, 1, 0});
      header_.births.push_back(b.birth);
      header_.deaths.push_back(b.death);
    }
    header_.block_crcs.push_back(b.crc);
    if (buffers_.size() > 1 && buffers_.back().data + buffers_.back().size == data[i])
      buffers_.back().size += kBlockSize;
    else
      buffers_.push_back({const_cast<std::byte*>(data[i]), kBlockSize});
  }
  LS_ASSERT(!blocks.empty() && blocks.size() <= kMaxBlocks && header_.total_blocks() <= room());
  buffers_[0].size = size_t{header_.header_blocks()} * kBlockSize;
  EncodeBatchHeader(superblock_.pool, header_, {header_memory_, buffers_[0].size});

  io::DiskRequest request;
  request.op = io::DiskRequest::Op::kWrite;
  request.offset = (superblock_.first_block(segment_) + block_) * kBlockSize;
  request.length = uint64_t{header_.total_blocks()} * kBlockSize;
  request.buffers = buffers_;
  LS_CO_RETURN_IF_ERROR(co_await Transfer(disk_, request));
  uint64_t location = superblock_.first_block(segment_) + block_ + header_.header_blocks();
  for (MovedBlock& b : blocks) b.to = location++;
  block_ += header_.total_blocks();
  previous_crc_ = header_.crc;
  co_return Status();
}

}  // namespace lockstep::logstore
