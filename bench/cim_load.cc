// A load generator for CIM-XML: prepared requests over raw sockets, so that the client is not what is measured.
//
//   bench_cim_load --port=PORT [--pid=PID] [--work=get|enumerate|names|pull|associators] [--clients=1] [--seconds=2]
//                  [--operations=0] [--batch=1000] [--https=no] [--awake=no]
//   bench_cim_load --port=PORT --work=body --body=FILE --method=NAME --object=TEXT [...]
//
// Talks to bench_cim_server on 127.0.0.1; with `body`, to any CIM server: sends what is in the file, with this
// CIMMethod and this CIMObject. Each client is one thread with one connection that is kept. With --operations each
// client performs so many and ends, whatever --seconds says. `pull` opens an enumeration of all volumes and pulls
// --batch at a time until it ends; that is one operation. With --https=yes, to a server with the same, everything goes
// over TLS and each request brings the name and the password of the server's user. With --awake=yes
// clients ask again and again whether the reply is there instead of sleeping until it is, so that what it takes to wake
// them is not measured: for fewer clients than there are processors. With --pid the processor time and the memory of
// that process are measured too. Prints one line of JSON.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/arguments.h"

namespace lockstep::bench {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void Fail(const std::string& why) {
  fmt::print(stderr, "bench_cim_load: {}\n", why);
  std::exit(1);
}

std::string Parameter(std::string_view name, std::string_view content) {
  return fmt::format("<IPARAMVALUE NAME=\"{}\">{}</IPARAMVALUE>", name, content);
}

// A line of each request's head, which ends its line; empty where nobody asks who we are.
std::string_view g_authorization;  // set before there are threads

std::string Http(std::string_view method, std::string_view object, std::string_view body) {
  return fmt::format("POST /cimom HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/xml; charset=\"utf-8\"\r\n"
                     "{}CIMOperation: MethodCall\r\nCIMMethod: {}\r\nCIMObject: {}\r\n"
                     "Content-Length: {}\r\n\r\n{}", g_authorization, method, object, body.size(), body);
}

// A whole request, headers and body.
std::string Message(std::string_view operation, std::string_view parameters) {
  return Http(operation, "root/bench", fmt::format(
      "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.0\"><MESSAGE ID=\"1001\" "
      "PROTOCOLVERSION=\"1.0\"><SIMPLEREQ><IMETHODCALL NAME=\"{}\"><LOCALNAMESPACEPATH><NAMESPACE NAME=\"root\"/>"
      "<NAMESPACE NAME=\"bench\"/></LOCALNAMESPACEPATH>{}</IMETHODCALL></SIMPLEREQ></MESSAGE></CIM>",
      operation, parameters));
}

std::string Key(std::string_view name, std::string_view value) {
  return fmt::format("<KEYBINDING NAME=\"{}\"><KEYVALUE VALUETYPE=\"string\">{}</KEYVALUE></KEYBINDING>", name, value);
}

std::string VolumeName(unsigned n) {
  return "<INSTANCENAME CLASSNAME=\"Bench_Volume\">" + Key("SystemCreationClassName", "Bench_ComputerSystem") +
         Key("SystemName", "bench-1") + Key("CreationClassName", "Bench_Volume") +
         Key("DeviceID", fmt::format("5f9a8c1e-0000-4000-8000-{:012x}", n)) + "</INSTANCENAME>";
}

constexpr std::string_view kVolumes = "<CLASSNAME NAME=\"Bench_Volume\"/>";

// What is between two marks; empty when they are not there.
std::string_view Between(std::string_view text, std::string_view from, std::string_view to) {
  const size_t begin = text.find(from);
  if (begin == text.npos) return {};
  const size_t end = text.find(to, begin + from.size());
  return end == text.npos ? std::string_view() : text.substr(begin + from.size(), end - begin - from.size());
}

// A connection, encrypted when there is a context.
class Connection {
 public:
  Connection(uint16_t port, SSL_CTX* context, bool awake) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) Fail("cannot connect");
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (context != nullptr) {
      ssl_ = SSL_new(context);
      if (ssl_ == nullptr || SSL_set_fd(ssl_, fd_) != 1 || SSL_connect(ssl_) != 1) Fail("the TLS handshake failed");
    }
    if (awake) ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~Connection() {
    SSL_free(ssl_);
    ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  ssize_t Send(const char* from, size_t size) {
    return Insist([&] {
      return ssl_ ? SSL_write(ssl_, from, static_cast<int>(size)) : ::send(fd_, from, size, MSG_NOSIGNAL);
    });
  }
  ssize_t Receive(char* to, size_t size) {
    return Insist([&] { return ssl_ ? SSL_read(ssl_, to, static_cast<int>(size)) : ::recv(fd_, to, size, 0); });
  }

 private:
  // Again until it has done something or failed.
  template <typename Call>
  ssize_t Insist(Call call) {
    while (true) {
      const ssize_t n = call();
      if (n > 0) return n;
      const int why = ssl_ ? SSL_get_error(ssl_, static_cast<int>(n)) : 0;
      const bool later = ssl_ ? why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE : n < 0 && errno == EAGAIN;
      if (!later) return n;
    }
  }

  const int fd_;
  SSL* ssl_ = nullptr;
};

class Client {
 public:
  Client(uint16_t port, SSL_CTX* context, bool awake) : connection_(port, context, awake) {}

