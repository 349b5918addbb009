// Command lines of the benchmark programs: --name=value, every name known beforehand.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace lockstep::bench {

class Arguments {
 public:
  // `defaults` names what may be given; an empty default must be given. invalid-argument says what is wrong.
  static Result<Arguments> Parse(std::span<char* const> words,
                                 std::map<std::string, std::string, std::less<>> defaults);

  // REQUIRES: `name` is one of the defaults.
  const std::string& Text(std::string_view name) const;
  // As ParseSize reads it ("4K", "1G", "32"). invalid-argument if it is no such number.
  Result<uint64_t> Number(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace lockstep::bench
