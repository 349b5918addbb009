// MOF of any bytes, as a schema and as an embedded instance.
#include <cstdint>
#include <string>

#include "wbem/mof.h"
#include "wbem/schema.h"

using namespace lockstep::wbem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Schema schema;
  const MofText texts[] = {{"fuzz.mof", text}};
  (void)schema.Load("n", texts).ok();
  (void)ParseMofInstance(text).ok();
  (void)ObjectPath::Parse(text).ok();
  (void)Datetime::Parse(text).ok();
  return 0;
}
