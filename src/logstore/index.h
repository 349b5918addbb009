// The persistent map of a pool: which version of every block is where. The index is a checkpoint of the pool's log. The
// state after a crash is some earlier, complete fold, at least the last that was made durable; recovery replays the
// log from the position that this fold recorded.
//
// Tables in one key space:
//   current: (layer, chunk)         -> one map record (map_record.h): the newest folded versions
//   history: (layer, block, birth)  -> death, location, crc: versions that were replaced but that some retained
//                                      position p of the layer, birth <= p < death, still sees
//   deaths:  (layer, death, block, birth) -> nothing: the history in the order in which it may be forgotten
//   used:    layer                  -> number of blocks that the layer maps itself, LayerCounts
//   shortcut: (layer, chunk)        -> which ancestors hold what the layer does not (shortcut.h)
//   point:   point                  -> that part of the checkpoint's structure
//   segment: segment                -> number of live blocks, newest birth among them, SegmentTable::written
//   holes:   birth                  -> layer, block, count: the log's holes, as long as a rebuilding needs them
//   found:   birth, layer, block, location -> only while the index is rebuilt (rebuild.h)
//   time:    wall time              -> a position: entries behind it were written then or later
//
// Reads may run on several threads at once, and beside one writer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "io/background.h"
#include "io/clock.h"
#include "io/files.h"
#include "logstore/map_record.h"
#include "logstore/shortcut.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

struct IndexOptions {
  size_t cache_bytes = 64 << 20;     // blocks of the index kept in memory
  size_t memtable_bytes = 32 << 20;  // folded but not yet written out; two of these may exist
  io::Background* background = nullptr;  // null: threads of RocksDB's own
};

struct ChunkKey {
  LayerId layer = kNoLayer;
  uint64_t chunk = 0;
  auto operator<=>(const ChunkKey&) const = default;
};

// Where a checkpoint of the log stands.
struct Checkpoint {
  block::PoolId pool;     // whose index this is
  LogPosition position;   // everything before it is folded
  std::string structure;  // Structure::Encode
  uint64_t number = 0;           // counts the folds
  SequenceNumber log_start = 1;  // SegmentTable::log_start
  std::vector<LogPosition> places;  // before `position`, where a walk along the log can begin
};

// A replaced version, and the write that replaced it.
struct HistoryRecord {
  LayerId layer = kNoLayer;
  uint64_t block = 0;
  Version version;
  SequenceNumber death = 0;
};

struct SegmentCount {
  uint32_t segment = 0;
  uint32_t live = 0;
  SequenceNumber youngest = 0;
  SequenceNumber written = 0;
};

// A hole as the log has it.
struct HoleRecord {
  SequenceNumber birth = 0;
  LayerId layer = kNoLayer;
  uint64_t block = 0, count = 0;
  bool operator==(const HoleRecord&) const = default;
};

// What the rebuilding of an index has found on the device: a block, or blocks that are a hole.
struct FoundRecord {
  LayerId layer = kNoLayer;
  uint64_t block = 0;
  Version version;            // a hole has no location
  uint64_t count = 1;         // of blocks, when it is a hole
  SequenceNumber death = 0;   // when the place where it was found says so
  bool verified = false;      // its data was read and matches its checksum
  uint64_t rank = 0;          // of copies that match their checksum, that with the highest is where the block lived
};

// Entries behind `at` were written at `time` or later, those up to it not later.
struct TimeMark {
  io::WallTime time;
  SequenceNumber at = 0;
  bool operator==(const TimeMark&) const = default;
};

class Index {
 public:
  // Opens or makes the index in `directory`. Blocking. corrupted: it must be rebuilt (Destroy, then replay the whole
  // log).
  static Result<std::unique_ptr<Index>> Open(io::FileSystem& files, const std::string& directory,
                                             const IndexOptions& options, Log& log);
  // An index to be read only: nothing of it is changed, whatever state a crash has left it in. Blocking. corrupted: it
  // must be rebuilt. not-found: there is none. REQUIRES: nobody else has it open.
  static Result<std::unique_ptr<Index>> OpenReadOnly(io::FileSystem& files, const std::string& directory,
                                                     const IndexOptions& options, Log& log);
  // Removes all files of an index that is not open. Blocking.
  static Status Destroy(io::FileSystem& files, const std::string& directory);
  ~Index();
  // The index as it is now, to be read while the other goes on. Does not block. The other outlives it.
  std::unique_ptr<Index> Freeze() const;

  // What a reader may wait for.
  enum class Tier { kMemory, kDisk };
  // Fills those slots of `to` whose bit is set in `wanted` and that the layer itself holds as of position `at`, and
  // clears their bits. kMemory: unavailable, with nothing changed, when the answer needs the disk.
  Status Lookup(const ChunkKey& key, SequenceNumber at, Tier tier, uint16_t& wanted, ChunkVersions& to) const;
  // The same for who has the chunk's record already, and needs its history.
  Status LookupWith(const ChunkVersions& record, const ChunkKey& key, SequenceNumber at, Tier tier, uint16_t& wanted,
                    ChunkVersions& to) const;
  // The record of a chunk as it is. kMemory as for Lookup.
  Status LookupRecord(const ChunkKey& key, Tier tier, ChunkVersions& to) const;
  // The records of `keys` as they are, in the same order. Blocking.
  Status LookupAll(const std::vector<ChunkKey>& keys, std::vector<ChunkVersions>& to) const;
  // Chunks of the layer in [first, last] that have a current record or history, ascending, at most `limit`. Blocking.
  Result<std::vector<uint64_t>> Chunks(LayerId layer, uint64_t first, uint64_t last, size_t limit) const;

