// The end of RocksDB's MANIFEST after a crash. RocksDB refuses a manifest whose last, never synced bytes are torn,
// although everything before them is a state that was complete. What it had synced is what we need, so the torn end is
// cut off.
#pragma once

#include <optional>
#include <string>

#include "io/files.h"

namespace lockstep::logstore {

// Cuts the manifest that CURRENT names behind its last whole record, durably, when something else follows. True if it
// did. Nothing is done where there is no index. Blocking. REQUIRES: the index is not open.
//
// That what is left is new enough is for the caller to see: Superblock::least_index.
Result<bool> TrimManifest(io::FileSystem& files, const std::string& directory);

struct TornManifest {
  std::string path;
  uint64_t whole = 0;  // bytes up to the torn end
};
// What TrimManifest would cut. Changes nothing. Blocking.
Result<std::optional<TornManifest>> FindTornManifest(io::FileSystem& files, const std::string& directory);

}  // namespace lockstep::logstore
