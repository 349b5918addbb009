// RocksDB's view of the file system, on io::FileSystem: the index runs on the same seams as everything else, so that a
// simulated crash takes from it what it had not synced.
#pragma once

#include <memory>

#include "io/background.h"
#include "io/files.h"

namespace rocksdb {
class Env;
}

namespace lockstep::logstore {

// `files` outlives the result, and so does `background`, which RocksDB gets instead of threads and time of its own;
// null: those of rocksdb::Env::Default().
std::unique_ptr<rocksdb::Env> MakeIndexEnv(io::FileSystem& files, io::Background* background);

}  // namespace lockstep::logstore
