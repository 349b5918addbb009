// A file system through which nothing can be changed: for reading an index that belongs to somebody else. RocksDB,
// opened for reading, writes nothing; this makes sure.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "io/files.h"
#include "logstore/index_manifest.h"

namespace lockstep::logstore {

// `files` outlives the result. `torn`: this file ends where its whole part does.
std::unique_ptr<io::FileSystem> ReadOnly(io::FileSystem& files, std::optional<TornManifest> torn);

}  // namespace lockstep::logstore
