// The answers on one HTTP/1.x connection of a client, without I/O: bytes in, responses out, in the order of the
// requests. Bodies with Content-Length, chunked, or up to the end of the connection; interim responses (1xx) are
// skipped. All requests must have been POST.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace lockstep::wbem {

struct HttpResponse {
  int status = 0;
  bool keep_alive = false;  // the connection takes another request
  std::string body;
};

class HttpResponses {
 public:
  // Beyond the limits a response is a protocol error.
  explicit HttpResponses(uint32_t header_bytes_max = 16 * 1024, uint64_t body_bytes_max = 256 * 1024);
  ~HttpResponses();
  HttpResponses(const HttpResponses&) = delete;
  HttpResponses& operator=(const HttpResponses&) = delete;

  // Bytes from the server, split anywhere. protocol: it does not speak HTTP; nothing more can be read then.
  Status Feed(std::span<const std::byte> bytes);
  // The server has closed the connection: completes a body that goes that far.
  void End();
  // A complete response waits. Each is taken once.
  bool HasResponse() const;
  // May find that what follows is no HTTP: then HasResponse() is false and Feed fails from now on.
  HttpResponse Take();

 private:
  struct Parser;
  void Parse();

  const uint32_t header_bytes_max_;
  const uint64_t body_bytes_max_;
  std::unique_ptr<Parser> parser_;
  std::string input_;  // not parsed yet
  Status failed_;
};

}  // namespace lockstep::wbem
