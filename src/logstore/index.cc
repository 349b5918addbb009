#include "logstore/index.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/codec.h"
#include "logstore/index_files.h"
#include "logstore/index_manifest.h"
#include "logstore/index_options.h"
#include "logstore/read_only_files.h"

namespace lockstep::logstore {
namespace {

constexpr char kCurrent = 'c', kHistory = 'h', kDeath = 'd', kUsed = 'u', kSegment = 's', kTime = 't', kHoles = 'o',
               kFound = 'r';
// and "m...": the checkpoint
const rocksdb::Slice kRebuildingKey = "mrebuilding", kHolesFromKey = "mholes";
const rocksdb::Slice kPositionKey = "mposition", kStructureKey = "mstructure";

void AppendBig(std::string& out, uint64_t v, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(v >> (8 * i)));
}
uint64_t ReadBig(std::string_view in) {
  uint64_t v = 0;
  for (char c : in) v = v << 8 | static_cast<uint8_t>(c);
  return v;
}

// Big-endian, so that RocksDB's order is by layer, then by place.
constexpr size_t kHistoryKeySize = 1 + 4 + 6 + 8;
std::string CurrentKey(LayerId layer, uint64_t chunk) {
  std::string k(1, kCurrent);
  AppendBig(k, layer, 4);
  AppendBig(k, chunk, 6);
  return k;
}
std::string HistoryKey(LayerId layer, uint64_t block, SequenceNumber birth) {
  std::string k(1, kHistory);
  AppendBig(k, layer, 4);
  AppendBig(k, block, 6);
  AppendBig(k, birth, 8);
  return k;
}
constexpr size_t kDeathKeySize = 1 + 4 + 8 + 6 + 8;
std::string DeathKey(LayerId layer, SequenceNumber death, uint64_t block, SequenceNumber birth) {
  std::string k(1, kDeath);
  AppendBig(k, layer, 4);
  AppendBig(k, death, 8);
  AppendBig(k, block, 6);
  AppendBig(k, birth, 8);
  return k;
}
std::string SegmentKey(uint32_t segment) {
  std::string k(1, kSegment);
  AppendBig(k, segment, 4);
  return k;
}
std::string UsedKey(LayerId layer) {
  std::string k(1, kUsed);
  AppendBig(k, layer, 4);
  return k;
}
std::string HoleKey(SequenceNumber birth) {
  std::string k(1, kHoles);
  AppendBig(k, birth, 8);
  return k;
}
constexpr size_t kFoundKeySize = 1 + 8 + 4 + 6 + 8;
std::string FoundKey(const FoundRecord& found) {
  std::string k(1, kFound);
  AppendBig(k, found.version.birth, 8);
  AppendBig(k, found.layer, 4);
  AppendBig(k, found.block, 6);
  AppendBig(k, found.version.location, 8);  // copies of one version stand side by side
  return k;
}
// The first key of the table behind the layer's last one.
std::string LayerEnd(char table, LayerId layer) {
  std::string k(1, layer == UINT32_MAX ? static_cast<char>(table + 1) : table);
  AppendBig(k, uint64_t{layer} + 1, 4);
  return k;
}

std::string TimeKey(io::WallTime time) {
  std::string k(1, kTime);
  AppendBig(k, static_cast<uint64_t>(std::max<int64_t>(0, time.us)), 8);
  return k;
}

using HistoryValue = HistoryRecord;  // without layer and block, which are in the key
std::string EncodeHistory(const Version& v, SequenceNumber death) {
  std::string out;
  Encoder(out).Little(death).Little(v.location).Little(v.crc);
  return out;
}
bool DecodeHistory(std::string_view in, SequenceNumber birth, HistoryValue& out) {
  Decoder d(in);
  out.death = d.Little<uint64_t>();
  out.version.birth = birth;
  out.version.location = d.Little<uint64_t>();
  out.version.crc = d.Little<uint32_t>();
  return d.ok();
}

Status ToStatus(const rocksdb::Status& s) {
  if (s.ok()) return {};
  if (s.IsIncomplete()) return {Code::kUnavailable, "not in memory"};
  if (s.IsNoSpace()) return NoSpace("the index's file system is full: " + s.ToString());
  if (s.IsCorruption()) return Corrupted("the index is damaged; it can be rebuilt from the log: " + s.ToString());
  return IoError("index: " + s.ToString());
}

std::string_view View(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

}  // namespace

struct Index::Rep {
  io::Background* background = nullptr;
  std::unique_ptr<io::FileSystem> read_only;  // what `env` goes through, when nothing may be changed
  std::unique_ptr<rocksdb::Env> env;
  std::unique_ptr<rocksdb::DB> owned;  // not that of a frozen view
  rocksdb::DB* db = nullptr;
  const rocksdb::Snapshot* snapshot = nullptr;
  std::mutex changing;  // guards `failure`; a checkpoint and the next fold come from two of the executor's threads
  Status failure;

