// A CIM-XML message of any bytes, through decoding and the operation core against the demo model: every input gets a
// reply that is UTF-8.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "tests/unit/wbem/demo/demo_model.h"
#include "wbem/cimxml_reply.h"
#include "wbem/utf8.h"

using namespace lockstep::wbem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static demo::DemoServer server;
  CimXmlRequest message;
  if (DecodeCimXml({reinterpret_cast<const char*>(data), size}, message)) return 0;
  static CimXmlTemplates templates;
  CimXmlReply writer(message, "host", templates);
  CimStatus status = message.status;
  if (status.ok()) {
    bool done = false;
    lockstep::Spawn(server.core->Perform(std::move(message.request), {}, writer), [&](CimStatus s) {
      status = std::move(s);
      done = true;
    });
    LS_ASSERT(done);
  }
  LS_ASSERT(IsUtf8(writer.Finish(status)));
  return 0;
}
