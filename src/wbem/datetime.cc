#include "wbem/datetime.h"

#include <chrono>

#include <fmt/format.h>

#include "base/assert.h"

namespace lockstep::wbem {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int kSign = 21;  // where "+", "-" or ":" stands

// A field of the text; asterisks count as `least`. The caller has checked that there are digits or asterisks only.
int64_t Field(std::string_view text, int from, int size, int64_t least) {
  int64_t v = 0;
  for (const char c : text.substr(static_cast<size_t>(from), static_cast<size_t>(size))) {
    if (c == '*') return least;
    v = v * 10 + (c - '0');
  }
  return v;
}

// Where the asterisks begin (21 when there are none), or -1 when the text has not the shape of a datetime. Asterisks
// replace whole fields up to the end; in the microseconds, any number of trailing digits.
int SignificantCharacters(std::string_view text, bool interval) {
  static constexpr int kTimestampFields[] = {0, 4, 6, 8, 10, 12, 21};
  static constexpr int kIntervalFields[] = {0, 8, 10, 12, 21};
  int stars = kSign;
  for (int i = 0; i < kSign; ++i) {
    const char c = text[static_cast<size_t>(i)];
    if (i == 14) {
      if (c != '.') return -1;
    } else if (c == '*') {
      if (stars == kSign) stars = i;
    } else if (c < '0' || c > '9' || stars != kSign) {
      return -1;
    }
  }
  if (stars >= 15) return stars;
  const auto fields = interval ? std::basic_string_view<int>(kIntervalFields, 5)
                               : std::basic_string_view<int>(kTimestampFields, 7);
  return fields.find(stars) == fields.npos ? -1 : stars;
}

}  // namespace

Datetime Datetime::Timestamp(int64_t us, int utc_offset_minutes) {
  Datetime d;
  d.us_ = us;
  d.offset_ = static_cast<int16_t>(utc_offset_minutes);
  d.interval_ = false;
  return d;
}

Datetime Datetime::Interval(uint64_t us) {
  LS_ASSERT(us < 100'000'000ull * kDay);
  Datetime d;
  d.us_ = static_cast<int64_t>(us);
  return d;
}

Result<Datetime> Datetime::Parse(std::string_view text) {
  const auto bad = [&] {
    return InvalidArgument(fmt::format("'{}' is no CIM datetime; write yyyymmddHHMMSS.ffffff+ooo or "
                                       "ddddddddHHMMSS.ffffff:000", text.substr(0, 40)));
  };
  if (text.size() != kTextSize) return bad();
  const char sign = text[kSign];
  Datetime d;
  d.interval_ = sign == ':';
  const int significant = SignificantCharacters(text, d.interval_);
  if (significant < 0 || (!d.interval_ && sign != '+' && sign != '-')) return bad();
  for (const char c : text.substr(kSign + 1))
    if (c < '0' || c > '9') return bad();
  d.significant_ = static_cast<uint8_t>(significant);
  int64_t fraction = 0;
  for (int i = 15; i < kSign; ++i) fraction = fraction * 10 + Field(text, i, 1, 0);
  const int64_t h = Field(text, 8, 2, 0), m = Field(text, 10, 2, 0), s = Field(text, 12, 2, 0);
  const int64_t offset = Field(text, kSign + 1, 3, 0);
  if (h > 23 || m > 59 || s > 59) return bad();
  const int64_t time = h * kHour + m * kMinute + s * kSecond + fraction;
  if (d.interval_) {
    if (offset != 0) return bad();
    d.us_ = Field(text, 0, 8, 0) * kDay + time;
    return d;
  }
  const int64_t year = Field(text, 0, 4, 0), month = Field(text, 4, 2, 1), day = Field(text, 6, 2, 1);
  const auto date = std::chrono::year(static_cast<int>(year)) / std::chrono::month(static_cast<unsigned>(month)) /
                    std::chrono::day(static_cast<unsigned>(day));
  if (!date.ok()) return bad();
  d.offset_ = static_cast<int16_t>(sign == '-' ? -offset : offset);
  d.us_ = std::chrono::sys_days(date).time_since_epoch().count() * kDay;
  d.us_ += time - d.offset_ * kMinute;
  return d;
}

namespace {

// Exactly `size` decimal digits at `to`.
void PutDigits(char* to, int64_t value, int size) {
  for (int i = size - 1; i >= 0; --i, value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

void PutTime(char* to, int64_t in_day) {
  PutDigits(to, in_day / kHour, 2);
  PutDigits(to + 2, in_day % kHour / kMinute, 2);
  PutDigits(to + 4, in_day % kMinute / kSecond, 2);
  to[6] = '.';
  PutDigits(to + 7, in_day % kSecond, 6);
}

}  // namespace

std::string Datetime::ToString() const {
  std::string text(kTextSize, '0');
  if (interval_) {
    PutDigits(text.data(), us_ / kDay, 8);
    PutTime(text.data() + 8, us_ % kDay);
    text[kSign] = ':';
  } else {
    using namespace std::chrono;
    const sys_time<microseconds> local{microseconds(us_ + offset_ * kMinute)};
    const auto midnight = floor<days>(local);
    const year_month_day date(midnight);
    PutDigits(text.data(), static_cast<int>(date.year()), 4);
    PutDigits(text.data() + 4, static_cast<unsigned>(date.month()), 2);
    PutDigits(text.data() + 6, static_cast<unsigned>(date.day()), 2);
    PutTime(text.data() + 8, (local - midnight).count());
    text[kSign] = offset_ < 0 ? '-' : '+';
    PutDigits(text.data() + kSign + 1, offset_ < 0 ? -offset_ : offset_, 3);
  }
  for (size_t i = significant_; i < kSign; ++i)
    if (i != 14) text[i] = '*';
  return text;
}

}  // namespace lockstep::wbem
