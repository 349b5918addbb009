// The devices of a running pool: more of them, larger ones, fewer. Every change is a new table, written to one label
// after the other; what a crash leaves in between, the next opening settles (docs/format/log.md).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "logstore/label_io.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"

namespace lockstep::logstore {
namespace {

constexpr uint32_t kFewestSegments = 8;  // of a pool

Status NoDevice(DeviceId id) {
  return NotFound(fmt::format("the pool has no device {}", id.ToString()));
}

// Whether a device with this label may become one of `pool`.
Status CheckFree(const Result<Label>& label, const block::PoolId& pool, const DeviceTable& table) {
  if (!label.ok()) return label.status().code() == Code::kCorrupted ? Status() : label.status();
  if (label->role == Label::Role::kRemoved) return {};
  if (label->superblock.pool == pool && table.Find(label->device))
    return AlreadyExists("it is one of the pool's devices already");
  // One that a crash kept from joining.
  if (label->superblock.pool == pool && label->role == Label::Role::kJoining) return {};
  return InUse(fmt::format("it belongs to pool {}; erase its first 8 KiB to reuse it",
                           label->superblock.pool.ToString()));
}

size_t RangesOf(const DeviceTable& table) {
  size_t ranges = 0;
  for (const DeviceRecord& d : table.devices) ranges += d.ranges.size();
  return ranges;
}

}  // namespace

Task<Status> MarkRemoved(io::Disk& disk, Label was) {
  was.role = Label::Role::kRemoved;
  ++was.table.generation;  // of two copies, this one counts
  co_return co_await WriteLabel(disk, std::move(was));
}

Label LogPool::LabelFor(DeviceId device) const {
  Label label;
  label.superblock = superblock_;
  label.device = device;
  label.exported = exported_;
  label.compatible = compatible_;
  label.table = table_;
  return label;
}

void LogPool::Resized() {
  const SpaceMarks marks = SpaceMarks::For(superblock_.segment_size, segments_.usable());
  cleaner_->SetMarks(marks);
  writer_.SetReserves(marks.structure_reserve, marks.cleaner_reserve);
}

Status LogPool::MayChangeDevices() const {
  LS_RETURN_IF_ERROR(writer_.failure());
  LS_RETURN_IF_ERROR(map_failure_);
  LS_RETURN_IF_ERROR(table_failure_);
  if (closing_) return Status(Code::kUnavailable, "the pool is being closed");
  return {};
}

Task<Status> LogPool::WriteTable(DeviceTable table, bool exported) {
  const DeviceTable before = std::exchange(table_, std::move(table));
  const bool exported_before = std::exchange(exported_, exported);
  // First a device that is in the old table and in the new one.
  std::vector<DeviceId> order;
  for (const DeviceRecord& d : table_.devices) order.push_back(d.id);
  std::stable_partition(order.begin(), order.end(), [&](DeviceId id) { return before.Find(id) != nullptr; });
  Status status;
  for (const DeviceId id : order) {
    Label label = LabelFor(id);
    status = co_await WriteLabel(*devices_->Find(id), std::move(label));
    if (!status.ok()) break;
  }
  if (status.ok()) co_return status;
  table_ = before;
  exported_ = exported_before;
  table_failure_ = status.WithContext("the table of the pool's devices could not be written; reopen the pool");
  co_return table_failure_;
}

Task<Status> LogPool::RenewLabels(bool exported) {
  const auto turn = co_await fold_turn_.Lock(), checkpoint_turn = co_await checkpoint_turn_.Lock();
  DeviceTable table = table_;
  ++table.generation;
  co_return co_await WriteTable(std::move(table), exported);
}

Task<Result<DeviceId>> LogPool::AddDevice(std::unique_ptr<io::Disk> disk, std::string path) {
  const auto turn = co_await fold_turn_.Lock(), checkpoint_turn = co_await checkpoint_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChangeDevices());
  const Result<Label> present = co_await ReadLabel(*disk);
  if (const Status free = CheckFree(present, superblock_.pool, table_); !free.ok()) co_return free.WithContext(path);
  if (disk->size() < kDataOffset + superblock_.segment_size)
    co_return InvalidArgument(fmt::format("{} has {} bytes; a device of this pool needs at least {}", path,
                                          disk->size(), kDataOffset + superblock_.segment_size));
  const SegmentRange range = table_.Place((disk->size() - kDataOffset) / superblock_.segment_size);
  if (range.count == 0 || table_.devices.size() == kMaxDevices || RangesOf(table_) == kMaxRanges)
    co_return Status(Code::kTooLarge, "the pool has as many devices, or as many segments, as a pool can have");
  const DeviceId id{seams_.random.NextUuid()};
  DeviceTable table = table_;
  ++table.generation;
  table.devices.push_back({id, false, {range}});
  // So that it is known by its id when another device's table names it, and by nothing else before that.
  Label joining = LabelFor(id);
  joining.role = Label::Role::kJoining;
  LS_CO_RETURN_IF_ERROR(co_await WriteLabel(*disk, std::move(joining)));
  devices_->Add(id, {std::move(path), std::move(disk)});
  LS_CO_RETURN_IF_ERROR(co_await WriteTable(std::move(table), exported_));
  devices_->Map(table_);
  superblock_.segment_count = std::max(superblock_.segment_count, table_.end());
  segments_.Add(range.first, range.count);
  Resized();
  cleaner_->Added();
  seams_.log.Info("pool {}: {} is one of its devices now, {}", superblock_.pool.ToString(), devices_->PathOf(id),
                  id.ToString());
  co_return id;
}

