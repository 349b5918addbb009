#include "io/posix/socket_stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/assert.h"

namespace lockstep::io {
namespace {

constexpr size_t kMaxVectors = 1024;  // UIO_MAXIOV

}  // namespace

Result<std::unique_ptr<Stream>> SocketStream::Create(EpollLoop& loop, UniqueFd fd, std::string peer) {
  std::unique_ptr<SocketStream> stream(new SocketStream(loop, std::move(fd), std::move(peer)));
  LS_RETURN_IF_ERROR(loop.Watch(stream->fd_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *stream));
  return std::unique_ptr<Stream>(std::move(stream));
}

SocketStream::~SocketStream() {
  loop_.Unwatch(fd_.get(), *this);
}

Status SocketStream::Broken(const char* act, int os_error) const {
  return {Code::kUnavailable, FromErrno(os_error, fmt::format("{} {}", act, peer_)).message(), os_error};
}

void SocketStream::Read(std::span<std::byte> to, ReadDone done) {
  LS_ASSERT(!read_done_ && !to.empty());
  read_to_ = to;
  read_done_ = std::move(done);
  if (readable_) TryRead();
  if (read_result_) loop_.Defer(*this);
}

void SocketStream::Write(std::span<const Buffer> from, WriteDone done) {
  LS_ASSERT(!write_done_);
  write_from_ = from;
  write_done_ = std::move(done);
  TryWrite();
  if (write_result_) loop_.Defer(*this);
}

void SocketStream::ShutdownWrite() { ::shutdown(fd_.get(), SHUT_WR); }

void SocketStream::TryRead() {
  while (true) {
    const ssize_t n = ::recv(fd_.get(), read_to_.data(), read_to_.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      readable_ = false;
      return;
    }
    if (n < 0) {
      read_result_ = Broken("read from", errno);
      return;
    }
    // A short read has emptied the socket, and new bytes make a new edge (epoll(7), question 9). The end of the stream
    // may have made its edge already, so it is asked for again.
    readable_ = static_cast<size_t>(n) == read_to_.size() || n == 0 || hung_up_;
    read_result_ = static_cast<size_t>(n);
    return;
  }
}

void SocketStream::TryWrite() {
  while (!write_from_.empty()) {
    msghdr message{};
    message.msg_iov = reinterpret_cast<iovec*>(const_cast<Buffer*>(write_from_.data()));
    message.msg_iovlen = std::min(write_from_.size(), kMaxVectors);
    const ssize_t n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      writable_ = false;
      KeepRest(write_from_, 0);
      return;
    }
    if (n < 0) {
      write_result_ = Broken("write to", errno);
      return;
    }
    auto moved = static_cast<size_t>(n);
    while (!write_from_.empty() && moved >= write_from_.front().size) {
      moved -= write_from_.front().size;
      write_from_ = write_from_.subspan(1);
    }
    if (moved != 0) KeepRest(write_from_, moved);
  }
  write_result_ = Status();
}

// Copies what is left of the list, without its first `moved` bytes: the caller's list is the caller's.
void SocketStream::KeepRest(std::span<const Buffer> from, size_t moved) {
  if (from.data() >= rest_.data() && from.data() < rest_.data() + rest_.size())
    rest_.erase(rest_.begin(), rest_.begin() + (from.data() - rest_.data()));
  else
    rest_.assign(from.begin(), from.end());
  rest_.front().data += moved;
  rest_.front().size -= moved;
  write_from_ = rest_;
}

void SocketStream::OnReady(uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if ((events & EPOLLIN) != 0 || hung_up_) readable_ = true;
  if ((events & EPOLLOUT) != 0 || hung_up_) writable_ = true;
  if (readable_ && read_done_ && !read_result_) TryRead();
  if (writable_ && write_done_ && !write_result_) TryWrite();
  CallBack();
}

void SocketStream::RunDeferred() { CallBack(); }

void SocketStream::CallBack() {
  Destruction::Watch destruction(destruction_);
  // Each callback may ask for the next transfer, whose result then waits for its own turn; so both are taken first.
  const bool wrote = write_result_.has_value();
  if (read_result_) {
    Result<size_t> result = *std::exchange(read_result_, std::nullopt);
    std::exchange(read_done_, nullptr)(std::move(result));
    if (destruction.happened()) return;
  }
  if (wrote) {
    Status result = *std::exchange(write_result_, std::nullopt);
    std::exchange(write_done_, nullptr)(std::move(result));
    if (destruction.happened()) return;
  }
}

}  // namespace lockstep::io
