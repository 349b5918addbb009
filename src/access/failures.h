// Holds back who guesses: after some failures from one address, each further one makes it wait twice as long before it
// is listened to again. Bounded, whatever addresses there are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "io/clock.h"

namespace lockstep::access {

struct FailureLimits {
  uint32_t free = 5;  // failures without a consequence
  io::Duration first_wait = std::chrono::seconds(1);
  io::Duration longest_wait = std::chrono::seconds(60);
  io::Duration forget_after = std::chrono::minutes(15);  // since the last failure
  size_t addresses_max = 4096;  // beyond it, the one whose last failure is longest ago is forgotten
};

// What counts as one address: an IPv4 address, an IPv6 network of 64 bits. From a Stream's peer().
std::string SourceOf(std::string_view peer);
// Whether a Stream's peer() is on this machine.
bool IsLocal(std::string_view peer);

class Failures {
 public:
  explicit Failures(FailureLimits limits = {}) : limits_(limits) {}

  // How long it has to wait; zero or less: it is listened to.
  io::Duration WaitOf(std::string_view source, io::Instant now) const;
  void Failed(std::string_view source, io::Instant now);
  void Succeeded(std::string_view source);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    uint32_t count = 0;
    io::Instant last, until;
  };
  void MakeRoom(io::Instant now);

  const FailureLimits limits_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace lockstep::access
