// A connected socket as a Stream. The path of every NBD byte: a request that can be answered at once costs one system
// call, nothing is allocated per transfer, and epoll is told about the socket once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/net.h"
#include "io/posix/destruction.h"
#include "io/posix/epoll_loop.h"

namespace lockstep::io {

class SocketStream final : public Stream, private FdHandler, private Deferred {
 public:
  static Result<std::unique_ptr<Stream>> Create(EpollLoop& loop, UniqueFd fd, std::string peer);
  ~SocketStream() override;

  void Read(std::span<std::byte> to, ReadDone done) override;
  void Write(std::span<const Buffer> from, WriteDone done) override;
  void ShutdownWrite() override;
  std::string peer() const override { return peer_; }

 private:
  SocketStream(EpollLoop& loop, UniqueFd fd, std::string peer)
      : loop_(loop), fd_(std::move(fd)), peer_(std::move(peer)) {}
  void OnReady(uint32_t events) override;
  void RunDeferred() override;
  void TryRead();
  void TryWrite();
  void KeepRest(std::span<const Buffer> from, size_t moved);
  void CallBack();
  Status Broken(const char* act, int os_error) const;

  EpollLoop& loop_;
  const UniqueFd fd_;
  const std::string peer_;

  // Edge-triggered: what epoll has said and no call has contradicted yet.
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;  // the peer ended or broke the connection: no further edge will come

  std::span<std::byte> read_to_;
  ReadDone read_done_;
  std::optional<Result<size_t>> read_result_;  // known, and not told yet

  std::span<const Buffer> write_from_;  // left to send: the caller's, or rest_
  std::vector<Buffer> rest_;            // keeps its memory from one write to the next
  WriteDone write_done_;
  std::optional<Status> write_result_;

  Destruction destruction_;
};

}  // namespace lockstep::io
