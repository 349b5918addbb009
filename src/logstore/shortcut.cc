#include "logstore/shortcut.h"

#include "base/codec.h"

namespace lockstep::logstore {
namespace {

// run := first-slot(4 bits) count-1(4 bits) layer(4 bytes) birth(8 bytes)
constexpr size_t kRunSize = 1 + 4 + 8;

}  // namespace

std::string EncodeShortcut(const Shortcut& shortcut) {
  std::string out;
  Encoder e(out);
  for (uint32_t first = 0; first < kChunkBlocks;) {
    const Holder& holder = shortcut[first];
    uint32_t count = 1;
    while (first + count < kChunkBlocks && shortcut[first + count] == holder) ++count;
    if (holder.layer != 0)
      e.Little(static_cast<uint8_t>(first << 4 | (count - 1))).Little(holder.layer).Little(holder.birth);
    first += count;
  }
  return out;
}

Status DecodeShortcut(std::string_view bytes, Shortcut& to) {
  to.fill({});
  bool good = bytes.size() % kRunSize == 0;
  for (Decoder d(bytes); good && d.remaining() != 0;) {
    const uint8_t place = d.Little<uint8_t>();
    const uint32_t first = place >> 4, count = (place & 15) + 1u;
    Holder holder;
    holder.layer = d.Little<uint32_t>();
    holder.birth = d.Little<uint64_t>();
    good = first + count <= kChunkBlocks && holder.layer != 0 && holder.birth != 0;
    for (uint32_t i = 0; good && i < count; ++i) to[first + i] = holder;
  }
  if (good) return {};
  to.fill({});
  return Corrupted("a shortcut in the index is damaged; rebuild the index from the log");
}

}  // namespace lockstep::logstore
