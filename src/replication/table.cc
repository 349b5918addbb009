#include "replication/table.h"

#include <algorithm>
#include <iterator>

namespace lockstep::replication {
namespace {

using catalog::Name;

// One cell: what the operation comes to in one state.
struct Cell {
  Legality legality = Legality::kIllegal;
  CopyState next = CopyState::kNotApplicable;
  CopyState transient = CopyState::kNotApplicable;
  bool gone = false;
  bool swaps = false;
};

constexpr Cell To(CopyState next) { return {Legality::kLegal, next}; }
constexpr Cell Via(CopyState transient, CopyState next) { return {Legality::kLegal, next, transient}; }
constexpr Cell Force(CopyState next) { return {Legality::kNeedsForce, next}; }
constexpr Cell Swap(CopyState next) { return {Legality::kLegal, next, CopyState::kNotApplicable, false, true}; }

// The abbreviations of the columns; the rows below are meant to be read as a table.
constexpr CopyState Pre = CopyState::kPrepared, Ina = CopyState::kInactive, Uns = CopyState::kUnsynchronized,
                    Syn = CopyState::kSynchronized, Sus = CopyState::kSuspended, Fra = CopyState::kFractured,
                    Spl = CopyState::kSplit, Fov = CopyState::kFailedover, Abo = CopyState::kAborted,
                    Res = CopyState::kRestored;
constexpr Cell x = {};
constexpr Cell same = {Legality::kNoOp};
constexpr Cell gone = {Legality::kLegal, CopyState::kNotApplicable, CopyState::kNotApplicable, true};
constexpr Cell goneF = {Legality::kNeedsForce, CopyState::kNotApplicable, CopyState::kNotApplicable, true};
constexpr Cell sync = Via(Uns, Syn);
// Legal without a change of state: group membership, consistency, mode.
constexpr Cell keep = {Legality::kLegal, CopyState::kNotApplicable};

constexpr size_t kWidth = kColumns.size();
constexpr size_t kOperations = kLastOperation - kFirstOperation + 1;

struct Row {
  Operation operation{};
  std::array<Cell, kWidth> cells{};
  uint16_t steps = 0;
  HostRule host_rule = HostRule::kNone;
  bool supported = true;
  Scopes scopes = Scopes::kElementAndGroup;
};

constexpr Row NotForThisType(Operation operation) { return {operation, {}, 0, HostRule::kNone, false}; }

constexpr uint16_t kRenew = Step::kStopCopy | Step::kTakeSourcePoint | Step::kSetTarget | Step::kStartCopy;
constexpr uint16_t kOverwriteSource = Step::kTakeTargetPoint | Step::kSetSource;
constexpr uint16_t kStop = static_cast<uint16_t>(Step::kStopCopy);
constexpr uint16_t kEnd = Step::kStopCopy | Step::kForget;
constexpr HostRule kFree = HostRule::kNone, kTarget = HostRule::kTargetInUse, kSource = HostRule::kSourceInUse;

// Rows that are alike for all types. Consistency and membership do not ask for the state of a pair, but a broken or
// unreachable one cannot be vouched for.
constexpr std::array<Cell, kWidth> kAnyButLost = {keep, keep, keep, keep, keep, keep, keep, keep,
                                                  keep, keep, keep, x,    x,    x,    keep};
constexpr std::array<Cell, kWidth> kAny = {keep, keep, keep, keep, keep, keep, keep, keep,
                                           keep, keep, keep, keep, keep, keep, keep};
constexpr Row GroupRow(Operation operation, const std::array<Cell, kWidth>& cells) {
  return {operation, cells, 0, kFree, true, Scopes::kGroupOnly};
}

using O = Operation;
using Rows = std::array<Row, kOperations>;

// The cells of a row are in the order of kColumns: Ini Pre Ina Uns Syn Sus Fra Spl Ske Fov Abo Bro Par Inv Res.
// clang-format off
constexpr Rows kMirrorRows = {{
  {O::kAbort,                     { x, To(Abo), x, To(Abo), x, To(Abo), x, x, x, x, same, x, x, x, x}, 0, kFree},
  GroupRow(O::kActivateConsistency, kAnyButLost),
  {O::kActivate,                  { sync, sync, sync, same, same, x, x, x, x, x, x, x, x, x, x}, 0, kFree},
  GroupRow(O::kAddSyncPair,       kAny),
  GroupRow(O::kDeactivateConsistency, kAny),
  {O::kDeactivate,                { To(Ina), To(Ina), same, Force(Ina), To(Ina), To(Ina), x, x, x, x, x, x, x, x,
                                    To(Ina)}, 0, kFree},
  {O::kDetach,                    { gone, gone, gone, goneF, gone, goneF, gone, gone, gone, gone, gone, goneF, goneF,
                                    goneF, gone}, 0, kFree},
  {O::kDissolve,                  { gone, gone, gone, goneF, gone, goneF, gone, gone, gone, gone, gone, goneF, goneF,
                                    goneF, gone}, 0, kFree},
  {O::kFailover,                  { x, x, x, Force(Fov), To(Fov), Force(Fov), Force(Fov), To(Fov), Force(Fov), same, x,
                                    Force(Fov), Force(Fov), Force(Fov), x}, 0, kFree},
  {O::kFailback,                  { x, x, x, x, x, x, x, x, x, sync, x, x, x, x, x}, 0, kFree},
  {O::kFracture,                  { x, x, x, Force(Fra), To(Fra), To(Fra), same, same, x, x, x, x, x, x, To(Fra)}, 0,
                                  kFree},
  GroupRow(O::kRemoveSyncPair,    kAny),
  {O::kResyncReplica,             { x, x, x, same, same, x, sync, sync, sync, x, sync, sync, x, x, sync}, 0, kTarget},
  {O::kRestoreFromReplica,        { x, x, x, x, x, x, To(Res), To(Res), To(Res), x, x, x, x, x, same}, 0, kSource},
  {O::kResume,                    { x, x, x, same, same, sync, x, x, x, x, x, x, x, x, sync}, 0, kFree},
  {O::kResetToSync,               { keep, keep, keep, keep, keep, keep, keep, keep, x, x, x, x, x, x, keep}, 0, kFree},
  {O::kResetToAsync,              { keep, keep, keep, keep, keep, keep, keep, keep, x, x, x, x, x, x, keep}, 0, kFree},
  NotForThisType(O::kReturnToResourcePool),
  {O::kReverseRoles,              { x, x, x, x, Swap(Syn), Swap(Sus), Swap(Fra), Swap(Spl), x,
                                    {Legality::kLegal, Syn, Uns, false, true}, x, x, x, x, x}, 0, kFree},
  {O::kSplit,                     { x, x, x, Via(Uns, Spl), To(Spl), x, x, same, x, x, x, x, x, x, To(Spl)}, 0, kFree},
  {O::kSuspend,                   { x, x, x, To(Sus), To(Sus), same, x, x, x, x, x, x, x, x, x}, 0, kFree},
  {O::kUnprepare,                 { To(Pre), same, To(Pre), x, x, x, Force(Pre), Force(Pre), Force(Pre), x, To(Pre), x,
                                    x, x, x}, 0, kFree},
  {O::kPrepare,                   { To(Pre), same, To(Pre), x, x, x, Force(Pre), Force(Pre), Force(Pre), x, To(Pre), x,
                                    x, x, x}, 0, kFree},
  {O::kResetToAdaptive,           { keep, keep, keep, keep, keep, keep, keep, keep, x, x, x, x, x, x, keep}, 0, kFree},
}};

// A Snapshot without Full-Copy passes Unsynchronized in no time; with it, it stays there while data is copied.
constexpr Rows kSnapshotRows = {{
  {O::kAbort,                     { x, x, x, To(Abo), x, To(Abo), x, x, x, x, same, x, x, x, x}, kStop, kTarget},
  GroupRow(O::kActivateConsistency, kAnyButLost),
  {O::kActivate,                  { sync, sync, sync, same, same, x, x, x, x, x, x, x, x, x, x}, kRenew, kTarget},
  GroupRow(O::kAddSyncPair,       kAny),
  GroupRow(O::kDeactivateConsistency, kAny),
  {O::kDeactivate,                { To(Ina), To(Ina), same, Force(Ina), To(Ina), To(Ina), x, x, Force(Ina), x, x, x, x,
                                    x, To(Ina)}, Step::kStopCopy | Step::kDropContent | Step::kReleasePoint, kTarget},
  {O::kDetach,                    { gone, gone, gone, goneF, gone, goneF, gone, gone, gone, x, gone, goneF, x, x,
                                    gone}, kEnd, kFree},
  {O::kDissolve,                  { gone, gone, gone, goneF, gone, goneF, gone, gone, gone, x, gone, goneF, x, x,
                                    gone}, kEnd | Step::kLeaveAspect, kFree},
  NotForThisType(O::kFailover),
  NotForThisType(O::kFailback),
  {O::kFracture,                  { x, x, x, x, To(Fra), x, same, same, x, x, x, x, x, x, To(Fra)}, 0, kFree},
  GroupRow(O::kRemoveSyncPair,    kAny),
  {O::kResyncReplica,             { x, x, x, x, sync, x, sync, sync, sync, x, sync, sync, x, x, sync}, kRenew, kTarget},
  {O::kRestoreFromReplica,        { x, x, x, x, To(Res), x, To(Res), To(Res), Force(Res), x, x, x, x, x, same},
                                  kOverwriteSource, kSource},
  {O::kResume,                    { x, x, x, same, x, sync, x, x, x, x, x, x, x, x, x},
                                  static_cast<uint16_t>(Step::kResumeCopy), kFree},
  NotForThisType(O::kResetToSync),
  NotForThisType(O::kResetToAsync),
  {O::kReturnToResourcePool,      { gone, gone, gone, gone, gone, gone, gone, gone, gone, x, gone, gone, x, x, gone},
                                  kEnd | Step::kDeleteTarget, HostRule::kTargetInUseRefused},
  NotForThisType(O::kReverseRoles),
  {O::kSplit,                     { x, x, x, x, To(Spl), x, same, same, x, x, x, x, x, x, To(Spl)}, 0, kFree},
  {O::kSuspend,                   { x, x, x, To(Sus), x, same, x, x, x, x, x, x, x, x, x}, kStop, kFree},
  {O::kUnprepare,                 { To(Pre), same, To(Pre), x, x, x, Force(Pre), Force(Pre), Force(Pre), x, To(Pre), x,
                                    x, x, x}, Step::kDropContent | Step::kReleasePoint, kTarget},
  {O::kPrepare,                   { To(Pre), same, To(Pre), x, x, x, Force(Pre), Force(Pre), Force(Pre), x, To(Pre), x,
                                    x, x, x}, Step::kDropContent | Step::kReleasePoint, kTarget},
  NotForThisType(O::kResetToAdaptive),
}};

constexpr Rows kCloneRows = {{
  {O::kAbort,                     { x, x, x, To(Abo), x, To(Abo), x, x, x, x, same, x, x, x, x}, kStop, kTarget},
  GroupRow(O::kActivateConsistency, kAnyButLost),
  {O::kActivate,                  { sync, sync, sync, same, same, x, x, x, x, x, x, x, x, x, x}, kRenew, kTarget},
  GroupRow(O::kAddSyncPair,       kAny),
  GroupRow(O::kDeactivateConsistency, kAny),
  {O::kDeactivate,                { To(Ina), To(Ina), same, Force(Ina), To(Ina), To(Ina), x, x, x, x, x, x, x, x, x},
                                  kStop, kTarget},
  {O::kDetach,                    { gone, gone, gone, goneF, gone, goneF, gone, gone, gone, x, gone, goneF, x, x,
                                    gone}, kEnd, kFree},
  {O::kDissolve,                  { gone, gone, gone, goneF, gone, goneF, gone, gone, gone, x, gone, goneF, x, x,
                                    gone}, kEnd | Step::kLeaveAspect, kFree},
  NotForThisType(O::kFailover),
  NotForThisType(O::kFailback),
  {O::kFracture,                  { x, x, x, x, To(Fra), x, same, same, x, x, x, x, x, x, x}, 0, kFree},
  GroupRow(O::kRemoveSyncPair,    kAny),
  {O::kResyncReplica,             { x, x, x, same, sync, x, sync, sync, sync, x, sync, sync, x, x, sync}, kRenew,
                                  kTarget},
  {O::kRestoreFromReplica,        { x, x, x, x, To(Res), x, To(Res), To(Res), Force(Res), x, x, x, x, x, same},
                                  kOverwriteSource, kSource},
  {O::kResume,                    { x, x, x, same, x, sync, x, x, x, x, x, x, x, x, x},
                                  static_cast<uint16_t>(Step::kResumeCopy), kFree},
  NotForThisType(O::kResetToSync),
  NotForThisType(O::kResetToAsync),
  NotForThisType(O::kReturnToResourcePool),
  NotForThisType(O::kReverseRoles),
  {O::kSplit,                     { x, x, x, x, To(Spl), x, same, same, x, x, x, x, x, x, x}, 0, kFree},
  {O::kSuspend,                   { x, x, x, To(Sus), x, same, x, x, x, x, x, x, x, x, x}, kStop, kTarget},
  {O::kUnprepare,                 { To(Pre), same, To(Pre), x, x, x, Force(Pre), Force(Pre), Force(Pre), x, To(Pre), x,
                                    x, x, x}, static_cast<uint16_t>(Step::kReleasePoint), kTarget},
  {O::kPrepare,                   { To(Pre), same, To(Pre), x, x, x, Force(Pre), Force(Pre), Force(Pre), x, To(Pre), x,
                                    x, x, x}, static_cast<uint16_t>(Step::kReleasePoint), kTarget},
  NotForThisType(O::kResetToAdaptive),
}};
// clang-format on

constexpr std::array<const Rows*, kTableTypes.size()> kTables = {&kMirrorRows, &kSnapshotRows, &kCloneRows};

constexpr bool IsComplete(const Rows& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<size_t>(rows[i].operation) != i + kFirstOperation) return false;
    bool legal_somewhere = false;
    for (size_t c = 0; c < kWidth; ++c) {
      const Cell& cell = rows[i].cells[c];
      legal_somewhere = legal_somewhere || cell.legality == Legality::kLegal;
      // A relationship that goes has no next state, and going is for three operations alone.
      if (cell.gone && cell.next != CopyState::kNotApplicable) return false;
      const bool may_end = rows[i].operation == O::kDetach || rows[i].operation == O::kDissolve ||
                           rows[i].operation == O::kReturnToResourcePool;
      if (cell.gone && !may_end) return false;
      if (cell.swaps && rows[i].operation != O::kReverseRoles) return false;
      if (cell.legality == Legality::kIllegal && cell.next != CopyState::kNotApplicable) return false;
      // An operation that would lead to the state that a pair is in already, and does nothing else, is a no-op.
      const bool stays = cell.legality == Legality::kLegal && cell.next == kColumns[c] && !cell.swaps;
      if (stays && rows[i].steps == 0) return false;
    }
    if (legal_somewhere != rows[i].supported) return false;
  }
  return true;
}
static_assert(IsComplete(kMirrorRows) && IsComplete(kSnapshotRows) && IsComplete(kCloneRows));

