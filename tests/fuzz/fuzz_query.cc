// A query or filter of any bytes in each language; what can be parsed is checked against the demo schema and evaluated
// for instances with values of every kind.
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "tests/unit/wbem/demo/demo_model.h"
#include "wbem/query.h"

using namespace lockstep::wbem;

namespace {

std::vector<Instance> Books(demo::DemoServer& server) {
  std::vector<Instance> books;
  RequestContext context{demo::kNamespace, server.schema.Find(demo::kNamespace, "Demo_Book"), "", "", {}};
  Series<Instance> all = server.registry->Find(demo::kNamespace, "Demo_Book")->provider->Instances(context);
  while (Instance* book = all.Next()) books.push_back(std::move(*book));
  return books;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static demo::DemoServer server;
  static const std::vector<Instance> books = Books(server);
  const ClassDecl& cls = *server.schema.Find(demo::kNamespace, "Demo_Book");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* language : {"WQL", "DMTF:CQL", "DMTF:FQL"})
    for (const bool filter : {false, true}) {
      Query query;
      const CimStatus parsed = filter ? Query::ParseFilter(language, text, query) : Query::Parse(language, text, query);
      if (!parsed.ok()) {
        LS_ASSERT(!parsed.message.empty());
        continue;
      }
      (void)query.Check(server.schema, demo::kNamespace, cls).ok();
      for (const Instance& book : books) {
        const bool matches = query.Matches(server.schema, demo::kNamespace, cls, book);
        // What an equality pins down is the only path that can match.
        const auto path = query.PinnedPath(cls, demo::kNamespace);
        if (path && matches) LS_ASSERT(path->SameAs(MakePath(cls, demo::kNamespace, book)));
      }
    }
  return 0;
}
