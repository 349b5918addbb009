#include "io/posix/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <thread>
#include <utility>

#include <fmt/format.h>

namespace lockstep::io {
namespace {

constexpr size_t kThreads = 4;

Result<std::string> LookUp(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0)
    return Status(Code::kUnavailable, fmt::format("the host {} is not known: {}", host, ::gai_strerror(error)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, ::freeaddrinfo);
  char text[INET6_ADDRSTRLEN] = {};
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const void* address = nullptr;
    if (one->ai_family == AF_INET) address = &reinterpret_cast<const sockaddr_in*>(one->ai_addr)->sin_addr;
    if (one->ai_family == AF_INET6) address = &reinterpret_cast<const sockaddr_in6*>(one->ai_addr)->sin6_addr;
    if (address && ::inet_ntop(one->ai_family, address, text, sizeof text)) return std::string(text);
  }
  return Status(Code::kUnavailable, fmt::format("the host {} has no address", host));
}

}  // namespace

// What a thread may touch at any time.
struct PosixResolver::Shared {
  std::mutex mutex;         // guards `owner`: whoever holds it keeps the resolver alive
  PosixResolver* owner = nullptr;
};

PosixResolver::PosixResolver(Loop& loop) : loop_(loop), shared_(std::make_shared<Shared>()) { shared_->owner = this; }

PosixResolver::~PosixResolver() {
  const std::lock_guard lock(shared_->mutex);
  shared_->owner = nullptr;
}

void PosixResolver::Resolve(const std::string& host, Resolved done) {
  waiting_.push_back({host, std::move(done)});
  StartNext();
}

void PosixResolver::StartNext() {
  if (waiting_.empty() || running_ >= kThreads) return;
  Question next = std::move(waiting_.front());
  waiting_.pop_front();
  ++running_;
  std::thread([shared = shared_, host = std::move(next.host), done = std::move(next.done)]() mutable {
    Result<std::string> address = LookUp(host);
    const std::lock_guard lock(shared->mutex);
    if (!shared->owner) return;
    shared->owner->loop_.Post([shared, address = std::move(address), done = std::move(done)]() mutable {
      // On the resolver's own loop, where it is destroyed as well.
      PosixResolver* const owner = shared->owner;
      if (!owner) return;
      --owner->running_;
      owner->StartNext();
      done(std::move(address));
    });
  }).detach();
}

}  // namespace lockstep::io
