#include "logstore/index_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <cstdarg>
#include <cstdio>
#include <memory>

namespace lockstep::logstore {
namespace {

constexpr double kForTrees = 0.5;     // of the cache: what index and filters may keep data blocks from
constexpr double kForFilters = 0.05;  // of a memtable
constexpr int kMostOpenTables = 512;  // of 64 MiB mostly; each takes some KiB of the cache while it is open

// RocksDB's own messages, from warnings up, in our log.
class ForwardingLogger final : public rocksdb::Logger {
 public:
  explicit ForwardingLogger(Log& log) : Logger(rocksdb::WARN_LEVEL), log_(log) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char line[512];
    std::vsnprintf(line, sizeof line, format, arguments);
    log_.Warn("index: {}", line);
  }

 private:
  Log& log_;
};

}  // namespace

rocksdb::Options DbOptions(rocksdb::Env* env, const IndexOptions& options, Log& log) {
  rocksdb::Options o;
  o.env = env;
  o.create_if_missing = true;
  o.info_log = std::make_shared<ForwardingLogger>(log);
  o.write_buffer_size = options.memtable_bytes;
  // Most records that are asked for are not in a memtable, and searching it is half of a lookup that has to go on.
  o.memtable_whole_key_filtering = true;
  o.memtable_prefix_bloom_size_ratio = kForFilters;
  o.compression = rocksdb::kNoCompression;  // checksums and addresses do not compress
  o.max_background_jobs = 2;
  o.level_compaction_dynamic_level_bytes = true;
  o.stats_dump_period_sec = 0;
  o.stats_persist_period_sec = 0;
  // What a fold writes goes into RocksDB's log too: making it durable is then a sync of a file that is only appended
  // to, and the tables are written when a memtable is full, whatever the number of checkpoints. After a crash the log
  // is taken up to where it is whole (index_log.h), so the state is that of some fold.
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  o.allow_concurrent_memtable_write = false;  // there is one writer
  // Tables are opened when they are needed, so that opening an index does not take longer the larger it is.
  o.max_open_files = kMostOpenTables;
  // Nothing is written by closing: what was not persisted is replayed from the log.
  o.avoid_flush_during_shutdown = true;
  if (options.background == nullptr)
    o.avoid_unnecessary_blocking_io = true;
  else
    o.max_file_opening_threads = 1;  // and no threads of its own while opening
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes, -1, false, kForTrees);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_size = 8 << 10;
  // Where things are in a table, and its filter, are pages too, in the same cache: what an index takes of memory does
  // not grow with it. Only the roots of these trees stay, for the tables that are open.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return o;
}

}  // namespace lockstep::logstore
