// Holds the index of a pool against what the batches on its device say, both ways: what the index maps has to be on the
// device as it says, and what the device holds and nothing has replaced has to be mapped. For inspection.
//
// Takes memory for what is wrong, for the holes that the index keeps, and for one number for each segment; not for what
// is mapped.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "logstore/index.h"
#include "logstore/relocation.h"
#include "logstore/segment_scan.h"

namespace lockstep::logstore {

// Sequence numbers of holes over the blocks of one layer: the newest over each.
class HoleMap {
 public:
  void Add(uint64_t block, uint64_t count, SequenceNumber birth);  // births ascend
  SequenceNumber NewestOver(uint64_t block) const;                 // 0: none

 private:
  struct Range {
    uint64_t end = 0;
    SequenceNumber birth = 0;
  };
  std::map<uint64_t, Range> ranges_;  // by first block; they do not overlap
};

class IndexInspector {
 public:
  using Complain = std::function<void(std::string)>;
  // REQUIRES: `index` outlives it.
  IndexInspector(const Index& index, const Superblock& superblock, Complain complain)
      : index_(index), superblock_(superblock), complain_(std::move(complain)) {}

  // What the index is, and what is wrong with it by itself. False: it is of no use (that has been complained of). An
  // error: it cannot be read. Blocking, as all that follows.
  Result<bool> Load();
  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const Structure& structure() const { return structure_; }
  bool InUse(uint32_t segment) const { return counts_.contains(segment); }
  uint64_t current() const { return current_; }
  uint64_t history() const { return history_; }

  // One segment, as it is on the device. `bad`: places of data that does not match its checksum.
  Status Look(uint32_t segment, const std::vector<SegmentBatch>& batches, const std::set<uint64_t>& bad);
  // Something that the index maps where no batch on the device says so.
  struct Unsupported {
    LayerId layer = kNoLayer;
    uint64_t block = 0;
    Version version;
    bool old = false;
  };
  // When every segment has been looked at.
  Result<std::vector<Unsupported>> NotOnDevice();
  // What the device says is at this place of a segment in which something was not as the index says.
  const MovedBlock* OnDevice(uint64_t place) const;
  std::string NameOf(LayerId layer, uint64_t block) const;

 private:
  // False: complained of.
  bool Usable(const Result<std::optional<Checkpoint>>& loaded);
  Status LoadAll();
  Status Walk();
  Status LoadHoles();
  Status CheckMarks();
  void CheckHoles(const std::vector<SegmentBatch>& batches);
  // Whether its layer's last viewer sees something newer in the place of all its blocks, so that it may have been
  // forgotten (HolePruning).
  bool IsReplaced(const Entry& hole, SequenceNumber birth) const;
  // `block.death`: as its batch says.
  Status LookAt(const MovedBlock& block, const Version& current, const std::set<uint64_t>& bad);
  void Confirm(const MovedBlock& block, uint32_t crc, bool old, const std::set<uint64_t>& bad);
  // What the device holds and the index does not show is complained of, unless the index knows why.
  void Explain(const MovedBlock& block);

  const Index& index_;
  const Superblock superblock_;
  const Complain complain_;
  std::optional<Checkpoint> checkpoint_;
  Structure structure_;
  std::unordered_map<LayerId, block::VolumeId> tops_;
  std::unordered_map<uint32_t, SegmentCount> counts_;
  std::vector<uint32_t> mapped_;  // blocks of each segment, by walking the index
  uint64_t current_ = 0, history_ = 0;
  std::optional<SequenceNumber> holes_from_;
  std::unordered_map<LayerId, HoleMap> holes_;
  std::vector<SequenceNumber> hole_births_;         // ascending
  std::vector<uint64_t> confirmed_;                 // places in the segment that is being looked at
  std::set<uint32_t> strange_;                      // segments in which not all was confirmed
  std::set<uint64_t> confirmed_there_;              // places
  std::unordered_map<uint64_t, MovedBlock> there_;  // what the device says of them, by place
};

}  // namespace lockstep::logstore
