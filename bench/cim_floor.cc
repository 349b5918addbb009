// What the machine allows a CIM server: answers bench_cim_load with prepared replies of the real size, without looking
// at more of a request than where it ends. What is left of a row's time is the kernel's and the client's.
//
//   bench_cim_floor
//
// Prints "ready tcp:127.0.0.1:PORT" when it listens; stops when its standard input ends. A thread per connection.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace lockstep::bench {
namespace {

// Bytes of bench_cim_server's replies.
constexpr size_t kInstance = 1466, kEnumeration = 17'459'140;

std::string Reply(size_t size) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", size) + std::string(size, 'x');
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// The length of a whole request at the beginning of `in`; 0: it is not whole yet.
size_t WholeRequest(std::string_view in) {
  const size_t head = in.find("\r\n\r\n");
  if (head == in.npos) return 0;
  constexpr std::string_view kLength = "Content-Length: ";
  const size_t at = in.substr(0, head).find(kLength);
  const size_t body = at == in.npos ? 0 : std::strtoull(in.data() + at + kLength.size(), nullptr, 10);
  return in.size() < head + 4 + body ? 0 : head + 4 + body;
}

void Serve(int fd) {
  static const std::string instance = Reply(kInstance), enumeration = Reply(kEnumeration);
  std::string in;
  std::vector<char> buffer(64 * 1024);
  while (true) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) break;
    in.append(buffer.data(), static_cast<size_t>(n));
    const size_t request = WholeRequest(in);
    if (request == 0) continue;
    const bool many = in.find("CIMMethod: EnumerateInstances") != in.npos;
    in.erase(0, request);
    if (!SendAll(fd, many ? enumeration : instance)) break;
  }
  ::close(fd);
}

int Run() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener, 128) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    fmt::print(stderr, "bench_cim_floor: cannot listen\n");
    return 1;
  }
  std::thread([listener] {
    for (int fd = ::accept(listener, nullptr, nullptr); fd >= 0; fd = ::accept(listener, nullptr, nullptr)) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      std::thread(Serve, fd).detach();
    }
  }).detach();
  fmt::print("ready tcp:127.0.0.1:{}\n", ntohs(at.sin_port));
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::_Exit(0);  // the threads wait for connections
}

}  // namespace
}  // namespace lockstep::bench

int main() { return lockstep::bench::Run(); }
