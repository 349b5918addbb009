#include "logstore/index.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/codec.h"
#include "logstore/index_files.h"
#include "logstore/index_manifest.h"
#include "logstore/index_options.h"
#include "logstore/index_rep.h"
#include "logstore/read_only_files.h"

namespace lockstep::logstore {

Index::Index(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::Open(io::FileSystem& files, const std::string& directory,
                                           const IndexOptions& options, Log& log) {
  LS_ASSIGN_OR_RETURN(const bool trimmed, TrimManifest(files, directory));
  if (trimmed) log.Info("index in {}: its manifest had a torn end, which was cut off", directory);
  auto rep = std::make_unique<Rep>();
  rep->background = options.background;
  rep->env = MakeIndexEnv(files, options.background);
  rocksdb::DB* db = nullptr;
  rocksdb::Options o = DbOptions(rep->env.get(), options, log);
  o.wal_filter = &rep->log_filter;
  const auto s = rocksdb::DB::Open(o, directory, &db);
  rep->Settle();
  if (!s.ok()) return ToStatus(s).WithContext("cannot open the index in " + directory);
  rep->owned.reset(db);
  rep->db = db;
  return std::unique_ptr<Index>(new Index(std::move(rep)));
}

Result<std::unique_ptr<Index>> Index::OpenReadOnly(io::FileSystem& files, const std::string& directory,
                                                   const IndexOptions& options, Log& log) {
  const auto there = files.Stat(directory + "/CURRENT");
  if (there.status().code() == Code::kNotFound) return NotFound("there is no index in " + directory);
  LS_RETURN_IF_ERROR(there.status());
  LS_ASSIGN_OR_RETURN(std::optional<TornManifest> torn, FindTornManifest(files, directory));
  auto rep = std::make_unique<Rep>();
  rep->background = options.background;
  rep->read_only = ReadOnly(files, std::move(torn));
  rep->env = MakeIndexEnv(*rep->read_only, options.background);
  rocksdb::Options o = DbOptions(rep->env.get(), options, log);
  o.create_if_missing = false;
  o.wal_filter = &rep->log_filter;
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::OpenForReadOnly(o, directory, &db);
  rep->Settle();
  if (!s.ok()) return ToStatus(s).WithContext("cannot open the index in " + directory);
  rep->owned.reset(db);
  rep->db = db;
  return std::unique_ptr<Index>(new Index(std::move(rep)));
}

std::unique_ptr<Index> Index::Freeze() const {
  auto rep = std::make_unique<Rep>();
  rep->db = rep_->db;
  rep->snapshot = rep->db->GetSnapshot();
  return std::unique_ptr<Index>(new Index(std::move(rep)));
}

Status Index::Destroy(io::FileSystem& files, const std::string& directory) {
  // By hand and not by RocksDB's DestroyDB, which wants to read what may be damaged.
  const auto names = files.List(directory);
  if (!names.ok()) return names.status().code() == Code::kNotFound ? Status() : names.status();
  for (const std::string& name : *names) LS_RETURN_IF_ERROR(files.Remove(directory + "/" + name));
  return files.SyncDirectory(directory);
}

Status Index::LookupRecord(const ChunkKey& key, Tier tier, ChunkVersions& to) const {
  rocksdb::ReadOptions read = rep_->Reading();
  read.read_tier = tier == Tier::kMemory ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  rocksdb::PinnableSlice record;
  const auto s = rep_->db->Get(read, rep_->db->DefaultColumnFamily(), CurrentKey(key.layer, key.chunk), &record);
  if (!s.ok() && !s.IsNotFound()) return ToStatus(s);
  return DecodeMapRecord(View(record), to);
}

Status Index::Lookup(const ChunkKey& key, SequenceNumber at, Tier tier, uint16_t& wanted, ChunkVersions& to) const {
  ChunkVersions record;
  LS_RETURN_IF_ERROR(LookupRecord(key, tier, record));
  return LookupWith(record, key, at, tier, wanted, to);
}

Status Index::LookupWith(const ChunkVersions& record, const ChunkKey& key, SequenceNumber at, Tier tier,
                         uint16_t& wanted, ChunkVersions& to) const {
  rocksdb::ReadOptions read = rep_->Reading();
  read.read_tier = tier == Tier::kMemory ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  ChunkVersions found = {};
  const std::string lowest = HistoryKey(key.layer, key.chunk * kChunkBlocks, 0);
  const rocksdb::Slice bound(lowest);  // of a search backwards, as KeyRange has one
  read.iterate_lower_bound = &bound;
  std::unique_ptr<rocksdb::Iterator> history;
  for (uint16_t left = wanted; left != 0; left &= static_cast<uint16_t>(left - 1)) {
    const int slot = std::countr_zero(left);
    const Version& v = record[static_cast<size_t>(slot)];
    if (v.exists() && v.birth <= at) {
      found[static_cast<size_t>(slot)] = v;
      continue;
    }
    if (at == kNow) continue;
    if (!history) history.reset(rep_->db->NewIterator(read));
    const std::string wanted_key = HistoryKey(key.layer, key.chunk * kChunkBlocks + static_cast<uint64_t>(slot), at);
    history->SeekForPrev(wanted_key);
    if (!history->status().ok()) return ToStatus(history->status());
    if (!history->Valid() || history->key().size() != kHistoryKeySize) continue;
    const std::string_view k = View(history->key());
    if (k.substr(0, kHistoryKeySize - 8) != std::string_view(wanted_key).substr(0, kHistoryKeySize - 8)) continue;
    HistoryValue h;
    if (!DecodeHistory(View(history->value()), ReadBig(k.substr(kHistoryKeySize - 8)), h))
      return Corrupted("a history record of the index is damaged; rebuild the index from the log");
    if (at < h.death) found[static_cast<size_t>(slot)] = h.version;
  }
  for (uint32_t i = 0; i < kChunkBlocks; ++i) {
    if (!found[i].exists()) continue;
    to[i] = found[i];
    wanted &= static_cast<uint16_t>(~(1u << i));
  }
  return {};
}

Status Index::LookupAll(const std::vector<ChunkKey>& keys, std::vector<ChunkVersions>& to) const {
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const ChunkKey& k : keys) names.push_back(CurrentKey(k.layer, k.chunk));
  std::vector<rocksdb::Slice> slices(names.begin(), names.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  rep_->db->MultiGet(rep_->Reading(), rep_->db->DefaultColumnFamily(), keys.size(), slices.data(), values.data(),
                     statuses.data());
  to.resize(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!statuses[i].ok() && !statuses[i].IsNotFound()) return ToStatus(statuses[i]);
    LS_RETURN_IF_ERROR(DecodeMapRecord(View(values[i]), to[i]));
  }
  return {};
}

Result<std::vector<uint64_t>> Index::Chunks(LayerId layer, uint64_t first, uint64_t last, size_t limit) const {
  std::vector<uint64_t> current, history, merged;
  if (limit == 0) return merged;
  LS_RETURN_IF_ERROR(ForEachKey(*rep_->db, rep_->Reading(), CurrentKey(layer, first), CurrentKey(layer, last),
                                [&](std::string_view key, std::string_view) -> Result<bool> {
                                  current.push_back(ReadBig(key.substr(5, 6)));
                                  return current.size() < limit;
                                }));
  KeyRange range(*rep_->db, rep_->Reading(), HistoryKey(layer, first * kChunkBlocks, 0),
                 Behind(HistoryKey(layer, last * kChunkBlocks + kChunkBlocks - 1, UINT64_MAX)));
  while (range.Valid() && history.size() < limit) {
    history.push_back(ReadBig(range.key().substr(5, 6)) / kChunkBlocks);
    range.Seek(HistoryKey(layer, (history.back() + 1) * kChunkBlocks, 0));  // the next chunk, past this one's versions
  }
  LS_RETURN_IF_ERROR(range.status());
  std::set_union(current.begin(), current.end(), history.begin(), history.end(), std::back_inserter(merged));
  if (merged.size() > limit) merged.resize(limit);
  return merged;
}

Result<std::vector<LayerCounts>> Index::Layers() const {
  std::vector<LayerCounts> layers;
  LS_RETURN_IF_ERROR(ForEachKey(
      *rep_->db, rep_->Reading(), UsedKey(0), UsedKey(UINT32_MAX),
      [&](std::string_view key, std::string_view value) -> Result<bool> {
        LayerCounts counts{static_cast<LayerId>(ReadBig(key.substr(1)))};
        Decoder d(value);
        counts.used = d.Little<uint64_t>();
        if (d.remaining() != 0) {
          counts.written = d.Little<uint64_t>();
          counts.shortcuts = d.Little<uint64_t>();
        }
        if (!d.ok()) return Corrupted("a layer's record of the index is damaged; rebuild the index from the log");
        layers.push_back(counts);
        return true;
      }));
  return layers;
}

namespace {
LayerId FirstLayer(LayerId layer) {
  return layer == kNoLayer ? 0 : layer;
}
LayerId LastLayer(LayerId layer) {
  return layer == kNoLayer ? UINT32_MAX : layer;
}
}  // namespace

Result<std::optional<HistoryRecord>> Index::FindHistory(LayerId layer, uint64_t block, SequenceNumber birth,
                                                        Tier tier) const {
  std::string value;
  rocksdb::ReadOptions read = rep_->Reading();
  read.read_tier = tier == Tier::kMemory ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  const auto s = rep_->db->Get(read, HistoryKey(layer, block, birth), &value);
  if (s.IsNotFound()) return std::optional<HistoryRecord>();
  if (!s.ok()) return ToStatus(s);
  HistoryRecord record{layer, block, {}, 0};
  if (!DecodeHistory(value, birth, record)) return DamagedHistory();
  return std::optional(record);
}

Result<std::vector<HistoryRecord>> Index::HistoryByDeath(const DeathSpan& span, size_t limit) const {
  std::vector<HistoryRecord> found;
  if (span.death > span.upto) return found;
  LS_RETURN_IF_ERROR(ForEachKey(*rep_->db, rep_->Reading(), DeathKey(span.layer, span.death, span.block, span.birth),
                                DeathKey(span.layer, span.upto, (uint64_t{1} << 48) - 1, UINT64_MAX),
                                [&](std::string_view key, std::string_view) -> Result<bool> {
                                  if (key.size() != kDeathKeySize) return DamagedHistory();
                                  const SequenceNumber death = ReadBig(key.substr(5, 8));
                                  HistoryRecord r{span.layer, ReadBig(key.substr(13, 6)), {}, death};
                                  r.version.birth = ReadBig(key.substr(19));
                                  found.push_back(r);
                                  return found.size() < limit;
                                }));
  for (HistoryRecord& r : found) {
    LS_ASSIGN_OR_RETURN(const auto record, FindHistory(r.layer, r.block, r.version.birth));
    if (record) r = *record;
  }
  return found;
}

Status Index::VisitCurrent(LayerId layer, const Visit& visit) const {
  return ForEachKey(*rep_->db, rep_->Reading(), CurrentKey(FirstLayer(layer), 0),
                    CurrentKey(LastLayer(layer), (uint64_t{1} << 48) - 1),
                    [&](std::string_view key, std::string_view value) -> Result<bool> {
                      ChunkVersions versions;
                      LS_RETURN_IF_ERROR(DecodeMapRecord(value, versions));
                      const auto owner = static_cast<LayerId>(ReadBig(key.substr(1, 4)));
                      const uint64_t first = ReadBig(key.substr(5)) * kChunkBlocks;
                      for (uint32_t i = 0; i < kChunkBlocks; ++i)
                        if (versions[i].exists() && !visit(owner, first + i, versions[i])) return false;
                      return true;
                    });
}

Status Index::VisitHistory(LayerId layer, const VisitRecord& visit) const {
  return ForEachKey(*rep_->db, rep_->Reading(), HistoryKey(FirstLayer(layer), 0, 0),
                    HistoryKey(LastLayer(layer), (uint64_t{1} << 48) - 1, UINT64_MAX),
                    [&](std::string_view key, std::string_view value) -> Result<bool> {
                      if (key.size() != kHistoryKeySize) return DamagedHistory();
                      const auto owner = static_cast<LayerId>(ReadBig(key.substr(1, 4)));
                      HistoryRecord r{owner, ReadBig(key.substr(5, 6)), {}, 0};
                      if (!DecodeHistory(value, ReadBig(key.substr(11)), r)) return DamagedHistory();
                      return visit(r);
                    });
}

Result<std::vector<SegmentCount>> Index::Segments() const {
  std::vector<SegmentCount> counts;
  LS_RETURN_IF_ERROR(ForEachKey(*rep_->db, rep_->Reading(), SegmentKey(0), SegmentKey(UINT32_MAX),
                                [&](std::string_view key, std::string_view value) -> Result<bool> {
                                  Decoder d(value);
                                  SegmentCount c;
                                  c.segment = static_cast<uint32_t>(ReadBig(key.substr(1)));
                                  c.live = d.Little<uint32_t>();
                                  c.youngest = d.Little<uint64_t>();
                                  if (d.remaining() != 0) c.written = d.Little<uint64_t>();
                                  if (!d.ok()) return Corrupted("a segment record of the index is damaged");
                                  counts.push_back(c);
                                  return true;
                                }));
  return counts;
}

namespace {
Result<std::optional<TimeMark>> MarkUnder(const rocksdb::Iterator& it) {
  if (!it.status().ok()) return ToStatus(it.status());
  if (!it.Valid() || it.key().size() != 9 || it.key()[0] != kTime) return std::optional<TimeMark>();
  TimeMark mark{{static_cast<int64_t>(ReadBig(View(it.key()).substr(1)))}, 0};
  Decoder d(View(it.value()));
  mark.at = d.Little<uint64_t>();
  if (!d.ok()) return Corrupted("a time mark of the index is damaged");
  return std::optional(mark);
}
}  // namespace

Result<std::optional<TimeMark>> Index::MarkAt(io::WallTime time) const {
  const std::unique_ptr<rocksdb::Iterator> it(rep_->db->NewIterator(rep_->Reading()));
  it->SeekForPrev(TimeKey(time));
  return MarkUnder(*it);
}

Result<std::optional<TimeMark>> Index::MarkAfter(io::WallTime time) const {
  const std::unique_ptr<rocksdb::Iterator> it(rep_->db->NewIterator(rep_->Reading()));
  it->Seek(TimeKey({time.us + 1}));
  return MarkUnder(*it);
}

Result<std::vector<TimeMark>> Index::MarksBefore(io::WallTime time, size_t limit) const {
  std::vector<TimeMark> marks;
  const std::unique_ptr<rocksdb::Iterator> it(rep_->db->NewIterator(rep_->Reading()));
  for (it->SeekForPrev(TimeKey({time.us - 1})); marks.size() < limit; it->Prev()) {
    LS_ASSIGN_OR_RETURN(const std::optional<TimeMark> mark, MarkUnder(*it));
    if (!mark) break;
    marks.push_back(*mark);
  }
  return marks;
}

Result<std::optional<TimeMark>> Index::MarkOf(SequenceNumber at) const {
  // Both grow together, so halving the time finds the position.
  LS_ASSIGN_OR_RETURN(const auto first, MarkAfter({-1}));
  if (!first || first->at > at) return std::optional<TimeMark>();
  LS_ASSIGN_OR_RETURN(const auto last, MarkAt({INT64_MAX}));
  TimeMark found = *first;
  int64_t end = last->time.us + 1;  // the answer lies before
  while (found.time.us + 1 < end) {
    const int64_t middle = found.time.us + (end - found.time.us) / 2;
    LS_ASSIGN_OR_RETURN(const auto mark, MarkAt({middle}));
    if (mark->at > at) {
      end = mark->time.us;
    } else {
      found = *mark;
      LS_ASSIGN_OR_RETURN(const auto next, MarkAfter(mark->time));
      if (!next || next->at > at) break;
      found = *next;
    }
  }
  return std::optional(found);
}

Result<std::optional<Checkpoint>> Index::LoadCheckpoint() const {
  std::string position, structure;
  auto s = rep_->db->Get(rep_->Reading(), kRebuildingKey, &position);
  if (s.ok()) return Corrupted("the index was being rebuilt when the program ended");
  if (!s.IsNotFound()) return ToStatus(s);
  s = rep_->db->Get(rep_->Reading(), kPositionKey, &position);
  if (s.IsNotFound()) return std::optional<Checkpoint>();
  if (s.ok()) s = rep_->db->Get(rep_->Reading(), kStructureKey, &structure);
  if (!s.ok()) return ToStatus(s);
  Decoder d(position);
  Checkpoint c;
  d.Bytes(c.pool.uuid.bytes);
  c.position = GetPosition(d);
  c.number = d.Little<uint64_t>();
  c.log_start = d.Little<uint64_t>();
  while (d.ok() && d.remaining() != 0) c.places.push_back(GetPosition(d));
  if (!d.ok()) return Corrupted("the index's checkpoint is damaged; rebuild the index from the log");
  c.structure = std::move(structure);
  LS_RETURN_IF_ERROR(AppendPoints(c.structure));
  return std::optional(std::move(c));
}

Result<std::vector<HoleRecord>> Index::Holes(SequenceNumber from, size_t limit) const {
  std::vector<HoleRecord> holes;
  LS_RETURN_IF_ERROR(
      ForEachKey(*rep_->db, rep_->Reading(), HoleKey(from), HoleKey(UINT64_MAX),
                 [&](std::string_view key, std::string_view value) {
        Decoder d(value);
        HoleRecord h;
        h.birth = ReadBig(key.substr(1));
        h.layer = d.Little<uint32_t>();
        h.block = d.Little<uint64_t>();
        h.count = d.Little<uint64_t>();
        if (!d.ok()) return Result<bool>(Corrupted("a hole record of the index is damaged"));
        holes.push_back(h);
        return Result<bool>(holes.size() < limit);
      }));
  return holes;
}

Result<std::optional<SequenceNumber>> Index::HolesKnownFrom() const {
  std::string value;
  const auto s = rep_->db->Get(rocksdb::ReadOptions(), kHolesFromKey, &value);
  if (s.IsNotFound()) return std::optional<SequenceNumber>();
  if (!s.ok()) return ToStatus(s);
  return std::optional(Decoder(value).Little<uint64_t>());
}

Result<std::vector<FoundRecord>> Index::Found(const FoundRecord* after, size_t limit) const {
  std::vector<FoundRecord> found;
  std::string first(1, kFound);
  if (after) first = FoundKey(*after) + '\0';
  LS_RETURN_IF_ERROR(ForEachKey(
      *rep_->db, rep_->Reading(), first, std::string(1, kFound) + std::string(kFoundKeySize, '\xff'),
      [&](std::string_view key, std::string_view value) {
        Decoder d(value);
        FoundRecord f;
        if (key.size() == kFoundKeySize) {
          f.version.birth = ReadBig(key.substr(1, 8));
          f.layer = static_cast<LayerId>(ReadBig(key.substr(9, 4)));
          f.block = ReadBig(key.substr(13, 6));
          f.version.location = ReadBig(key.substr(19));
          f.version.crc = d.Little<uint32_t>();
          f.count = d.Little<uint64_t>();
          f.death = d.Little<uint64_t>();
          f.verified = d.Little<uint8_t>() != 0;
          f.rank = d.Little<uint64_t>();
        }
        if (key.size() != kFoundKeySize || !d.ok()) return Result<bool>(Corrupted("a found record is damaged"));
        found.push_back(f);
        return Result<bool>(found.size() < limit);
      }));
  return found;
}

}  // namespace lockstep::logstore
