#include "io/random.h"

#include <cstring>

namespace lockstep::io {

Uuid Random::NextUuid() {
  const uint64_t high = Next64(), low = Next64();
  Uuid id;
  std::memcpy(id.bytes.data(), &high, 8);
  std::memcpy(id.bytes.data() + 8, &low, 8);
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x40);  // version 4
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);  // variant of RFC 4122
  return id;
}

}  // namespace lockstep::io