constexpr bool HasAllColumns() {
  // Every CopyState but Mixed (groups only) and Not Applicable (no state at all) has its column, once.
  for (uint16_t state = 2; state <= 18; ++state) {
    const bool expected = state != 14 && state != 15;
    const auto found = std::count(kColumns.begin(), kColumns.end(), static_cast<CopyState>(state));
    if (found != (expected ? 1 : 0)) return false;
  }
  return true;
}
static_assert(HasAllColumns());

// Whether hosts may use the target, in the order of the columns. A Clone that is still being copied is usable: what is
// not its own yet is read through its origin.
//                                                       Ini Pre Ina Uns Syn Sus Fra Spl Ske Fov Abo Bro Par Inv Res
constexpr std::array<std::array<bool, kWidth>, 3> kHostAccess = {{
    /* Mirror   */ {{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0}},
    /* Snapshot */ {{0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1}},
    /* Clone    */ {{0, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1}},
}};
// Local copies of one pool have no link to lose and nothing to fail over to. Skewed: something was restored over a
// target that is a source itself.
constexpr std::array<bool, kWidth> kMetByLocalCopies = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1};

constexpr CopyState kNull = CopyState::kNotApplicable;
constexpr std::array kCreation = {
    CreationRow{SyncType::kSnapshot, CopyState::kInitialized, CopyState::kInitialized, false},
    CreationRow{SyncType::kSnapshot, Syn, Syn, true},
    CreationRow{SyncType::kSnapshot, Ina, Ina, false},
    CreationRow{SyncType::kSnapshot, Pre, Pre, false},
    CreationRow{SyncType::kSnapshot, kNull, Syn, true},
    CreationRow{SyncType::kClone, CopyState::kInitialized, CopyState::kInitialized, false},
    CreationRow{SyncType::kClone, Uns, Syn, true},
    CreationRow{SyncType::kClone, Syn, Syn, true},
    CreationRow{SyncType::kClone, Ina, Ina, false},
    CreationRow{SyncType::kClone, Pre, Pre, false},
    CreationRow{SyncType::kClone, kNull, Syn, true},
};

