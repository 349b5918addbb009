#include "io/posix/network.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "io/posix/destruction.h"
#include "io/posix/socket_address.h"
#include "io/posix/socket_stream.h"

namespace lockstep::io {

class PosixNetwork::SocketListener final : public Listener, private FdHandler {
 public:
  SocketListener(PosixNetwork& network, UniqueFd fd, Endpoint at, Accept accept)
      : network_(network), fd_(std::move(fd)), at_(std::move(at)), accept_(std::move(accept)) {
    if (at_.kind == Endpoint::Kind::kTcp)
      at_.port = BoundPort(fd_.get());
    else if (::lstat(at_.address.c_str(), &file_) != 0)
      file_ = {};
  }

  ~SocketListener() override {
    network_.loop_.Cancel(pause_);
    network_.loop_.Unwatch(fd_.get(), *this);
    if (at_.kind == Endpoint::Kind::kUnix) RemoveFile();
  }

  Status Start() { return network_.loop_.Watch(fd_.get(), EPOLLIN, *this); }
  Endpoint endpoint() const override { return at_; }

 private:
  void OnReady(uint32_t) override {
    Destruction::Watch destruction(destruction_);
    while (!destruction.happened()) {
      UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.valid()) {
        Serve(std::move(fd));
        continue;
      }
      // These concern the one connection that has gone away in the meantime (accept(2)).
      if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) Pause(errno);
      return;
    }
  }

  void Serve(UniqueFd fd) {
    if (at_.kind == Endpoint::Kind::kTcp) DisableDelay(fd.get());
    std::string peer = PeerName(fd.get());
    Result<std::unique_ptr<Stream>> stream = SocketStream::Create(network_.loop_, std::move(fd), std::move(peer));
    if (stream.ok())
      accept_(std::move(*stream));
    else
      network_.log_.Warn("{}: a connection was dropped: {}", at_.ToString(), stream.status().message());
  }

  // Out of file descriptors or memory: asking again at once would only burn the processor.
  void Pause(int os_error) {
    network_.log_.Warn("{}: cannot take connections now: {}", at_.ToString(), FromErrno(os_error, "accept").message());
    network_.loop_.Unwatch(fd_.get(), *this);
    pause_ = network_.loop_.After(std::chrono::milliseconds(200), [this] {
      pause_ = TimerId::kNone;
      if (const Status status = Start(); !status.ok()) Pause(status.os_error());
    });
  }

  // Only if it is still ours: another process may have replaced it.
  void RemoveFile() {
    struct stat now;
    if (::lstat(at_.address.c_str(), &now) == 0 && now.st_dev == file_.st_dev && now.st_ino == file_.st_ino)
      ::unlink(at_.address.c_str());
  }

  PosixNetwork& network_;
  const UniqueFd fd_;
  Endpoint at_;
  Accept accept_;
  struct stat file_{};  // of a Unix socket
  TimerId pause_ = TimerId::kNone;
  Destruction destruction_;
};

// A connection that is being made.
class PosixNetwork::Connecting final : private FdHandler, private Deferred {
 public:
  Connecting(PosixNetwork& network, Endpoint to, Connected done)
      : network_(network), to_(std::move(to)), done_(std::move(done)) {}
  ~Connecting() {
    if (fd_.valid()) network_.loop_.Unwatch(fd_.get(), *this);
  }

  void Start() {
    Result<UniqueFd> fd = OpenSocket(to_);
    if (!fd.ok()) return EndLater(fd.status());
    fd_ = std::move(*fd);
    const SocketAddress address = ToSocketAddress(to_);
    int result = 0;
    do result = ::connect(fd_.get(), address.get(), address.size);
    while (result != 0 && errno == EINTR);
    if (result == 0) return EndLater({});
    if (errno != EINPROGRESS) return EndLater(Unreachable(errno));
    if (Status status = network_.loop_.Watch(fd_.get(), EPOLLOUT, *this); !status.ok()) EndLater(std::move(status));
  }

  Connected TakeDone() { return std::move(done_); }
  Result<std::unique_ptr<Stream>> TakeStream() {
    if (!outcome_->ok()) return *outcome_;
    network_.loop_.Unwatch(fd_.get(), *this);
    return SocketStream::Create(network_.loop_, std::move(fd_), to_.ToString());
  }

 private:
  void OnReady(uint32_t) override {
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    outcome_ = error == 0 ? Status() : Unreachable(error);
    network_.Finish(*this);
  }
  void RunDeferred() override { network_.Finish(*this); }
  void EndLater(Status outcome) {
    outcome_ = std::move(outcome);
    network_.loop_.Defer(*this);
  }
  Status Unreachable(int os_error) const {
    return {Code::kUnavailable, FromErrno(os_error, fmt::format("connect to {}", to_.ToString())).message(), os_error};
  }

  PosixNetwork& network_;
  const Endpoint to_;
  Connected done_;
  UniqueFd fd_;
  std::optional<Status> outcome_;
};

PosixNetwork::PosixNetwork(EpollLoop& loop, Log& log) : loop_(loop), log_(log) {}

PosixNetwork::~PosixNetwork() = default;

Result<std::unique_ptr<Listener>> PosixNetwork::Listen(const Endpoint& at, Accept accept) {
  LS_ASSIGN_OR_RETURN(UniqueFd fd, OpenListeningSocket(at));
  auto listener = std::make_unique<SocketListener>(*this, std::move(fd), at, std::move(accept));
  LS_RETURN_IF_ERROR(listener->Start());
  return std::unique_ptr<Listener>(std::move(listener));
}

void PosixNetwork::Connect(const Endpoint& to, Connected done) {
  auto connecting = std::make_unique<Connecting>(*this, to, std::move(done));
  Connecting& started = *connecting;
  connecting_.insert(std::move(connecting));
  started.Start();
}

void PosixNetwork::Finish(Connecting& connecting) {
  Connected done = connecting.TakeDone();
  Result<std::unique_ptr<Stream>> stream = connecting.TakeStream();
  std::erase_if(connecting_, [&](const std::unique_ptr<Connecting>& c) { return c.get() == &connecting; });
  done(std::move(stream));  // may destroy the network
}

}  // namespace lockstep::io