  // As LookupRecord. Empty: there is none, so nobody holds anything where the layer has shortcuts.
  Status LookupShortcut(const ChunkKey& key, Tier tier, Shortcut& to) const;
  // Chunks of the layer in [first, last] that have a shortcut, ascending, at most `limit`. Blocking.
  Result<std::vector<uint64_t>> ShortcutChunks(LayerId layer, uint64_t first, uint64_t last, size_t limit) const;
  // Ascending. Blocking.
  Result<std::vector<LayerId>> LayersWithShortcuts() const;

  // As folds and the flattener have counted them. Blocking.
  Result<std::vector<LayerCounts>> Layers() const;
  // The history record of a version, if there is one. kMemory as for Lookup.
  Result<std::optional<HistoryRecord>> FindHistory(LayerId layer, uint64_t block, SequenceNumber birth,
                                                   Tier tier = Tier::kDisk) const;
  // The span's history in the order of death, at most `limit`. Blocking.
  Result<std::vector<HistoryRecord>> HistoryByDeath(const DeathSpan& span, size_t limit) const;
  // Visits everything that the layer holds, or that all do (kNoLayer), until `visit` answers false. Blocking.
  using Visit = std::function<bool(LayerId layer, uint64_t block, const Version& version)>;
  Status VisitCurrent(LayerId layer, const Visit& visit) const;
  using VisitRecord = std::function<bool(const HistoryRecord& record)>;
  Status VisitHistory(LayerId layer, const VisitRecord& visit) const;
  // Live blocks of segments that are not free, as folds and moves have counted them. Blocking.
  Result<std::vector<SegmentCount>> Segments() const;
  // The last time mark not after `time`, and the first after it. Blocking.
  Result<std::optional<TimeMark>> MarkAt(io::WallTime time) const;
  Result<std::optional<TimeMark>> MarkAfter(io::WallTime time) const;
  // The marks before `time`, the newest first, at most `limit`. Blocking.
  Result<std::vector<TimeMark>> MarksBefore(io::WallTime time, size_t limit) const;
  // The last whose position is not behind `at`. Blocking.
  Result<std::optional<TimeMark>> MarkOf(SequenceNumber at) const;
  // nullopt for a new index. corrupted: also one whose rebuilding was not finished.
  Result<std::optional<Checkpoint>> LoadCheckpoint() const;
  // The log's holes from this birth on, ascending, at most `limit`. Blocking.
  Result<std::vector<HoleRecord>> Holes(SequenceNumber from, size_t limit) const;
  // Every hole that the log has had from this entry on is known; nullopt: nobody has written that down. Blocking.
  Result<std::optional<SequenceNumber>> HolesKnownFrom() const;
  // What was found, ascending by birth, layer, block and location, behind `after` (nullptr: from the first), at most
  // `limit`. Blocking.
  Result<std::vector<FoundRecord>> Found(const FoundRecord* after, size_t limit) const;

  // Changes that are applied together or not at all.
  class Batch {
   public:
    Batch();
    ~Batch();
    void PutChunk(const ChunkKey& key, const ChunkVersions& versions);
    // The chunks put so far, and none of them any more.
    std::vector<ChunkKey> TakeChanged();
    void PutHistory(LayerId layer, uint64_t block, const Version& version, SequenceNumber death);
    // Also forgets its death record. `death` is that of the record.
    void DropHistory(const HistoryRecord& record);
    // Parts of DropLayer: the layer's count of blocks and its chunks before `end_chunk`; its history before
    // `end_block`, without the death records.
    void DropChunks(LayerId layer, uint64_t end_chunk);
    void DropHistoryBefore(LayerId layer, uint64_t end_block);
    void PutLayer(const LayerCounts& counts);
    void PutShortcut(const ChunkKey& key, const Shortcut& shortcut);
    // Those of chunks before `end_chunk`.
    void DropShortcuts(LayerId layer, uint64_t end_chunk);
    void PutSegment(const SegmentCount& count);
    void DropSegment(uint32_t segment);
    void DropLayer(LayerId layer);
    void PutHole(const HoleRecord& hole);
    void DropHole(SequenceNumber birth);
    void PutHolesKnownFrom(SequenceNumber from);
    void PutFound(const FoundRecord& found);
    void DropFound(const FoundRecord& found);
    // Between these two the index is none yet.
    void BeginRebuild();
    void EndRebuild();
    void PutMark(const TimeMark& mark);
    void DropMarksBefore(io::WallTime time);
    // A point's part of the structure; none: it has been released.
    void PutPoint(const block::PointId& point, std::string_view record);
    // `structure`, without its points, may be empty: the one written before still holds.
    void PutCheckpoint(const block::PoolId& pool, const LogPosition& position, std::string_view structure,
                       uint64_t number, SequenceNumber log_start, const std::vector<LogPosition>& places);

   private:
    friend class Index;
    struct Rep;
    std::unique_ptr<Rep> rep_;
  };
  // Visible when it returns; durable after Persist, or earlier, but always as a whole. Blocking.
  Status Write(Batch& batch);
  // Makes durable what was written. Blocking.
  Status Persist();

 private:
  struct Rep;
  explicit Index(std::unique_ptr<Rep> rep);
  Status ExpandRanges(Batch& batch) const;
  Status AppendPoints(std::string& structure) const;
  std::unique_ptr<Rep> rep_;
};

}  // namespace lockstep::logstore