  ~Rep() {
    if (snapshot) db->ReleaseSnapshot(snapshot);
    owned.reset();
    Settle();
  }
  // What a call has started in the background is over, where that has to happen in the same order every time.
  void Settle() const {
    if (background != nullptr) background->Settle();
  }
  // One at a time, and none after one that has failed: RocksDB (7.8) ends the process when its log is used again.
  template <typename Work>
  Status Change(const Work& work) {
    const std::lock_guard lock(changing);
    if (!failure.ok()) return failure;
    failure = ToStatus(work());
    Settle();
    return failure;
  }
  rocksdb::ReadOptions Reading() const {
    rocksdb::ReadOptions read;
    read.snapshot = snapshot;
    return read;
  }
};
struct Index::Batch::Rep {
  rocksdb::WriteBatch batch;
  std::vector<ChunkKey> changed;
  // Keys [first, end) that go. Deleted one by one, when it is written, and not by DeleteRange: where there are range
  // tombstones, iterators of RocksDB before 8.6 take a block that cannot be read, or is not in memory when only memory
  // is asked, for one that holds nothing, and a lookup answers with an older version.
  std::vector<std::pair<std::string, std::string>> ranges;
};

Index::Batch::Batch() : rep_(std::make_unique<Rep>()) {}
Index::Batch::~Batch() = default;
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
  const auto s = rocksdb::DB::Open(DbOptions(rep->env.get(), options, log), directory, &db);
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
  rocksdb::ReadOptions read = rep_->Reading();
  read.read_tier = tier == Tier::kMemory ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  ChunkVersions current;
  LS_RETURN_IF_ERROR(LookupRecord(key, tier, current));

