#include "io/tls/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "io/tls/tls_stream.h"

namespace lockstep::io {
namespace {

// Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else.
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

using ContextPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;

Status Bad(std::string_view what) { return InvalidArgument(fmt::format("{}: {}", what, OpensslError())); }

Result<ContextPtr> Make(const SSL_METHOD* method) {
  ERR_clear_error();
  ContextPtr context(SSL_CTX_new(method));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context.get(), kCiphers) != 1)
    return Bad("TLS is not available");
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return context;
}

// Never asks anybody for the passphrase of a key.
int NoPassphrase(char*, int, int, void*) { return -1; }

Status UseIdentity(SSL_CTX* context, const KeyPair& identity) {
  const BioPtr key_in = ReadFrom(identity.key), in = ReadFrom(identity.certificate);
  const CertificatePtr certificate(PEM_read_bio_X509(in.get(), nullptr, NoPassphrase, nullptr));
  if (!certificate) return Bad("the certificate is not in PEM");
  if (SSL_CTX_use_certificate(context, certificate.get()) != 1) return Bad("the certificate cannot be used");
  while (true) {
    CertificatePtr next(PEM_read_bio_X509(in.get(), nullptr, NoPassphrase, nullptr));
    if (!next) break;
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) return Bad("the chain of the certificate cannot be used");
    (void)next.release();
  }
  ERR_clear_error();
  const KeyPtr key(PEM_read_bio_PrivateKey(key_in.get(), nullptr, NoPassphrase, nullptr));
  if (!key) return Bad("the key is not in PEM, or it is encrypted");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return Bad("key and certificate do not belong together");
  return {};
}

Status UseAuthorities(SSL_CTX* context, const std::string& pem, bool tell_clients) {
  const BioPtr in = ReadFrom(pem);
  size_t count = 0;
  for (;; ++count) {
    const CertificatePtr authority(PEM_read_bio_X509(in.get(), nullptr, NoPassphrase, nullptr));
    if (!authority) break;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1)
      return Bad("the certificate of an authority cannot be used");
    if (tell_clients && SSL_CTX_add_client_CA(context, authority.get()) != 1)
      return Bad("the certificate of an authority cannot be used");
  }
  if (count == 0) return Bad("there is no authority's certificate in PEM");
  ERR_clear_error();
  return {};
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::ForServer(const TlsServerOptions& options) {
  LS_ASSIGN_OR_RETURN(ContextPtr context, Make(TLS_server_method()));
  LS_RETURN_IF_ERROR(UseIdentity(context.get(), options.identity));
  static constexpr unsigned char kSessions[] = "lockstep";
  if (SSL_CTX_set_session_id_context(context.get(), kSessions, sizeof kSessions - 1) != 1) return Bad("TLS sessions");
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets instead: nothing is held for clients
  SSL_CTX_set_num_tickets(context.get(), 1);
  if (!options.client_authorities.empty()) {
    LS_RETURN_IF_ERROR(UseAuthorities(context.get(), options.client_authorities, true));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  return std::unique_ptr<TlsContext>(new TlsContext(context.release(), true));
}

Result<std::unique_ptr<TlsContext>> TlsContext::ForClient(const TlsClientOptions& options) {
  LS_ASSIGN_OR_RETURN(ContextPtr context, Make(TLS_client_method()));
  if (!options.identity.certificate.empty()) LS_RETURN_IF_ERROR(UseIdentity(context.get(), options.identity));
  if (!options.authorities.empty()) {
    LS_RETURN_IF_ERROR(UseAuthorities(context.get(), options.authorities, false));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  std::unique_ptr<TlsContext> made(new TlsContext(context.release(), false));
  made->server_name_ = options.server_name;
  return made;
}

void TlsContext::Become(std::unique_ptr<TlsContext> other) {
  std::swap(context_, other->context_);  // streams hold on to theirs
  std::swap(server_, other->server_);
  std::swap(server_name_, other->server_name_);
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

std::unique_ptr<TlsStream> TlsContext::Wrap(Loop& loop, std::unique_ptr<Stream> inner) const {
  SslPtr ssl(SSL_new(context_));
  LS_ASSERT(ssl);
  if (server_) {
    SSL_set_accept_state(ssl.get());
  } else {
    SSL_set_connect_state(ssl.get());
    if (!server_name_.empty()) {
      const bool numeric = IsNumericAddress(server_name_);
      if (!numeric) (void)SSL_set_tlsext_host_name(ssl.get(), server_name_.c_str());
      const int set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), server_name_.c_str())
                              : SSL_set1_host(ssl.get(), server_name_.c_str());
      LS_ASSERT(set == 1);
    }
  }
  return std::make_unique<SslStream>(loop, std::move(inner), std::move(ssl));
}

}  // namespace lockstep::io
