// Reads all live data of a pool, segment by segment in the order of the device, and compares it with its checksums.
//
// Beside everything else that goes on. A piece is looked up in the index and read under one pin of the read path, so
// nothing that the index named is written over before the comparison. What has moved or died since the segment was
// surveyed is no longer in the index at this place and is left out: who moved it has read and compared it.
//
// A position is a device block, counted from the first segment's first.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/task.h"
#include "block/integrity.h"
#include "logstore/disk_io.h"
#include "logstore/relocation.h"

namespace lockstep::logstore {

class LogPool;

// One run of it. On the pool's loop.
class Scrub {
 public:
  Scrub(LogPool& pool, const Superblock& superblock, block::ScrubOptions options);
  Task<Result<block::ScrubReport>> Run();

 private:
  // From the present position to the end of the segment. False: asked to stop.
  Task<Result<bool>> ReadSegment(uint32_t segment);
  // The live blocks of the segment, ascending by place.
  Task<Result<std::vector<MovedBlock>>> Survey(uint32_t segment);
  Task<Result<std::vector<MovedBlock>>> Scan(uint32_t segment, uint64_t& readable_until);
  Task<Status> KeepLiveNow(std::vector<MovedBlock>& blocks);
  // As Survey, when batch headers do not lead to all live blocks: one of them is damaged, or the log grew meanwhile.
  Task<Result<std::vector<MovedBlock>>> SurveyByIndex(uint32_t segment);
  Task<Status> ReadPiece(std::vector<MovedBlock> piece);
  Task<Status> Complain(MovedBlock block);
  void Count(const block::BadBlock& bad, uint32_t crc);
  // Of a volume that shows the block now; nil when none does.
  Task<block::VolumeId> VolumeThatShows(MovedBlock block);
  // Keeps the rate, and lets other I/O go first. False: asked to stop.
  Task<bool> Rest(uint64_t bytes);
  bool GoOn() const { return !options_.go_on || options_.go_on(report_); }

  LogPool& pool_;
  const Superblock superblock_;
  const block::ScrubOptions options_;
  const DiskMemory memory_;
  block::ScrubReport report_;
};

}  // namespace lockstep::logstore
