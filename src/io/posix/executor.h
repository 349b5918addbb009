// Threads for blocking work.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "io/loop.h"

namespace lockstep::io {

class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(size_t threads);
  // As Stop.
  ~ThreadExecutor() override;

  void Run(Closure work) override;
  // Ends when all work that was handed in has been done; what is handed in afterwards is dropped.
  void Stop();

 private:
  void Work();

  std::mutex mutex_;  // guards the two below
  std::deque<Closure> queue_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
};

}  // namespace lockstep::io
