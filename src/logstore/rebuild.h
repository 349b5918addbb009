// Making an index again from the device alone: from the newest anchor, and from what the segments say of their blocks.
//
// Why that is enough. For each retained position, the newest folded one included, a block shows the newest write or
// hole that is not later. If that is data, it is live, so it is in a segment that counts, and nothing later was. If it
// is a hole (or nothing), older data of the block may still lie about in a segment that counts. Either the segment
// says when that data died, which was not later than the hole; or it was written to the segment as living data, the
// hole came after Anchor::written, and the anchor has it: what HolePruning takes out no such position shows.
//
// The data found is sorted by birth and goes through the same folds as if it were written anew, so history and all
// counts come out as they were.
#pragma once

#include <set>
#include <unordered_map>

#include "base/log.h"
#include "io/loop.h"
#include "logstore/anchor.h"
#include "logstore/segment_scan.h"

namespace lockstep::logstore {

inline bool SameVersion(const FoundRecord& a, const FoundRecord& b) {
  return a.version.birth == b.version.birth && a.layer == b.layer && a.block == b.block;
}

// Where a FoundRecord is a block of which only the death is known.
inline constexpr uint64_t kDiedHere = 1;

class Finder {
 public:
  Finder(io::Disk& disk, const Superblock& superblock, const Anchor& anchor, Index& index, SegmentTable& segments,
         io::Loop& loop, io::Executor& executor, Log& log);

  // Reads the whole device and writes what counts into the index as found records. Sets SegmentTable::written.
  Task<Status> Run();
  // Segments of which something cannot be read any more. Either they were freed after the anchor and a crash has torn
  // the first write of their next use, or they are damaged: then something in them still lives in the end.
  const std::set<uint32_t>& suspects() const { return suspects_; }
  // When what was found is in the index: those of which fewer blocks were found than lived there are suspects too.
  Status CompareLive();  // blocking

 private:
  Task<Status> Look(uint32_t segment, std::span<std::byte> memory);
  // On an executor.
  // Adds to `there` the visible blocks that segments hold beside the copies that the index points to.
  Status CountCopies(const std::vector<FoundRecord>& page, std::unordered_map<uint32_t, uint64_t>& there) const;
  Status Keep(uint32_t segment, const std::vector<SegmentBatch>& batches, std::span<const std::byte> image);
  // Whether something of the segment's present use lies behind what can be read of it.
  bool GoesOnBehind(uint32_t segment, const SegmentBatch& last, std::span<const std::byte> image) const;
  bool Counts(uint32_t segment, const BatchHeader& header) const;

  io::Disk& disk_;
  const Superblock superblock_;
  const Anchor& anchor_;
  Index& index_;
  SegmentTable& segments_;
  io::Loop& loop_;
  io::Executor& executor_;
  Log& log_;
  std::unordered_map<uint32_t, SegmentUse> in_use_;
  std::vector<uint32_t> in_place_;  // not reused since the anchor, as far as can be seen
  std::set<uint32_t> suspects_;
  uint64_t damaged_ = 0;  // blocks whose data does not match their checksum
};

// Of the copies [first, last) of one version, or of one hole: the one to take.
const FoundRecord& BestOf(const FoundRecord* first, const FoundRecord* last);

// As many found records as make up whole versions, all copies of each, behind `after` (nullptr: from the first). Empty:
// there are no more. Blocking.
Result<std::vector<FoundRecord>> FoundVersions(const Index& index, const FoundRecord* after);

// visit(first, end) for all copies of each version.
template <typename Visit>
void ForEachVersion(const std::vector<FoundRecord>& page, Visit visit) {
  const FoundRecord* const end = page.data() + page.size();
  for (const FoundRecord* first = page.data(); first != end;) {
    const FoundRecord* next = first + 1;
    while (next != end && SameVersion(*next, *first)) ++next;
    visit(first, next);
    first = next;
  }
}

}  // namespace lockstep::logstore
