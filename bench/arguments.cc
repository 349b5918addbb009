#include "bench/arguments.h"

#include <fmt/format.h>

#include "base/units.h"

namespace lockstep::bench {

Result<Arguments> Arguments::Parse(std::span<char* const> words,
                                   std::map<std::string, std::string, std::less<>> defaults) {
  Arguments arguments;
  arguments.values_ = std::move(defaults);
  for (const std::string_view word : words) {
    const size_t equals = word.find('=');
    if (!word.starts_with("--") || equals == std::string_view::npos)
      return InvalidArgument(fmt::format("\"{}\" is not of the form --name=value", word));
    const auto known = arguments.values_.find(word.substr(2, equals - 2));
    if (known == arguments.values_.end())
      return InvalidArgument(fmt::format("there is no option \"{}\"", word.substr(0, equals)));
    known->second = word.substr(equals + 1);
  }
  for (const auto& [name, value] : arguments.values_)
    if (value.empty()) return InvalidArgument(fmt::format("--{}=... is missing", name));
  return arguments;
}

const std::string& Arguments::Text(std::string_view name) const {
  const auto found = values_.find(name);
  LS_ASSERT(found != values_.end());
  return found->second;
}

Result<uint64_t> Arguments::Number(std::string_view name) const {
  auto value = ParseSize(Text(name));
  if (!value.ok()) return value.status().WithContext(fmt::format("--{}", name));
  return value;
}

}  // namespace lockstep::bench
