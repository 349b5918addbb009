// Everything that the log store decodes from a device or from its index: no input may crash it, make it loop or make it
// allocate beyond what the input's size explains; and what decodes must encode again.
#include <array>
#include <cstdlib>

#include "logstore/format.h"
#include "logstore/label.h"
#include "logstore/map_record.h"
#include "logstore/structure.h"

using namespace lockstep;            // NOLINT
using namespace lockstep::logstore;  // NOLINT

namespace {

// A header whose checksum is made right, so that the fuzzer gets past it.
void TryHeader(std::span<const std::byte> input) {
  std::vector<std::byte> bytes((input.size() + kBlockSize - 1) / kBlockSize * kBlockSize);
  std::copy(input.begin(), input.end(), bytes.begin());
  if (bytes.empty()) return;
  block::PoolId pool;
  std::copy_n(reinterpret_cast<const uint8_t*>(bytes.data()) + 8, 16, pool.uuid.bytes.begin());
  const auto blocks = PeekHeaderBlocks(pool, std::span<const std::byte, kBlockSize>(bytes.data(), kBlockSize));
  if (!blocks.ok()) return;
  bytes.resize(size_t{*blocks} * kBlockSize);
  auto header = DecodeBatchHeader(pool, bytes);
  if (!header.ok()) {
    FixBatchChecksum(bytes);
    header = DecodeBatchHeader(pool, bytes);
  }
  if (!header.ok() || header->kind == BatchKind::kMovedNoDeaths) return;  // that kind is read, and never written
  std::vector<std::byte> again(size_t{header->header_blocks()} * kBlockSize);
  EncodeBatchHeader(pool, *header, again);
  if (!DecodeBatchHeader(pool, again).ok()) std::abort();
}

// A label whose checksums are made right, likewise; what decodes is encoded and decoded to the same.
void TryLabel(std::array<std::byte, kBlockSize> block) {
  auto label = DecodeLabel(block);
  if (!label.ok()) {
    FixLabelChecksums(block);
    label = DecodeLabel(block);
  }
  if (!label.ok() || label->version < kFormatVersion) return;
  std::array<std::byte, kBlockSize> again;
  EncodeLabel(*label, again);
  const auto back = DecodeLabel(again);
  if (!back.ok() || !(*back == *label)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: {
      std::array<std::byte, kBlockSize> block{};
      std::copy_n(bytes.begin(), std::min(bytes.size(), block.size()), block.begin());
      TryLabel(block);
      break;
    }
    case 1:
      TryHeader(bytes);
      break;
    case 2:
      if (const auto t = DecodeTransaction(text); t.ok() && EncodeTransaction(*t) != text) std::abort();
      break;
    case 3:
      if (const auto s = Structure::Decode(text); s.ok() && !Structure::Decode(s->Encode()).ok()) std::abort();
      break;
    default: {
      ChunkVersions versions, again;
      if (!DecodeMapRecord(text, versions).ok()) break;
      if (!DecodeMapRecord(EncodeMapRecord(versions), again).ok() || again != versions) std::abort();
    }
  }
  return 0;
}
