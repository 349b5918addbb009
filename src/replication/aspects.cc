#include "replication/aspects.h"

#include <array>

namespace lockstep::replication {
namespace {

using E = AspectEffect;
using O = AspectOperation;

constexpr std::array kRows = {
    AspectRow{O::kActivateConsistency, "Activate Consistency", E::kConsistencyOn, true, true,
              "ConsistencyEnabled becomes true"},
    AspectRow{O::kDeactivateConsistency, "Deactivate Consistency", E::kConsistencyOff, true, true,
              "ConsistencyEnabled becomes false"},
    AspectRow{O::kDelete, "Delete", E::kForget, true, false,
              "the association goes; with the last one the aspect, which lets go of its point"},
    AspectRow{O::kCopyToTarget, "Copy To Target", E::kCopy, true, false,
              "targets that show the point, related to the sources; the aspect stays"},
    AspectRow{O::kDetach, "Detach", E::kNone, false, false,
              "targets are not associated with aspects, so there is nothing to detach"},
    AspectRow{O::kRestore, "Restore", E::kRestore, false, false,
              "the sources become what they were; SyncState becomes Restored; return code 6 while a client is "
              "connected to a source"},
    AspectRow{O::kAttachToTarget, "Attach To Target", E::kShow, false, false,
              "as Copy To Target without Full-Copy"},
};

}  // namespace

std::span<const AspectRow> AspectRows() { return kRows; }

const AspectRow* FindAspectRow(AspectOperation operation) {
  for (const AspectRow& row : kRows) {
    if (row.operation == operation) return &row;
  }
  return nullptr;
}

}  // namespace lockstep::replication
