#include "logstore/format.h"

#include <cstring>
#include <optional>

#include "base/checksum.h"
#include "base/codec.h"

namespace lockstep::logstore {
namespace {

constexpr uint32_t kBatchMagic = 0x3142534c;                  // "LSB1"
constexpr uint32_t kMovedNoDeathsMagic = 0x314d534c;          // "LSM1"
constexpr uint32_t kMovedMagic = 0x324d534c;                  // "LSM2"
constexpr size_t kCrcCoversFrom = 8;                          // magic and crc themselves are left out

void PutCrc(std::span<std::byte> at_start, uint32_t crc) {
  std::memcpy(at_start.data() + 4, &crc, sizeof crc);
}

std::optional<BatchKind> KindOf(uint32_t magic) {
  switch (magic) {
    case kBatchMagic:
      return BatchKind::kLog;
    case kMovedMagic:
      return BatchKind::kMoved;
    case kMovedNoDeathsMagic:
      return BatchKind::kMovedNoDeaths;
    default:
      return std::nullopt;
  }
}

bool KnownEntry(const Entry& e) {
  switch (e.type) {
    case EntryType::kWrite:
      return e.count > 0 && e.count <= kMaxBlocksPerEntry;
    case EntryType::kHole:
      return e.count > 0;
    case EntryType::kTransaction:
      return e.count > 0 && e.count <= kMaxBlocksPerBatch && e.bytes > 0 && e.bytes <= uint64_t{e.count} * kBlockSize;
  }
  return false;
}

}  // namespace

void PutPosition(Encoder& e, const LogPosition& p) {
  e.Little(p.segment).Little(p.block).Little(p.next_segment).Little(p.previous_crc).Little(p.next);
}
LogPosition GetPosition(Decoder& d) {
  LogPosition p;
  p.segment = d.Little<uint32_t>();
  p.block = d.Little<uint32_t>();
  p.next_segment = d.Little<uint32_t>();
  p.previous_crc = d.Little<uint32_t>();
  p.next = d.Little<uint64_t>();
  return p;
}

void EncodeBatchHeader(const block::PoolId& pool, BatchHeader& header, std::span<std::byte> to) {
  LS_ASSERT(to.size() == size_t{header.header_blocks()} * kBlockSize);
  LS_ASSERT(header.entries.size() <= kMaxEntriesPerBatch && header.data_blocks() <= kMaxBlocksPerBatch);
  LS_ASSERT(header.kind != BatchKind::kMovedNoDeaths);
  LS_ASSERT(!header.moved() || (header.births.size() == header.entries.size() &&
                                header.deaths.size() == header.entries.size()));
  std::byte* p = to.data();
  const auto put = [&p](auto v) {
    std::memcpy(p, &v, sizeof v);
    p += sizeof v;
  };
  put(header.moved() ? kMovedMagic : kBatchMagic);
  put(uint32_t{0});  // crc, below
  std::memcpy(p, pool.uuid.bytes.data(), 16);
  p += 16;
  put(header.first);
  put(header.epoch);
  put(header.durable);
  put(header.previous_crc);
  put(header.next_segment);
  put(header.data_blocks());
  put(static_cast<uint32_t>(header.entries.size()));
  LS_ASSERT(static_cast<size_t>(p - to.data()) == kFixedHeaderSize);
  for (const Entry& e : header.entries) {
    put(static_cast<uint8_t>(e.type));
    put(uint8_t{0});
    put(uint16_t{0});
    put(e.layer);
    put(e.count);
    put(e.bytes);
    put(e.block);
  }
  for (const auto* numbers : {&header.births, &header.deaths})
    for (const SequenceNumber n : *numbers) put(n);
  const size_t crc_bytes = header.block_crcs.size() * sizeof(uint32_t);
  std::memcpy(p, header.block_crcs.data(), crc_bytes);
  p += crc_bytes;
  std::memset(p, 0, static_cast<size_t>(to.data() + to.size() - p));
  header.crc = Crc32c(to.subspan(kCrcCoversFrom));
  PutCrc(to, header.crc);
}

void FixBatchChecksum(std::span<std::byte> header) {
  LS_ASSERT(header.size() >= kFixedHeaderSize);
  PutCrc(header, Crc32c(header.subspan(kCrcCoversFrom)));
}

Result<uint32_t> PeekHeaderBlocks(const block::PoolId& pool, std::span<const std::byte, kBlockSize> first_block) {
  Decoder d(first_block);
  const std::optional<BatchKind> kind = KindOf(d.Little<uint32_t>());
  if (!kind) return Corrupted("no batch here");
  d.Little<uint32_t>();
  block::PoolId owner;
  d.Bytes(owner.uuid.bytes);
  if (owner != pool) return Corrupted("the batch belongs to another pool");
  d.View(8 + 8 + 8 + 4 + 4);
  const uint32_t data_blocks = d.Little<uint32_t>(), entries = d.Little<uint32_t>();
  if (entries > kMaxEntriesPerBatch || data_blocks > kMaxBlocksPerBatch)
    return Corrupted("the batch header's counts are impossible");
  return HeaderBlocks(entries, data_blocks, *kind);
}

Result<BatchHeader> DecodeBatchHeader(const block::PoolId& pool, std::span<const std::byte> from) {
  if (from.size() < kBlockSize) return Corrupted("the batch header is cut short");
  LS_ASSIGN_OR_RETURN(const uint32_t blocks, PeekHeaderBlocks(pool, from.first<kBlockSize>()));
  if (from.size() != size_t{blocks} * kBlockSize) return Corrupted("the batch header is cut short");
  BatchHeader h;
  Decoder d(from);
  h.kind = *KindOf(d.Little<uint32_t>());
  h.crc = d.Little<uint32_t>();
  if (h.crc != Crc32c(from.subspan(kCrcCoversFrom))) return Corrupted("the batch header's checksum does not match");
  d.View(16);
  h.first = d.Little<uint64_t>();
  h.epoch = d.Little<uint64_t>();
  h.durable = d.Little<uint64_t>();
  h.previous_crc = d.Little<uint32_t>();
  h.next_segment = d.Little<uint32_t>();
  const uint32_t data_blocks = d.Little<uint32_t>(), entries = d.Little<uint32_t>();
  uint64_t described = 0;
  h.entries.resize(entries);
  for (Entry& e : h.entries) {
    e.type = static_cast<EntryType>(d.Little<uint8_t>());
    d.View(3);
    e.layer = d.Little<uint32_t>();
    e.count = d.Little<uint32_t>();
    e.bytes = d.Little<uint32_t>();
    e.block = d.Little<uint64_t>();
    if (!KnownEntry(e) || (h.moved() && e.type != EntryType::kWrite)) return Corrupted("a batch entry makes no sense");
    described += e.data_blocks();
  }
  if (h.moved()) {
    h.births.resize(entries);
    for (SequenceNumber& birth : h.births) birth = d.Little<uint64_t>();
  }
  if (h.kind == BatchKind::kMoved) {
    h.deaths.resize(entries);
    for (SequenceNumber& death : h.deaths) death = d.Little<uint64_t>();
  }
  if (described != data_blocks) return Corrupted("the batch's entries do not add up to its data");
  h.block_crcs.resize(data_blocks);
  for (uint32_t& crc : h.block_crcs) crc = d.Little<uint32_t>();
  LS_ASSERT(d.ok());
  return h;
}

}  // namespace lockstep::logstore
