// A pool of the embedded engine on a real file, and the environment that it runs in.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/task.h"
#include "block/pool.h"
#include "io/posix/env.h"
#include "logstore/logstore.h"

namespace lockstep::bench {

// Runs a task on a loop and waits for it, from a thread that is not the loop's.
template <typename T>
T RunOn(io::Loop& loop, Task<T> task) {
  std::promise<T> promise;
  std::future<T> result = promise.get_future();
  loop.Post([promise = std::move(promise), task = std::move(task)]() mutable {
    Spawn(std::move(task), [promise = std::move(promise)](T value) mutable { promise.set_value(std::move(value)); });
  });
  return result.get();
}

// Made, used and destroyed on the main thread; pool and volumes belong to the data loop.
class Session {
 public:
  struct Options {
    std::string file;   // the pool's device: a file that is as large as the pool shall be
    std::string index;  // directory of the engine's index; what is there is removed
    logstore::Options pool = {};
  };
  // Makes an empty pool in the file, over what was there before, and opens it.
  static Result<std::unique_ptr<Session>> Create(const Options& options);
  // Closes the pool. REQUIRES: nothing is in flight and no volume of it is held.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  io::PosixEnv& env() { return *env_; }
  io::Loop& loop() { return env_->data_loop(); }
  block::Pool& pool() { return *pool_; }
  block::TransactionId NewTransaction() { return {env_->random().NextUuid()}; }

  // Closes the pool and opens it again; answers how long opening took. On the data loop. REQUIRES: as for ~Session.
  Task<Result<io::Duration>> Reopen();

  // New volumes of `size` bytes, opened. On the data loop.
  Task<Result<std::vector<std::shared_ptr<block::Volume>>>> AddVolumes(size_t count, uint64_t size);

 private:
  Session(std::unique_ptr<io::PosixEnv> env, Options options) : options_(std::move(options)), env_(std::move(env)) {}
  Task<Status> MakePool();
  Task<Status> OpenPool(std::unique_ptr<io::Disk> disk);

  Options options_;
  std::unique_ptr<io::PosixEnv> env_;
  std::unique_ptr<block::Pool> pool_;
};

}  // namespace lockstep::bench
