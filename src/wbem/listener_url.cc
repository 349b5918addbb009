#include "wbem/listener_url.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "wbem/names.h"

namespace lockstep::wbem {
namespace {

constexpr uint16_t kHttpPort = 5988, kHttpsPort = 5989;
constexpr size_t kLongest = 2048;

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Takes "host[:port]" apart.
bool ReadAuthority(std::string_view text, ListenerUrl& url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == text.npos) return false;
    url.host = text.substr(1, end - 1);
    if (url.host.find(':') == std::string::npos) return false;
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return false;
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    url.host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (url.host.empty() || url.host.find_first_of("[]\"<>\\^`{|}%") != std::string::npos) return false;
  if (port.empty()) return true;
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  return error == std::errc() && end == port.data() + port.size() && url.port != 0;
}

bool IsNumeric(const std::string& host) {
  if (host.find(':') != std::string::npos) return true;
  return host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

Result<ListenerUrl> ListenerUrl::Parse(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return InvalidArgument(fmt::format("the destination '{}' {}: write http://host[:port][/path]",
                                       text.substr(0, 128), why));
  };
  if (text.size() > kLongest) return wrong("is longer than 2048 characters");
  if (!IsPlain(text)) return wrong("has characters that a URL cannot have");
  const size_t scheme_end = text.find("://");
  if (scheme_end == text.npos) return wrong("is no URL");
  const std::string_view scheme = text.substr(0, scheme_end);
  ListenerUrl url;
  url.encrypted = NameEquals(scheme, "https");
  if (!url.encrypted && !NameEquals(scheme, "http")) return wrong("is of another kind");
  url.port = url.encrypted ? kHttpsPort : kHttpPort;
  text.remove_prefix(scheme_end + 3);
  const size_t authority_end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, authority_end);
  if (authority.find('@') != authority.npos) return wrong("names a user, which is not supported");
  if (!ReadAuthority(authority, url)) return wrong("names no host and port");
  std::string_view path = text.substr(authority_end);
  path = path.substr(0, path.find('#'));
  url.path = path.starts_with('/') ? std::string(path) : "/" + std::string(path);
  return url;
}

std::string ListenerUrl::Authority() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

std::string ListenerUrl::ToString() const {
  return fmt::format("{}://{}{}", encrypted ? "https" : "http", Authority(), path);
}

Status PlainTransport::Check(const ListenerUrl& url) const {
  if (url.encrypted)
    return NotSupported("indications are not sent over HTTPS here: give a destination that begins with http://");
  if (!resolver_ && !IsNumeric(url.host) && !NameEquals(url.host, "localhost"))
    return NotSupported(fmt::format("names of hosts are not looked up here: give {} as a numeric address", url.host));
  return {};
}

void PlainTransport::Connect(const ListenerUrl& url, io::Network::Connected done) {
  if (NameEquals(url.host, "localhost"))
    return network_.Connect({io::Endpoint::Kind::kTcp, "127.0.0.1", url.port}, std::move(done));
  if (IsNumeric(url.host) || !resolver_)
    return network_.Connect({io::Endpoint::Kind::kTcp, url.host, url.port}, std::move(done));
  resolver_->Resolve(url.host, [this, weak = std::weak_ptr<bool>(alive_), port = url.port,
                                done = std::move(done)](Result<std::string> address) mutable {
    if (weak.expired()) return;
    if (!address.ok()) return done(address.status());
    network_.Connect({io::Endpoint::Kind::kTcp, *address, port}, std::move(done));
  });
}

}  // namespace lockstep::wbem
