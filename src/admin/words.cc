#include "admin/words.h"

#include <cctype>

namespace lockstep::admin {

using catalog::CopyPriority;
using catalog::CopyState;
using catalog::Mode;
using catalog::Operation;
using catalog::ReservedAs;
using catalog::SyncType;

std::string Folded(std::string_view word) {
  std::string folded;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte)) folded += static_cast<char>(std::tolower(byte));
  }
  return folded;
}

Result<SyncType> ParseSyncType(std::string_view word) {
  return ParseWord("sync type", word, SyncType::kMirror, SyncType::kTokenizedClone);
}
Result<Mode> ParseMode(std::string_view word) { return ParseWord("mode", word, Mode::kSynchronous, Mode::kAdaptive); }
Result<CopyState> ParseCopyState(std::string_view word) {
  return ParseWord("copy state", word, CopyState::kInitialized, CopyState::kRestored);
}
Result<Operation> ParseOperation(std::string_view word) {
  return ParseWord("operation", word, Operation::kAbort, Operation::kResetToAdaptive);
}
Result<CopyPriority> ParseCopyPriority(std::string_view word) {
  return ParseWord("copy priority", word, CopyPriority::kNotManaged, CopyPriority::kUrgent);
}
Result<ReservedAs> ParseReservedAs(std::string_view word) {
  return ParseWord("reservation", word, ReservedAs::kSourceOnly, ReservedAs::kSourceOrTarget);
}

}  // namespace lockstep::admin
