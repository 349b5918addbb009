// A log that a test can read.
#pragma once

#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"

namespace lockstep::sim {

// Thread-safe, with a mutex: libraries with threads of their own log too.
class SimLog final : public Log {
 public:
  bool Enabled(LogLevel level) const override { return level >= LogLevel::kInfo; }
  void Write(LogLevel level, std::string_view line) override {
    std::lock_guard lock(mutex_);
    if (echo_) std::fprintf(stderr, "[%d] %.*s\n", static_cast<int>(level), static_cast<int>(line.size()), line.data());
    lines_.emplace_back(line);
  }
  std::vector<std::string> lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }
  // Whether some line has `text` in it.
  bool Has(std::string_view text) const {
    for (const std::string& line : lines())
      if (line.find(text) != std::string::npos) return true;
    return false;
  }
  void set_echo(bool on) { echo_ = on; }  // also to standard error; to be set before the log is used

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_
  bool echo_ = false;
};

}  // namespace lockstep::sim
