#include <arpa/inet.h>

#include <charconv>

#include <fmt/format.h>

#include "io/net.h"

namespace lockstep::io {

Result<Endpoint> Endpoint::Parse(std::string_view text) {
  const Status bad = InvalidArgument(fmt::format(
      "'{}' is not an endpoint (examples: tcp:127.0.0.1:10809, tcp:[::1]:10809, unix:/run/lockstep/nbd.sock)",
      text.substr(0, 200)));
  if (text.starts_with("unix:")) {
    const std::string_view path = text.substr(5);
    if (path.empty() || path.size() > 107) return bad;  // sockaddr_un
    return Endpoint{Kind::kUnix, std::string(path), 0};
  }
  if (!text.starts_with("tcp:")) return bad;
  text.remove_prefix(4);
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  Endpoint e{Kind::kTcp, std::string(text.substr(0, colon)), 0};
  if (e.address.size() > 2 && e.address.front() == '[' && e.address.back() == ']')
    e.address = e.address.substr(1, e.address.size() - 2);
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), e.port);
  if (error != std::errc() || end != port.data() + port.size()) return bad;
  in_addr v4;
  in6_addr v6;
  if (inet_pton(AF_INET, e.address.c_str(), &v4) != 1 && inet_pton(AF_INET6, e.address.c_str(), &v6) != 1) return bad;
  return e;
}

std::string Endpoint::ToString() const {
  if (kind == Kind::kUnix) return "unix:" + address;
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? fmt::format("tcp:[{}]:{}", address, port) : fmt::format("tcp:{}:{}", address, port);
}

bool Endpoint::IsLoopback() const {
  return kind == Kind::kUnix || address.starts_with("127.") || address == "::1";
}

}  // namespace lockstep::io
