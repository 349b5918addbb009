// TCP and Unix sockets on an EpollLoop.
#pragma once

#include <memory>
#include <set>

#include "base/log.h"
#include "io/net.h"
#include "io/posix/epoll_loop.h"

namespace lockstep::io {

class PosixNetwork final : public Network {
 public:
  PosixNetwork(EpollLoop& loop, Log& log);
  // Connections that are still being made are dropped, their callbacks uncalled.
  ~PosixNetwork() override;

  Result<std::unique_ptr<Listener>> Listen(const Endpoint& at, Accept accept) override;
  void Connect(const Endpoint& to, Connected done) override;

 private:
  class Connecting;
  class SocketListener;
  void Finish(Connecting& connecting);

  EpollLoop& loop_;
  Log& log_;
  std::set<std::unique_ptr<Connecting>> connecting_;
};

}  // namespace lockstep::io