int TypeIndex(SyncType type) {
  const auto found = std::find(kTableTypes.begin(), kTableTypes.end(), type);
  return found == kTableTypes.end() ? -1 : static_cast<int>(found - kTableTypes.begin());
}

int ColumnIndex(CopyState state) {
  const auto found = std::find(kColumns.begin(), kColumns.end(), state);
  return found == kColumns.end() ? -1 : static_cast<int>(found - kColumns.begin());
}

struct OutcomeList {
  std::array<CopyState, kWidth> states{};
  size_t count = 0;
};

constexpr OutcomeList CollectOutcomes(const Row& row) {
  OutcomeList list;
  for (uint16_t state = 2; state <= 18; ++state) {
    const CopyState wanted = static_cast<CopyState>(state);
    if (wanted == kNull) continue;
    for (const Cell& cell : row.cells) {
      if (cell.next != wanted && cell.transient != wanted) continue;
      list.states[list.count++] = wanted;
      break;
    }
  }
  return list;
}

constexpr auto kOutcomes = [] {
  std::array<std::array<OutcomeList, kOperations>, kTableTypes.size()> all{};
  for (size_t t = 0; t < kTableTypes.size(); ++t) {
    for (size_t o = 0; o < kOperations; ++o) all[t][o] = CollectOutcomes((*kTables[t])[o]);
  }
  return all;
}();

}  // namespace

