#include "logstore/anchor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "logstore/disk_io.h"

namespace lockstep::logstore {
namespace {

constexpr uint32_t kHeaderMagic = 0x3141534c;  // "LSA1"
constexpr uint64_t kHeaderBlocks[] = {2, 3};   // two copies
constexpr uint64_t kFirstArea = 4;
constexpr size_t kMostSegments = (kBlockSize - 128) / sizeof(uint32_t);
constexpr uint8_t kContentVersion = 1;

std::string EncodeHeader(const block::PoolId& pool, const AnchorPlace& place) {
  std::string out;
  Encoder e(out);
  e.Little(kHeaderMagic).Bytes(pool.uuid.bytes);
  e.Little(place.number).Little(place.position).Little(place.segment).Little(place.written);
  e.Little(static_cast<uint8_t>(place.second_area)).Little(place.bytes).Little(place.crc);
  e.Little(static_cast<uint32_t>(place.segments.size()));
  for (const uint32_t segment : place.segments) e.Little(segment);
  e.Little(Crc32c(std::as_bytes(std::span(out))));
  LS_ASSERT(out.size() <= kBlockSize);
  return out;
}

Result<AnchorPlace> DecodeHeader(const Superblock& superblock, std::span<const std::byte> from) {
  Decoder d(from);
  AnchorPlace place;
  block::PoolId pool;
  const uint32_t magic = d.Little<uint32_t>();
  d.Bytes(pool.uuid.bytes);
  place.number = d.Little<uint64_t>();
  place.position = d.Little<uint64_t>();
  place.segment = d.Little<uint32_t>();
  place.written = d.Little<uint64_t>();
  place.second_area = d.Little<uint8_t>() != 0;
  place.bytes = d.Little<uint64_t>();
  place.crc = d.Little<uint32_t>();
  const uint32_t count = d.Little<uint32_t>();
  if (magic != kHeaderMagic || pool != superblock.pool || count > kMostSegments) return Corrupted("no anchor here");
  for (uint32_t i = 0; i < count; ++i) place.segments.push_back(d.Little<uint32_t>());
  const size_t covered = from.size() - d.remaining();
  if (d.Little<uint32_t>() != Crc32c(from.first(covered))) return Corrupted("the anchor's header is damaged");
  const uint64_t room = count == 0 ? kAreaBlocks * kBlockSize : count * superblock.segment_size;
  const auto outside = [&](uint32_t segment) { return segment >= superblock.segment_count; };
  if (place.bytes > room || std::any_of(place.segments.begin(), place.segments.end(), outside))
    return Corrupted("the anchor's header makes no sense");
  return place;
}

}  // namespace

std::string Anchor::Encode() const {
  std::string out;
  Encoder e(out);
  e.Little(kContentVersion).Little(number);
  PutPosition(e, position);
  e.Little(holes_from).Little(written).Little(static_cast<uint8_t>(swept));
  e.Little(static_cast<uint64_t>(structure.size()));
  out += structure;
  e.Little(static_cast<uint32_t>(segments.size()));
  for (const SegmentUse& s : segments) e.Little(s.segment).Little(s.live).Little(s.written);
  e.Little(static_cast<uint64_t>(holes.size()));
  for (const HoleRecord& h : holes) e.Little(h.birth).Little(h.layer).Little(h.block).Little(h.count);
  out += times.bytes();
  return out;
}

Result<Anchor> Anchor::Decode(std::string_view bytes) {
  const Status damaged = Corrupted("the anchor makes no sense");
  Decoder d(bytes);
  Anchor a;
  if (d.Little<uint8_t>() != kContentVersion) return NotSupported("the anchor was written by a later version");
  a.number = d.Little<uint64_t>();
  a.position = GetPosition(d);
  a.holes_from = d.Little<uint64_t>();
  a.written = d.Little<uint64_t>();
  a.swept = d.Little<uint8_t>() != 0;
  const uint64_t structure = d.Little<uint64_t>();
  if (structure > d.remaining()) return damaged;
  a.structure = std::string(reinterpret_cast<const char*>(d.View(structure).data()), structure);
  const uint32_t segments = d.Little<uint32_t>();
  if (segments > d.remaining() / 16) return damaged;
  for (uint32_t i = 0; i < segments; ++i) {
    SegmentUse s;
    s.segment = d.Little<uint32_t>();
    s.live = d.Little<uint32_t>();
    s.written = d.Little<uint64_t>();
    a.segments.push_back(s);
  }
  const uint64_t holes = d.Little<uint64_t>();
  if (holes > d.remaining() / 28) return damaged;
  for (uint64_t i = 0; i < holes; ++i) {
    HoleRecord h;
    h.birth = d.Little<uint64_t>();
    h.layer = d.Little<uint32_t>();
    h.block = d.Little<uint64_t>();
    h.count = d.Little<uint64_t>();
    a.holes.push_back(h);
  }
  if (!d.ok()) return damaged;
  const std::span<const std::byte> times = d.View(d.remaining());
  a.times = TimeMarkList(std::string(reinterpret_cast<const char*>(times.data()), times.size()));
  LS_RETURN_IF_ERROR(a.times.ForEach([](const TimeMark&) { return Status(); }));
  return a;
}

std::vector<std::pair<uint64_t, uint64_t>> AnchorStore::Parts(const AnchorPlace& place) const {
  std::vector<std::pair<uint64_t, uint64_t>> parts;
  if (place.segments.empty()) {
    parts.emplace_back(kFirstArea + (place.second_area ? kAreaBlocks : 0), place.bytes);
    return parts;
  }
  uint64_t left = place.bytes;
  for (const uint32_t segment : place.segments) {
    parts.emplace_back(superblock_.first_block(segment), std::min(left, superblock_.segment_size));
    left -= parts.back().second;
  }
  return parts;
}

Task<Result<std::optional<AnchorPlace>>> AnchorStore::Find() {
  const DiskMemory memory = AllocateZeros(kBlockSize);
  const std::span<std::byte> block(memory.get(), kBlockSize);
  std::optional<AnchorPlace> newest;
  Status failed;
  for (const uint64_t copy : kHeaderBlocks) {
    const Status read = co_await ReadDisk(*home_, copy * kBlockSize, block);
    if (!read.ok()) {
      failed = read;
      continue;
    }
    Result<AnchorPlace> place = DecodeHeader(superblock_, block);
    // A crash between the copies leaves an older one beside the newer. Both were good then.
    if (place.ok() && (!newest || place->number > newest->number)) newest = std::move(*place);
  }
  if (!newest && !failed.ok()) co_return failed;
  if (newest && newest->bytes == 0) newest.reset();  // erased
  co_return newest;
}

Task<std::vector<Status>> AnchorStore::LookAtCopies() {
  const DiskMemory memory = AllocateZeros(kBlockSize);
  const std::span<std::byte> block(memory.get(), kBlockSize);
  std::vector<Status> copies;
  for (const uint64_t copy : kHeaderBlocks) {
    Status status = co_await ReadDisk(*home_, copy * kBlockSize, block);
    if (status.ok()) status = DecodeHeader(superblock_, block).status();
    copies.push_back(std::move(status));
  }
  co_return copies;
}

Task<Result<Anchor>> AnchorStore::Read(const AnchorPlace& place) {
  std::string content;
  for (const auto& [first_block, bytes] : Parts(place)) {
    const DiskMemory memory = AllocateZeros(Padded(bytes));
    LS_CO_RETURN_IF_ERROR(co_await ReadDisk(DiskOf(place), first_block * kBlockSize, {memory.get(), Padded(bytes)}));
    content.append(reinterpret_cast<const char*>(memory.get()), bytes);
  }
  if (Crc32c(std::as_bytes(std::span(content))) != place.crc) co_return Corrupted("the anchor is damaged");
  co_return Anchor::Decode(content);
}

Task<Status> AnchorStore::WriteHeader(io::Disk& home, const AnchorPlace& place) {
  const std::string header = EncodeHeader(superblock_.pool, place);
  const DiskMemory memory = AllocateZeros(kBlockSize);
  std::memcpy(memory.get(), header.data(), header.size());
  for (const uint64_t copy : kHeaderBlocks)
    LS_CO_RETURN_IF_ERROR(co_await WriteDisk(home, copy * kBlockSize, {memory.get(), kBlockSize}));
  co_return Status();
}

Task<Status> AnchorStore::Write(const Anchor& anchor, SegmentTable& segments) {
  const std::string content = anchor.Encode();
  AnchorPlace place;
  place.number = anchor.number;
  place.position = anchor.position.next;
  place.segment = anchor.position.segment;
  place.written = anchor.written;
  place.second_area = newest_ && !newest_->second_area;
  place.bytes = content.size();
  place.crc = Crc32c(std::as_bytes(std::span(content)));
  const auto give_back = [&segments](const std::vector<uint32_t>& taken) {
    for (const uint32_t segment : taken) segments.ReleaseKept(segment);
  };
  if (content.size() > kAreaBlocks * kBlockSize) {
    const uint64_t needed = (content.size() + superblock_.segment_size - 1) / superblock_.segment_size;
    while (place.segments.size() < needed && needed <= kMostSegments) {
      const uint32_t segment = segments.Keep();
      if (segment == kNoSegment) break;
      place.segments.push_back(segment);
    }
    if (place.segments.size() < needed) {
      give_back(place.segments);
      co_return NoSpace(fmt::format("the anchor takes {} segments, and there are not so many free", needed));
    }
  }
  Status written;
  size_t at = 0;
  for (const auto& [first_block, bytes] : Parts(place)) {
    const DiskMemory memory = AllocateZeros(Padded(bytes));
    std::memcpy(memory.get(), content.data() + at, bytes);
    at += bytes;
    // Durable before the header can lead to it.
    written = co_await WriteDisk(DiskOf(place), first_block * kBlockSize, {memory.get(), Padded(bytes)});
    if (!written.ok()) break;
  }
  if (written.ok()) written = co_await WriteHeader(*home_, place);
  if (!written.ok()) {
    // The header may lead to the new one or to the old one: both stay as they are.
    co_return written;
  }
  if (newest_) give_back(newest_->segments);
  newest_ = std::move(place);
  co_return Status();
}

uint64_t AnchorStore::spare_area() const {
  return kFirstArea + (newest_ && !newest_->second_area ? kAreaBlocks : 0);
}

Task<Status> AnchorStore::CopyTo(io::Disk& home) {
  const AnchorPlace place = newest_.value_or(AnchorPlace());  // without content: there is none
  if (place.bytes != 0 && place.segments.empty()) {
    const auto [first_block, bytes] = Parts(place).front();
    const DiskMemory memory = AllocateZeros(Padded(bytes));
    LS_CO_RETURN_IF_ERROR(co_await ReadDisk(*home_, first_block * kBlockSize, {memory.get(), Padded(bytes)}));
    if (Crc32c({memory.get(), bytes}) != place.crc) co_return Corrupted("the anchor is damaged");
    LS_CO_RETURN_IF_ERROR(co_await WriteDisk(home, first_block * kBlockSize, {memory.get(), Padded(bytes)}));
  }
  co_return co_await WriteHeader(home, place);
}

Task<Status> AnchorStore::Erase(SegmentTable& segments) {
  if (!newest_) co_return Status();
  AnchorPlace none;
  none.number = newest_->number + 1;
  LS_CO_RETURN_IF_ERROR(co_await WriteHeader(*home_, none));
  for (const uint32_t segment : newest_->segments) segments.ReleaseKept(segment);
  newest_.reset();
  co_return Status();
}

}  // namespace lockstep::logstore
