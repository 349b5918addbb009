#include "io/tls/tls_stream.h"

#include <openssl/err.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"

namespace lockstep::io {
namespace {

constexpr size_t kInputSize = 17 * 1024;    // a record and its frame
constexpr size_t kRecordSize = 16 * 1024;    // of plain text, at most
constexpr size_t kEncryptAhead = 64 * 1024;  // encrypted and not taken by the inner stream

}  // namespace

SslStream::SslStream(Loop& loop, std::unique_ptr<Stream> inner, SslPtr ssl)
    : loop_(loop),
      inner_(std::move(inner)),
      ssl_(std::move(ssl)),
      from_peer_(BIO_new(BIO_s_mem())),
      to_peer_(BIO_new(BIO_s_mem())) {
  LS_ASSERT(from_peer_ && to_peer_);
  BIO_set_mem_eof_return(from_peer_, -1);  // empty is "later", not the end
  SSL_set_bio(ssl_.get(), from_peer_, to_peer_);
}

SslStream::~SslStream() = default;

bool SslStream::established() const { return SSL_is_init_finished(ssl_.get()) == 1; }

std::string SslStream::protocol() const { return SSL_get_version(ssl_.get()); }

std::string SslStream::peer_name() const {
  if (!established() || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  if ((SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) == 0) return {};
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return {};
  const X509_NAME* subject = X509_get_subject_name(certificate);
  // Exactly one: with two it would be a matter of taste who that is.
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return {};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return name.find('\0') == std::string::npos ? name : std::string();
}

void SslStream::Read(std::span<std::byte> to, ReadDone done) {
  LS_ASSERT(!read_done_ && !to.empty());
  read_to_ = to;
  read_done_ = std::move(done);
  Advance();
  Later();
}

void SslStream::Write(std::span<const Buffer> from, WriteDone done) {
  LS_ASSERT(!write_done_);
  write_from_ = from;
  write_skip_ = 0;
  write_done_ = std::move(done);
  Advance();
  Later();
}

void SslStream::ShutdownWrite() {
  farewell_ = true;
  Advance();
  Later();
}

// Does whatever can be done without telling anybody.
void SslStream::Advance() {
  TryWrite();
  TryRead();
  if (farewell_ && !farewell_sent_ && (!write_done_ || write_result_)) {
    farewell_sent_ = true;
    if (broken_.ok() && established()) SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  Flush();
}

void SslStream::TryRead() {
  if (!read_done_ || read_result_) return;
  if (!broken_.ok()) {
    read_result_ = broken_;
    return;
  }
  ERR_clear_error();
  const int n = SSL_read(ssl_.get(), read_to_.data(),
                         static_cast<int>(std::min<size_t>(read_to_.size(), kEncryptAhead)));
  if (n > 0) {
    read_result_ = static_cast<size_t>(n);
    return;
  }
  const int error = SSL_get_error(ssl_.get(), n);
  if (error == SSL_ERROR_ZERO_RETURN) read_result_ = static_cast<size_t>(0);
  else if (error == SSL_ERROR_WANT_READ) StartInnerRead();
  else FailFrom(error, "read from");
}

// A piece as it is, or small ones put together, because a record costs as much as some thousand bytes in it. The same
// bytes again until they have been encrypted.
std::span<const std::byte> SslStream::NextToEncrypt() {
  const Buffer& first = write_from_.front();
  const std::span<const std::byte> rest(first.data + write_skip_, first.size - write_skip_);
  if (write_from_.size() == 1 || rest.size() >= kRecordSize) return rest.first(std::min(rest.size(), kEncryptAhead));
  gathered_.assign(rest.begin(), rest.end());
  for (const Buffer& piece : write_from_.subspan(1)) {
    const size_t taken = std::min(piece.size, kRecordSize - gathered_.size());
    gathered_.insert(gathered_.end(), piece.data, piece.data + taken);
  }
  return gathered_;
}

void SslStream::Encrypted(size_t bytes) {
  while (bytes > 0) {
    const size_t taken = std::min(bytes, write_from_.front().size - write_skip_);
    bytes -= taken;
    write_skip_ += taken;
    if (write_skip_ < write_from_.front().size) return;
    write_from_ = write_from_.subspan(1);
    write_skip_ = 0;
  }
}

void SslStream::TryWrite() {
  if (!write_done_ || write_result_) return;
  while (broken_.ok() && !write_from_.empty() && BIO_ctrl_pending(to_peer_) < kEncryptAhead) {
    const std::span<const std::byte> next = NextToEncrypt();
    if (next.empty()) {
      write_from_ = {};  // pieces without bytes
      break;
    }
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), next.data(), static_cast<int>(next.size()));
    if (n > 0) {
      Encrypted(static_cast<size_t>(n));
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), n);
    if (error != SSL_ERROR_WANT_READ) return FailFrom(error, "write to");
    return StartInnerRead();  // the handshake
  }
  if (!broken_.ok()) write_result_ = broken_;
  else if (write_from_.empty() && !inner_writing_ && BIO_ctrl_pending(to_peer_) == 0) write_result_ = Status();
}

