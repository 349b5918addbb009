// The embedded engine: a pool whose volumes are one ordered, checksummed log on some devices, and an index of it in a
// directory. What is durable when is said in block/volume.h and block/pool.h; how, in docs/design.md and
// docs/format/log.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "block/integrity.h"
#include "block/pool.h"
#include "io/background.h"
#include "io/clock.h"
#include "io/disk.h"
#include "io/files.h"
#include "io/loop.h"
#include "io/random.h"

namespace lockstep::logstore {

// What an engine is built on. Everything outlives the pool.
struct Seams {
  io::Loop& loop;  // the data loop: owner of the disk and of the pool
  io::Executor& executor;
  io::FileSystem& files;
  io::Random& random;
  Log& log;
  const io::Clock& clock;
  io::Background* background = nullptr;  // for the index; null: it starts threads of its own
};

struct FormatOptions {
  // Bytes, a power of two, 256 KiB to 1 GiB. 0: about a thousandth of the device, 4 to 64 MiB, so that the few segments
  // that have to stay free do not count.
  uint64_t segment_size = 0;
};

// A device as it is handed to a pool.
struct DeviceFile {
  std::string path;  // for messages
  std::unique_ptr<io::Disk> disk;
};

struct Options {
  size_t index_cache_bytes = 64 << 20;
  size_t index_memtable_bytes = 32 << 20;
  uint32_t max_batches_in_flight = 2;
  // Chunks of 64 KiB that may be touched before the overlay is folded into the index.
  size_t fold_weight = 32 << 10;
  // Log written between two checkpoints: what has to be replayed at most after a crash, and about three times as much
  // while a checkpoint is being made.
  uint64_t checkpoint_bytes = 256 << 20;
  // Log that a change stream may hold back: one that falls further behind ends with "too old". Never more than a
  // quarter of the pool.
  uint64_t change_budget_bytes = uint64_t{1} << 30;
  // Memory for what was written last, while change streams follow it: a stream that is no further behind reads nothing
  // from the devices. 0: none. At least two of the largest entries otherwise.
  uint64_t change_tail_bytes = 12 << 20;
  // Records of deleted volumes and released points that one fold forgets at most.
  size_t sweep_records = 64 << 10;
  // Chunks of a deep chain of clones for which shortcuts are made at a time.
  size_t flatten_chunks = 256;
  // Percent of the pool in use at which a warning is logged; none unless somebody says so.
  std::vector<uint32_t> warn_used = {};

  // A block was found bad that was not known to be, by whoever read it. On the pool's loop.
  std::function<void(const block::BadBlock& bad)> on_bad_block = {};

  // Everything small, so that tests meet the rare paths often.
  static Options Tiny();
};

// Makes an empty pool on a disk. in-use: there is one already (erase its first 8 KiB to reuse the disk).
// invalid-argument: the disk is smaller than eight segments, or the geometry is impossible. Durable when it answers OK.
Task<Status> Format(io::Disk& disk, block::PoolId id, FormatOptions options);

// Bytes that a pool would have on a disk of so many, made with the usual options; 0: it is too small.
uint64_t RoomOn(uint64_t disk_size);

// The pool is no more: marks the disk as free if it is, or was to become, one of the pool's. Durable when it answers
// OK. Nobody has the pool open.
Task<Status> Unmake(io::Disk& disk, block::PoolId pool);

// Whether there is a Lockstep pool on the disk, or a part of one, and which. not-found: it was removed from one.
// invalid-state: a crash kept it from becoming a part of one, unless that pool's other devices say that it is.
Task<Result<block::PoolId>> Identify(io::Disk& disk);

// Opens a pool: replays what the log holds behind the index's last checkpoint. `index_directory` is made when missing;
// an index that is missing, damaged, too old or another pool's is rebuilt from the device. corrupted: the device itself
// is damaged; then an index that was there is left as it is. Call on the data loop.
Task<Result<std::unique_ptr<block::Pool>>> Open(std::unique_ptr<io::Disk> disk, std::string index_directory,
                                                Options options, Seams seams);

// As Open, for a pool on any number of devices.
struct Opening {
  // All of the pool's devices, in any order. What is none of them is left alone; what was one and is so no more (a
  // removal that a crash cut short) is marked so.
  std::vector<DeviceFile> devices;
  std::string index_directory;
  block::PoolId pool;   // nil: whichever the first of the devices belongs to
  // Take in a pool that has been exported; otherwise that is invalid-state. It stays exported until Pool::Adopt.
  bool import = false;
};
// unavailable: a device of the pool is missing. in-use: two of them are the same one. not-found: what was named belongs
// to no pool any more. A pool of an older format version has the present one from now on.
Task<Result<std::unique_ptr<block::Pool>>> OpenDevices(Opening opening, Options options, Seams seams);

using block::CheckReport;
// pool.Check(): folds, then walks the whole index and holds live blocks of segments, blocks of layers and free segments
// against it.
Task<Result<CheckReport>> Check(block::Pool& pool);

}  // namespace lockstep::logstore
