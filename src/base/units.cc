#include "base/units.h"

#include <fmt/format.h>

#include <charconv>

namespace lockstep {

Result<uint64_t> ParseSize(std::string_view text) {
  const Status bad =
      InvalidArgument("'" + std::string(text.substr(0, 64)) + "' is not a size (examples: 4096, 512MiB, 10G)");
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return bad;
  std::string suffix;
  for (const char* p = end; p != text.data() + text.size(); ++p)
    if (*p != ' ') suffix.push_back(*p >= 'A' && *p <= 'Z' ? static_cast<char>(*p - 'A' + 'a') : *p);
  if (suffix == "b" || suffix.empty()) return number;
  const size_t power = std::string_view("kmgtp").find(suffix[0]);
  const std::string rest = suffix.substr(1);
  if (power == std::string_view::npos || (!rest.empty() && rest != "b" && rest != "ib")) return bad;
  const unsigned shift = 10 * (static_cast<unsigned>(power) + 1);
  if (number > (UINT64_MAX >> shift)) return bad;
  return number << shift;
}

namespace {
struct TimeUnit {
  char name;
  uint64_t seconds;
};
constexpr TimeUnit kTimeUnits[] = {{'w', 604'800}, {'d', 86'400}, {'h', 3600}, {'m', 60}, {'s', 1}};
}  // namespace

Result<uint64_t> ParseSeconds(std::string_view text) {
  const Status bad = InvalidArgument("'" + std::string(text.substr(0, 64)) +
                                     "' is not a length of time (examples: 90s, 30m, 24h, 7d)");
  uint64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc() || last - end > 1) return bad;
  if (end == last) return number;
  for (const TimeUnit& unit : kTimeUnits) {
    if (*end != unit.name) continue;
    if (number > UINT64_MAX / unit.seconds) return bad;
    return number * unit.seconds;
  }
  return bad;
}

std::string FormatSeconds(uint64_t seconds) {
  for (const TimeUnit& unit : kTimeUnits)
    if (seconds >= unit.seconds && seconds % unit.seconds == 0)
      return fmt::format("{}{}", seconds / unit.seconds, unit.name);
  return "0s";
}

std::string FormatSize(uint64_t bytes) {
  static constexpr const char* kNames[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kNames)) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0 || value == static_cast<double>(static_cast<uint64_t>(value)))
    return fmt::format("{} {}", static_cast<uint64_t>(value), kNames[unit]);
  return fmt::format("{:.2f} {}", value, kNames[unit]);
}

}  // namespace lockstep