  ChunkVersions found = {};
  std::unique_ptr<rocksdb::Iterator> history;
  for (uint16_t left = wanted; left != 0; left &= static_cast<uint16_t>(left - 1)) {
    const int slot = std::countr_zero(left);
    const Version& v = current[static_cast<size_t>(slot)];
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
  std::unique_ptr<rocksdb::Iterator> it(rep_->db->NewIterator(rep_->Reading()));
  const std::string end = CurrentKey(layer, last);
  for (it->Seek(CurrentKey(layer, first)); it->Valid() && current.size() < limit; it->Next()) {
    if (View(it->key()) > end) break;
    current.push_back(ReadBig(View(it->key()).substr(5, 6)));
  }
  if (!it->status().ok()) return ToStatus(it->status());
  const std::string history_end = HistoryKey(layer, last * kChunkBlocks + kChunkBlocks - 1, UINT64_MAX);
  it->Seek(HistoryKey(layer, first * kChunkBlocks, 0));
  while (it->Valid() && history.size() < limit && View(it->key()) <= history_end) {
    history.push_back(ReadBig(View(it->key()).substr(5, 6)) / kChunkBlocks);
    it->Seek(HistoryKey(layer, (history.back() + 1) * kChunkBlocks, 0));  // the next chunk, past this one's versions
  }
  if (!it->status().ok()) return ToStatus(it->status());
  std::set_union(current.begin(), current.end(), history.begin(), history.end(), std::back_inserter(merged));
  if (merged.size() > limit) merged.resize(limit);
  return merged;
}

Result<std::vector<std::pair<LayerId, uint64_t>>> Index::UsedBlocks() const {
  std::vector<std::pair<LayerId, uint64_t>> used;
  std::unique_ptr<rocksdb::Iterator> it(rep_->db->NewIterator(rep_->Reading()));
  for (it->Seek(rocksdb::Slice(&kUsed, 1)); it->Valid() && it->key().size() == 5 && it->key()[0] == kUsed; it->Next())
    used.emplace_back(static_cast<LayerId>(ReadBig(View(it->key()).substr(1))),
                      Decoder(View(it->value())).Little<uint64_t>());
  if (!it->status().ok()) return ToStatus(it->status());
  return used;
}

namespace {
Status DamagedHistory() {
  return Corrupted("a history record of the index is damaged; rebuild the index from the log");
}
// Calls visit(key, value) for the keys from `first` on, as long as they are at most `last` and it answers true or an
// error.
template <typename Visit>
Status ForEachKey(rocksdb::DB& db, const rocksdb::ReadOptions& read, const std::string& first, const std::string& last,
                  Visit visit) {
  std::unique_ptr<rocksdb::Iterator> it(db.NewIterator(read));
  for (it->Seek(first); it->Valid() && View(it->key()) <= last; it->Next()) {
    LS_ASSIGN_OR_RETURN(const bool go_on, visit(View(it->key()), View(it->value())));
    if (!go_on) break;
  }
  return ToStatus(it->status());
}
LayerId FirstLayer(LayerId layer) {
  return layer == kNoLayer ? 0 : layer;
}
LayerId LastLayer(LayerId layer) {
  return layer == kNoLayer ? UINT32_MAX : layer;
}
}  // namespace

Result<std::optional<HistoryRecord>> Index::FindHistory(LayerId layer, uint64_t block, SequenceNumber birth) const {
  std::string value;
  const auto s = rep_->db->Get(rep_->Reading(), HistoryKey(layer, block, birth), &value);
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
  return std::optional(std::move(c));
}

void Index::Batch::PutChunk(const ChunkKey& key, const ChunkVersions& versions) {
  const std::string record = EncodeMapRecord(versions), name = CurrentKey(key.layer, key.chunk);
  rep_->changed.push_back(key);
  if (record.empty())
    rep_->batch.Delete(name);
  else
    rep_->batch.Put(name, record);
}
std::vector<ChunkKey> Index::Batch::TakeChanged() {
  return std::exchange(rep_->changed, {});
}
void Index::Batch::PutHistory(LayerId layer, uint64_t block, const Version& version, SequenceNumber death) {
  rep_->batch.Put(HistoryKey(layer, block, version.birth), EncodeHistory(version, death));
  rep_->batch.Put(DeathKey(layer, death, block, version.birth), rocksdb::Slice());
}
void Index::Batch::DropHistory(const HistoryRecord& r) {
  rep_->batch.Delete(HistoryKey(r.layer, r.block, r.version.birth));
  rep_->batch.Delete(DeathKey(r.layer, r.death, r.block, r.version.birth));
}
void Index::Batch::DropChunks(LayerId layer, uint64_t end_chunk) {
  rep_->batch.Delete(UsedKey(layer));
  rep_->ranges.emplace_back(CurrentKey(layer, 0), CurrentKey(layer, end_chunk));
}
void Index::Batch::DropHistoryBefore(LayerId layer, uint64_t end_block) {
  rep_->ranges.emplace_back(HistoryKey(layer, 0, 0), HistoryKey(layer, end_block, 0));
}
void Index::Batch::PutSegment(const SegmentCount& count) {
  std::string value;
  Encoder(value).Little(count.live).Little(count.youngest).Little(count.written);
  rep_->batch.Put(SegmentKey(count.segment), value);
}
void Index::Batch::DropSegment(uint32_t segment) {
  rep_->batch.Delete(SegmentKey(segment));
}
void Index::Batch::PutUsedBlocks(LayerId layer, uint64_t blocks) {
  std::string value;
  Encoder(value).Little(blocks);
  rep_->batch.Put(UsedKey(layer), value);
}
void Index::Batch::PutMark(const TimeMark& mark) {
  std::string value;
  Encoder(value).Little(mark.at);
  rep_->batch.Put(TimeKey(mark.time), value);
}
void Index::Batch::DropMarksBefore(io::WallTime time) {
  rep_->ranges.emplace_back(TimeKey({0}), TimeKey(time));
}
void Index::Batch::DropLayer(LayerId layer) {
  rep_->batch.Delete(UsedKey(layer));
  for (const char table : {kCurrent, kHistory, kDeath}) {
    std::string first(1, table);
    AppendBig(first, layer, 4);
    rep_->ranges.emplace_back(first, LayerEnd(table, layer));
  }
}
void Index::Batch::PutCheckpoint(const block::PoolId& pool, const LogPosition& position, std::string_view structure,
                                 uint64_t number, SequenceNumber log_start,
                                 const std::vector<LogPosition>& places) {
  std::string value;
  Encoder e(value);
  e.Bytes(pool.uuid.bytes);
  PutPosition(e, position);
  e.Little(number).Little(log_start);
  for (const LogPosition& place : places) PutPosition(e, place);
  rep_->batch.Put(kPositionKey, value);
  if (!structure.empty()) rep_->batch.Put(kStructureKey, rocksdb::Slice(structure.data(), structure.size()));
}

void Index::Batch::PutHole(const HoleRecord& hole) {
  std::string value;
  Encoder(value).Little(hole.layer).Little(hole.block).Little(hole.count);
  rep_->batch.Put(HoleKey(hole.birth), value);
}
void Index::Batch::DropHole(SequenceNumber birth) {
  rep_->batch.Delete(HoleKey(birth));
}
void Index::Batch::PutHolesKnownFrom(SequenceNumber from) {
  std::string value;
  Encoder(value).Little(from);
  rep_->batch.Put(kHolesFromKey, value);
}
void Index::Batch::PutFound(const FoundRecord& f) {
  std::string value;
  Encoder(value).Little(f.version.crc).Little(f.count).Little(f.death);
  Encoder(value).Little(static_cast<uint8_t>(f.verified ? 1 : 0)).Little(f.rank);
  rep_->batch.Put(FoundKey(f), value);
}
void Index::Batch::DropFound(const FoundRecord& f) {
  rep_->batch.Delete(FoundKey(f));
}
void Index::Batch::BeginRebuild() {
  rep_->batch.Put(kRebuildingKey, "");
}
void Index::Batch::EndRebuild() {
  rep_->batch.Delete(kRebuildingKey);
  rep_->ranges.emplace_back(std::string(1, kFound), std::string(1, kFound + 1));
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

Status Index::ExpandRanges(Batch& batch) const {
  std::unique_ptr<rocksdb::Iterator> it(rep_->db->NewIterator(rocksdb::ReadOptions()));
  for (const auto& [first, end] : batch.rep_->ranges) {
    for (it->Seek(first); it->Valid() && View(it->key()) < end; it->Next()) {
      const std::string_view key = View(it->key());
      batch.rep_->batch.Delete(it->key());
      HistoryRecord r;
      if (key[0] != kHistory || key.size() != kHistoryKeySize) continue;
      if (!DecodeHistory(View(it->value()), ReadBig(key.substr(11)), r)) return DamagedHistory();
      batch.rep_->batch.Delete(DeathKey(static_cast<LayerId>(ReadBig(key.substr(1, 4))), r.death,
                                        ReadBig(key.substr(5, 6)), r.version.birth));
    }
    if (!it->status().ok()) return ToStatus(it->status());
  }
  return {};
}

Status Index::Write(Batch& batch) {
  LS_RETURN_IF_ERROR(ExpandRanges(batch));
  batch.rep_->ranges.clear();
  return rep_->Change([&] { return rep_->db->Write(rocksdb::WriteOptions(), &batch.rep_->batch); });
}

Status Index::Persist() {
  return rep_->Change([&] { return rep_->db->FlushWAL(true); });
}

}  // namespace lockstep::logstore
