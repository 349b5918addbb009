// Making, finding and opening pools: which devices belong together, and whether all of them are here.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <optional>
#include <utility>

#include "logstore/label_io.h"
#include "logstore/pool.h"
#include "logstore/read_path.h"
#include "logstore/write_path.h"

namespace lockstep::logstore {
namespace {

constexpr uint32_t kMinSegments = 8;  // those that the cleaner and changes of structure keep, and some to write to

struct Found {
  DeviceFile file;
  Result<Label> label = Corrupted("not read");
};

// The devices of one pool, of those that were found.
struct Gathered {
  Label newest;
  std::vector<std::pair<DeviceId, DeviceFile>> members;
  bool stale = false;                                    // some of their labels say something older
  std::vector<std::pair<DeviceFile, Label>> forgotten;  // were members, and are not any more
};

std::string Paths(const std::vector<Found>& found) {
  std::string all;
  for (const Found& f : found) all += (all.empty() ? "" : ", ") + f.file.path;
  return all;
}

// Why none of what was found makes up a pool.
Status NoPool(const std::vector<Found>& found, const block::PoolId& wanted) {
  if (found.empty()) return InvalidArgument("a pool cannot be opened without a device");
  for (const Found& f : found) {
    if (!f.label.ok()) continue;
    const std::string pool = f.label->superblock.pool.ToString();
    if (f.label->role == Label::Role::kRemoved)
      return NotFound(fmt::format("{} was removed from pool {} and holds nothing of it any more", f.file.path, pool));
    if (f.label->role == Label::Role::kJoining)
      return NotFound(fmt::format("{} was about to become a part of pool {}: name that pool's devices, too",
                                  f.file.path, pool));
    return Corrupted(fmt::format("{} holds pool {}, not {}; put the right device there", f.file.path, pool,
                                 wanted.ToString()));
  }
  return found.front().label.status();
}

Status Missing(const Label& newest, const DeviceRecord& device, const std::vector<Found>& found) {
  return {Code::kUnavailable,
          fmt::format("pool {} lacks one of its {} devices, {} with {} MiB, which is not at {}: connect it, or say "
                      "where it is (lockstep pool import PATH...)",
                      newest.superblock.pool.ToString(), newest.table.devices.size(), device.id.ToString(),
                      device.segments() * newest.superblock.segment_size >> 20, Paths(found))};
}

// Puts the members' files in order; their labels say the same, or `stale` is set.
Status TakeMembers(std::vector<Found>& found, Gathered& g) {
  const uint64_t segment_size = g.newest.superblock.segment_size;
  for (const DeviceRecord& device : g.newest.table.devices) {
    Found* here = nullptr;
    for (Found& f : found) {
      if (!f.label.ok() || f.label->superblock.pool != g.newest.superblock.pool || f.label->device != device.id)
        continue;
      if (here)
        return InUse(fmt::format("{} and {} both say that they are device {} of pool {}: one is a copy of the other; "
                                 "take it away", here->file.path, f.file.path, device.id.ToString(),
                                 g.newest.superblock.pool.ToString()));
      here = &f;
    }
    if (!here) return Missing(g.newest, device, found);
    const uint64_t needs = kDataOffset + segment_size * device.segments(), has = here->file.disk->size();
    if (has < needs)
      return Corrupted(fmt::format("{}: the device of pool {} is shorter than what the pool has there: {} bytes "
                                   "instead of {}", here->file.path, g.newest.superblock.pool.ToString(), has, needs));
    g.newest.superblock.least_index =
        std::max(g.newest.superblock.least_index, here->label->superblock.least_index);
    g.stale = g.stale || here->label->table.generation != g.newest.table.generation || !here->label->IsMember();
    g.members.emplace_back(device.id, std::move(here->file));
  }
  return {};
}

// Every device says what it is. The newest table counts: a table is first written to a device that is in it and in the
// one before, so whoever has all devices of an older one has a newer one in hand (docs/format/log.md).
Result<Gathered> Gather(std::vector<Found> found, const block::PoolId& wanted, Log& log) {
  for (const Found& f : found)
    if (f.label.status().code() == Code::kIoError || f.label.status().code() == Code::kNotSupported)
      return f.label.status().WithContext(f.file.path);
  const Label* newest = nullptr;
  for (const Found& f : found) {
    if (!f.label.ok() || !f.label->IsMember() || (!wanted.IsNil() && f.label->superblock.pool != wanted)) continue;
    if (newest && f.label->superblock.pool != newest->superblock.pool) continue;
    if (!newest || f.label->NewerThan(*newest)) newest = &*f.label;
  }
  if (!newest) return NoPool(found, wanted);
  Gathered g;
  g.newest = *newest;
  LS_RETURN_IF_ERROR(TakeMembers(found, g));
  for (Found& f : found) {
    if (!f.file.disk) continue;
    const bool was_member =
        f.label.ok() && f.label->IsMember() && f.label->superblock.pool == g.newest.superblock.pool;
    log.Warn("pool {}: {} {}", g.newest.superblock.pool.ToString(), f.file.path,
             was_member ? "is none of its devices any more" : "is none of its devices; it is left alone");
    if (was_member) g.forgotten.emplace_back(std::move(f.file), *f.label);
  }
  return g;
}

Task<std::vector<Found>> ReadLabels(std::vector<DeviceFile> files) {
  std::vector<Found> found;
  for (DeviceFile& file : files) {
    Result<Label> label = co_await ReadLabel(*file.disk);
    found.push_back({std::move(file), std::move(label)});
  }
  co_return found;
}

std::unique_ptr<DeviceSet> PutTogether(Gathered& gathered, io::Loop& loop) {
  auto devices = std::make_unique<DeviceSet>(loop, gathered.newest.superblock.segment_size);
  for (auto& [id, file] : gathered.members) devices->Add(id, std::move(file));
  devices->Map(gathered.newest.table);
  return devices;
}

uint64_t UsualSegmentSize(uint64_t disk_size) {
  return std::bit_floor(std::clamp<uint64_t>(disk_size / 1024, 4 << 20, 64 << 20));
}

struct FoundIndex {
  std::unique_ptr<Index> index;
  std::optional<Anchor> anchor;  // from which it is to be made; nullopt: it is good, or is to be made from the log
};

Task<Result<FoundIndex>> FindIndex(std::string directory, DeviceSet& devices, Label label, Options options,
                                   Seams seams) {
  const Superblock& superblock = label.superblock;
  Result<std::unique_ptr<Index>> index = Internal("not opened");
  auto open_index = [&] { index = OpenIndex(directory, superblock, options, seams); };
  co_await seams.executor.Call(seams.loop, open_index);
  FoundIndex found;
  if (index.status().code() == Code::kCorrupted) {
    const Status usable = index.status();
    AnchorStore anchors(*devices.Find(label.table.devices.front().id), devices, superblock);
    auto source = co_await SourceOfIndex(anchors, superblock);
    if (!source.ok())
      co_return source.status().WithContext(fmt::format(
          "pool {} cannot be opened without its index in {} ({}); bring the index back, or the pool from a replica",
          superblock.pool.ToString(), directory, usable.message()));
    seams.log.Warn("pool {}: {}; rebuilding the index from the {}", superblock.pool.ToString(), usable.message(),
                   *source ? "device" : "whole log");
    found.anchor = std::move(*source);
    auto make_index = [&] { index = MakeIndex(directory, options, seams); };
    co_await seams.executor.Call(seams.loop, make_index);
  }
  if (!index.ok()) co_return index.status();
  found.index = std::move(*index);
  co_return found;
}

}  // namespace

Options Options::Tiny() {
  Options o;
  o.index_cache_bytes = 256 << 10;
  o.index_memtable_bytes = 64 << 10;
  o.fold_weight = 24;
  o.checkpoint_bytes = 256 << 10;
  o.sweep_records = 40;
  o.flatten_chunks = 1;
  o.change_budget_bytes = 2 << 20;
  o.change_tail_bytes = 512 << 10;
  return o;
}

Task<Status> Format(io::Disk& disk, block::PoolId id, FormatOptions options) {
  if (options.segment_size == 0) options.segment_size = UsualSegmentSize(disk.size());
  if (options.segment_size < kMinSegmentSize || options.segment_size > kMaxSegmentSize ||
      (options.segment_size & (options.segment_size - 1)) != 0)
    co_return InvalidArgument(fmt::format("a segment's size must be a power of two between {} and {}, not {}",
                                          kMinSegmentSize, kMaxSegmentSize, options.segment_size));
  if (disk.size() < kDataOffset + kMinSegments * options.segment_size)
    co_return InvalidArgument(fmt::format("the device has {} bytes; a pool with segments of {} needs at least {}",
                                          disk.size(), options.segment_size,
                                          kDataOffset + kMinSegments * options.segment_size));
  const Result<Label> present = co_await ReadLabel(disk);
  if (present.ok() && present->role != Label::Role::kRemoved)
    co_return InUse(fmt::format("the device holds pool {} already; erase its first 8 KiB to reuse it",
                                present->superblock.pool.ToString()));
  if (present.status().code() == Code::kIoError) co_return present.status();
  Label label;
  label.superblock.pool = id;
  label.superblock.segment_size = options.segment_size;
  label.superblock.segment_count =
      static_cast<uint32_t>(std::min<uint64_t>(kMaxSegments, (disk.size() - kDataOffset) / options.segment_size));
  label.table = SingleDevice(id, label.superblock.segment_count);
  label.table.generation = 1;
  label.device = label.table.devices.front().id;
  co_return co_await WriteLabel(disk, std::move(label));
}

uint64_t RoomOn(uint64_t disk_size) {
  const uint64_t segment = UsualSegmentSize(disk_size);
  if (disk_size < kDataOffset + kMinSegments * segment) return 0;
  return std::min<uint64_t>(kMaxSegments, (disk_size - kDataOffset) / segment) * segment;
}

Task<Status> Unmake(io::Disk& disk, block::PoolId pool) {
  const Result<Label> label = co_await ReadLabel(disk);
  if (label.status().code() == Code::kCorrupted) co_return Status();
  if (!label.ok()) co_return label.status();
  if (label->superblock.pool != pool || label->role == Label::Role::kRemoved) co_return Status();
  co_return co_await MarkRemoved(disk, *label);
}

Task<Result<block::PoolId>> Identify(io::Disk& disk) {
  LS_CO_ASSIGN_OR_RETURN(const Label label, co_await ReadLabel(disk));
  if (label.role == Label::Role::kRemoved)
    co_return NotFound(fmt::format("the device was removed from pool {} and is free",
                                   label.superblock.pool.ToString()));
  if (label.role == Label::Role::kJoining)
    co_return InvalidState(fmt::format("the device was about to become a part of pool {}; add it to that, or erase its "
                                       "first 8 KiB",
                                       label.superblock.pool.ToString()));
  co_return label.superblock.pool;
}

Task<Result<std::unique_ptr<block::Pool>>> Open(std::unique_ptr<io::Disk> disk, std::string index_directory,
                                                Options options, Seams seams) {
  Opening opening;
  opening.devices.push_back({"the device", std::move(disk)});
  opening.index_directory = std::move(index_directory);
  co_return co_await OpenDevices(std::move(opening), std::move(options), seams);
}

Task<Result<PoolDevices>> FindDevices(std::vector<DeviceFile> files, block::PoolId wanted, io::Loop& loop, Log& log) {
  std::vector<Found> found = co_await ReadLabels(std::move(files));
  LS_CO_ASSIGN_OR_RETURN(Gathered gathered, Gather(std::move(found), wanted, log));
  PoolDevices pool{gathered.newest, nullptr};
  pool.devices = PutTogether(gathered, loop);
  co_return pool;
}

Task<Result<std::unique_ptr<block::Pool>>> OpenDevices(Opening opening, Options options, Seams seams) {
  std::vector<Found> found = co_await ReadLabels(std::move(opening.devices));
  LS_CO_ASSIGN_OR_RETURN(Gathered gathered, Gather(std::move(found), opening.pool, seams.log));
  const Label label = gathered.newest;
  if (label.exported && !opening.import)
    co_return InvalidState(fmt::format("pool {} has been exported; `lockstep pool import` takes it in again",
                                       label.superblock.pool.ToString()));
  std::unique_ptr<DeviceSet> devices = PutTogether(gathered, seams.loop);
  LS_CO_ASSIGN_OR_RETURN(FoundIndex found_index,
                         co_await FindIndex(opening.index_directory, *devices, label, options, seams));
  auto pool = std::make_unique<LogPool>(std::move(devices), label, std::move(found_index.index), options, seams);
  Status opened = co_await pool->Recover(found_index.anchor ? &*found_index.anchor : nullptr);
  // An older version becomes this one, and labels that a crash left behind catch up, before anything else is changed.
  if (opened.ok() && (gathered.stale || label.version < kFormatVersion))
    opened = co_await pool->RenewLabels(label.exported);
  for (auto& [file, was] : gathered.forgotten)
    if (opened.ok()) (void)co_await MarkRemoved(*file.disk, was);
  if (!opened.ok()) {
    co_await pool->Close();
    co_return opened;
  }
  co_return std::unique_ptr<block::Pool>(std::move(pool));
}

}  // namespace lockstep::logstore
