// Bytes of a local management client: cut into lines, and each line read as a request and its parameters.
#include <cstddef>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lines.h"
#include "admin/message.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lockstep;
  admin::LineSplitter lines;
  const auto bytes = std::as_bytes(std::span(data, size));
  const size_t cut = size == 0 ? 0 : data[0] % (size + 1);
  (void)lines.Feed(bytes.first(cut));
  (void)lines.Feed(bytes.subspan(cut));
  while (const auto line = lines.Next()) {
    const admin::ParsedRequest parsed = admin::ParseRequest(*line);
    LS_ASSERT((parsed.request == nullptr) != (parsed.malformed == nullptr));
    if (parsed.malformed) {
      LS_ASSERT(admin::MalformedLine(*parsed.malformed).back() == '\n');
      continue;
    }
    admin::Fields fields(*parsed.request->params);
    (void)fields.String("name");
    (void)fields.Size("size", false);
    (void)fields.Strings("members");
    (void)fields.Number("count", 1);
    LS_ASSERT(admin::ErrorLine(*parsed.request->id, fields.Finish().ok() ? Internal("-") : fields.Finish()).size() > 2);
  }
  return 0;
}
