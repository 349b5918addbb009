// One volume of the embedded engine over NBD, nothing else: what bench/run compares with qemu-nbd.
//
//   bench_nbd_server --file=FILE --index=DIR --at=unix:PATH [--volume=1G]
//
// FILE must exist, fully written; it becomes a new pool. The volume is written once, then served as export "v". Prints
// "ready" when it listens. Stops when its standard input ends.
#include <cstdio>

#include <fmt/format.h>

#include "bench/arguments.h"
#include "bench/load.h"
#include "bench/session.h"
#include "target/nbd/server.h"

namespace lockstep::bench {
namespace {

struct Service {
  nbd::ExportMap exports;
  std::unique_ptr<nbd::Server> server;
};

Task<Status> Start(Session& session, Service& service, io::Endpoint at, uint64_t volume_size) {
  LS_CO_ASSIGN_OR_RETURN(const auto volumes, co_await session.AddVolumes(1, volume_size));
  Load fill(volumes, session.env().clock(), {true, false, 1 << 20, 16, volume_size}, 1);
  co_await SuspendWith([&fill](auto resume) {
    fill.WhenEnded(std::move(resume));
    fill.Start();
  });
  LS_CO_RETURN_IF_ERROR(fill.status());
  const Status flushed = co_await session.pool().Flush();
  LS_CO_RETURN_IF_ERROR(flushed);
  service.exports.Set({"v", "a volume to be measured", volumes.front(), false});
  const nbd::Server::World world{session.loop(), session.env().data_network(), session.env().log(), service.exports};
  service.server = std::make_unique<nbd::Server>(world);
  co_return service.server->Listen(at).status();
}

Task<bool> Stop(Service& service) {
  co_await service.server->Stop();
  service.server.reset();
  service.exports.Remove("v");
  co_return true;
}

Status Main(const Arguments& arguments) {
  LS_ASSIGN_OR_RETURN(const uint64_t volume_size, arguments.Number("volume"));
  LS_ASSIGN_OR_RETURN(const io::Endpoint at, io::Endpoint::Parse(arguments.Text("at")));
  Service service;
  LS_ASSIGN_OR_RETURN(const auto session, Session::Create({arguments.Text("file"), arguments.Text("index")}));
  LS_RETURN_IF_ERROR(RunOn(session->loop(), Start(*session, service, at, volume_size)));
  fmt::print("ready\n");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  RunOn(session->loop(), Stop(service));
  return {};
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const auto arguments = bench::Arguments::Parse(std::span(argv + 1, static_cast<size_t>(argc - 1)),
                                                 {{"file", ""}, {"index", ""}, {"at", ""}, {"volume", "1G"}});
  const Status status = arguments.ok() ? bench::Main(*arguments) : arguments.status();
  if (!status.ok()) fmt::print(stderr, "bench_nbd_server: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