  // Sends a request and reads the reply. Of the body only its first and its last bytes are kept.
  void Exchange(const std::string& request) {
    for (size_t sent = 0; sent < request.size();) {
      const ssize_t n = connection_.Send(request.data() + sent, request.size() - sent);
      if (n <= 0) Fail("the server closed the connection while a request was sent");
      sent += static_cast<size_t>(n);
    }
    head_.clear();
    bytes_ = 0;
    while (!ReadHead()) Receive();
    if (head_.compare(9, 3, "200") != 0) Fail(head_.substr(0, 200));
    const std::string_view length = Between(head_, "Content-Length: ", "\r\n");
    if (!length.empty()) ReadBody(std::strtoull(length.data(), nullptr, 10));
    else ReadChunks();
    if (start_.find("<ERROR") != start_.npos) Fail(start_);
  }
  uint64_t bytes() const { return bytes_; }
  // The first and the last bytes of the body.
  const std::string& start() const { return start_; }
  const std::string& end() const { return end_; }

 private:
  static constexpr size_t kKept = 2048;

  void Receive() {
    if (used_ == size_) used_ = size_ = 0;
    const ssize_t n = connection_.Receive(buffer_.data() + size_, buffer_.size() - size_);
    if (n <= 0) Fail("the server closed the connection before the end of a reply");
    size_ += static_cast<size_t>(n);
  }
  bool ReadHead() {
    const std::string_view here(buffer_.data() + used_, size_ - used_);
    const size_t end = here.find("\r\n\r\n");
    if (end == here.npos) return false;
    head_.assign(here.substr(0, end + 4));
    used_ += end + 4;
    start_.clear();
    end_.clear();
    return true;
  }
  void ReadBody(uint64_t length) {
    bytes_ += length;
    while (length > 0) {
      if (used_ == size_) Receive();
      const size_t n = std::min<uint64_t>(length, size_ - used_);
      const std::string_view here(buffer_.data() + used_, n);
      if (start_.size() < kKept) start_.append(here.substr(0, kKept - start_.size()));
      if (n >= kKept) end_.assign(here.substr(n - kKept));
      else end_.append(here), end_.erase(0, end_.size() > kKept ? end_.size() - kKept : 0);
      used_ += n;
      length -= n;
    }
  }
  std::string ReadLine() {
    std::string line;
    while (true) {
      if (used_ == size_) Receive();
      const char c = buffer_[used_++];
      if (c == '\n') return line;
      if (c != '\r') line += c;
    }
  }
  void ReadChunks() {
    while (true) {
      const uint64_t size = std::strtoull(ReadLine().c_str(), nullptr, 16);
      if (size == 0) break;
      ReadBody(size);
      ReadLine();
    }
    while (!ReadLine().empty()) {
    }
  }

