#include "io/posix/system.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <time.h>

#include <cerrno>
#include <cstdlib>

#include "base/assert.h"

namespace lockstep::io {
namespace {

int64_t ReadClock(clockid_t id) {
  timespec now;
  LS_ASSERT(::clock_gettime(id, &now) == 0);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Of syslog(3), as sd-daemon(3) wants them.
int JournalPriority(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return 7;
    case LogLevel::kInfo: return 6;
    case LogLevel::kWarn: return 4;
    case LogLevel::kError: return 3;
  }
  return 3;
}

}  // namespace

Instant PosixClock::Now() const { return {ReadClock(CLOCK_MONOTONIC)}; }

WallTime PosixClock::Wall() const { return {ReadClock(CLOCK_REALTIME) / 1000}; }

uint64_t OsRandom::Next64() {
  std::lock_guard lock(mutex_);
  if (left_ == 0) {
    auto* to = reinterpret_cast<unsigned char*>(buffer_.data());
    for (size_t got = 0; got < sizeof(buffer_);) {
      const ssize_t n = ::getrandom(to + got, sizeof(buffer_) - got, 0);
      // Fails only for a bad address or a kernel without the call, neither of which we can be on.
      LS_ASSERT(n > 0 || errno == EINTR);
      if (n > 0) got += static_cast<size_t>(n);
    }
    left_ = buffer_.size();
  }
  return buffer_[--left_];
}

SpdlogLog::SpdlogLog(LogLevel level, Format format)
    : level_(level),
      format_(format),
      logger_(std::make_unique<spdlog::logger>("lockstep", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_level(spdlog::level::trace);  // Enabled() has decided already
  logger_->set_pattern(format == Format::kJournal ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                       spdlog::pattern_time_type::utc);
}

SpdlogLog::~SpdlogLog() = default;

SpdlogLog::Format SpdlogLog::DetectFormat() {
  return std::getenv("JOURNAL_STREAM") != nullptr ? Format::kJournal : Format::kTimestamps;
}

void SpdlogLog::Write(LogLevel level, std::string_view line) {
  const spdlog::string_view_t text(line.data(), line.size());
  if (format_ == Format::kTimestamps)
    logger_->log(LevelOf(level), text);
  else
    logger_->log(LevelOf(level), "<{}>{}", JournalPriority(level), text);
}

}  // namespace lockstep::io
