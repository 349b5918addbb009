// How the pool makes its index again: from what a Finder has found on the devices, and the log behind the anchor.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "logstore/pool.h"
#include "logstore/rebuild.h"

namespace lockstep::logstore {

Task<Status> LogPool::Rebuild(const Anchor& anchor) {
  const std::string name = superblock_.pool.ToString();
  seams_.log.Warn("pool {}: rebuilding the index from {} segments, as of entry {}", name, superblock_.segment_count,
                  anchor.position.next - 1);
  LS_CO_ASSIGN_OR_RETURN(structure_, Structure::Decode(anchor.structure));
  structure_.AllPointsChanged();  // the new index has none of them
  Index::Batch begin;
  begin.BeginRebuild();
  begin.PutHolesKnownFrom(anchor.holes_from);
  LS_CO_RETURN_IF_ERROR(map_.index().Write(begin));
  LS_CO_RETURN_IF_ERROR(anchor.times.ForEach([this](const TimeMark& mark) {
    Index::Batch batch;
    batch.PutMark(mark);
    return map_.index().Write(batch);
  }));
  fold_number_ = std::max(anchor.number, superblock_.least_index);
  holes_from_ = anchor.holes_from;
  structure_.RestoreOwners(anchor.position.next);
  segments_.RestoreLogStart(anchor.position.next);
  changes_.Begin(anchor.position);
  Finder finder(*devices_, superblock_, anchor, map_.index(), segments_, seams_.loop, seams_.executor, seams_.log);
  LS_CO_RETURN_IF_ERROR(co_await finder.Run());
  replay_position_ = anchor.position;
  LS_CO_RETURN_IF_ERROR(co_await WriteFoundAgain());
  LS_CO_RETURN_IF_ERROR(co_await FoldNow(false));
  Status compared;
  auto compare = [&] { compared = finder.CompareLive(); };
  co_await seams_.executor.Call(seams_.loop, compare);
  LS_CO_RETURN_IF_ERROR(compared);
  suspects_ = finder.suspects();
  segments_.CloseLive();
  co_return Status();
}

Task<Status> LogPool::FinishRebuild() {
  // What only waits to be swept must not count as needed.
  structure_.SweepTailsAgain();
  do LS_CO_RETURN_IF_ERROR(co_await FoldNow(false));
  while (AnythingToSweep());
  // The log will go on in a segment that was free, whatever is left in it from an earlier use.
  if (replay_position_.next_segment < superblock_.segment_count) suspects_.insert(replay_position_.next_segment);
  LS_CO_RETURN_IF_ERROR(co_await LeaveSuspects());
  for (const uint32_t segment : suspects_)
    if (segments_.live(segment) != 0)
      co_return Corrupted(fmt::format(
          "the index of pool {} cannot be rebuilt: segment {} holds {} blocks that are needed, and others in it cannot "
          "be found: the device is damaged; bring the index back from a copy, or the pool from a replica",
          superblock_.pool.ToString(), segment, segments_.live(segment)));
  LS_CO_RETURN_IF_ERROR(co_await LeaveSegmentsFree());
  while (true) {
    LS_CO_ASSIGN_OR_RETURN(const std::vector<FoundRecord> page, co_await NextVersions(nullptr));
    if (page.empty()) break;
    Status dropped;
    auto drop = [&] {
      Index::Batch batch;
      for (const FoundRecord& f : page) batch.DropFound(f);
      dropped = map_.index().Write(batch);
    };
    co_await seams_.executor.Call(seams_.loop, drop);
    LS_CO_RETURN_IF_ERROR(dropped);
  }
  Status ended;
  auto end = [&] {
    Index::Batch batch;
    batch.EndRebuild();
    ended = map_.index().Write(batch);
    if (ended.ok()) ended = map_.index().Persist();
  };
  co_await seams_.executor.Call(seams_.loop, end);
  seams_.log.Info("pool {}: the index is rebuilt, with {} blocks", superblock_.pool.ToString(),
                  segments_.live_blocks());
  co_return ended;
}

Task<Result<std::vector<FoundRecord>>> LogPool::NextVersions(const FoundRecord* after) {
  Result<std::vector<FoundRecord>> page = Internal("not read");
  auto read = [&] { page = FoundVersions(map_.index(), after); };
  co_await seams_.executor.Call(seams_.loop, read);
  co_return page;
}

Task<Status> LogPool::WriteFoundAgain() {
  FoundRecord last;
  for (bool any = false;; any = true) {
    LS_CO_ASSIGN_OR_RETURN(const std::vector<FoundRecord> page, co_await NextVersions(any ? &last : nullptr));
    if (page.empty()) co_return Status();
    last = page.back();
    ForEachVersion(page, [this](const FoundRecord* first, const FoundRecord* end) { WriteAgain(BestOf(first, end)); });
    if (map_.active().weight() >= options_.fold_weight) LS_CO_RETURN_IF_ERROR(co_await FoldNow(false));
  }
}

void LogPool::WriteAgain(const FoundRecord& f) {
  const Layer* const written = structure_.Wrote(f.layer, f.version.birth);
  if (!written) return;
  const Layer& layer = *written;
  if (f.version.location == kHole)
    map_.active().PunchHole(layer, f.block, f.count, f.version.birth, MappedUnder(layer));
  else if (f.version.location == kDiedHere)
    map_.active().Write(layer, f.block, {f.version.birth, kHole, 0});
  else
    map_.active().Write(layer, f.block, f.version);
}

// Versions that have copies in several segments are known at one of each, which may be spread over more segments than
// they were when the cleaner had some in reserve. A full pool could not go on without that reserve.
Task<Status> LogPool::LeaveSegmentsFree() {
  const SpaceMarks marks = SpaceMarks::For(superblock_.segment_size, segments_.usable());
  const uint32_t enough = marks.cleaner_reserve + marks.structure_reserve + 1;
  for (uint32_t segment = 0; segment < segments_.count(); ++segment)
    if (segments_.live(segment) == 0) suspects_.insert(segment);  // nothing moves there
  for (uint32_t free = segments_.free_count(); free < enough;) {
    LS_CO_ASSIGN_OR_RETURN(const std::vector<uint32_t> easiest, co_await EasiestToLeave(enough - free));
    if (easiest.empty()) break;
    suspects_.insert(easiest.begin(), easiest.end());
    LS_CO_RETURN_IF_ERROR(co_await LeaveSuspects());
    for (const uint32_t segment : easiest) free += segments_.live(segment) == 0;
  }
  co_return Status();
}

// What was left free may be on devices that are being emptied. Where the others have no room for the cleaner's reserve,
// a device that is being emptied is in use again, as after any removal for which there is no room.
Task<Status> LogPool::KeepRoom() {
  const std::vector<DeviceRecord> devices = table_.devices;
  for (const DeviceRecord& device : devices) {
    const SpaceMarks marks = SpaceMarks::For(superblock_.segment_size, segments_.usable());
    if (segments_.free_count() > marks.cleaner_reserve + marks.structure_reserve) break;
    if (device.draining) LS_CO_RETURN_IF_ERROR(co_await StopDraining(device.id));
  }
  co_return Status();
}

Task<Result<std::vector<uint32_t>>> LogPool::EasiestToLeave(uint32_t most) {
  std::unordered_map<uint32_t, uint32_t> movable;  // blocks that live in a segment and could live in another one
  NewestRetained everything;
  FoundRecord last;
  for (bool any = false;; any = true) {
    LS_CO_ASSIGN_OR_RETURN(const std::vector<FoundRecord> page, co_await NextVersions(any ? &last : nullptr));
    if (page.empty()) break;
    last = page.back();
    std::vector<MovedBlock> copies;
    ForEachVersion(page, [&](const FoundRecord* first, const FoundRecord* end) {
      const auto usable = [this](const FoundRecord& f) { return IsGoodCopy(f); };
      if (std::count_if(first, end, usable) < 2) return;
      for (const FoundRecord* f = first; f != end; ++f)
        if (usable(*f))
          copies.push_back({f->layer, f->block, f->version.birth, 0, f->version.location, 0, f->version.crc});
      everything[first->layer] = kNow;
    });
    Status kept;
    auto keep = [&] { kept = KeepLive(map_.index(), everything, copies); };
    co_await seams_.executor.Call(seams_.loop, keep);
    LS_CO_RETURN_IF_ERROR(kept);
    for (const MovedBlock& alive : copies) ++movable[superblock_.segment_of(alive.from)];
  }
  std::vector<uint32_t> easiest;
  for (const auto& [segment, blocks] : movable)
    if (blocks == segments_.live(segment) && segment != replay_position_.segment) easiest.push_back(segment);
  std::sort(easiest.begin(), easiest.end(), [this](uint32_t a, uint32_t b) {
    return std::pair(segments_.live(a), a) < std::pair(segments_.live(b), b);
  });
  easiest.resize(std::min<size_t>(easiest.size(), most));
  co_return easiest;
}

bool LogPool::IsGoodCopy(const FoundRecord& f) const {
  return f.version.location > kDiedHere && f.verified &&
         !suspects_.contains(superblock_.segment_of(f.version.location));
}

// Lets what lives in suspects live in other copies, where there are any.
Task<Status> LogPool::LeaveSuspects() {
  FoundRecord last;
  for (bool any = false;; any = true) {
    LS_CO_ASSIGN_OR_RETURN(const std::vector<FoundRecord> page, co_await NextVersions(any ? &last : nullptr));
    if (page.empty()) break;
    last = page.back();
    std::vector<MovedBlock> moves;
    ForEachVersion(page, [&](const FoundRecord* first, const FoundRecord* end) {
      const FoundRecord* other = std::find_if(first, end, [this](const FoundRecord& f) { return IsGoodCopy(f); });
      if (other == end) return;
      for (const FoundRecord* f = first; f != end; ++f)
        if (f->version.location > kDiedHere && suspects_.contains(superblock_.segment_of(f->version.location)))
          moves.push_back({f->layer, f->block, f->version.birth, f->death, f->version.location, other->version.location,
                           f->version.crc});
    });
    if (!moves.empty()) LS_CO_RETURN_IF_ERROR(co_await Relocate(moves));
  }
  segments_.CloseLive();
  co_return Status();
}

}  // namespace lockstep::logstore
