// The one relationship table: for every sync type, copy state and operation of ModifyReplicaSynchronization, whether it
// is legal and what it comes to. Operations are planned from it (plan.h), capabilities are answered from it
// (capabilities.h), docs/interfaces/replication-table.md is generated from it: the three cannot disagree.
//
// The rows are data in table.cc, complete by static_assert. Mirror stands in the table and is not built.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "catalog/states.h"

namespace lockstep::replication {

using catalog::CopyState;
using catalog::Operation;
using catalog::SyncType;

// The states that a pair can be in, in the order of the table's columns.
inline constexpr std::array kColumns = {
    CopyState::kInitialized, CopyState::kPrepared, CopyState::kInactive,   CopyState::kUnsynchronized,
    CopyState::kSynchronized, CopyState::kSuspended, CopyState::kFractured, CopyState::kSplit,
    CopyState::kSkewed,      CopyState::kFailedover, CopyState::kAborted,  CopyState::kBroken,
    CopyState::kPartitioned, CopyState::kInvalid,    CopyState::kRestored};

inline constexpr std::array kTableTypes = {SyncType::kMirror, SyncType::kSnapshot, SyncType::kClone};
// All operations of the schema.
inline constexpr uint16_t kFirstOperation = 2, kLastOperation = 25;

enum class Legality : uint8_t {
  kLegal,
  kNoOp,          // what it would bring about is so already: answered with success, nothing is done
  kNeedsForce,    // legal with Force only
  kIllegal,       // not in this state
  kNotSupported,  // not for this type, in any state
};

// What is done to carry an operation out. The planner does the named steps in this order.
enum class Step : uint16_t {
  kStopCopy = 1 << 0,         // the background copy ends; what it has copied stays
  kTakeSourcePoint = 1 << 1,  // a new point of the sources, one for all pairs
  kSetTarget = 1 << 2,        // the target's content becomes the source's at that point
  kTakeTargetPoint = 1 << 3,  // a point of the targets, for the next step only
  kSetSource = 1 << 4,        // the source's content becomes the target's at that point
  kDropContent = 1 << 5,      // the target reads as zeroes from now on
  kReleasePoint = 1 << 6,     // the relationship lets go of its point
  kStartCopy = 1 << 7,        // Full-Copy: the background copy begins at the first byte
  kResumeCopy = 1 << 8,       // it goes on where it was
  kForget = 1 << 9,           // the relationship goes
  kLeaveAspect = 1 << 10,     // an aspect takes over its point
  kDeleteTarget = 1 << 11,    // the target volume goes, and its exports
};
constexpr uint16_t operator|(uint16_t a, Step b) { return static_cast<uint16_t>(a | static_cast<uint16_t>(b)); }
constexpr uint16_t operator|(Step a, Step b) { return static_cast<uint16_t>(a) | b; }

// When an operation that is legal without Force needs it after all, because a host would see content change under it.
enum class HostRule : uint8_t {
  kNone,
  kTargetInUse,         // a client is connected to the target: needs Force
  kSourceInUse,         // a client is connected to the source: needs Force
  kTargetInUseRefused,  // a client is connected to the target: in-use (return code 6) without Force
};

enum class Scopes : uint8_t { kElementAndGroup, kGroupOnly };

struct Verdict {
  Legality legality = Legality::kIllegal;
  CopyState next = CopyState::kNotApplicable;       // when done; kNotApplicable: see `gone`, or not legal
  CopyState transient = CopyState::kNotApplicable;  // passed on the way there: stays in it while data is copied
  bool gone = false;        // the relationship ends
  bool swaps_keys = false;  // SystemElement and SyncedElement change places
  uint16_t steps = 0;       // of Step
  HostRule host_rule = HostRule::kNone;
  Scopes scopes = Scopes::kElementAndGroup;

  constexpr bool Does(Step step) const { return (steps & static_cast<uint16_t>(step)) != 0; }
};

// Whether the operations of the type are carried out at all, or refused as not supported.
bool IsBuilt(SyncType type);

// The table. Unprepare is Prepare. For a type, state or operation that is not in it: kNotSupported, kIllegal and
// kNotSupported in this order.
Verdict Decide(SyncType type, CopyState from, Operation operation);

// Whether hosts may read and write the target in this state.
bool HostAccess(SyncType type, CopyState state);

// Whether a pair of the type can come into this state in what is built.
bool IsMet(SyncType type, CopyState state);

// The state after an operation, over all states it is legal in, the transient ones included: what may be waited for.
// Ascending, no duplicates.
std::span<const CopyState> Outcomes(SyncType type, Operation operation);

// How a replica is made: the row for a WaitForCopyState value.
struct CreationRow {
  SyncType type{};
  CopyState wait = CopyState::kNotApplicable;  // kNotApplicable: the parameter is NULL
  CopyState end{};      // where it ends
  bool started = true;  // false: created without content, Activate starts it
};
// All rows, by type and wait.
std::span<const CreationRow> CreationRows();
// Null: not to be waited for.
const CreationRow* FindCreation(SyncType type, CopyState wait);

// docs/interfaces/replication-table.md.
std::string TableAsMarkdown();

}  // namespace lockstep::replication
