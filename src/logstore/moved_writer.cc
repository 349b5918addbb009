#include "logstore/moved_writer.h"

#include <memory>

#include "base/assert.h"
#include "logstore/disk_io.h"

namespace lockstep::logstore {
namespace {

// What one write takes to the device, header first.
struct MovedBatch {
  BatchHeader header;
  DiskMemory memory;  // of the encoded header
  std::vector<io::Buffer> buffers;
};

MovedBatch Describe(std::span<const MovedBlock> blocks, std::span<const std::byte* const> data) {
  MovedBatch batch;
  batch.header.kind = BatchKind::kMoved;
  batch.buffers.assign(1, {nullptr, 0});
  for (size_t i = 0; i < blocks.size(); ++i) {
    const MovedBlock& b = blocks[i];
    const bool joins = i != 0 && blocks[i - 1].layer == b.layer && blocks[i - 1].birth == b.birth &&
                       blocks[i - 1].death == b.death && blocks[i - 1].block + 1 == b.block;
    if (joins) {
      ++batch.header.entries.back().count;
    } else {
      batch.header.entries.push_back({EntryType::kWrite, b.layer, b.block, 1, 0});
      batch.header.births.push_back(b.birth);
      batch.header.deaths.push_back(b.death);
    }
    batch.header.block_crcs.push_back(b.crc);
    if (batch.buffers.size() > 1 && batch.buffers.back().data + batch.buffers.back().size == data[i])
      batch.buffers.back().size += kBlockSize;
    else
      batch.buffers.push_back({const_cast<std::byte*>(data[i]), kBlockSize});
  }
  const size_t header_bytes = size_t{batch.header.header_blocks()} * kBlockSize;
  batch.memory = AllocateBlocks(header_bytes);
  batch.buffers[0] = {batch.memory.get(), header_bytes};
  return batch;
}

}  // namespace

MovedWriter::MovedWriter(io::Loop& loop, io::Disk& disk, const Superblock& superblock, SegmentTable& segments)
    : loop_(loop), disk_(disk), superblock_(superblock), segments_(segments) {}

MovedWriter::~MovedWriter() {
  LS_ASSERT(begun_ == ended_);
}

void MovedWriter::Leave() {
  if (const uint32_t full = std::exchange(segment_, kNoSegment); full != kNoSegment) CloseIfSettled(full);
}

bool MovedWriter::NextSegment(const Stamp& stamp) {
  Leave();
  segment_ = segments_.Take();
  if (segment_ != kNoSegment) segments_.SetWritten(segment_, stamp.surveyed);
  block_ = previous_crc_ = 0;
  stamp_ = stamp;
  if (broken_ == segment_) broken_ = kNoSegment;  // in an earlier use
  return segment_ != kNoSegment;
}

void MovedWriter::CloseIfSettled(uint32_t segment) {
  if (segment == segment_ || unsettled_[segment] != 0) return;
  unsettled_.erase(segment);
  segments_.Close(segment, 0);
}

void MovedWriter::Settle(uint32_t segment, uint32_t blocks) {
  LS_ASSERT(unsettled_[segment] >= blocks);
  unsettled_[segment] -= blocks;
  CloseIfSettled(segment);
}

void MovedWriter::Settled(std::span<const MovedBlock> copies) {
  std::unordered_map<uint32_t, uint32_t> counts;
  for (const MovedBlock& b : copies) ++counts[superblock_.segment_of(b.to)];
  for (const auto& [segment, blocks] : counts) Settle(segment, blocks);
}

Task<void> MovedWriter::Turn(uint64_t turn) {
  if (ended_ == turn) co_return;
  co_await SuspendWith([this, turn](auto resume) { waiting_.emplace(turn, std::move(resume)); });
}

Task<Status> MovedWriter::Write(std::span<MovedBlock> blocks, std::span<const std::byte* const> data) {
  MovedBatch batch = Describe(blocks, data);
  BatchHeader& header = batch.header;
  LS_ASSERT(!blocks.empty() && blocks.size() <= kMaxBlocks && header.total_blocks() <= room());
  header.first = stamp_.surveyed;
  header.epoch = stamp_.random;
  header.durable = stamp_.fold;
  header.previous_crc = previous_crc_;
  header.next_segment = kNoSegment;
  EncodeBatchHeader(superblock_.pool, header, {batch.memory.get(), batch.buffers[0].size});

  const uint64_t turn = begun_++;
  const uint32_t segment = segment_;
  const uint64_t begin = superblock_.first_block(segment) + block_;
  unsettled_[segment] += static_cast<uint32_t>(blocks.size());
  block_ += header.total_blocks();
  previous_crc_ = header.crc;

  io::DiskRequest request;
  request.op = io::DiskRequest::Op::kWrite;
  request.offset = begin * kBlockSize;
  request.length = uint64_t{header.total_blocks()} * kBlockSize;
  request.buffers = batch.buffers;
  Status written = co_await Transfer(disk_, request);
  co_await Turn(turn);
  // What follows a write that failed is not reached by the chain of headers.
  if (written.ok() && segment == broken_) written = IoError("a write before this one has failed");
  if (!written.ok()) {
    broken_ = segment;
    Settle(segment, static_cast<uint32_t>(blocks.size()));
  }
  uint64_t location = begin + header.header_blocks();
  for (MovedBlock& b : blocks) b.to = written.ok() ? location++ : 0;
  ++ended_;
  if (const auto next = waiting_.extract(ended_); !next.empty()) loop_.Post(std::move(next.mapped()));
  co_return written;
}

}  // namespace lockstep::logstore
