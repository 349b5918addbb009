// What a pool says about its own soundness.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "block/types.h"

namespace lockstep::block {

// A block that cannot be read, or that is not what was written.
struct BadBlock {
  VolumeId volume;            // one that shows it now; nil: only points do, or it is none of a volume's blocks
  uint64_t layer = 0;         // the engine's name for what holds it; 0: a part of the engine's own, not data
  uint64_t block = 0;         // in the volume, counted in kBlockSize
  uint64_t device_block = 0;  // where it is on the pool's device
  bool operator==(const BadBlock&) const = default;
};

struct ScrubReport {
  uint64_t position = 0;     // where it stands; how positions are counted is the engine's affair
  uint64_t end = 0;          // position == end: everything has been read
  uint64_t bytes_read = 0;   // since it was started here
  uint64_t blocks = 0;       // live blocks that were compared
  uint64_t bad = 0;          // blocks that are bad
  std::vector<BadBlock> bad_blocks;  // of them the first hundred
};

struct ScrubOptions {
  uint64_t from = 0;              // ScrubReport::position of an earlier one, to go on there; 0: the beginning
  uint64_t bytes_per_second = 0;  // at most; 0: as fast as it goes beside other I/O
  // Called now and then, on the pool's loop, at least ten times a second while a limit holds the scrub back. False: the
  // scrub ends soon, and can be gone on with from the position that it answers. May be null.
  std::function<bool(const ScrubReport& so_far)> go_on;
};

struct CheckReport {
  uint64_t current = 0;               // blocks that volumes and their layers show now
  uint64_t history = 0;               // replaced versions that points keep
  std::vector<std::string> problems;  // a sentence each; the first hundred
};

}  // namespace lockstep::block