void SslStream::StartInnerRead() {
  if (inner_reading_) return;
  if (inner_ended_) {
    return Fail({Code::kUnavailable, fmt::format("{} ended the connection without the end of its data", peer())});
  }
  inner_reading_ = true;
  input_.resize(kInputSize);
  inner_->Read(input_, [this](Result<size_t> n) {
    inner_reading_ = false;
    if (!n.ok()) {
      Fail(n.status());
    } else if (*n == 0) {
      inner_ended_ = true;
    } else {
      const int taken = BIO_write(from_peer_, input_.data(), static_cast<int>(*n));
      LS_ASSERT(taken == static_cast<int>(*n));
    }
    Advance();
    CallBack();
  });
}

void SslStream::Flush() {
  if (inner_writing_) return;
  if (BIO_ctrl_pending(to_peer_) == 0) {
    if (farewell_sent_) {
      farewell_ = farewell_sent_ = false;
      inner_->ShutdownWrite();
    }
    return;
  }
  output_.resize(BIO_ctrl_pending(to_peer_));
  const int n = BIO_read(to_peer_, output_.data(), static_cast<int>(output_.size()));
  LS_ASSERT(n == static_cast<int>(output_.size()));
  output_buffer_ = {reinterpret_cast<std::byte*>(output_.data()), output_.size()};
  inner_writing_ = true;
  inner_->Write({&output_buffer_, 1}, [this](const Status& status) {
    inner_writing_ = false;
    if (!status.ok()) {
      // What cannot be sent is not tried again; what the peer has sent may still be read.
      (void)BIO_reset(to_peer_);
      if (write_done_ && !write_result_) write_result_ = status;
      if (broken_.ok() && (!established() || farewell_)) Fail(status);
    }
    Advance();
    CallBack();
  });
}

void SslStream::Fail(Status why) {
  if (broken_.ok()) broken_ = std::move(why);
  if (read_done_ && !read_result_) read_result_ = broken_;
  if (write_done_ && !write_result_) write_result_ = broken_;
}

void SslStream::FailFrom(int ssl_error, const char* act) {
  const long verified = SSL_get_verify_result(ssl_.get());
  std::string reason = OpensslError();
  if (verified != X509_V_OK) reason += fmt::format(" ({})", X509_verify_cert_error_string(verified));
  if (ssl_error == SSL_ERROR_SYSCALL && reason == "unknown") reason = "the connection broke";
  Fail({Code::kProtocol, fmt::format("cannot {} {}: TLS: {}", act, peer(), reason)});
}

// Nothing is told inside the call that asked.
void SslStream::Later() {
  if (posted_ || (!read_result_ && !write_result_)) return;
  posted_ = true;
  loop_.Post([this, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    posted_ = false;
    CallBack();
  });
}

void SslStream::CallBack() {
  const std::weak_ptr<char> alive = alive_;
  const bool wrote = write_result_.has_value();
  if (read_result_) {
    Result<size_t> result = *std::exchange(read_result_, std::nullopt);
    std::exchange(read_done_, nullptr)(std::move(result));
    if (alive.expired()) return;
  }
  if (!wrote) return;
  Status result = *std::exchange(write_result_, std::nullopt);
  std::exchange(write_done_, nullptr)(std::move(result));
}

}  // namespace lockstep::io
