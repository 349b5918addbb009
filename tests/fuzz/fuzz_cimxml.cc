// A CIM-XML message of any bytes, through decoding and the operation core against the demo model: every input gets a
// reply that is UTF-8. What it opens is pulled to its end.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "sim/env.h"
#include "tests/unit/wbem/demo/demo_model.h"
#include "wbem/cimxml_reply.h"
#include "wbem/utf8.h"

using namespace lockstep::wbem;

namespace {

// The demo model, and a simulated loop for the enumerations that stay open.
struct World {
  lockstep::sim::SimEnv env{1};
  Enumerations enumerations{env.loop(), env.random()};
  demo::DemoServer server{&enumerations};
  CimXmlTemplates templates;

  std::string Perform(CimXmlRequest message) {
    CimXmlReply writer(message, "host", templates);
    writer.DescribeErrors("fuzz");
    CimStatus status = message.status;
    if (status.ok()) {
      bool done = false;
      lockstep::Spawn(server.core->Perform(std::move(message.request), {}, writer), [&](CimStatus s) {
        status = std::move(s);
        done = true;
      });
      LS_ASSERT(done);
    }
    std::string text = writer.Finish(status);
    LS_ASSERT(IsUtf8(text));
    return text;
  }
};

std::string ContextOf(const std::string& reply) {
  const std::string mark = "<PARAMVALUE NAME=\"EnumerationContext\" PARAMTYPE=\"string\"><VALUE>";
  const size_t at = reply.rfind(mark);
  return at == reply.npos ? "" : reply.substr(at + mark.size(), reply.find('<', at + mark.size()) - at - mark.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World world;
  CimXmlRequest message;
  if (DecodeCimXml({reinterpret_cast<const char*>(data), size}, message)) return 0;
  const std::string ns = message.request.ns;
  const Shape shape = SpecOf(message.request.operation).shape;
  std::string reply = world.Perform(std::move(message));
  for (std::string context = ContextOf(reply); world.enumerations.open() > 0; context = ContextOf(reply)) {
    CimXmlRequest pull;
    pull.request = RequestFor(shape == Shape::kPulledPath     ? Operation::kPullInstancePaths
                              : shape == Shape::kPulledObject ? Operation::kPullInstances
                                                              : Operation::kPullInstancesWithPath);
    pull.request.ns = ns;
    pull.request.enumeration_context = context;
    pull.request.max_object_count = 2;
    reply = world.Perform(std::move(pull));
    // What it got back is not a context, or failed: nothing more can come of it.
    if (reply.find("<ERROR") != reply.npos) world.enumerations.Clear();
  }
  return 0;
}
