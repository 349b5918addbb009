// Serves volumes of an in-memory pool over the real network, for stock NBD clients to be tried on.
//
//   nbd_test_server ENDPOINT NAME=BYTES[:ro] ...
//
// Prints "ready ENDPOINT" when it listens. Stops cleanly when its standard input ends.
#include <cstdio>
#include <future>
#include <string>

#include <fmt/format.h>

#include "base/units.h"
#include "io/posix/env.h"
#include "target/nbd/server.h"
#include "tests/support/memory_pool.h"

namespace lockstep {
namespace {

// Runs `work` on the data loop, which no thread but its own may touch, and waits for it.
template <typename Work>
auto OnLoop(io::Loop& loop, Work work) {
  std::promise<decltype(work())> done;
  loop.Post([&] { done.set_value(work()); });
  return done.get_future().get();
}

struct Setup {
  std::shared_ptr<test::MemoryStorage> storage = std::make_shared<test::MemoryStorage>();
  nbd::ExportMap exports;
  std::unique_ptr<test::MemoryPool> pool;
  std::unique_ptr<nbd::Server> server;

  Status AddExport(std::string_view text, uint8_t number) {
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) return InvalidArgument("an export is NAME=BYTES or NAME=BYTES:ro");
    const bool read_only = text.ends_with(":ro");
    std::string_view size = text.substr(equals + 1);
    if (read_only) size.remove_suffix(3);
    LS_ASSIGN_OR_RETURN(const uint64_t bytes, ParseSize(size));
    const block::VolumeId id{{{number}}};
    storage->now.volumes[id].size = RoundUp(bytes, block::kBlockSize);
    LS_ASSIGN_OR_RETURN(auto volume, pool->OpenVolume(id));
    exports.Set({std::string(text.substr(0, equals)), "a volume in memory", volume, read_only});
    return {};
  }
};

Result<io::Endpoint> Start(io::Env& env, Setup& setup, std::span<char*> arguments) {
  setup.pool = std::make_unique<test::MemoryPool>(setup.storage, env.data_loop());
  for (size_t i = 1; i < arguments.size(); ++i) {
    LS_RETURN_IF_ERROR(setup.AddExport(arguments[i], static_cast<uint8_t>(i)));
  }
  const nbd::Server::World world{env.data_loop(), env.data_network(), env.log(), setup.exports};
  setup.server = std::make_unique<nbd::Server>(world);
  LS_ASSIGN_OR_RETURN(const io::Endpoint at, io::Endpoint::Parse(arguments[0]));
  return setup.server->Listen(at);
}

int Main(std::span<char*> arguments) {
  auto env = io::PosixEnv::Create({.log_level = LogLevel::kWarn});
  if (!env.ok() || arguments.size() < 2) {
    fmt::print(stderr, "usage: nbd_test_server ENDPOINT NAME=BYTES[:ro] ...\n");
    return 2;
  }
  (*env)->Start();
  io::Loop& loop = (*env)->data_loop();
  Setup setup;
  const auto at = OnLoop(loop, [&] { return Start(**env, setup, arguments); });
  if (!at.ok()) {
    fmt::print(stderr, "nbd_test_server: {}\n", at.status().ToString());
    return 1;
  }
  fmt::print("ready {}\n", at->ToString());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::promise<void> stopped;
  loop.Post([&] {
    Spawn([](Setup& s, std::promise<void>& done) -> Task<void> {
      co_await s.server->Stop();
      s.server.reset();
      done.set_value();
    }(setup, stopped));
  });
  stopped.get_future().get();
  (*env)->Stop();
  fmt::print("stopped\n");
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) { return lockstep::Main(std::span(argv + 1, static_cast<size_t>(argc - 1))); }
