// Names of hosts.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"

namespace lockstep::io {

// One owner loop; callbacks run on it, never inside the call. Looking up may take long and keeps nothing waiting.
class Resolver {
 public:
  using Resolved = std::move_only_function<void(Result<std::string>)>;
  // Callbacks outstanding are dropped without being called.
  virtual ~Resolver() = default;
  // A numeric address of the host, one of them if there are several. unavailable: there is none, or nobody knows.
  virtual void Resolve(const std::string& host, Resolved done) = 0;
};

}  // namespace lockstep::io
