// Shortcuts through deep chains of clones. What a layer does not hold itself is what its parent held at a position, and
// that never changes: so it can be written down, for each block, which ancestor holds it and as which version. Then a
// read looks at the layer, at its shortcut and at that ancestor, however deep the chain is.
//
// A shortcut says nothing that could not be found by walking from parent to parent. So it takes no part in what holds
// what or in the counts, any part of them may be missing, and a rebuilt index begins without. Where the ancestor's
// version lies is not said here: the cleaner may move it.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/status.h"
#include "logstore/map_record.h"

namespace lockstep::logstore {

// Up to where a layer has shortcuts when it has all of them.
inline constexpr uint64_t kAllChunks = UINT64_MAX;

// Who holds a block below a layer.
struct Holder {
  LayerId layer = 0;  // 0: nobody, it is a hole
  SequenceNumber birth = 0;
  bool operator==(const Holder&) const = default;
};
// For the blocks of a chunk.
using Shortcut = std::array<Holder, kChunkBlocks>;

// Runs of blocks of one version take 13 bytes. Empty when nobody holds anything.
std::string EncodeShortcut(const Shortcut& shortcut);
// Replaces all of `to`. corrupted when the bytes are none of ours; then `to` is empty.
Status DecodeShortcut(std::string_view bytes, Shortcut& to);

}  // namespace lockstep::logstore
