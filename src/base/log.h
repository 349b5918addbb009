// Where the product says what it does. A Log is handed in like every other outside thing; the real one (io/posix)
// writes to standard error, a test's collects lines. Messages name the volume, relationship or peer they are about.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace lockstep {

enum class LogLevel : unsigned char { kDebug, kInfo, kWarn, kError };

// Thread-safe. Write never fails and never blocks for longer than the underlying stream does.
class Log {
 public:
  virtual ~Log() = default;
  virtual bool Enabled(LogLevel level) const = 0;
  virtual void Write(LogLevel level, std::string_view line) = 0;

  template <typename... A>
  void Debug(fmt::format_string<A...> f, A&&... a) {
    Format(LogLevel::kDebug, f, std::forward<A>(a)...);
  }
  template <typename... A>
  void Info(fmt::format_string<A...> f, A&&... a) {
    Format(LogLevel::kInfo, f, std::forward<A>(a)...);
  }
  template <typename... A>
  void Warn(fmt::format_string<A...> f, A&&... a) {
    Format(LogLevel::kWarn, f, std::forward<A>(a)...);
  }
  template <typename... A>
  void Error(fmt::format_string<A...> f, A&&... a) {
    Format(LogLevel::kError, f, std::forward<A>(a)...);
  }

 private:
  template <typename... A>
  void Format(LogLevel level, fmt::format_string<A...> f, A&&... a) {
    if (Enabled(level)) Write(level, fmt::format(f, std::forward<A>(a)...));
  }
};

// Swallows everything.
class NullLog final : public Log {
 public:
  bool Enabled(LogLevel) const override { return false; }
  void Write(LogLevel, std::string_view) override {}
};

}  // namespace lockstep
