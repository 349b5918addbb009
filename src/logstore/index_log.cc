#include "logstore/index_log.h"

#include <rocksdb/write_batch.h>

#include "base/codec.h"

namespace lockstep::logstore {

rocksdb::WalFilter::WalProcessingOption UpToTheGap::LogRecordFound(unsigned long long, const std::string&,
                                                                   const rocksdb::WriteBatch& batch,
                                                                   rocksdb::WriteBatch*, bool*) {
  // What a write looks like in the log: its sequence number in 8 bytes, then the rest (RocksDB, db/write_batch.cc).
  const std::string& bytes = batch.Data();
  const auto sequence = Decoder(bytes).Little<uint64_t>();
  if (next_ && sequence != *next_) return WalProcessingOption::kStopReplay;
  next_ = sequence + batch.Count();  // one for each change
  return WalProcessingOption::kContinueProcessing;
}

}  // namespace lockstep::logstore
