#include "io/tls/openssl.h"

#include <openssl/err.h>

#include "io/net.h"

namespace lockstep::io {

std::string OpensslError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown" : reason;
}

BioPtr ReadFrom(std::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string ContentOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size <= 0 ? std::string() : std::string(data, static_cast<size_t>(size));
}

bool IsNumericAddress(const std::string& name) {
  const bool v6 = name.find(':') != std::string::npos;
  return Endpoint::Parse(v6 ? "tcp:[" + name + "]:1" : "tcp:" + name + ":1").ok();
}

}  // namespace lockstep::io
