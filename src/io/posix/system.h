// The real clock, randomness and log.
#pragma once

#include <array>
#include <memory>
#include <mutex>

#include "base/log.h"
#include "io/clock.h"
#include "io/random.h"

namespace spdlog {
class logger;
}

namespace lockstep::io {

class PosixClock final : public Clock {
 public:
  Instant Now() const override;
  WallTime Wall() const override;
};

// The kernel's generator, read some hundred bytes at a time. Thread-safe. Not for the child of a fork, which would draw
// the same numbers.
class OsRandom final : public Random {
 public:
  uint64_t Next64() override;

 private:
  std::mutex mutex_;  // guards all below
  std::array<uint64_t, 64> buffer_;
  size_t left_ = 0;
};

// Lines on standard error.
class SpdlogLog final : public Log {
 public:
  enum class Format {
    kTimestamps,  // "2026-01-01T00:00:00.000Z warning ..."
    kJournal,     // "<4>...": systemd adds the time and reads the level from the prefix (sd-daemon(3))
  };
  SpdlogLog(LogLevel level, Format format);
  ~SpdlogLog() override;
  // kJournal when standard error goes to systemd's journal (JOURNAL_STREAM is set, systemd.exec(5)).
  static Format DetectFormat();

  bool Enabled(LogLevel level) const override { return level >= level_; }
  void Write(LogLevel level, std::string_view line) override;

 private:
  const LogLevel level_;
  const Format format_;
  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace lockstep::io
