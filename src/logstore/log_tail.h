// The newest part of the log in memory, for change streams that are near its end: of batches that have completed, the
// entries of volumes that somebody follows, with their data, and the transactions. What is oldest goes first when the
// budget is used up. While nobody follows there is none of it.
//
// It is a copy: whoever reads it holds the checksums against it, and goes to the device when they do not match. A
// client that changes its memory while it is being written, or memory that fails, harm nobody that way.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "logstore/disk_io.h"
#include "logstore/format.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

struct Append;

// On the pool's loop. In steady state its chunks go round, and next to nothing is allocated.
class LogTail {
 public:
  struct Chunk;
  struct Kept {
    Entry entry;
    SequenceNumber sequence = 0;
    std::span<const std::byte> data;  // whole blocks; empty for a hole
    const uint32_t* crcs = nullptr;   // of each of them
  };
  // What it has of one batch.
  struct Piece {
    std::vector<Kept> entries;
    LogPosition end;  // up to here nothing else is kept
    // As long as these live, the data stays what it is.
    std::vector<std::shared_ptr<const Chunk>> chunks;
  };

  // `budget`: bytes of data; 0: it keeps nothing, ever. At least two of the largest entries otherwise.
  LogTail(const Structure& structure, uint64_t budget, uint32_t max_entry_blocks);
  ~LogTail();

  // Somebody follows these volumes. `completed`: where the last completed batch ends; every later one is handed to
  // Keep. Answers from which entry on what concerns these volumes is kept, as far as first() reaches back; kNow: never.
  SequenceNumber Follow(const std::unordered_set<block::VolumeId>& volumes, const LogPosition& completed);
  // And does so no more.
  void Unfollow(const std::unordered_set<block::VolumeId>& volumes);
  bool followed() const { return !followed_.empty(); }

  // A batch has completed. `entries`: its entries, a list in order, whose buffers are still there; `crcs`: of all its
  // data blocks. REQUIRES: followed.
  void Keep(const LogPosition& begin, const LogPosition& end, const Append* entries, const uint32_t* crcs);

  // From this entry on it has everything up to the last completed batch.
  SequenceNumber first() const { return first_; }
  // The end of a batch that is not much behind first(): whoever reads the device need not read further than this.
  const LogPosition& near_first() const;
  // The first batch that holds something from entry `from` on. REQUIRES: first() <= from.
  void Read(SequenceNumber from, Piece& piece) const;

  uint64_t memory() const;  // bytes that it takes now, but for a few

 private:
  struct Followed {
    uint32_t streams = 0;
    SequenceNumber since = 0;
  };
  bool Wants(const Append& append) const;
  void KeepEntry(const Append& append, const uint32_t* crcs);
  // Where an entry with so much data goes; makes room.
  Chunk& Room(uint32_t blocks);
  void DropOldest();
  // Begins anew, empty.
  void Restart(SequenceNumber first);

  const Structure& structure_;
  const uint32_t chunk_blocks_;
  const uint64_t budget_blocks_;
  std::unordered_map<block::VolumeId, Followed> followed_;
  std::deque<std::shared_ptr<Chunk>> chunks_;  // oldest first; each holds an entry at least
  std::shared_ptr<Chunk> spare_;
  uint64_t blocks_ = 0;  // that chunks_ have room for
  SequenceNumber first_ = 1;
  LogPosition end_;
};

}  // namespace lockstep::logstore