Task<Result<uint64_t>> LogPool::Grow() {
  const auto turn = co_await fold_turn_.Lock(), checkpoint_turn = co_await checkpoint_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChangeDevices());
  DeviceTable table = table_;
  ++table.generation;
  std::vector<SegmentRange> added;
  for (DeviceRecord& device : table.devices) {
    io::Disk& disk = *devices_->Find(device.id);
    LS_CO_RETURN_IF_ERROR(disk.RefreshSize());
    const uint64_t fits = (disk.size() - kDataOffset) / superblock_.segment_size, has = device.segments();
    if (device.draining || fits <= has) continue;
    const SegmentRange range = table.Place(fits - has);
    if (range.count == 0) continue;
    if (device.ranges.back().end() == range.first)
      device.ranges.back().count += range.count;
    else if (RangesOf(table) < kMaxRanges)
      device.ranges.push_back(range);
    else
      continue;
    added.push_back(range);
  }
  if (added.empty()) co_return uint64_t{0};
  LS_CO_RETURN_IF_ERROR(co_await WriteTable(std::move(table), exported_));
  devices_->Map(table_);
  superblock_.segment_count = std::max(superblock_.segment_count, table_.end());
  uint64_t segments = 0;
  for (const SegmentRange& r : added) {
    segments_.Add(r.first, r.count);
    segments += r.count;
  }
  Resized();
  cleaner_->Added();
  co_return segments * superblock_.segment_size;
}

Status LogPool::RoomWithout(const DeviceRecord& device) const {
  const SpaceMarks marks = SpaceMarks::For(superblock_.segment_size, segments_.usable());
  const uint64_t kept = uint64_t{marks.cleaner_reserve} + marks.structure_reserve + 2;
  const uint64_t rest = segments_.usable() - device.segments();
  const uint64_t full = segments_.segment_blocks() - cleaner_->least_gain();
  const uint64_t room = rest > kept ? (rest - kept) * full : 0;
  const uint64_t taken = segments_.live_blocks() + unfolded_blocks_;
  if (rest >= kFewestSegments && taken <= room) return {};
  return NoSpace(fmt::format("without {} the pool has room for {} MiB, and {} MiB are in use; delete volumes or "
                             "points, or add a device first",
                             devices_->PathOf(device.id), room * kBlockSize >> 20, taken * kBlockSize >> 20));
}

