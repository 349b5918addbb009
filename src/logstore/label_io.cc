#include "logstore/label_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/checksum.h"
#include "base/codec.h"
#include "logstore/disk_io.h"

namespace lockstep::logstore {
namespace {

constexpr uint64_t kNoteMagic = 0x3145544f4e534cull;    // "LSNOTE1"
constexpr uint64_t kNoteHeaderAt = 252 * kBlockSize;  // leads to the text
constexpr uint64_t kBeforeSegments = kDataOffset / kBlockSize;

}  // namespace

Task<Result<Label>> ReadLabel(io::Disk& disk) {
  if (disk.size() < kDataOffset) co_return Corrupted("the device is too small to hold a pool");
  const DiskMemory block = AllocateZeros(kBlockSize);
  // A crash between the writing of the copies leaves one older than the other. The newer one counts.
  Result<Label> newest = Corrupted("not read");
  for (const uint64_t copy : {0, 1}) {
    const Status read = co_await ReadDisk(disk, copy * kBlockSize, {block.get(), kBlockSize});
    Result<Label> label =
        read.ok() ? DecodeLabel(std::span<const std::byte, kBlockSize>(block.get(), kBlockSize)) : Result<Label>(read);
    const bool newer = label.ok() && (!newest.ok() || label->NewerThan(*newest));
    if (copy == 0 || newer) newest = std::move(label);
  }
  co_return newest;
}

Task<Status> WriteLabel(io::Disk& disk, Label label) {
  const DiskMemory block = AllocateZeros(kBlockSize);
  EncodeLabel(label, std::span<std::byte, kBlockSize>(block.get(), kBlockSize));
  // The copy first: a pool exists once block 0 says so.
  for (const uint64_t copy : {1, 0})
    LS_CO_RETURN_IF_ERROR(co_await WriteDisk(disk, copy * kBlockSize, {block.get(), kBlockSize}));
  co_return Status();
}

Task<Status> WriteNote(io::Disk& disk, uint64_t at, std::string note) {
  if (note.size() > kMaxNote)
    co_return Status(Code::kTooLarge, fmt::format("the note has {} bytes; a pool carries at most {}", note.size(),
                                                  kMaxNote));
  const DiskMemory text = AllocateZeros(Padded(note.size()) + kBlockSize);
  std::memcpy(text.get(), note.data(), note.size());
  if (!note.empty())
    LS_CO_RETURN_IF_ERROR(co_await WriteDisk(disk, at * kBlockSize, {text.get(), Padded(note.size())}));
  std::string header;
  Encoder e(header);
  e.Little(kNoteMagic).Little(static_cast<uint32_t>(note.size())).Little(Crc32c(std::as_bytes(std::span(note))));
  e.Little(static_cast<uint32_t>(at));
  e.Little(Crc32c(std::as_bytes(std::span(header))));
  const DiskMemory block = AllocateZeros(kBlockSize);
  std::memcpy(block.get(), header.data(), header.size());
  co_return co_await WriteDisk(disk, kNoteHeaderAt, {block.get(), kBlockSize});
}

Task<Result<std::string>> ReadNote(io::Disk& disk) {
  const DiskMemory header = AllocateZeros(kBlockSize);
  LS_CO_RETURN_IF_ERROR(co_await ReadDisk(disk, kNoteHeaderAt, {header.get(), kBlockSize}));
  Decoder d(std::span<const std::byte>(header.get(), kBlockSize));
  if (d.Little<uint64_t>() != kNoteMagic) co_return NotFound("the pool carries no note");
  const uint32_t size = d.Little<uint32_t>(), crc = d.Little<uint32_t>(), at = d.Little<uint32_t>();
  constexpr size_t kCovered = 20;
  if (d.Little<uint32_t>() != Crc32c(std::span<const std::byte>(header.get(), kCovered)) || size > kMaxNote ||
      at > kBeforeSegments - Padded(size) / kBlockSize)
    co_return Corrupted("the note that the pool carries is damaged");
  const size_t bytes = Padded(size);
  if (bytes == 0) co_return std::string();
  const DiskMemory text = AllocateZeros(bytes);
  LS_CO_RETURN_IF_ERROR(co_await ReadDisk(disk, at * kBlockSize, {text.get(), bytes}));
  if (Crc32c(std::span<const std::byte>(text.get(), size)) != crc)
    co_return Corrupted("the note that the pool carries is damaged");
  co_return std::string(reinterpret_cast<const char*>(text.get()), size);
}

}  // namespace lockstep::logstore
