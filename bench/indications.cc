// How many indications reach one listener: src/wbem's service with synthetic events, and a listener of raw sockets that
// takes them, in one process.
//
//   bench_indications [--manner=keep|close] [--count=100000] [--subscriptions=1]
//
// Each event is a modification of an instance with twenty properties, before and after, and passes a filter that
// compares one of them. `keep`: the listener keeps its connection; `close`: it answers HTTP/1.0 and closes after each.
// The events are made as fast as they are taken: at most 2,000 wait. Prints one line of JSON: how many came, how many
// of them twice, how many a second, what one costs the server's thread in microseconds, the bytes of one request.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "bench/arguments.h"
#include "io/posix/env.h"
#include "wbem/coerce.h"
#include "wbem/indications.h"

namespace lockstep::bench {
namespace {

using wbem::Instance;
using wbem::Value;

constexpr const char* kNamespace = "root/bench";
constexpr size_t kWaiting = 2'000, kBatch = 50;

// What the schema's classes have that matters here, and a pair with as many properties as a real one.
constexpr const char* kMof = R"mof(
Qualifier Key : boolean = false, Scope(property, reference), Flavor(DisableOverride, ToSubclass);
Qualifier Indication : boolean = false, Scope(class, indication), Flavor(DisableOverride, ToSubclass);
Qualifier EmbeddedObject : boolean = false, Scope(property, method, parameter), Flavor(DisableOverride, ToSubclass);
[Indication] class CIM_Indication {
   string IndicationIdentifier; datetime IndicationTime; string IndicationFilterName; string SequenceContext;
   sint64 SequenceNumber;
};
[Indication] class CIM_InstIndication : CIM_Indication {
   [EmbeddedObject] string SourceInstance; string SourceInstanceModelPath; string SourceInstanceHost;
};
[Indication] class CIM_InstModification : CIM_InstIndication { [EmbeddedObject] string PreviousInstance; };
class CIM_IndicationFilter {
   [Key] string SystemCreationClassName; [Key] string SystemName; [Key] string CreationClassName; [Key] string Name;
   string SourceNamespaces[]; boolean IndividualSubscriptionSupported; string Query; string QueryLanguage;
};
class CIM_ListenerDestination {
   [Key] string SystemCreationClassName; [Key] string SystemName; [Key] string CreationClassName; [Key] string Name;
   string Destination; uint16 PersistenceType; uint16 Protocol;
};
class CIM_ListenerDestinationCIMXML : CIM_ListenerDestination { };
class CIM_IndicationSubscription {
   [Key] CIM_IndicationFilter REF Filter; [Key] CIM_ListenerDestination REF Handler; uint16 SubscriptionState;
   uint16 RepeatNotificationPolicy; datetime SubscriptionStartTime; datetime TimeOfLastStateChange;
};
class Bench_Pair {
   [Key] string Source; [Key] string Target; uint16 SyncType; uint16 Mode; uint16 CopyState; uint16 ProgressStatus;
   uint16 RequestedCopyState; uint16 PercentSynced; boolean SyncMaintained; uint16 SyncState; uint16 CopyType;
   uint16 ReplicaType; uint16 CopyPriority; uint16 CopyMethodology; boolean FailedCopyStopsHostIO;
   datetime WhenEstablished; datetime WhenActivated; datetime WhenSynchronized; datetime WhenSynced; string ElementName;
};
)mof";

constexpr const char* kQuery =
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA Bench_Pair AND "
    "SourceInstance.Bench_Pair::CopyState <> PreviousInstance.Bench_Pair::CopyState";

class NoStore final : public wbem::IndicationStore {
 public:
  Result<std::string> Load() override { return NotFound("nothing is kept"); }
  Status Save(std::string_view) override { return {}; }
  Result<std::string> SetAside() override { return NotFound("nothing is kept"); }
};

Instance PairInstance(uint64_t n, uint16_t state) {
  Instance pair("Bench_Pair");
  const auto when = wbem::Datetime::Timestamp(1'700'000'000'000'000);
  const std::string id = fmt::format("5f9a8c1e-0000-4000-8000-{:012x}", n);
  pair.Add("Source", id).Add("Target", id).Add("SyncType", uint16_t{8}).Add("Mode", uint16_t{3});
  pair.Add("CopyState", state).Add("ProgressStatus", uint16_t{2}).Add("RequestedCopyState", uint16_t{15});
  pair.Add("PercentSynced", uint16_t{100}).Add("SyncMaintained", false).Add("SyncState", uint16_t{6});
  pair.Add("CopyType", uint16_t{4}).Add("ReplicaType", uint16_t{2}).Add("CopyPriority", uint16_t{2});
  pair.Add("CopyMethodology", uint16_t{3}).Add("FailedCopyStopsHostIO", false).Add("WhenEstablished", when);
  pair.Add("WhenActivated", when).Add("WhenSynchronized", when).Add("WhenSynced", when);
  pair.Add("ElementName", "pair " + id);
  pair.path = {kNamespace, "Bench_Pair", {{"Source", Value(id)}, {"Target", Value(id)}}};
  return pair;
}

// One thread that takes one connection after another.
class Listener {
 public:
  explicit Listener(bool keeps) : keeps_(keeps), fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 128) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::perror("bench_indications");
    port_ = ntohs(address.sin_port);
    const std::string body =
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?><CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.4\"><MESSAGE ID=\"1\" "
        "PROTOCOLVERSION=\"1.4\"><SIMPLEEXPRSP><EXPMETHODRESPONSE NAME=\"ExportIndication\"><IRETURNVALUE/>"
        "</EXPMETHODRESPONSE></SIMPLEEXPRSP></MESSAGE></CIM>";
    answer_ = fmt::format("HTTP/1.{} 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n"
                          "CIMExport: MethodResponse\r\n\r\n{}", keeps ? 1 : 0, body.size(), body);
    thread_ = std::thread([this] { Run(); });
  }
  ~Listener() {
    ::shutdown(fd_, SHUT_RDWR);
    if (const int client = client_.load(); client >= 0) ::shutdown(client, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  uint16_t port() const { return port_; }
  uint64_t taken() const { return taken_; }
  size_t request_bytes() const { return request_bytes_; }

 private:
  void Run() {
    while (true) {
      const int client = ::accept(fd_, nullptr, nullptr);
      if (client < 0) return;
      const int one = 1;
      ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      client_ = client;
      Serve(client);
      client_ = -1;
      ::close(client);
    }
  }
  void Serve(int client) {
    std::string input, output;
    std::array<char, 256 * 1024> piece;
    while (true) {
      const ssize_t n = ::recv(client, piece.data(), piece.size(), 0);
      if (n <= 0) return;
      input.append(piece.data(), static_cast<size_t>(n));
      output.clear();
      size_t used = 0;
      while (const size_t size = RequestIn(std::string_view(input).substr(used))) {
        used += size;
        request_bytes_ = size;
        ++taken_;
        output += answer_;
        if (!keeps_) break;
      }
      input.erase(0, used);
      if (!output.empty() && ::send(client, output.data(), output.size(), MSG_NOSIGNAL) < 0) return;
      if (!output.empty() && !keeps_) return;
    }
  }
  // The size of the complete request at the beginning of the text; 0: none.
  static size_t RequestIn(std::string_view text) {
    const size_t end = text.find("\r\n\r\n");
    if (end == text.npos) return 0;
    constexpr std::string_view kLength = "Content-Length: ";
    const size_t length = text.find(kLength);
    if (length >= end) return 0;
    const size_t size = end + 4 + std::strtoull(text.data() + length + kLength.size(), nullptr, 10);
    return text.size() >= size ? size : 0;
  }

  const bool keeps_;
  const int fd_;
  uint16_t port_ = 0;
  std::string answer_;
  std::atomic<uint64_t> taken_ = 0;
  std::atomic<size_t> request_bytes_ = 0;
  std::atomic<int> client_ = -1;
  std::thread thread_;
};

double ThreadCpu() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Publishes on the loop until `count` have been delivered or lost.
class Producer {
 public:
  Producer(io::Loop& loop, wbem::IndicationService& service, wbem::ObjectPath destination, uint64_t count)
      : loop_(loop), service_(service), destination_(std::move(destination)), count_(count) {}

  void Step() {
    if (begin_cpu_ < 0) begin_cpu_ = ThreadCpu();
    for (size_t i = 0; i < kBatch && made_ < count_ && service_.queued() < kWaiting; ++i) {
      Instance indication("CIM_InstModification");
      Instance after = PairInstance(made_, 4);
      indication.Add("SourceInstanceModelPath", after.path.ToString()).Add("SourceInstanceHost", "bench");
      indication.Add("SourceInstance", Value(std::move(after)));
      indication.Add("PreviousInstance", Value(PairInstance(made_, 3)));
      service_.Publish(kNamespace, std::move(indication));
      ++made_;
    }
    if (made_ == count_ && service_.queued() == 0) {
      cpu_ = ThreadCpu() - begin_cpu_;
      done_.set_value();
      return;
    }
    // When nothing can be made now, answers are what is waited for.
    if (made_ < count_ && service_.queued() < kWaiting) loop_.Post([this] { Step(); });
    else loop_.After(std::chrono::microseconds(200), [this] { Step(); });
  }

  std::promise<void> done_;
  double cpu_ = 0;

 private:
  io::Loop& loop_;
  wbem::IndicationService& service_;
  const wbem::ObjectPath destination_;
  const uint64_t count_;
  uint64_t made_ = 0;
  double begin_cpu_ = -1;
};

Status Subscribe(const wbem::Schema& schema, wbem::IndicationService& service, uint16_t port, uint64_t subscriptions,
                 wbem::ObjectPath& handler) {
  Instance destination("CIM_ListenerDestinationCIMXML");
  destination.Add("Name", "d").Add("Destination", fmt::format("http://127.0.0.1:{}/", port));
  LS_ASSIGN_OR_RETURN(handler, service.AddDestination(kNamespace, destination));
  for (uint64_t n = 0; n < subscriptions; ++n) {
    Instance filter("CIM_IndicationFilter");
    filter.Add("Name", fmt::format("f{}", n)).Add("Query", kQuery).Add("QueryLanguage", "DMTF:CQL");
    LS_ASSIGN_OR_RETURN(const wbem::ObjectPath path, service.AddFilter(kNamespace, filter));
    Instance subscription("CIM_IndicationSubscription");
    subscription.Add("Filter", Value(path)).Add("Handler", Value(handler));
    LS_RETURN_IF_ERROR(wbem::Coercion(schema, kNamespace).TypeInstance(subscription));
    LS_RETURN_IF_ERROR(service.AddSubscription(kNamespace, subscription).status());
  }
  return {};
}

Status Measure(const Arguments& arguments) {
  LS_ASSIGN_OR_RETURN(const uint64_t count, arguments.Number("count"));
  LS_ASSIGN_OR_RETURN(const uint64_t subscriptions, arguments.Number("subscriptions"));
  LS_ASSIGN_OR_RETURN(const std::unique_ptr<io::PosixEnv> env, io::PosixEnv::Create({.log_level = LogLevel::kWarn}));
  wbem::Schema schema;
  const wbem::MofText texts[] = {{"bench.mof", kMof}};
  LS_RETURN_IF_ERROR(schema.Load(kNamespace, texts));
  Listener listener(arguments.Text("manner") == "keep");
  NoStore store;
  wbem::PlainTransport transport(env->control_network());
  io::Loop& loop = env->control_loop();
  wbem::IndicationService service({loop, env->clock(), env->random(), env->log(), schema, transport, store}, "interop",
                                  {"CIM_ComputerSystem", "bench", "Bench:bench", "Bench", "Bench version 1.0"});
  wbem::ObjectPath destination;
  LS_RETURN_IF_ERROR(Subscribe(schema, service, listener.port(), subscriptions, destination));
  env->Start();
  Producer producer(loop, service, destination, count);
  const auto begin = std::chrono::steady_clock::now();
  loop.Post([&] { producer.Step(); });
  producer.done_.get_future().wait();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::promise<wbem::DeliveryCounts> counted;
  loop.Post([&] {
    counted.set_value(service.CountsOf(destination));
    service.Stop();
  });
  const wbem::DeliveryCounts counts = counted.get_future().get();
  env->Stop();
  const auto each = static_cast<double>(counts.delivered);
  fmt::print("{{\"manner\": \"{}\", \"delivered\": {}, \"lost\": {}, \"twice\": {}, \"per_second\": {:.0f}, "
             "\"cpu_us\": {:.1f}, \"request_bytes\": {}}}\n",
             arguments.Text("manner"), counts.delivered, counts.lost, listener.taken() - counts.delivered,
             each / seconds, producer.cpu_ * 1e6 / each, listener.request_bytes());
  return {};
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const auto arguments =
      bench::Arguments::Parse({argv + 1, static_cast<size_t>(argc - 1)},
                              {{"manner", "keep"}, {"count", "100000"}, {"subscriptions", "1"}});
  const Status status = arguments.ok() ? bench::Measure(*arguments) : arguments.status();
  if (status.ok()) return 0;
  fmt::print(stderr, "bench_indications: {}\n", status.message());
  return 1;
}