  Connection connection_;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
  size_t used_ = 0, size_ = 0;
  std::string head_, start_, end_;
  uint64_t bytes_ = 0;
};

struct Work {
  std::string name;
  std::vector<std::string> requests;  // in turn
  uint64_t batch = 0;                 // of a pull
};

Work Prepare(const std::string& name, uint64_t batch) {
  Work work{name, {}, batch};
  if (name == "get") {
    for (unsigned n = 0; n < 100; ++n)
      work.requests.push_back(Message("GetInstance", Parameter("InstanceName", VolumeName(n * 7))));
  } else if (name == "enumerate" || name == "names") {
    work.requests.push_back(Message(name == "names" ? "EnumerateInstanceNames" : "EnumerateInstances",
                                    Parameter("ClassName", kVolumes)));
  } else if (name == "pull") {
    work.requests.push_back(
        Message("OpenEnumerateInstances",
                Parameter("ClassName", kVolumes) +
                    Parameter("MaxObjectCount", fmt::format("<VALUE>{}</VALUE>", batch))));
  } else if (name == "associators") {
    work.requests.push_back(Message(
        "Associators", Parameter("ObjectName", "<INSTANCENAME CLASSNAME=\"Bench_Group\">" + Key("InstanceID", "g") +
                                                   "</INSTANCENAME>")));
  } else {
    Fail("--work is get, enumerate, names, pull, associators or body");
  }
  return work;
}

Work FromFile(const Arguments& arguments) {
  std::ifstream file(arguments.Text("body"));
  const std::string body{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (body.empty()) Fail("--body names no file with a request in it");
  return {"body", {Http(arguments.Text("method"), arguments.Text("object"), body)}, 0};
}

// One operation; the bytes of its replies.
uint64_t Perform(Client& client, const Work& work, size_t turn) {
  client.Exchange(work.requests[turn % work.requests.size()]);
  uint64_t bytes = client.bytes();
  if (work.name != "pull") return bytes;
  while (true) {
    const std::string& end = client.end();
    if (Between(end, "NAME=\"EndOfSequence\"", "</VALUE>").ends_with("TRUE")) return bytes;
    std::string_view context = Between(end, "NAME=\"EnumerationContext\"", "</VALUE>");
    context.remove_prefix(std::min(context.size(), context.rfind('>') + 1));
    if (context.empty()) Fail("no enumeration context in: " + end);
    client.Exchange(Message("PullInstancesWithPath",
                            Parameter("EnumerationContext", fmt::format("<VALUE>{}</VALUE>", context)) +
                                Parameter("MaxObjectCount", fmt::format("<VALUE>{}</VALUE>", work.batch))));
    bytes += client.bytes();
  }
}

// Nanoseconds that all threads of the process have run.
uint64_t ProcessorTime(uint64_t pid) {
  uint64_t sum = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    uint64_t ns = 0;
    std::ifstream(task.path() / "schedstat") >> ns;
    sum += ns;
  }
  return sum;
}

uint64_t ResidentKiB(uint64_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  return 0;
}

struct Outcome {
  std::vector<double> us;  // of each operation
  uint64_t bytes = 0;
};

Status Run(const Arguments& arguments) {
  LS_ASSIGN_OR_RETURN(const uint64_t port, arguments.Number("port"));
  LS_ASSIGN_OR_RETURN(const uint64_t pid, arguments.Number("pid"));
  LS_ASSIGN_OR_RETURN(const uint64_t clients, arguments.Number("clients"));
  LS_ASSIGN_OR_RETURN(const uint64_t seconds, arguments.Number("seconds"));
  LS_ASSIGN_OR_RETURN(const uint64_t operations, arguments.Number("operations"));
  LS_ASSIGN_OR_RETURN(const uint64_t batch, arguments.Number("batch"));
  const bool https = arguments.Text("https") == "yes", awake = arguments.Text("awake") == "yes";
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(https ? SSL_CTX_new(TLS_client_method()) : nullptr,
                                                                  &SSL_CTX_free);
  if (https) g_authorization = "Authorization: Basic YmVuY2g6YmVuY2ggcGFzc3dvcmQ=\r\n";
  const Work work = arguments.Text("work") == "body" ? FromFile(arguments) : Prepare(arguments.Text("work"), batch);
  const uint64_t before = ResidentKiB(pid), cpu_before = ProcessorTime(pid);
  std::vector<Outcome> outcomes(clients);
  std::vector<std::thread> threads;
  std::atomic<uint64_t> running = clients;
  const auto start = Clock::now(), deadline = start + std::chrono::seconds(seconds);
  for (Outcome& outcome : outcomes)
    threads.emplace_back([&] {
      Client client(static_cast<uint16_t>(port), context.get(), awake);
      auto last = Clock::now();
      for (size_t turn = 0; operations ? turn < operations : last < deadline; ++turn) {
        outcome.bytes += Perform(client, work, turn);
        const auto now = Clock::now();
        outcome.us.push_back(std::chrono::duration<double, std::micro>(now - last).count());
        last = now;
      }
      --running;
    });
  uint64_t peak = before;
  for (; pid && running > 0; std::this_thread::sleep_for(std::chrono::milliseconds(5)))
    peak = std::max(peak, ResidentKiB(pid));
  for (std::thread& thread : threads) thread.join();
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  const uint64_t cpu = ProcessorTime(pid) - cpu_before, after = ResidentKiB(pid);
  std::vector<double> us;
  uint64_t bytes = 0;
  for (const Outcome& outcome : outcomes) {
    us.insert(us.end(), outcome.us.begin(), outcome.us.end());
    bytes += outcome.bytes;
  }
  std::sort(us.begin(), us.end());
  const auto count = static_cast<double>(us.size());
  fmt::print("{{\"work\": \"{}\", \"clients\": {}, \"operations\": {}, \"per_second\": {:.0f}, \"p50_us\": {:.1f}, "
             "\"p99_us\": {:.1f}, \"cpu_us\": {:.1f}, \"bytes\": {:.0f}, \"rss_before_kib\": {}, \"rss_peak_kib\": {}, "
             "\"rss_after_kib\": {}}}\n",
             work.name, clients, us.size(), count / elapsed, us[us.size() / 2], us[us.size() * 99 / 100],
             static_cast<double>(cpu) / 1000 / count, static_cast<double>(bytes) / count, before, peak, after);
  return {};
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const auto arguments = bench::Arguments::Parse({argv + 1, static_cast<size_t>(argc - 1)},
                                                 {{"port", ""},
                                                  {"pid", "0"},
                                                  {"work", "get"},
                                                  {"clients", "1"},
                                                  {"seconds", "2"},
                                                  {"operations", "0"},
                                                  {"batch", "1000"},
                                                  {"body", "none"},
                                                  {"method", "none"},
                                                  {"object", "none"},
                                                  {"https", "no"},
                                                  {"awake", "no"}});
  const Status status = arguments.ok() ? bench::Run(*arguments) : arguments.status();
  if (status.ok()) return 0;
  fmt::print(stderr, "bench_cim_load: {}\n", status.message());
  return 1;
}
