// Reading the log forwards: recovery, and walks over a stretch of it. Trusts nothing that it reads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/task.h"
#include "io/disk.h"
#include "logstore/disk_io.h"
#include "logstore/format.h"

namespace lockstep::logstore {

struct LogBatch {
  BatchHeader header;
  LogPosition begin, end;
  uint64_t data_location = 0;       // device block of the first data block
  std::span<const std::byte> data;  // when asked for; valid until the next call of Next
  uint32_t data_first = 0;          // of the batch's data blocks, the one that `data` begins with
};

// On the disk's loop. One call at a time.
class LogReader {
 public:
  enum class Depth { kHeaders, kVerifyData };
  LogReader(io::Disk& disk, const Superblock& superblock, const LogPosition& from, Depth depth);
  ~LogReader();

  // The next batch; nullopt at the end of the log: where no batch continues the chain. An I/O error is an error and
  // never taken for the end. corrupted: the log does not end here, it is damaged (something later proves that what is
  // missing had once been durable).
  Task<Result<std::optional<LogBatch>>> Next();
  const LogPosition& position() const { return position_; }
  // While the log is being written: reads nothing ahead from behind `end`, where it may not have been written yet.
  void LimitReadAhead(const LogPosition& end) { end_ = end; }
  // Reads and verifies only the data of entries that `wants` names; LogBatch::data spans these, and is empty when there
  // are none. What lies between them is read along where that is less work than leaving it out.
  void ReadOnly(std::function<bool(const Entry& entry, SequenceNumber sequence)> wants);

 private:
  // The batch at a place, if it continues the chain there.
  Task<Result<std::optional<LogBatch>>> At(LogPosition place);
  // Bytes of `count` blocks at a place within its segment, through a window that reads ahead.
  Task<Result<std::span<const std::byte>>> Read(uint32_t segment, uint32_t block, uint32_t count);
  // Into `batch`. Whether it is what the header says.
  Task<Result<bool>> ReadData(LogBatch* batch);
  // How much to read at a time, of which at least `count` is needed.
  uint32_t ReadAhead(uint32_t count);
  Task<Status> CheckForDamage();
  Task<Result<bool>> ProvesDamage(uint32_t segment, uint32_t block);

  io::Disk& disk_;
  const Superblock superblock_;
  const uint32_t segment_blocks_;
  const Depth depth_;
  LogPosition position_;
  std::optional<LogPosition> end_;
  std::function<bool(const Entry&, SequenceNumber)> wants_;
  uint32_t ahead_ = 0;  // blocks
  uint32_t used_ = 0;   // blocks that somebody wanted since the window was filled

  struct Window;
  std::unique_ptr<Window> window_;
};

}  // namespace lockstep::logstore
