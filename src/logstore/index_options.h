// How RocksDB is set up for the index of a pool. Internal to index.cc.
#pragma once

#include <rocksdb/options.h>

#include "base/log.h"
#include "logstore/index.h"

namespace lockstep::logstore {

rocksdb::Options DbOptions(rocksdb::Env* env, const IndexOptions& options, Log& log);

}  // namespace lockstep::logstore