Task<Status> LogPool::RemoveDevice(DeviceId device, block::DrainOptions options) {
  if (draining_now_) co_return InUse("a device of the pool is being removed already");
  draining_now_ = device;
  // What has been deleted does not count.
  Status status;
  do status = co_await FoldNow(false);
  while (status.ok() && AnythingToSweep());
  if (status.ok()) status = co_await StartDraining(device);
  bool paused = false;
  if (status.ok()) {
    status = co_await Drain(std::move(options), &paused);
    if (status.ok()) status = co_await ForgetInAnchor();
    if (status.ok()) status = co_await FinishRemoval(device);
    // A pool that is closed, or fails, goes on with it when it is opened again and asked to.
    if (!status.ok() && !paused && MayChangeDevices().ok()) {
      const Status stopped = co_await StopDraining(device);
      if (!stopped.ok()) seams_.log.Error("pool {}: {}", superblock_.pool.ToString(), stopped.message());
    }
  }
  draining_now_.reset();
  co_return status;
}

Task<Status> LogPool::StartDraining(DeviceId id) {
  const auto turn = co_await fold_turn_.Lock(), checkpoint_turn = co_await checkpoint_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChangeDevices());
  const DeviceRecord* found = table_.Find(id);
  if (!found) co_return NoDevice(id);
  if (found->draining) co_return Status();
  const DeviceRecord device = *found;
  if (table_.devices.size() == 1)
    co_return InvalidState("a pool cannot do without its only device; add another one first, or export the pool");
  LS_CO_RETURN_IF_ERROR(RoomWithout(device));
  DeviceTable table = table_;
  ++table.generation;
  for (DeviceRecord& d : table.devices) d.draining = d.draining || d.id == id;
  LS_CO_RETURN_IF_ERROR(co_await WriteTable(std::move(table), exported_));
  for (const SegmentRange& r : device.ranges) segments_.Drain(r.first, r.count);
  Resized();
  co_return Status();
}

Task<Status> LogPool::Drain(block::DrainOptions options, bool* paused) {
  const uint32_t at_first = segments_.draining_left();
  bool log_is_gone = false;
  while (segments_.draining_left() != 0) {
    if (!log_is_gone) {
      const Status moved = writer_.MoveOn();
      if (moved.ok()) LS_CO_RETURN_IF_ERROR(co_await SyncNow());
      if (!moved.ok() && moved.code() != Code::kNoSpace) co_return moved;
      log_is_gone = moved.ok();
    }
    block::DrainReport report{uint64_t{at_first - std::min(at_first, segments_.draining_left())} *
                                  superblock_.segment_size,
                              uint64_t{at_first} * superblock_.segment_size};
    const auto answer = options.go_on ? options.go_on(report) : block::DrainAnswer::kGoOn;
    *paused = answer == block::DrainAnswer::kPause;
    if (answer != block::DrainAnswer::kGoOn) co_return Cancelled("the removal of the device was cancelled");
    Status got_on;
    co_await SuspendWith([&](auto resume) {
      cleaner_->WaitForDrain([&got_on, resume = std::move(resume)](Status status) mutable {
        got_on = std::move(status);
        resume();
      });
    });
    LS_CO_RETURN_IF_ERROR(got_on);
  }
  co_return Status();
}

Task<Status> LogPool::StopDraining(DeviceId id) {
  const auto turn = co_await fold_turn_.Lock(), checkpoint_turn = co_await checkpoint_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChangeDevices());
  DeviceTable table = table_;
  ++table.generation;
  for (DeviceRecord& d : table.devices) d.draining = d.draining && d.id != id;
  LS_CO_RETURN_IF_ERROR(co_await WriteTable(std::move(table), exported_));
  for (const SegmentRange& r : table_.Find(id)->ranges) segments_.StopDraining(r.first, r.count);
  Resized();
  cleaner_->Added();
  co_return Status();
}

