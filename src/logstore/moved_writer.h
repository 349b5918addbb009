// Writes batches of moved blocks into segments of the cleaner's own. One writer, one batch at a time; nothing counts
// until the index points there, so nothing has to be found again after a crash. What is needed to find it again when
// the index is lost is in the headers.
#pragma once

#include <span>
#include <vector>

#include "base/task.h"
#include "io/disk.h"
#include "logstore/relocation.h"
#include "logstore/segment_table.h"

namespace lockstep::logstore {

class MovedWriter {
 public:
  // Most blocks of one batch, and the most that a batch of so many needs with its header.
  static constexpr uint32_t kMaxBlocks = kMaxEntriesPerBatch;
  static constexpr uint32_t kMaxTotalBlocks = kMaxBlocks + HeaderBlocks(kMaxBlocks, kMaxBlocks, BatchKind::kMoved);

  MovedWriter(io::Disk& disk, const Superblock& superblock, SegmentTable& segments);
  ~MovedWriter();

  // Blocks that still fit into the open segment.
  uint32_t room() const { return segment_ == kNoSegment ? 0 : superblock_.segment_blocks() - block_; }
  // What all batches of a segment say of themselves.
  struct Stamp {
    uint64_t random = 0;          // batches of an earlier use of the segment have another one
    SequenceNumber surveyed = 0;  // the blocks to come were found to live in a map that knew the log up to here
    uint64_t fold = 0;            // number of the last fold
  };
  // Goes on in a new segment. False: none is free.
  bool NextSegment(const Stamp& stamp);
  uint32_t segment() const { return segment_; }

  // Writes the blocks, whose contents are data[i], and sets their `to`. Completed, not durable. REQUIRES: at most
  // kMaxBlocks, one at least, and room for them and their header.
  Task<Status> Write(std::span<MovedBlock> blocks, std::span<const std::byte* const> data);
  // The index points to everything that was written. Until then segments that are full stay open: they have no live
  // block yet, and a checkpoint would take them for empty and free them.
  void Settled();
  // Leaves the open segment. REQUIRES: the index points to everything that was written.
  void CloseSegment();

 private:
  io::Disk& disk_;
  const Superblock superblock_;
  SegmentTable& segments_;
  std::byte* const header_memory_;
  BatchHeader header_;
  std::vector<io::Buffer> buffers_;
  std::vector<uint32_t> full_;  // written to the end, but not settled
  uint32_t segment_ = kNoSegment, block_ = 0, previous_crc_ = 0;
  Stamp stamp_;
};

}  // namespace lockstep::logstore
