// The index's keys and values in RocksDB, for the files that make up Index. docs/format/log.md lists them.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "logstore/index.h"
#include "logstore/index_log.h"

namespace lockstep::logstore {

inline constexpr char kCurrent = 'c', kHistory = 'h', kDeath = 'd', kUsed = 'u', kSegment = 's', kTime = 't',
                      kHoles = 'o', kFound = 'r', kPoint = 'p', kShortcut = 'f';
// and "m...": the checkpoint
inline const rocksdb::Slice kRebuildingKey = "mrebuilding", kHolesFromKey = "mholes";
inline const rocksdb::Slice kPositionKey = "mposition", kStructureKey = "mstructure";

inline void AppendBig(std::string& out, uint64_t v, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(v >> (8 * i)));
}
inline uint64_t ReadBig(std::string_view in) {
  uint64_t v = 0;
  for (char c : in) v = v << 8 | static_cast<uint8_t>(c);
  return v;
}

// Big-endian, so that RocksDB's order is by layer, then by place.
inline constexpr size_t kHistoryKeySize = 1 + 4 + 6 + 8;
inline std::string CurrentKey(LayerId layer, uint64_t chunk) {
  std::string k(1, kCurrent);
  AppendBig(k, layer, 4);
  AppendBig(k, chunk, 6);
  return k;
}
inline std::string HistoryKey(LayerId layer, uint64_t block, SequenceNumber birth) {
  std::string k(1, kHistory);
  AppendBig(k, layer, 4);
  AppendBig(k, block, 6);
  AppendBig(k, birth, 8);
  return k;
}
inline constexpr size_t kDeathKeySize = 1 + 4 + 8 + 6 + 8;
inline std::string DeathKey(LayerId layer, SequenceNumber death, uint64_t block, SequenceNumber birth) {
  std::string k(1, kDeath);
  AppendBig(k, layer, 4);
  AppendBig(k, death, 8);
  AppendBig(k, block, 6);
  AppendBig(k, birth, 8);
  return k;
}
inline std::string SegmentKey(uint32_t segment) {
  std::string k(1, kSegment);
  AppendBig(k, segment, 4);
  return k;
}
inline std::string UsedKey(LayerId layer) {
  std::string k(1, kUsed);
  AppendBig(k, layer, 4);
  return k;
}
inline std::string HoleKey(SequenceNumber birth) {
  std::string k(1, kHoles);
  AppendBig(k, birth, 8);
  return k;
}
inline constexpr size_t kFoundKeySize = 1 + 8 + 4 + 6 + 8;
inline std::string FoundKey(const FoundRecord& found) {
  std::string k(1, kFound);
  AppendBig(k, found.version.birth, 8);
  AppendBig(k, found.layer, 4);
  AppendBig(k, found.block, 6);
  AppendBig(k, found.version.location, 8);  // copies of one version stand side by side
  return k;
}
// The first key of the table behind the layer's last one.
inline std::string LayerEnd(char table, LayerId layer) {
  std::string k(1, layer == UINT32_MAX ? static_cast<char>(table + 1) : table);
  AppendBig(k, uint64_t{layer} + 1, 4);
  return k;
}

inline std::string TimeKey(io::WallTime time) {
  std::string k(1, kTime);
  AppendBig(k, static_cast<uint64_t>(std::max<int64_t>(0, time.us)), 8);
  return k;
}

using HistoryValue = HistoryRecord;  // without layer and block, which are in the key
inline std::string EncodeHistory(const Version& v, SequenceNumber death) {
  std::string out;
  Encoder(out).Little(death).Little(v.location).Little(v.crc);
  return out;
}
inline bool DecodeHistory(std::string_view in, SequenceNumber birth, HistoryValue& out) {
  Decoder d(in);
  out.death = d.Little<uint64_t>();
  out.version.birth = birth;
  out.version.location = d.Little<uint64_t>();
  out.version.crc = d.Little<uint32_t>();
  return d.ok();
}

inline Status ToStatus(const rocksdb::Status& s) {
  if (s.ok()) return {};
  if (s.IsIncomplete()) return {Code::kUnavailable, "not in memory"};
  if (s.IsNoSpace()) return NoSpace("the index's file system is full: " + s.ToString());
  if (s.IsCorruption()) return Corrupted("the index is damaged; it can be rebuilt from the log: " + s.ToString());
  return IoError("index: " + s.ToString());
}

inline std::string_view View(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

inline Status DamagedHistory() {
  return Corrupted("a history record of the index is damaged; rebuild the index from the log");
}
// Of the keys [first, end). The bound is RocksDB's too: without it a search that finds nothing would go on through all
// that has been deleted behind the end, until something is there.
class KeyRange {
 public:
  KeyRange(rocksdb::DB& db, rocksdb::ReadOptions read, std::string first, std::string end)
      : end_(std::move(end)), bound_(end_) {
    read.iterate_upper_bound = &bound_;
    it_.reset(db.NewIterator(read));
    Seek(first);
  }
  KeyRange(const KeyRange&) = delete;

  void Seek(const std::string& key) { it_->Seek(key); }
  // False at the end, and after an error, which status() says.
  bool Valid() const { return it_->Valid(); }
  void Next() { it_->Next(); }
  std::string_view key() const { return View(it_->key()); }
  std::string_view value() const { return View(it_->value()); }
  Status status() const { return ToStatus(it_->status()); }

 private:
  const std::string end_;
  const rocksdb::Slice bound_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

// The first key behind `last`.
inline std::string Behind(std::string last) {
  last.push_back('\0');
  return last;
}

// Calls visit(key, value) for the keys from `first` on, as long as they are at most `last` and it answers true or an
// error.
template <typename Visit>
Status ForEachKey(rocksdb::DB& db, const rocksdb::ReadOptions& read, const std::string& first, const std::string& last,
                  Visit visit) {
  KeyRange range(db, read, first, Behind(last));
  for (; range.Valid(); range.Next()) {
    LS_ASSIGN_OR_RETURN(const bool go_on, visit(range.key(), range.value()));
    if (!go_on) break;
  }
  return range.status();
}

struct Index::Rep {
  io::Background* background = nullptr;
  std::unique_ptr<io::FileSystem> read_only;  // what `env` goes through, when nothing may be changed
  std::unique_ptr<rocksdb::Env> env;
  UpToTheGap log_filter;
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

}  // namespace lockstep::logstore
