#include "io/tls/certificate.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"
#include "io/tls/openssl.h"

namespace lockstep::io {
namespace {

Status Failed(std::string_view act) { return {Code::kInternal, fmt::format("cannot {}: {}", act, OpensslError())}; }

// What stands in a list of alternative names: no character that the list gives a meaning.
bool IsPlainName(const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.';
    if (!plain) return false;
  }
  return true;
}

std::string AlternativeNames(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    const bool address = IsNumericAddress(name);
    if (!address && !IsPlainName(name)) continue;
    fmt::format_to(std::back_inserter(list), "{}{}:{}", list.empty() ? "" : ",", address ? "IP" : "DNS", name);
  }
  return list;
}

bool AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetSerial(X509* certificate) {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3f) | 0x40);  // positive, and of full length
  BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
  const bool set = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return set;
}

bool SetTimes(X509* certificate, WallTime now) {
  time_t seconds = static_cast<time_t>(now.us / 1'000'000);
  return X509_time_adj_ex(X509_getm_notBefore(certificate), -1, 0, &seconds) != nullptr &&
         X509_time_adj_ex(X509_getm_notAfter(certificate), 3650, 0, &seconds) != nullptr;
}

bool SetName(X509* certificate, const std::string& name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const std::string common = name.substr(0, 64);  // as long as X.520 has it
  return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1;
}

bool AddExtensions(X509* certificate, const std::vector<std::string>& names) {
  const std::string alternatives = AlternativeNames(names);
  return AddExtension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         AddExtension(certificate, NID_key_usage, "critical,digitalSignature") &&
         AddExtension(certificate, NID_ext_key_usage, "serverAuth,clientAuth") &&
         AddExtension(certificate, NID_subject_key_identifier, "hash") &&
         AddExtension(certificate, NID_authority_key_identifier, "keyid:always") &&
         (alternatives.empty() || AddExtension(certificate, NID_subject_alt_name, alternatives));
}

}  // namespace

Result<KeyPair> MakeSelfSigned(const std::vector<std::string>& names, WallTime now) {
  LS_ASSERT(!names.empty());
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr certificate(X509_new());
  if (!key || !certificate) return Failed("make a key");
  const bool made = X509_set_version(certificate.get(), X509_VERSION_3) == 1 && SetSerial(certificate.get()) &&
                    SetTimes(certificate.get(), now) && SetName(certificate.get(), names.front()) &&
                    X509_set_pubkey(certificate.get(), key.get()) == 1 && AddExtensions(certificate.get(), names) &&
                    X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0;
  if (!made) return Failed("make a certificate");
  const BioPtr certificate_out(BIO_new(BIO_s_mem())), key_out(BIO_new(BIO_s_mem()));
  if (!certificate_out || !key_out || PEM_write_bio_X509(certificate_out.get(), certificate.get()) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return Failed("write a certificate");
  return KeyPair{ContentOf(certificate_out.get()), ContentOf(key_out.get())};
}

Result<std::string> Fingerprint(std::string_view certificate) {
  const BioPtr in = ReadFrom(certificate);
  const CertificatePtr parsed(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!parsed) return InvalidArgument(fmt::format("the text is no certificate in PEM: {}", OpensslError()));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(parsed.get(), EVP_sha256(), digest, &size) != 1) return Failed("digest a certificate");
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    fmt::format_to(std::back_inserter(text), "{}{:02X}", i == 0 ? "" : ":", digest[i]);
  return text;
}

}  // namespace lockstep::io
