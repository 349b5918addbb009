#include "base/checksum.h"

#include <isa-l/crc.h>

namespace lockstep {

uint32_t Crc32c(std::span<const std::byte> data, uint32_t seed) {
  // crc32_iscsi works on the inverted register and takes an int length and a non-const pointer that it only reads.
  uint32_t crc = ~seed;
  while (!data.empty()) {
    const size_t piece = data.size() < (1u << 30) ? data.size() : (1u << 30);
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(data.data()));
    crc = crc32_iscsi(bytes, static_cast<int>(piece), crc);
    data = data.subspan(piece);
  }
  return ~crc;
}

}  // namespace lockstep