Task<Status> LogPool::ForgetInAnchor() {
  // Numbers of segments are given out again, and what comes to lie there may have been written by this pool long ago:
  // neither the index nor the anchor may speak of them by then.
  anchor_due_ = anchors_.newest().has_value();
  LS_CO_RETURN_IF_ERROR(co_await FoldNow(true));
  if (std::exchange(anchor_due_, false))
    co_return IoError("the anchor on the pool's first device cannot be written; the device stays in the pool");
  co_return Status();
}

Task<Status> LogPool::FinishRemoval(DeviceId id) {
  Label was = LabelFor(id);
  {
    const auto turn = co_await fold_turn_.Lock(), checkpoint_turn = co_await checkpoint_turn_.Lock();
    LS_CO_RETURN_IF_ERROR(MayChangeDevices());
    was = LabelFor(id);
    DeviceTable table = table_;
    ++table.generation;
    std::erase_if(table.devices, [&](const DeviceRecord& d) { return d.id == id; });
    const std::vector<SegmentRange> ranges = table_.Find(id)->ranges;
    // The anchor is where the table begins.
    io::Disk& home = *devices_->Find(table.devices.front().id);
    if (&home != &first_device()) LS_CO_RETURN_IF_ERROR(co_await anchors_.CopyTo(home));
    // The newest index is known to one label only, which may be that of the device that goes: all get it.
    LS_CO_RETURN_IF_ERROR(co_await WriteTable(std::move(table), exported_));
    anchors_.SetHome(home);
    for (const SegmentRange& r : ranges) segments_.Remove(r.first, r.count);
    devices_->Map(table_);
  }
  DeviceFile file;
  co_await SuspendWith([&](auto resume) {
    devices_->Release(id, [&file, resume = std::move(resume)](DeviceFile released) mutable {
      file = std::move(released);
      resume();
    });
  });
  if (const Status marked = co_await MarkRemoved(*file.disk, std::move(was)); !marked.ok())
    seams_.log.Warn("pool {}: {} is none of its devices any more, but cannot be marked so: {}",
                    superblock_.pool.ToString(), file.path, marked.message());
  seams_.log.Info("pool {}: {} is none of its devices any more", superblock_.pool.ToString(), file.path);
  co_return Status();
}

std::vector<block::DeviceInfo> LogPool::Devices() const {
  std::vector<block::DeviceInfo> all;
  for (const DeviceRecord& d : table_.devices) {
    block::DeviceInfo info;
    info.id = d.id;
    info.path = devices_->PathOf(d.id);
    info.size = d.segments() * superblock_.segment_size;
    info.draining = d.draining;
    for (const SegmentRange& r : d.ranges)
      for (uint32_t s = r.first; s < r.end(); ++s) {
        if (segments_.is_free(s) || segments_.is_absent(s)) continue;
        info.taken += superblock_.segment_size;
        info.live += uint64_t{segments_.live(s)} * kBlockSize;
      }
    all.push_back(std::move(info));
  }
  return all;
}

Task<Status> LogPool::Export(std::string note) {
  if (draining_now_) co_return InUse("a device of the pool is being removed; let that end, or cancel it");
  LS_CO_RETURN_IF_ERROR(co_await FoldNow(true));
  const auto turn = co_await fold_turn_.Lock(), checkpoint_turn = co_await checkpoint_turn_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChangeDevices());
  LS_CO_RETURN_IF_ERROR(co_await WriteNote(first_device(), anchors_.spare_area(), std::move(note)));
  DeviceTable table = table_;
  ++table.generation;
  LS_CO_RETURN_IF_ERROR(co_await WriteTable(std::move(table), true));
  writer_.Fail(InvalidState("the pool has been exported"));
  co_return Status();
}

Task<Status> LogPool::Adopt() {
  if (!exported_) co_return Status();
  co_return co_await RenewLabels(false);
}

Task<Result<std::string>> LogPool::Note() {
  if (!exported_) co_return NotFound("the pool has not been exported");
  co_return co_await ReadNote(first_device());
}

}  // namespace lockstep::logstore
