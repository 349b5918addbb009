// CIM datetime (DSP0004 5.2.4): a point in time or an interval, 25 characters long in text:
// "yyyymmddHHMMSS.ffffffsooo" (s is + or -, ooo the offset from UTC in minutes) and "ddddddddHHMMSS.ffffff:000".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace lockstep::wbem {

class Datetime {
 public:
  static constexpr int kTextSize = 25;

  Datetime() = default;  // the interval of zero length
  // Microseconds since 1970-01-01 00:00 UTC, shown in the zone that is `utc_offset_minutes` east of UTC.
  // REQUIRES: the year there is between 0 and 9999.
  static Datetime Timestamp(int64_t us, int utc_offset_minutes = 0);
  // REQUIRES: 0 <= us < 100,000,000 days.
  static Datetime Interval(uint64_t us);
  // invalid-argument when the text is neither form or names no possible date. Fields replaced by asterisks from some
  // field on to the end (DSP0004: "not significant") count as their least value and are written back as asterisks.
  static Result<Datetime> Parse(std::string_view text);

  bool is_interval() const { return interval_; }
  int64_t us() const { return us_; }  // since 1970 UTC, or the length
  int utc_offset_minutes() const { return offset_; }
  std::string ToString() const;
  // Two timestamps are equal when they name the same moment, whatever the zone.
  friend bool operator==(const Datetime& a, const Datetime& b) {
    return a.interval_ == b.interval_ && a.us_ == b.us_ && a.significant_ == b.significant_;
  }

 private:
  int64_t us_ = 0;
  int16_t offset_ = 0;
  uint8_t significant_ = 21;  // leading characters that are not asterisks, of the 21 before the sign or colon
  bool interval_ = true;
};

}  // namespace lockstep::wbem