bool IsBuilt(SyncType type) { return type == SyncType::kSnapshot || type == SyncType::kClone; }

Verdict Decide(SyncType type, CopyState from, Operation operation) {
  const int type_index = TypeIndex(type);
  if (type_index < 0 || !IsKnown(operation)) return {.legality = Legality::kNotSupported};
  const Row& row = (*kTables[static_cast<size_t>(type_index)])[static_cast<size_t>(operation) - kFirstOperation];
  if (!row.supported) return {.legality = Legality::kNotSupported};
  const int column = ColumnIndex(from);
  if (column < 0) return {.legality = Legality::kIllegal, .scopes = row.scopes};
  const Cell& cell = row.cells[static_cast<size_t>(column)];
  Verdict verdict{cell.legality, cell.next, cell.transient, cell.gone, cell.swaps, 0, HostRule::kNone, row.scopes};
  if (cell.legality == Legality::kLegal || cell.legality == Legality::kNeedsForce) {
    verdict.steps = row.steps;
    verdict.host_rule = row.host_rule;
  }
  return verdict;
}

bool HostAccess(SyncType type, CopyState state) {
  const int type_index = TypeIndex(type), column = ColumnIndex(state);
  return type_index >= 0 && column >= 0 && kHostAccess[static_cast<size_t>(type_index)][static_cast<size_t>(column)];
}

bool IsMet(SyncType type, CopyState state) {
  const int column = ColumnIndex(state);
  return IsBuilt(type) && column >= 0 && kMetByLocalCopies[static_cast<size_t>(column)];
}

std::span<const CopyState> Outcomes(SyncType type, Operation operation) {
  const int type_index = TypeIndex(type);
  if (type_index < 0 || !IsKnown(operation)) return {};
  const OutcomeList& list =
      kOutcomes[static_cast<size_t>(type_index)][static_cast<size_t>(operation) - kFirstOperation];
  return std::span(list.states).first(list.count);
}

std::span<const CreationRow> CreationRows() { return kCreation; }

const CreationRow* FindCreation(SyncType type, CopyState wait) {
  for (const CreationRow& row : kCreation) {
    if (row.type == type && row.wait == wait) return &row;
  }
  return nullptr;
}

}  // namespace lockstep::replication
