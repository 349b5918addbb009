// Text of CIM values: what is accepted is written back as text that means the same.
#include <cmath>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "wbem/objects.h"
#include "wbem/utf8.h"

using namespace lockstep::wbem;

namespace {

void RoundTrip(CimType type, std::string_view text) {
  const auto value = Value::Parse(type, text);
  if (!value.ok()) {
    LS_ASSERT(!value.status().message().empty());
    return;
  }
  LS_ASSERT(value->type() == type && !value->is_null());
  if (value->AsReal() && !std::isfinite(*value->AsReal())) return;
  const auto again = Value::Parse(type, value->ToText());
  LS_ASSERT(again.ok() && *again == *value);
  for (int other = 0; other <= static_cast<int>(CimType::kDatetime); ++other) {
    const auto converted = value->ConvertTo(static_cast<CimType>(other), false);
    LS_ASSERT(!converted.ok() || converted->type() == static_cast<CimType>(other));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (int type = 0; type <= static_cast<int>(CimType::kDatetime); ++type) {
    const auto cim = static_cast<CimType>(type);
    if (cim != CimType::kChar16 || IsUtf8(text)) RoundTrip(cim, text);
  }
  const auto path = ObjectPath::Parse(text);
  if (!path.ok()) return 0;
  const auto again = ObjectPath::Parse(path->ToString());
  LS_ASSERT(again.ok() && again->SameAs(*path) && again->CanonicalKey() == path->CanonicalKey());
  return 0;
}
