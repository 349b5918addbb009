// RocksDB's own log of the index, as it is replayed after a crash. Internal to index.cc.
#pragma once

#include <rocksdb/wal_filter.h>

#include <cstdint>
#include <optional>
#include <string>

namespace lockstep::logstore {

// Takes the log up to the first write that is missing, so that an index is always what it was after some write. RocksDB
// (7.8) stops at a record that is damaged, but not at one of which nothing is left: from zeroes on, which is what a
// power cut may leave of pages that were not written in their order, it goes on with the next 32 KiB of the file.
class UpToTheGap final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "lockstep.up_to_the_gap"; }
  WalProcessingOption LogRecordFound(unsigned long long log, const std::string& file, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* changed, bool* is_changed) override;

 private:
  std::optional<uint64_t> next_;  // sequence number of the next write
};

}  // namespace lockstep::logstore
