// Serves the demo model over the real network, for stock CIM clients to be tried on.
//
//   wbem_test_server ENDPOINT [BOOKS]
//
// With BOOKS there are so many more of them. Prints "ready ENDPOINT" when it listens. Stops cleanly when its standard
// input ends.
#include <cstdio>
#include <cstdlib>
#include <future>

#include <fmt/format.h>

#include "io/posix/env.h"
#include "tests/unit/wbem/demo/demo_model.h"
#include "wbem/http_server.h"

namespace lockstep {
namespace {

Task<void> StopAndTell(wbem::HttpServer& server, std::promise<void>& stopped) {
  co_await server.Stop();
  stopped.set_value();
}

int Main(const char* where, int books) {
  auto env = io::PosixEnv::Create({.log_level = LogLevel::kWarn});
  const auto at = io::Endpoint::Parse(where);
  if (!env.ok() || !at.ok()) {
    fmt::print(stderr, "usage: wbem_test_server ENDPOINT\n");
    return 2;
  }
  (*env)->Start();
  io::Loop& loop = (*env)->control_loop();
  wbem::Enumerations enumerations(loop, (*env)->random());
  wbem::demo::DemoServer demo(&enumerations);
  for (int n = 0; n < books; ++n)
    demo.books[fmt::format("many-{:06}", n)] = {fmt::format("Volume {}", n), 7, {}, "B"};
  wbem::HttpServer server(loop, (*env)->control_network(), (*env)->log(), {},
                          [&demo](wbem::HttpRequest request, std::string peer, wbem::HttpStream& stream) {
                            return demo.endpoint->Handle(std::move(request), std::move(peer), &stream);
                          });
  std::promise<Result<io::Endpoint>> listening;
  loop.Post([&] { listening.set_value(server.Listen(*at)); });
  const Result<io::Endpoint> taken = listening.get_future().get();
  if (!taken.ok()) {
    fmt::print(stderr, "wbem_test_server: {}\n", taken.status().ToString());
    return 1;
  }
  fmt::print("ready {}\n", taken->ToString());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::promise<void> stopped;
  loop.Post([&] { Spawn(StopAndTell(server, stopped)); });
  stopped.get_future().wait();
  (*env)->Stop();
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 2;
  return lockstep::Main(argv[1], argc == 3 ? std::atoi(argv[2]) : 0);
}
