// The index's shortcuts and points: what came after its first tables.
#include "logstore/index_rep.h"

namespace lockstep::logstore {
namespace {

std::string ShortcutKey(LayerId layer, uint64_t chunk) {
  std::string k(1, kShortcut);
  AppendBig(k, layer, 4);
  AppendBig(k, chunk, 6);
  return k;
}
std::string PointKey(const block::PointId& point) {
  return std::string(1, kPoint).append(reinterpret_cast<const char*>(point.uuid.bytes.data()),
                                       point.uuid.bytes.size());
}

}  // namespace

Status Index::LookupShortcut(const ChunkKey& key, Tier tier, Shortcut& to) const {
  rocksdb::ReadOptions read = rep_->Reading();
  read.read_tier = tier == Tier::kMemory ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  rocksdb::PinnableSlice record;
  const auto s = rep_->db->Get(read, rep_->db->DefaultColumnFamily(), ShortcutKey(key.layer, key.chunk), &record);
  if (!s.ok() && !s.IsNotFound()) return ToStatus(s);
  return DecodeShortcut(View(record), to);
}

Result<std::vector<uint64_t>> Index::ShortcutChunks(LayerId layer, uint64_t first, uint64_t last, size_t limit) const {
  std::vector<uint64_t> chunks;
  if (limit == 0) return chunks;
  LS_RETURN_IF_ERROR(ForEachKey(*rep_->db, rep_->Reading(), ShortcutKey(layer, first), ShortcutKey(layer, last),
                                [&](std::string_view key, std::string_view) -> Result<bool> {
                                  chunks.push_back(ReadBig(key.substr(5)));
                                  return chunks.size() < limit;
                                }));
  return chunks;
}

Result<std::vector<LayerId>> Index::LayersWithShortcuts() const {
  std::vector<LayerId> layers;
  KeyRange range(*rep_->db, rep_->Reading(), ShortcutKey(0, 0), std::string(1, kShortcut + 1));
  while (range.Valid()) {
    layers.push_back(static_cast<LayerId>(ReadBig(range.key().substr(1, 4))));
    range.Seek(LayerEnd(kShortcut, layers.back()));
  }
  LS_RETURN_IF_ERROR(range.status());
  return layers;
}

void Index::Batch::PutShortcut(const ChunkKey& key, const Shortcut& shortcut) {
  const std::string record = EncodeShortcut(shortcut);
  if (!record.empty()) rep_->batch.Put(ShortcutKey(key.layer, key.chunk), record);
}
void Index::Batch::DropShortcuts(LayerId layer, uint64_t end_chunk) {
  rep_->ranges.emplace_back(ShortcutKey(layer, 0), ShortcutKey(layer, end_chunk));
}

Status Index::AppendPoints(std::string& structure) const {
  const std::string first(1, kPoint), last = first + std::string(16, '\xff');
  return ForEachKey(*rep_->db, rep_->Reading(), first, last,
                    [&](std::string_view, std::string_view value) -> Result<bool> {
                      structure += value;
                      return true;
                    });
}
void Index::Batch::PutPoint(const block::PointId& point, std::string_view record) {
  if (record.empty())
    rep_->batch.Delete(PointKey(point));
  else
    rep_->batch.Put(PointKey(point), rocksdb::Slice(record.data(), record.size()));
}

}  // namespace lockstep::logstore
