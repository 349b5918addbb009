// The stream of a TlsContext.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/tls/openssl.h"
#include "io/tls/tls.h"

namespace lockstep::io {

class SslStream final : public TlsStream {
 public:
  // `ssl` is set up but for its memory.
  SslStream(Loop& loop, std::unique_ptr<Stream> inner, SslPtr ssl);
  ~SslStream() override;

  void Read(std::span<std::byte> to, ReadDone done) override;
  void Write(std::span<const Buffer> from, WriteDone done) override;
  void ShutdownWrite() override;
  std::string peer() const override { return inner_->peer(); }
  bool established() const override;
  std::string peer_name() const override;
  std::string protocol() const override;

 private:
  void Advance();
  void TryRead();
  void TryWrite();
  std::span<const std::byte> NextToEncrypt();
  void Encrypted(size_t bytes);
  void StartInnerRead();
  void Flush();
  void Fail(Status why);
  void FailFrom(int ssl_result, const char* act);
  void Later();
  void CallBack();

  Loop& loop_;
  const std::unique_ptr<Stream> inner_;
  const SslPtr ssl_;
  BIO* from_peer_;  // of ssl_
  BIO* to_peer_;

  std::span<std::byte> read_to_;
  ReadDone read_done_;
  std::optional<Result<size_t>> read_result_;  // known, and not told yet
  std::span<const Buffer> write_from_;         // not encrypted yet
  size_t write_skip_ = 0;                      // bytes of its first buffer that are
  WriteDone write_done_;
  std::optional<Status> write_result_;

  std::vector<std::byte> gathered_;  // small pieces of write_from_, for one record
  std::vector<std::byte> input_;  // for the inner stream
  std::string output_;
  Buffer output_buffer_{};
  bool inner_reading_ = false, inner_writing_ = false;
  bool inner_ended_ = false;
  bool farewell_ = false, farewell_sent_ = false;
  bool posted_ = false;
  Status broken_;  // not OK: what everything ends with from now on
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace lockstep::io
