// Names of hosts, looked up by the C library on threads of their own: it may take many seconds and cannot be stopped,
// so it is kept away from the executor that storage needs. A thread that is still at it when the resolver goes ends by
// itself and touches nothing of it.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "io/loop.h"
#include "io/resolver.h"

namespace lockstep::io {

class PosixResolver final : public Resolver {
 public:
  // `loop` outlives the resolver.
  explicit PosixResolver(Loop& loop);
  ~PosixResolver() override;
  void Resolve(const std::string& host, Resolved done) override;

 private:
  struct Shared;
  struct Question {
    std::string host;
    Resolved done;
  };
  void StartNext();

  Loop& loop_;
  std::deque<Question> waiting_;
  size_t running_ = 0;
  std::shared_ptr<Shared> shared_;
};

}  // namespace lockstep::io
