#include "logstore/label.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/checksum.h"
#include "base/codec.h"

namespace lockstep::logstore {
namespace {

constexpr uint64_t kSuperblockMagic = 0x314c4f4f504c534cull;  // "LSLPOOL1"
constexpr uint32_t kReused = 1;                               // an incompatible feature, and the only one
constexpr uint8_t kExported = 1;                              // a flag
constexpr uint8_t kInUse = 1, kDraining = 2;                  // states of devices
constexpr size_t kCrcAt = 56;                                 // of bytes 0 to 55, in versions 2 and later
constexpr size_t kBlockCrcAt = kBlockSize - 4;                // of everything before it, in versions 4 and later
constexpr uint32_t kFirstWithTable = 4;                       // version

uint32_t NumberAt(std::span<const std::byte> from, size_t at) {
  uint32_t number;
  std::memcpy(&number, from.data() + at, sizeof number);
  return number;
}

Status CheckGeometry(const Superblock& s) {
  if (!std::has_single_bit(s.segment_size) || s.segment_size < kMinSegmentSize || s.segment_size > kMaxSegmentSize ||
      s.segment_count == 0 || s.segment_count > kMaxSegments)
    return Corrupted("the superblock describes an impossible geometry");
  return {};
}

Status BadTable() {
  return Corrupted("the superblock describes an impossible table of devices");
}

Status CheckTable(const DeviceTable& table) {
  std::vector<SegmentRange> all;
  for (size_t i = 0; i < table.devices.size(); ++i) {
    const DeviceRecord& device = table.devices[i];
    if (device.id.IsNil() || device.ranges.empty()) return BadTable();
    for (size_t j = 0; j < i; ++j)
      if (table.devices[j].id == device.id) return BadTable();
    for (const SegmentRange& r : device.ranges) {
      if (r.count == 0 || r.first >= kMaxSegments || r.count > kMaxSegments - r.first) return BadTable();
      all.push_back(r);
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 1; i < all.size(); ++i)
    if (all[i].first < all[i - 1].end()) return BadTable();
  return all.empty() ? BadTable() : Status();
}

Status DecodeTable(Decoder& d, DeviceTable& table, size_t devices, size_t ranges) {
  if (devices > kMaxDevices || ranges > kMaxRanges) return BadTable();
  table.devices.resize(devices);
  for (DeviceRecord& device : table.devices) {
    d.Bytes(device.id.uuid.bytes);
    const uint32_t state = d.Little<uint32_t>();
    if (state != kInUse && state != kDraining) return BadTable();
    device.draining = state == kDraining;
  }
  for (size_t i = 0; i < ranges; ++i) {
    const uint32_t of = d.Little<uint32_t>();
    SegmentRange r;
    r.first = d.Little<uint32_t>();
    r.count = d.Little<uint32_t>();
    if (of >= devices) return BadTable();
    table.devices[of].ranges.push_back(r);
  }
  return CheckTable(table);
}

// What versions 4 and later have behind byte 60.
Status DecodeRest(std::span<const std::byte, kBlockSize> from, uint32_t incompatible, Label& label) {
  Decoder d(from.subspan(kCrcAt + 4));
  label.compatible = d.Little<uint32_t>();
  const uint32_t read_only = d.Little<uint32_t>();
  d.Little<uint32_t>();
  label.table.generation = d.Little<uint64_t>();
  d.Bytes(label.device.uuid.bytes);
  const uint8_t role = d.Little<uint8_t>(), flags = d.Little<uint8_t>();
  const uint16_t devices = d.Little<uint16_t>(), ranges = d.Little<uint16_t>();
  d.Little<uint16_t>();
  if (NumberAt(from, kBlockCrcAt) != Crc32c(from.first(kBlockCrcAt)))
    return Corrupted("the superblock's checksum does not match");
  if ((incompatible & ~kReused) != 0)
    return NotSupported(fmt::format("the pool uses features ({:#x}) that this program does not know; use a newer one",
                                    incompatible & ~kReused));
  if (read_only != 0)
    return NotSupported(fmt::format("the pool uses features ({:#x}) with which this program must not write to it; use "
                                    "a newer one", read_only));
  if (role < 1 || role > 3) return Corrupted("the superblock does not say what the device is to the pool");
  label.role = static_cast<Label::Role>(role);
  label.exported = (flags & kExported) != 0;
  LS_RETURN_IF_ERROR(DecodeTable(d, label.table, devices, ranges));
  if (label.table.generation == 0 || label.table.end() != label.superblock.segment_count ||
      (label.IsMember() && !label.table.Find(label.device)))
    return BadTable();
  return {};
}

}  // namespace

uint64_t DeviceRecord::segments() const {
  uint64_t sum = 0;
  for (const SegmentRange& r : ranges) sum += r.count;
  return sum;
}

const DeviceRecord* DeviceTable::Find(DeviceId id) const {
  const auto it = std::find_if(devices.begin(), devices.end(), [&](const DeviceRecord& d) { return d.id == id; });
  return it == devices.end() ? nullptr : &*it;
}
uint32_t DeviceTable::end() const {
  uint32_t end = 0;
  for (const DeviceRecord& d : devices)
    for (const SegmentRange& r : d.ranges) end = std::max(end, r.end());
  return end;
}
uint64_t DeviceTable::segments() const {
  uint64_t sum = 0;
  for (const DeviceRecord& d : devices) sum += d.segments();
  return sum;
}

SegmentRange DeviceTable::Place(uint64_t wanted) const {
  std::vector<SegmentRange> taken;
  for (const DeviceRecord& d : devices) taken.insert(taken.end(), d.ranges.begin(), d.ranges.end());
  std::sort(taken.begin(), taken.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  uint32_t at = 0;
  for (const SegmentRange& r : taken) {
    if (r.first - at >= wanted) break;
    at = r.end();
  }
  return {at, static_cast<uint32_t>(std::min<uint64_t>(wanted, kMaxSegments - at))};
}

bool Label::NewerThan(const Label& other) const {
  if (table.generation != other.table.generation) return table.generation > other.table.generation;
  return superblock.least_index > other.superblock.least_index;
}

DeviceTable SingleDevice(const block::PoolId& pool, uint32_t segments) {
  return {0, {{DeviceId{pool.uuid}, false, {{0, segments}}}}};
}

void EncodeLabel(const Label& label, std::span<std::byte, kBlockSize> to) {
  const DeviceTable& table = label.table;
  const Superblock& s = label.superblock;
  size_t ranges = 0;
  for (const DeviceRecord& d : table.devices) ranges += d.ranges.size();
  LS_ASSERT(table.devices.size() <= kMaxDevices && ranges <= kMaxRanges && table.generation != 0);
  std::string out;
  Encoder e(out);
  e.Little(kSuperblockMagic).Little(kFormatVersion).Little(s.least_index != 0 ? kReused : uint32_t{0});
  e.Bytes(s.pool.uuid.bytes).Little(s.segment_size).Little(table.end()).Little(kBlockSize).Little(s.least_index);
  LS_ASSERT(out.size() == kCrcAt);
  e.Little(Crc32c(std::as_bytes(std::span(out))));
  e.Little(label.compatible).Little(uint32_t{0}).Little(uint32_t{0}).Little(table.generation);
  e.Bytes(label.device.uuid.bytes).Little(static_cast<uint8_t>(label.role));
  e.Little(label.exported ? kExported : uint8_t{0});
  e.Little(static_cast<uint16_t>(table.devices.size())).Little(static_cast<uint16_t>(ranges)).Little(uint16_t{0});
  for (const DeviceRecord& d : table.devices)
    e.Bytes(d.id.uuid.bytes).Little(uint32_t{d.draining ? kDraining : kInUse});
  for (size_t i = 0; i < table.devices.size(); ++i)
    for (const SegmentRange& r : table.devices[i].ranges)
      e.Little(static_cast<uint32_t>(i)).Little(r.first).Little(r.count);
  LS_ASSERT(out.size() <= kBlockCrcAt);
  out.resize(kBlockCrcAt);
  e.Little(Crc32c(std::as_bytes(std::span(out))));
  std::memcpy(to.data(), out.data(), kBlockSize);
}

void FixLabelChecksums(std::span<std::byte, kBlockSize> label) {
  const auto put = [&](size_t at) {
    const uint32_t crc = Crc32c(label.first(at));
    std::memcpy(label.data() + at, &crc, sizeof crc);
  };
  put(kCrcAt);
  put(kBlockCrcAt);
}

Result<Label> DecodeLabel(std::span<const std::byte, kBlockSize> from) {
  Decoder d(from);
  if (d.Little<uint64_t>() != kSuperblockMagic) return Corrupted("no Lockstep pool here (no superblock)");
  Label label;
  label.version = d.Little<uint32_t>();
  const uint32_t features = d.Little<uint32_t>();
  Superblock& s = label.superblock;
  d.Bytes(s.pool.uuid.bytes);
  s.segment_size = d.Little<uint64_t>();
  s.segment_count = d.Little<uint32_t>();
  const uint32_t block_size = d.Little<uint32_t>();
  if ((features & kReused) != 0 || label.version > 1) s.least_index = d.Little<uint64_t>();
  const size_t covered = from.size() - d.remaining();
  if (d.Little<uint32_t>() != Crc32c(from.first(covered))) return Corrupted("the superblock's checksum does not match");
  const bool unknown = label.version < kFirstWithTable && (features & ~kReused) != 0;
  if (label.version == 0 || label.version > kFormatVersion || unknown || block_size != kBlockSize)
    return NotSupported(fmt::format("the pool has format version {} (features {:#x}); this program reads versions 1 "
                                    "to {}: use a newer one", label.version, features, kFormatVersion));
  LS_RETURN_IF_ERROR(CheckGeometry(s));
  if (label.version >= kFirstWithTable) {
    LS_RETURN_IF_ERROR(DecodeRest(from, features, label));
  } else {
    label.table = SingleDevice(s.pool, s.segment_count);
    label.device = label.table.devices.front().id;
  }
  return label;
}

}  // namespace lockstep::logstore
