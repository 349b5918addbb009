// Pools as the node makes them: a logstore on a file or a block device, its index in the data directory.
#pragma once

#include <functional>
#include <memory>
#include <set>
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
  Task<Result<std::shared_ptr<block::Pool>>> Open(control::PoolPlace place) override;
  Task<Result<std::unique_ptr<io::Disk>>> OpenDevice(std::string path, uint64_t size) override;
  Task<Result<uint64_t>> RoomOn(std::string path) override;
  Task<Status> Erase(block::PoolId pool, std::vector<std::string> paths) override;
  Task<Result<std::string>> LeaveIndex(block::PoolId pool, std::string to) override;
  Task<void> WaitForClosed() override;

 private:
  // A blank disk: made, or found with nothing on it. A file that was made is removed again on failure.
  // `may_join`: or one that a crash kept from becoming a part of a pool, which that pool may try again.
  Task<Result<std::unique_ptr<io::Disk>>> OpenBlank(std::string path, uint64_t size, bool may_join, bool* made);
  std::string IndexOf(block::PoolId pool) const { return index_directory_ + "/" + pool.ToString(); }
  Task<Status> FreeDevice(std::string path, block::PoolId pool);
  Task<Status> CopyIndex(std::string from, std::string to);
  // Whoever has it closes it by dropping it.
  std::shared_ptr<block::Pool> Share(std::unique_ptr<block::Pool> pool);
  Task<void> Close(std::unique_ptr<block::Pool> pool);
  Task<void> WaitForPool(block::PoolId pool);
  auto NextClosed() {
    return SuspendWith([this](auto resume) { closed_.push_back(std::move(resume)); });
  }
  // Opens the disk on the executor; goes on on the data loop.
  Task<Result<std::unique_ptr<io::Disk>>> OpenDisk(std::string path, uint64_t create_size);
  // One that is there; waits a moment while another process that has been killed still holds it.
  Task<Result<std::unique_ptr<io::Disk>>> OpenSoon(std::string path);
  Task<bool> IsMissing(std::string path);
  Task<void> RemoveFile(std::string path);
  Task<Result<std::shared_ptr<block::Pool>>> OpenStore(logstore::Opening opening, std::string index_from);

  io::Env& env_;
  const std::string index_directory_;
  logstore::Options options_;
  size_t open_ = 0;                       // pools that have not been closed; the data loop's
  std::multiset<block::PoolId> closing_;  // of them, those that nobody has any more
  std::vector<std::move_only_function<void()>> closed_;  // who waits for one of them
  BadBlockListener listener_;
};

}  // namespace lockstep::node
