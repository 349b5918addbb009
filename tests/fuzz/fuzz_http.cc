// Any bytes on a connection, split at places that the first byte chooses: the engine answers, refuses or waits, and
// holds no more than its limits. Credentials of whole requests are read like the gate does.
#include <algorithm>
#include <cstdint>

#include "base/assert.h"
#include "wbem/gate.h"
#include "wbem/http_connection.h"

using namespace lockstep::wbem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const HttpLimits limits{1024, 4096};
  HttpConnection engine(limits);
  const size_t piece = data[0] + 1;
  auto rest = std::as_bytes(std::span(data, size)).subspan(1);
  while (!rest.empty()) {
    const auto now = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(now.size());
    engine.Feed(now);
    while (engine.HasRequest()) {
      HttpRequest request = engine.TakeRequest();
      const std::string* header = request.Find("Authorization");
      const auto credentials = header ? ParseBasic(*header) : std::nullopt;
      if (credentials) LS_ASSERT(credentials->user.size() + credentials->password.size() < header->size());
      engine.Answer({200, {}, std::move(request.body)});
    }
    LS_ASSERT(engine.buffered() <= limits.body_bytes_max + limits.header_bytes_max + piece);
    engine.TakeOutput();
  }
  return 0;
}
