// The schema's words as people type them: "Resync Replica" is also read as "resync-replica" or "resync_replica".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/status.h"
#include "catalog/states.h"

namespace lockstep::admin {

// Lower case letters and digits only; what two spellings of one word have in common.
std::string Folded(std::string_view word);

// The number of `First`..`Last` whose Name is `word`, folded. invalid-argument lists the words that there are; `what`
// says what they are words for.
template <typename E>
Result<E> ParseWord(std::string_view what, std::string_view word, E first, E last) {
  const std::string wanted = Folded(word);
  std::string known;
  for (int n = static_cast<int>(first); n <= static_cast<int>(last); ++n) {
    const E value = static_cast<E>(n);
    const std::string_view name = catalog::Name(value);
    if (name == "Unknown") continue;
    if (Folded(name) == wanted) return value;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  }
  return InvalidArgument(fmt::format("\"{}\" is no {}; there are: {}", word.substr(0, 100), what, known));
}

Result<catalog::SyncType> ParseSyncType(std::string_view word);
Result<catalog::Mode> ParseMode(std::string_view word);
Result<catalog::CopyState> ParseCopyState(std::string_view word);
Result<catalog::Operation> ParseOperation(std::string_view word);
Result<catalog::CopyPriority> ParseCopyPriority(std::string_view word);
Result<catalog::ReservedAs> ParseReservedAs(std::string_view word);

}  // namespace lockstep::admin
