// TLS 1.2 and 1.3 over any Stream: what is written is encrypted and handed to it, what it gives is decrypted. OpenSSL
// works on memory only, so the same code runs over sockets and in the simulator.
//
//   std::unique_ptr<TlsStream> stream = context->Wrap(loop, std::move(connection));
//   stream->Read(...);   // does the handshake first
//
// A TlsStream keeps Stream's contract. Bytes that are no TLS, a certificate that is refused and records that were
// changed on the way end it with "protocol"; a connection that ends without TLS's own farewell ends with "unavailable",
// so that nobody takes a part for the whole.
#pragma once

#include <memory>
#include <string>

#include "io/loop.h"
#include "io/net.h"
#include "io/tls/certificate.h"

struct ssl_ctx_st;

namespace lockstep::io {

class TlsStream : public Stream {
 public:
  // Both sides have agreed on keys.
  virtual bool established() const = 0;
  // The common name of the peer's certificate, if it has shown one that was verified; otherwise empty.
  virtual std::string peer_name() const = 0;
  virtual std::string protocol() const = 0;  // "TLSv1.3"
};

struct TlsServerOptions {
  KeyPair identity;
  // Certificates of authorities (PEM): clients may show certificates of theirs, and one of any other is refused. Empty:
  // clients are not asked.
  std::string client_authorities;
};

struct TlsClientOptions {
  // Certificates (PEM) that the server's is verified against; empty: it is not verified.
  std::string authorities;
  std::string server_name;  // host name or numeric address that the certificate must be for; empty: any
  KeyPair identity;         // both empty: none is shown
};

// What connections of one kind share. Thread-compatible; streams keep what they need of it alive.
class TlsContext {
 public:
  // invalid-argument when a text is no PEM, or key and certificate do not belong together.
  static Result<std::unique_ptr<TlsContext>> ForServer(const TlsServerOptions& options);
  static Result<std::unique_ptr<TlsContext>> ForClient(const TlsClientOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Connections from now on are those of another context: its certificates, its authorities. Those that there are go on
  // as they began.
  void Become(std::unique_ptr<TlsContext> other);

  // `loop` is the inner stream's, and outlives the result.
  std::unique_ptr<TlsStream> Wrap(Loop& loop, std::unique_ptr<Stream> inner) const;

 private:
  TlsContext(ssl_ctx_st* context, bool server) : context_(context), server_(server) {}
  ssl_ctx_st* context_;
  bool server_;
  std::string server_name_;
};

}  // namespace lockstep::io
