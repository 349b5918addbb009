#include "admin/moment.h"

#include <charconv>
#include <chrono>
#include <string>

#include "base/units.h"

namespace lockstep::admin {
namespace {

// Takes digits, exactly `count` of them, off the front.
bool TakeNumber(std::string_view& text, size_t count, int64_t& to) {
  if (text.size() < count) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, to);
  if (error != std::errc() || end != text.data() + count || to < 0) return false;
  text.remove_prefix(count);
  return true;
}
bool Take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

bool ParseTime(std::string_view text, io::WallTime& to) {
  using namespace std::chrono;
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, fraction = 0;
  if (!TakeNumber(text, 4, year) || !Take(text, "-") || !TakeNumber(text, 2, month) || !Take(text, "-") ||
      !TakeNumber(text, 2, day))
    return false;
  if (!text.empty()) {
    if (!Take(text, " T") || !TakeNumber(text, 2, hour) || !Take(text, ":") || !TakeNumber(text, 2, minute))
      return false;
    if (Take(text, ":") && !TakeNumber(text, 2, second)) return false;
    if (Take(text, ".")) {
      int64_t unit = 100'000;
      for (int64_t digit = 0; unit > 0 && TakeNumber(text, 1, digit); unit /= 10) fraction += digit * unit;
      if (unit == 100'000) return false;
    }
    Take(text, "Z");
  }
  const year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!text.empty() || !date.ok() || hour > 23 || minute > 59 || second > 59) return false;
  const auto at = sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + microseconds(fraction);
  to.us = duration_cast<microseconds>(at.time_since_epoch()).count();
  return to.us > 0;
}

}  // namespace

Result<control::Moment> ParseMoment(std::string_view text) {
  control::Moment moment;
  if (text.starts_with('@')) {
    uint64_t position = 0;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), position);
    if (error == std::errc() && end == text.data() + text.size()) {
      moment.position = position;
      return moment;
    }
  } else if (text.starts_with('-')) {
    LS_ASSIGN_OR_RETURN(moment.seconds_ago, ParseSeconds(text.substr(1)));
    return moment;
  } else if (io::WallTime time; ParseTime(text, time)) {
    moment.time = time;
    return moment;
  }
  return InvalidArgument("'" + std::string(text.substr(0, 64)) +
                         "' is no moment (examples: -10m, '2026-11-21 12:00:00' in UTC, @1234 for a position)");
}

}  // namespace lockstep::admin
