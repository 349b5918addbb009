// Owners for OpenSSL's objects, and its errors as sentences.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace lockstep::io {

template <auto kFree>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;

// The reason of the oldest error of this thread; the others are forgotten. "unknown" when there is none.
std::string OpensslError();
// A source that reads `text`, which outlives it.
BioPtr ReadFrom(std::string_view text);
std::string ContentOf(BIO* bio);
// Whether a name of a certificate is an IP address, which certificates keep apart from host names.
bool IsNumericAddress(const std::string& name);

}  // namespace lockstep::io
