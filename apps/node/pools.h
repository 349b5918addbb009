// Pools as the node makes them: a logstore on a file or a block device, its index in the data directory.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/interfaces.h"
#include "io/env.h"
#include "logstore/logstore.h"

namespace lockstep::node {

class LogstorePools final : public control::PoolOpener {
 public:
  // Indexes live in directories under `index_directory`, which must exist. `env` outlives this and the pools.
  // `warn_used`: percent of a pool in use at which a warning is logged.
  // `memory`: bytes that each pool may take (logstore/memory.h).
  LogstorePools(io::Env& env, std::string index_directory, std::vector<uint32_t> warn_used, uint64_t memory);
  void OnBadBlock(BadBlockListener listener) override { listener_ = std::move(listener); }

  // Refuses a path that holds anything: already-exists when it is a pool, in-use when its first MiB is not all zeroes,
  // so that a slip of the finger does not take somebody's file system. A file that was made and could not be formatted
  // is removed again.
  Task<Result<std::shared_ptr<block::Pool>>> Create(std::string path, uint64_t size, block::PoolId id) override;
  Task<Result<std::shared_ptr<block::Pool>>> Open(std::string path) override;

 private:
  // Opens the disk on the executor; goes on on the data loop.
  Task<Result<std::unique_ptr<io::Disk>>> OpenDisk(std::string path, uint64_t create_size);
  Task<bool> IsMissing(std::string path);
  Task<void> RemoveFile(std::string path);
  Task<Result<std::shared_ptr<block::Pool>>> OpenStore(std::string path, std::unique_ptr<io::Disk> disk);

  io::Env& env_;
  const std::string index_directory_;
  logstore::Options options_;
  BadBlockListener listener_;
};

}  // namespace lockstep::node
