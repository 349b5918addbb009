// What a pool may show, from its contract alone (block/volume.h, block/pool.h): nothing in here knows how an engine
// works.
//
// Writes carry unique tags. Every submission and every answer is an event with a number. A write may take effect at any
// moment between the two. What a crash leaves, and what a point holds, is a cut: a set of writes that holds every write
// acknowledged before one of its members was submitted. A history of simulated crashes asks this class after every
// answer and after every restart.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "block/pool.h"

namespace lockstep::simulation {

using block::PointId;
using block::VolumeId;
using Event = uint64_t;
using Tag = uint32_t;  // 0: zeroes
inline constexpr Event kNever = UINT64_MAX;
inline constexpr Tag kBad = UINT32_MAX;  // a block that holds nothing that was ever written to it as a whole
inline constexpr Tag kUnread = UINT32_MAX - 1;

// A block's bytes for a tag and the block's number in the volume, and back.
void Paint(std::byte* block, Tag tag, uint64_t number);
Tag Recognize(const std::byte* block, uint64_t number);

// What was read: tags from the first block on.
using Contents = std::vector<Tag>;

class Oracle {
 public:
  struct Volume {
    Contents base;                              // when its present content began
    std::vector<std::vector<uint32_t>> writes;  // of each block, since then: indices of writes_, as submitted
    Event began = 0;                            // submission of the change that made or replaced its content
    size_t blocks() const { return base.size(); }
  };
  // What was first read of each member; empty until then.
  struct Point {
    std::map<VolumeId, Contents> seen;
    Event submitted = 0, answered = 0;
    std::map<VolumeId, Volume> taken_from;  // the members as they were when it was answered, until it has been read
    bool known() const { return taken_from.empty(); }
  };
  using WriteIndex = uint32_t;
  using Problem = std::optional<std::string>;

  const std::map<VolumeId, Volume>& volumes() const { return volumes_; }
  const std::map<PointId, Point>& points() const { return points_; }
  Event now() const { return now_; }

  WriteIndex Submit(VolumeId volume, uint64_t first, uint64_t count, Tag tag);
  void Acknowledge(WriteIndex write);  // OK
  void Refuse(WriteIndex write);       // it never was; any other error is said by no call: it may be or not
  Event Tick() { return ++now_; }
  // A flush that was submitted at this event, or a write with FUA, has completed with OK.
  void Durable(Event submitted) { durable_ = std::max(durable_, submitted); }
  void Durable(WriteIndex write);

  // Blocks that were read with OK between two events.
  Problem CheckRead(VolumeId volume, uint64_t first, const Contents& seen, Event submitted) const;
  Problem CheckPointRead(PointId point, VolumeId volume, uint64_t first, const Contents& seen) const;
  // The whole of a point is read for the first time: from now on it is what was read.
  Problem Learn(PointId point, const std::map<VolumeId, Contents>& seen);

  // A transaction is submitted, and answered. One at a time; no write to a volume is in flight whose content it
  // replaces or deletes. Points that it clones from or restores are known, or taken by it. Until a point is known, what
  // was made from it is left alone.
  void Begin(const block::Transaction& transaction);
  void Applied();   // OK
  void Refused();   // changed nothing; any other error is said by no call
  bool pending() const { return pending_.has_value(); }
  const block::Transaction& transaction() const { return *pending_; }

  // After a restart: `applied` says whether the pending transaction, if there is one, was found applied. `crashed`:
  // what was not durable may be gone; otherwise everything acknowledged is there.
  Problem Restarted(bool applied, bool crashed, const std::map<VolumeId, Contents>& volumes,
                    const std::map<PointId, std::map<VolumeId, Contents>>& points);
  // Whether the block could ever have held this, in any state of any volume.
  bool WasEverWritten(uint64_t block, Tag tag) const { return tag == 0 || ever_.contains({block, tag}); }

 private:
  struct Write {
    VolumeId volume;
    uint64_t first = 0, count = 0;
    Tag tag = 0;
    Event submitted = 0, acknowledged = kNever;
    bool refused = false, durable = false;
  };
  // The earliest event up to which everything must have happened for the block to hold `tag`, when everything
  // acknowledged before `least` has; none when it cannot hold it.
  std::optional<Event> Explains(const Volume& volume, uint64_t block, Tag tag, Event least, Event before,
                                bool count_durable) const;
  // Whether what was seen is a cut that holds everything acknowledged before `least` and what is durable, and nothing
  // submitted from `before` on.
  Problem CheckCut(const std::map<VolumeId, const Volume*>& volumes, const std::map<VolumeId, Contents>& seen,
                   Event least, Event before, bool count_durable) const;
  std::string Explain(const Volume& volume, uint64_t block, Tag tag, Event least) const;
  Problem CheckNames(const std::map<VolumeId, Contents>& volumes,
                     const std::map<PointId, std::map<VolumeId, Contents>>& points) const;
  void FillBases(PointId point);

  void Make(const block::CreateVolume& c);
  void Make(const block::DeleteVolume& c);
  void Make(const block::ResizeVolume& c);
  void Make(const block::TakePoint& c);
  void Make(const block::ReleasePoint& c);
  void Make(const block::Clone& c);
  void Make(const block::SetContent& c);
  // Windows change nothing that volumes and points show.
  void Make(const block::SetHistory&) {}
  void Make(const block::TrimHistory&) {}
  void Replace(VolumeId volume, PointId point, VolumeId source, size_t blocks);
  void MakeAll();

  Event now_ = 1;
  std::vector<Write> writes_;
  std::map<VolumeId, Volume> volumes_;
  std::map<PointId, Point> points_;
  std::optional<block::Transaction> pending_;
  Event pending_since_ = 0;
  std::map<VolumeId, std::pair<PointId, VolumeId>> unknown_bases_;  // what was made from points that are not known
  Event durable_ = 0;  // everything acknowledged before this event is durable
  std::set<std::pair<uint64_t, Tag>> ever_;
};

}  // namespace lockstep::simulation
