// A CIM server with a synthetic provider, for bench_cim_load: what src/wbem costs, without any storage.
//
//   bench_cim_server [--listen=tcp:127.0.0.1:0] [--volumes=10000] [--https=no]
//
// Class Bench_Volume in root/bench has as many instances as --volumes says; Bench_Group "g" holds the first 100 of them
// through Bench_Member. With --https=yes it listens with TLS and serves only the user "bench" with "bench password", as
// a node would. Prints "ready ENDPOINT" when it listens; stops when its standard input ends.
#include <cstdio>
#include <filesystem>
#include <future>

#include <fmt/format.h>

#include "access/authenticator.h"
#include "bench/arguments.h"
#include "io/posix/env.h"
#include "io/tls/tls.h"
#include "wbem/cimxml_endpoint.h"
#include "wbem/core.h"
#include "wbem/gate.h"
#include "wbem/http_server.h"
#include "wbem/provider.h"
#include "wbem/schema.h"

namespace lockstep::bench {
namespace {

using wbem::Instance;
using wbem::ObjectPath;
using wbem::Value;

constexpr const char* kNamespace = "root/bench";
constexpr uint64_t kMembers = 100;

// As much of CIM_StorageVolume as a reply of 1.3 kB holds.
constexpr const char* kMof = R"mof(
class Bench_Element { string ElementName; uint16 OperationalStatus[]; uint16 HealthState; };
class Bench_Group : Bench_Element { [Key] string InstanceID; };
class Bench_Volume : Bench_Element {
   [Key] string SystemCreationClassName; [Key] string SystemName; [Key] string CreationClassName; [Key] string DeviceID;
   string Name; uint64 BlockSize; uint64 NumberOfBlocks; boolean ThinlyProvisioned; uint16 Access;
   datetime InstallDate; string OtherUsageDescription;
};
[Association] class Bench_Member { [Key] Bench_Group REF Collection; [Key] Bench_Volume REF Member; };
)mof";

// What a real provider would find in its tables.
std::string DeviceId(uint64_t n) {
  std::string id = "5f9a8c1e-0000-4000-8000-000000000000";
  for (size_t at = id.size(); n != 0; n >>= 4) id[--at] = "0123456789abcdef"[n & 15];
  return id;
}

ObjectPath VolumePath(std::string id) {
  ObjectPath path(kNamespace, "Bench_Volume");
  path.keys.reserve(4);
  path.keys.push_back({"SystemCreationClassName", Value("Bench_ComputerSystem")});
  path.keys.push_back({"SystemName", Value("bench-1")});
  path.keys.push_back({"CreationClassName", Value("Bench_Volume")});
  path.keys.push_back({"DeviceID", Value(std::move(id))});
  return path;
}
ObjectPath GroupPath() { return {kNamespace, "Bench_Group", {{"InstanceID", Value("g")}}}; }

Instance Volume(uint64_t n) {
  Instance i("Bench_Volume");
  i.Add("SystemCreationClassName", "Bench_ComputerSystem").Add("SystemName", "bench-1");
  i.Add("CreationClassName", "Bench_Volume").Add("DeviceID", DeviceId(n));
  i.Add("ElementName", "volume " + std::to_string(n));
  i.Add("OperationalStatus", Value::Array(std::vector<uint16_t>{2}));
  i.Add("HealthState", uint16_t{5});
  i.Add("Name", "6f9a8c1e0000" + DeviceId(n).substr(16));
  i.Add("BlockSize", uint64_t{4096});
  i.Add("NumberOfBlocks", 262144 + n);
  i.Add("ThinlyProvisioned", true);
  i.Add("Access", uint16_t{3});
  i.Add("InstallDate", wbem::Datetime::Timestamp(1'700'000'000'000'000 + static_cast<int64_t>(n)));
  return i;
}

class VolumeProvider final : public wbem::Provider {
 public:
  explicit VolumeProvider(uint64_t count) : count_(count) {}
  wbem::Series<Instance> Instances(wbem::RequestContext) override {
    for (uint64_t n = 0; n < count_; ++n) {
      Instance volume = Volume(n);
      co_yield volume;
    }
    co_return Status();
  }
  wbem::Series<ObjectPath> InstancePaths(wbem::RequestContext) override {
    for (uint64_t n = 0; n < count_; ++n) {
      ObjectPath path = VolumePath(DeviceId(n));
      co_yield path;
    }
    co_return Status();
  }
  Result<Instance> Get(const wbem::RequestContext&, const ObjectPath& path) override {
    const std::string id(path.KeyText("DeviceID"));
    const uint64_t n = id.size() < 12 ? count_ : std::strtoull(id.c_str() + id.size() - 12, nullptr, 16);
    if (n >= count_ || id != DeviceId(n)) return NotFound(path.ToString() + " does not exist");
    return Volume(n);
  }

 private:
  const uint64_t count_;
};

class GroupProvider final : public wbem::Provider {
 public:
  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    sink(Instance("Bench_Group").Add("InstanceID", "g").Add("ElementName", "the group"));
    return {};
  }
};

Status Members(const ObjectPath*, const wbem::PairSink& sink) {
  for (uint64_t n = 0; n < kMembers; ++n)
    if (!sink({GroupPath(), VolumePath(DeviceId(n)), {}})) break;
  return {};
}

Status Fill(wbem::Schema& schema, wbem::ProviderRegistry& registry, uint64_t volumes) {
  const wbem::MofText texts[] = {{"bench.mof", kMof}};
  LS_RETURN_IF_ERROR(schema.Load(kNamespace, texts));
  LS_RETURN_IF_ERROR(registry.Add(kNamespace, "Bench_Volume", std::make_shared<VolumeProvider>(volumes)));
  LS_RETURN_IF_ERROR(registry.Add(kNamespace, "Bench_Group", std::make_shared<GroupProvider>()));
  return registry.Add(kNamespace, "Bench_Member", wbem::MakePairAssociation("Collection", "Member", Members));
}

// What a node has for HTTPS: a certificate, one user, the gate. The user's file is gone with it.
class Https {
 public:
  explicit Https(io::Env& env)
      : folder_(std::filesystem::temp_directory_path() / fmt::format("bench-cim-{:016x}", env.random().Next64())),
        users_({env.files(), env.executor(), env.control_loop(), env.random()}, (folder_ / "users").string()),
        authenticator_({env.executor(), env.control_loop(), env.clock(), env.random(), env.log()}, users_),
        gate_(authenticator_, std::nullopt, "bench") {
    std::filesystem::create_directory(folder_);
  }
  ~Https() { std::filesystem::remove_all(folder_); }

  // After the loops have started.
  Status Prepare(io::Env& env) {
    LS_ASSIGN_OR_RETURN(io::KeyPair identity, io::MakeSelfSigned({"localhost", "127.0.0.1"}, env.clock().Wall()));
    LS_ASSIGN_OR_RETURN(tls_, io::TlsContext::ForServer({std::move(identity), ""}));
    std::promise<Status> added;
    env.control_loop().Post([&] {
      Spawn(users_.Add("bench", access::Role::kMonitor, "bench password"),
            [&added](Status status) { added.set_value(std::move(status)); });
    });
    return added.get_future().get();
  }
  const wbem::Gate* gate() const { return &gate_; }
  const io::TlsContext* tls() const { return tls_.get(); }

 private:
  const std::filesystem::path folder_;
  access::Users users_;
  access::Authenticator authenticator_;
  const wbem::Gate gate_;
  std::unique_ptr<io::TlsContext> tls_;
};

Task<void> StopAndTell(wbem::HttpServer& server, std::promise<void>& stopped) {
  co_await server.Stop();
  stopped.set_value();
}

Status Serve(const Arguments& arguments) {
  LS_ASSIGN_OR_RETURN(const uint64_t volumes, arguments.Number("volumes"));
  LS_ASSIGN_OR_RETURN(const io::Endpoint at, io::Endpoint::Parse(arguments.Text("listen")));
  LS_ASSIGN_OR_RETURN(const std::unique_ptr<io::PosixEnv> env, io::PosixEnv::Create({.log_level = LogLevel::kWarn}));
  wbem::Schema schema;
  wbem::ProviderRegistry registry(schema);
  wbem::Enumerations enumerations(env->control_loop(), env->random());
  LS_RETURN_IF_ERROR(Fill(schema, registry, volumes));
  const wbem::OperationCore core(registry, &enumerations);
  const std::unique_ptr<Https> https = arguments.Text("https") == "yes" ? std::make_unique<Https>(*env) : nullptr;
  const wbem::CimXmlEndpoint endpoint(core, "bench-1", "Lockstep", https ? https->gate() : nullptr);
  io::Loop& loop = env->control_loop();
  wbem::HttpServer server(loop, env->control_network(), env->log(), {},
                          [&endpoint](wbem::HttpRequest request, std::string peer, wbem::HttpStream& stream) {
                            return endpoint.Handle(std::move(request), std::move(peer), &stream);
                          });
  env->Start();
  const Status prepared = https ? https->Prepare(*env) : Status();
  std::promise<Result<io::Endpoint>> listening;
  loop.Post([&] { listening.set_value(server.Listen(at, https ? https->tls() : nullptr)); });
  const Result<io::Endpoint> taken = listening.get_future().get();
  if (prepared.ok() && taken.ok()) {
    fmt::print("ready {}\n", taken->ToString());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
  }
  std::promise<void> stopped;
  loop.Post([&] { Spawn(StopAndTell(server, stopped)); });
  stopped.get_future().wait();
  env->Stop();
  return prepared.ok() ? taken.status() : prepared;
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const auto arguments =
      bench::Arguments::Parse({argv + 1, static_cast<size_t>(argc - 1)}, {{"listen", "tcp:127.0.0.1:0"},
                                                                          {"volumes", "10000"},
                                                                          {"https", "no"}});
  const Status status = arguments.ok() ? bench::Serve(*arguments) : arguments.status();
  if (status.ok()) return 0;
  fmt::print(stderr, "bench_cim_server: {}\n", status.message());
  return 1;
}
