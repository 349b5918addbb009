// Endpoints as the kernel wants them.
#pragma once

#include <sys/socket.h>

#include "base/status.h"
#include "io/net.h"
#include "io/posix/unique_fd.h"

namespace lockstep::io {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// REQUIRES: `endpoint` is as Endpoint::Parse makes them.
SocketAddress ToSocketAddress(const Endpoint& endpoint);
// The port that a bound socket has.
uint16_t BoundPort(int fd);
// For logs: "tcp:127.0.0.1:40022", or "unix" for the nameless end of a Unix socket.
std::string PeerName(int fd);
// A non-blocking stream socket of the endpoint's kind; TCP without Nagle's delay, since protocol engines send whole
// replies.
Result<UniqueFd> OpenSocket(const Endpoint& endpoint);
void DisableDelay(int fd);
// Listens; replaces the file of a Unix socket that nobody listens on. in-use when somebody does.
Result<UniqueFd> OpenListeningSocket(const Endpoint& at);

}  // namespace lockstep::io
