// What the device itself says of its pool at one position of the log, so that the index can be made again although
// segments have been reused: the structure, which segments counted, and the holes that segments still in use may need.
// The log behind the position is in place as long as the anchor is the newest one. docs/format/log.md has the bytes,
// rebuild.h says why this is enough.
//
// A new anchor replaces the old one as a whole: its content is made durable in a place of its own first, then two
// copies of a header that leads to it. Segments that only the old one needed may be written over after that.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/task.h"
#include "io/disk.h"
#include "logstore/index.h"
#include "logstore/segment_table.h"
#include "logstore/time_marks.h"

namespace lockstep::logstore {

struct Anchor {
  uint64_t number = 0;        // of the fold that it describes
  LogPosition position;       // everything before it is in the segments named here, and in `holes`
  std::string structure;      // Structure::Encode
  SequenceNumber holes_from = 0;  // all holes of the log from this entry on are there, as far as layers live
  // Nothing in the segments in use had died before this entry but what is marked with its death: the least of
  // SegmentTable::written. A rebuilding needs holes_from <= written.
  SequenceNumber written = 0;
  bool swept = false;  // nothing was left to be swept, so all live blocks are such that somebody sees
  std::vector<SegmentUse> segments;  // in use, ascending; batches of the log count in these alone
  std::vector<HoleRecord> holes;
  TimeMarkList times;  // when entries before the position were written, as far back as windows reach

  std::string Encode() const;
  // corrupted: not what Encode wrote.
  static Result<Anchor> Decode(std::string_view bytes);
};

inline constexpr uint64_t kAreaBlocks = 124;

// Where the newest anchor is.
struct AnchorPlace {
  uint64_t number = 0;
  SequenceNumber position = 0;  // Anchor::position.next
  uint32_t segment = 0;         // Anchor::position.segment
  SequenceNumber written = 0;   // Anchor::written
  bool second_area = false;
  uint64_t bytes = 0;
  uint32_t crc = 0;
  std::vector<uint32_t> segments;  // that hold it; none: the area does
};

// On the disks' loop.
class AnchorStore {
 public:
  // `home`: the first device of the pool, which has the headers and the areas in front of its segments. `segments`: the
  // disk of the pool's segments.
  AnchorStore(io::Disk& home, io::Disk& segments, const Superblock& superblock)
      : home_(&home), disk_(segments), superblock_(superblock) {}

  // Finds the newest anchor; nullopt: there is none.
  Task<Result<std::optional<AnchorPlace>>> Find();
  // Why each copy of the header is none; OK for those that are. For inspection.
  Task<std::vector<Status>> LookAtCopies();
  // corrupted: it is damaged.
  Task<Result<Anchor>> Read(const AnchorPlace& place);

  // Replaces the newest anchor. Durable when it answers OK. REQUIRES: so is everything in the log before its position.
  // Takes segments when the areas are too small, and gives those of the last one back. no-space: there are not enough;
  // then, as after any other error, the anchor before holds.
  Task<Status> Write(const Anchor& anchor, SegmentTable& segments);
  // From now on there is none. Durable when it answers OK.
  Task<Status> Erase(SegmentTable& segments);
  // Makes another device say what the present home says, even if that is nothing. Durable when it answers OK.
  Task<Status> CopyTo(io::Disk& home);
  // From now on the anchor is found there. REQUIRES: CopyTo, and no Write since.
  void SetHome(io::Disk& home) { home_ = &home; }
  // The first block of kAreaBlocks, on `home`, which the newest anchor does not use.
  uint64_t spare_area() const;
  // What recovery has found.
  void Restore(std::optional<AnchorPlace> newest) { newest_ = std::move(newest); }
  const std::optional<AnchorPlace>& newest() const { return newest_; }

 private:
  Task<Status> WriteHeader(io::Disk& home, const AnchorPlace& place);
  // The content's parts on the device: first block, bytes.
  std::vector<std::pair<uint64_t, uint64_t>> Parts(const AnchorPlace& place) const;

  // Whose blocks Parts speaks of.
  io::Disk& DiskOf(const AnchorPlace& place) { return place.segments.empty() ? *home_ : disk_; }

  io::Disk* home_;
  io::Disk& disk_;
  const Superblock& superblock_;  // the pool may grow
  std::optional<AnchorPlace> newest_;
};

}  // namespace lockstep::logstore
