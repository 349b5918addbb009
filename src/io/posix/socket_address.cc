#include "io/posix/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"

namespace lockstep::io {
namespace {

// Whether `path` is a socket that nobody listens on any more, left by a process that was killed.
bool IsStaleSocket(const Endpoint& at) {
  struct stat info;
  if (::lstat(at.address.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const Result<UniqueFd> probe = OpenSocket(at);
  if (!probe.ok()) return false;
  const SocketAddress address = ToSocketAddress(at);
  return ::connect(probe->get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

Status Bind(int fd, const Endpoint& at) {
  const SocketAddress address = ToSocketAddress(at);
  if (::bind(fd, address.get(), address.size) == 0) return {};
  int error = errno;
  if (error == EADDRINUSE && at.kind == Endpoint::Kind::kUnix && IsStaleSocket(at)) {
    ::unlink(at.address.c_str());
    if (::bind(fd, address.get(), address.size) == 0) return {};
    error = errno;
  }
  if (error == EADDRINUSE) return InUse(fmt::format("{} is in use by another process", at.ToString()));
  return FromErrno(error, fmt::format("listen on {}", at.ToString()));
}

}  // namespace

SocketAddress ToSocketAddress(const Endpoint& endpoint) {
  SocketAddress out;
  if (endpoint.kind == Endpoint::Kind::kUnix) {
    auto& un = reinterpret_cast<sockaddr_un&>(out.storage);
    LS_ASSERT(endpoint.address.size() < sizeof(un.sun_path));
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, endpoint.address.c_str(), endpoint.address.size() + 1);
    out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + endpoint.address.size() + 1);
    return out;
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
  if (::inet_pton(AF_INET, endpoint.address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    out.size = sizeof(v4);
    return out;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out.storage);
  v6 = {};
  LS_ASSERT(::inet_pton(AF_INET6, endpoint.address.c_str(), &v6.sin6_addr) == 1);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  out.size = sizeof(v6);
  return out;
}

uint16_t BoundPort(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) return 0;
  if (address.storage.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(address.storage).sin_port);
  if (address.storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port);
  return 0;
}

std::string PeerName(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) return "gone";
  char text[INET6_ADDRSTRLEN] = "";
  if (address.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return fmt::format("tcp:{}:{}", text, ntohs(v4.sin_port));
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return fmt::format("tcp:[{}]:{}", text, ntohs(v6.sin6_port));
  }
  return "unix";
}

void DisableDelay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // fails for Unix sockets, which have no delay
}

Result<UniqueFd> OpenSocket(const Endpoint& endpoint) {
  const int family = ToSocketAddress(endpoint).storage.ss_family;
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FromErrno(errno, fmt::format("open a socket for {}", endpoint.ToString()));
  if (endpoint.kind == Endpoint::Kind::kTcp) DisableDelay(fd.get());
  return fd;
}

Result<UniqueFd> OpenListeningSocket(const Endpoint& at) {
  LS_ASSIGN_OR_RETURN(UniqueFd fd, OpenSocket(at));
  const int on = 1;
  if (at.kind == Endpoint::Kind::kTcp) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    // "[::]" means IPv6 and nothing else, so that 0.0.0.0 can be listened on beside it.
    if (ToSocketAddress(at).storage.ss_family == AF_INET6)
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  LS_RETURN_IF_ERROR(Bind(fd.get(), at));
  if (::listen(fd.get(), SOMAXCONN) != 0) {
    if (errno == EADDRINUSE) return InUse(fmt::format("{} is in use by another process", at.ToString()));
    return FromErrno(errno, fmt::format("listen on {}", at.ToString()));
  }
  return fd;
}

}  // namespace lockstep::io
