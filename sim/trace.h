// What a run did, as one number: two runs that agree on it have done the same I/O and given the same answers in the
// same order.
#pragma once

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <mutex>
#include <string_view>

namespace lockstep::sim {

// Thread-safe, with a mutex: the index's background thread does I/O too.
class Trace {
 public:
  void Add(std::string_view what, std::initializer_list<uint64_t> numbers) {
    std::lock_guard lock(mutex_);
    for (const char c : what) Mix(static_cast<unsigned char>(c));
    for (const uint64_t n : numbers) Mix(n);
    ++events_;
    if (echo_ == nullptr) return;
    std::fprintf(echo_, "%llu %.*s", static_cast<unsigned long long>(events_), static_cast<int>(what.size()),
                 what.data());
    for (const uint64_t n : numbers) std::fprintf(echo_, " %llu", static_cast<unsigned long long>(n));
    std::fprintf(echo_, "\n");
  }
  uint64_t hash() const {
    std::lock_guard lock(mutex_);
    return hash_;
  }
  uint64_t events() const {
    std::lock_guard lock(mutex_);
    return events_;
  }
  // Also writes each event there, one a line; to be set before the run.
  void set_echo(std::FILE* to) { echo_ = to; }

 private:
  // Numbers one by one, each through the finalizer of SplitMix64.
  void Mix(uint64_t n) {
    uint64_t z = hash_ ^ (n + 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    hash_ = z ^ (z >> 31);
  }

  mutable std::mutex mutex_;  // guards all below but echo_
  uint64_t hash_ = 0, events_ = 0;
  std::FILE* echo_ = nullptr;
};

}  // namespace lockstep::sim
