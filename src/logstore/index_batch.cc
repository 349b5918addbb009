// Writing to the index.
#include "logstore/index_rep.h"

namespace lockstep::logstore {

Index::Batch::Batch() : rep_(std::make_unique<Rep>()) {}
Index::Batch::~Batch() = default;

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
void Index::Batch::PutLayer(const LayerCounts& counts) {
  std::string value;
  Encoder(value).Little(counts.used).Little(counts.written).Little(counts.shortcuts);
  rep_->batch.Put(UsedKey(counts.layer), value);
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
  for (const char table : {kCurrent, kHistory, kDeath, kShortcut}) {
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

Status Index::ExpandRanges(Batch& batch) const {
  for (const auto& [first, end] : batch.rep_->ranges) {
    KeyRange range(*rep_->db, rocksdb::ReadOptions(), first, end);
    for (; range.Valid(); range.Next()) {
      const std::string_view key = range.key();
      batch.rep_->batch.Delete(rocksdb::Slice(key.data(), key.size()));
      HistoryRecord r;
      if (key[0] != kHistory || key.size() != kHistoryKeySize) continue;
      if (!DecodeHistory(range.value(), ReadBig(key.substr(11)), r)) return DamagedHistory();
      batch.rep_->batch.Delete(DeathKey(static_cast<LayerId>(ReadBig(key.substr(1, 4))), r.death,
                                        ReadBig(key.substr(5, 6)), r.version.birth));
    }
    LS_RETURN_IF_ERROR(range.status());
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
