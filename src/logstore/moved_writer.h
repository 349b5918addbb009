// Writes batches of moved blocks into segments of the cleaner's own. Several may be on their way at once; nothing
// counts until the index points there, so nothing has to be found again after a crash. What is needed to find it again
// when the index is lost is in the headers.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "io/disk.h"
#include "io/loop.h"
#include "logstore/relocation.h"
#include "logstore/segment_table.h"

namespace lockstep::logstore {

class MovedWriter {
 public:
  // Most blocks of one batch, and the most that a batch of so many needs with its header.
  static constexpr uint32_t kMaxBlocks = kMaxEntriesPerBatch;
  static constexpr uint32_t kMaxTotalBlocks = kMaxBlocks + HeaderBlocks(kMaxBlocks, kMaxBlocks, BatchKind::kMoved);

  MovedWriter(io::Loop& loop, io::Disk& disk, const Superblock& superblock, SegmentTable& segments);
  ~MovedWriter();

  // Blocks that still fit into the open segment.
  uint32_t room() const {
    return segment_ == kNoSegment || segment_ == broken_ ? 0 : superblock_.segment_blocks() - block_;
  }
  // What all batches of a segment say of themselves.
  struct Stamp {
    uint64_t random = 0;          // batches of an earlier use of the segment have another one
    SequenceNumber surveyed = 0;  // all blocks to come were found to live in maps that knew the log up to here, or more
    uint64_t fold = 0;            // number of the last fold
  };
  // Leaves the open segment and goes on in a new one. False: no segment is free.
  bool NextSegment(const Stamp& stamp);
  // Leaves the open segment.
  void Leave();
  uint32_t segment() const { return segment_; }

  // Writes the blocks, whose contents are data[i], and sets their `to`. Completed, with everything written before it;
  // not durable. The place is taken before it first suspends. REQUIRES: at most kMaxBlocks, one at least, and room for
  // them and their header.
  Task<Status> Write(std::span<MovedBlock> blocks, std::span<const std::byte* const> data);
  // The index knows of the copies, or never will. A segment that is full is closed when that is so of all in it: until
  // then it looks empty, and is not.
  void Settled(std::span<const MovedBlock> copies);

 private:
  void Settle(uint32_t segment, uint32_t blocks);
  void CloseIfSettled(uint32_t segment);
  // Ends when all writes that began before have ended.
  Task<void> Turn(uint64_t turn);

  io::Loop& loop_;
  io::Disk& disk_;
  const Superblock superblock_;
  SegmentTable& segments_;
  uint32_t segment_ = kNoSegment, block_ = 0, previous_crc_ = 0;
  Stamp stamp_;
  std::unordered_map<uint32_t, uint32_t> unsettled_;  // blocks by segment
  uint64_t begun_ = 0, ended_ = 0;                    // writes
  std::unordered_map<uint64_t, io::Closure> waiting_;  // for the writes before theirs
  uint32_t broken_ = kNoSegment;                       // a write to it has failed
};

}  // namespace lockstep::logstore
