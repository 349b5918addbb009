// What comes from outside about listeners of indications: their answers on a connection, their addresses, and the file
// that subscriptions are kept in. Anything may stand there.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "wbem/export_message.h"
#include "wbem/indication_store.h"

using namespace lockstep::wbem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  HttpResponses engine(1024, 4096);
  const size_t piece = data[0] + 1;
  auto rest = std::as_bytes(std::span(data, size)).subspan(1);
  const std::string_view text(reinterpret_cast<const char*>(rest.data()), rest.size());
  while (!rest.empty()) {
    const auto now = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(now.size());
    if (!engine.Feed(now).ok()) break;
    while (engine.HasResponse()) {
      const HttpResponse response = engine.Take();
      LS_ASSERT(response.body.size() <= 4096);
      std::string why;
      (void)JudgeAnswer(response, why);
    }
  }
  engine.End();
  const auto url = ListenerUrl::Parse(text);
  if (url.ok()) LS_ASSERT(ListenerUrl::Parse(url->ToString())->ToString() == url->ToString());
  const auto stored = DecodeStored(text);
  if (stored.ok()) LS_ASSERT(DecodeStored(EncodeStored(*stored)).ok());
  return 0;
}
