// The operations of ModifySettingsDefineState and ModifyListSettingsDefineState: which there are, on what, and to what
// effect. Control carries them out from this table, the capabilities answer from it, the page of the relationship table
// shows it.
//
// They ask nothing of an aspect's state: the two that an aspect can be in here, Synchronized and Restored, allow all.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace lockstep::replication {

// CIM_ReplicationService.ModifySettingsDefineState, parameter Operation.
enum class AspectOperation : uint16_t {
  kActivateConsistency = 2,
  kDeactivateConsistency = 3,
  kDelete = 4,
  kCopyToTarget = 5,
  kDetach = 6,
  kRestore = 7,
  kAttachToTarget = 8,
};

enum class AspectEffect : uint8_t {
  kNone,            // not supported
  kConsistencyOn,   // of an aspect of a group
  kConsistencyOff,  // likewise
  kForget,          // the association goes, and with the last one the aspect and its point
  kCopy,            // targets that show the point; with Full-Copy they are copied in the background
  kShow,            // the same, and never copied
  kRestore,         // the sources become what they were
};

struct AspectRow {
  AspectOperation operation{};
  std::string_view name;
  AspectEffect effect = AspectEffect::kNone;
  bool in_lists = false;     // also of ModifyListSettingsDefineState
  bool groups_only = false;  // return code 5 for an aspect of a volume
  std::string_view text;     // for the page
  bool takes_targets() const { return effect == AspectEffect::kCopy || effect == AspectEffect::kShow; }
};

// All operations of the schema, by number.
std::span<const AspectRow> AspectRows();
// Null: a number without meaning.
const AspectRow* FindAspectRow(AspectOperation operation);

}  // namespace lockstep::replication
