#include "logstore/index_manifest.h"

#include <cstring>
#include <span>
#include <vector>

#include "base/checksum.h"
#include "base/codec.h"

namespace lockstep::logstore {
namespace {

constexpr uint64_t kMostBytes = 256 << 20;  // no manifest of ours comes near

Result<std::vector<std::byte>> ReadAll(io::File& file) {
  LS_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  if (size > kMostBytes) return Corrupted("the index's manifest is absurdly large");
  std::vector<std::byte> bytes(size);
  LS_ASSIGN_OR_RETURN(const size_t got, file.Read(0, bytes));
  bytes.resize(got);
  return bytes;
}

// The format of RocksDB's logs (its wiki, "Write Ahead Log File Format"): blocks of 32 KiB; in them records of a masked
// CRC-32C (4), a length (2) and a type (1), then the payload. The checksum covers type and payload.
constexpr size_t kLogBlock = 32 << 10;
constexpr size_t kRecordHeader = 7;
enum RecordType : uint8_t { kFull = 1, kFirst, kMiddle, kLast };

uint32_t Masked(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

// Where the last whole logical record ends.
size_t EndOfRecords(std::span<const std::byte> bytes) {
  size_t at = 0, end = 0;
  while (at + kRecordHeader <= bytes.size()) {
    const size_t left_in_block = kLogBlock - at % kLogBlock;
    if (left_in_block < kRecordHeader) {
      at += left_in_block;
      continue;
    }
    Decoder d(bytes.subspan(at));
    const uint32_t crc = d.Little<uint32_t>();
    const uint16_t length = d.Little<uint16_t>();
    const uint8_t type = d.Little<uint8_t>();
    const size_t whole = kRecordHeader + length;
    if (type < kFull || type > kLast || whole > left_in_block || at + whole > bytes.size()) break;
    if (Masked(Crc32c(bytes.subspan(at + kRecordHeader - 1, size_t{length} + 1))) != crc) break;
    at += whole;
    if (type == kFull || type == kLast) end = at;
  }
  return end;
}

}  // namespace

Result<std::optional<TornManifest>> FindTornManifest(io::FileSystem& files, const std::string& directory) {
  const std::optional<TornManifest> none;
  const auto current = files.Open(directory + "/CURRENT", io::FileSystem::Mode::kRead);
  if (current.status().code() == Code::kNotFound) return none;
  LS_RETURN_IF_ERROR(current.status());
  LS_ASSIGN_OR_RETURN(const std::vector<std::byte> name, ReadAll(**current));
  std::string manifest(reinterpret_cast<const char*>(name.data()), name.size());
  while (!manifest.empty() && manifest.back() == '\n') manifest.pop_back();
  if (!manifest.starts_with("MANIFEST-")) return none;  // for RocksDB to refuse

  const std::string path = directory + "/" + manifest;
  const auto file = files.Open(path, io::FileSystem::Mode::kRead);
  if (file.status().code() == Code::kNotFound) return none;
  LS_RETURN_IF_ERROR(file.status());
  LS_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadAll(**file));
  const size_t end = EndOfRecords(bytes);
  if (end == 0 || end == bytes.size()) return none;
  return std::optional<TornManifest>({path, end});
}

Result<bool> TrimManifest(io::FileSystem& files, const std::string& directory) {
  LS_ASSIGN_OR_RETURN(const std::optional<TornManifest> torn, FindTornManifest(files, directory));
  if (!torn) return false;
  LS_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file, files.Open(torn->path, io::FileSystem::Mode::kReadWrite));
  LS_RETURN_IF_ERROR(file->Truncate(torn->whole));
  LS_RETURN_IF_ERROR(file->Sync());
  return true;
}

}  // namespace lockstep::logstore
