#include "access/failures.h"

#include <arpa/inet.h>

#include <algorithm>

#include <fmt/format.h>

#include "io/net.h"

namespace lockstep::access {
namespace {

// The address alone; that of IPv4 when it is mapped into IPv6.
std::string AddressOf(std::string_view peer) {
  const Result<io::Endpoint> endpoint = io::Endpoint::Parse(peer);
  if (!endpoint.ok()) return std::string(peer);
  if (endpoint->kind == io::Endpoint::Kind::kUnix) return "unix";
  constexpr std::string_view kMapped = "::ffff:";
  const std::string& address = endpoint->address;
  const bool mapped = address.starts_with(kMapped) && address.find('.') != std::string::npos;
  return mapped ? address.substr(kMapped.size()) : address;
}

}  // namespace

std::string SourceOf(std::string_view peer) {
  std::string address = AddressOf(peer);
  in6_addr bytes;
  if (inet_pton(AF_INET6, address.c_str(), &bytes) != 1) return address;
  std::string network;
  for (int i = 0; i < 8; ++i) fmt::format_to(std::back_inserter(network), "{:02x}", bytes.s6_addr[i]);
  return network + "/64";
}

bool IsLocal(std::string_view peer) {
  const std::string address = AddressOf(peer);
  return address == "unix" || address == "::1" || address.starts_with("127.");
}

io::Duration Failures::WaitOf(std::string_view source, io::Instant now) const {
  const auto it = entries_.find(source);
  return it == entries_.end() ? io::Duration(0) : it->second.until - now;
}

void Failures::Failed(std::string_view source, io::Instant now) {
  auto it = entries_.find(source);
  if (it == entries_.end()) {
    MakeRoom(now);
    it = entries_.emplace(source, Entry{}).first;
  }
  Entry& entry = it->second;
  if (entry.count > 0 && now - entry.last > limits_.forget_after) entry = {};
  entry.last = now;
  entry.until = now;
  if (++entry.count <= limits_.free) return;
  const uint32_t doublings = std::min<uint32_t>(entry.count - limits_.free - 1, 30);
  io::Duration wait = limits_.first_wait;
  for (uint32_t i = 0; i < doublings && wait < limits_.longest_wait; ++i) wait *= 2;
  entry.until = now + std::min(wait, limits_.longest_wait);
}

void Failures::Succeeded(std::string_view source) {
  const auto it = entries_.find(source);
  if (it != entries_.end()) entries_.erase(it);
}

void Failures::MakeRoom(io::Instant now) {
  if (entries_.size() < limits_.addresses_max) return;
  std::erase_if(entries_, [&](const auto& e) { return now - e.second.last > limits_.forget_after; });
  if (entries_.size() < limits_.addresses_max) return;
  entries_.erase(std::min_element(entries_.begin(), entries_.end(),
                                  [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
}

}  // namespace lockstep::access
