// The words and numbers of replication, exactly those of the CIM 2.41 schema (CIM_Synchronized,
// CIM_StorageSynchronized, CIM_ReplicationService, CIM_SynchronizationAspect, CIM_ConcreteJob), so that no face has to
// translate them.
//
// Every enum has a fixed underlying type and so can hold a number that it has no name for: what comes from outside is
// cast, and refused as invalid-argument by the use case when IsKnown says no.
#pragma once

#include <cstdint>
#include <string_view>

namespace lockstep::catalog {

// CIM_Synchronized.SyncType.
enum class SyncType : uint16_t { kMirror = 6, kSnapshot = 7, kClone = 8, kTokenizedClone = 9 };

// CIM_Synchronized.Mode.
enum class Mode : uint16_t { kUnknown = 0, kSynchronous = 2, kAsynchronous = 3, kAdaptive = 4 };

// CIM_Synchronized.CopyState, also the values of RequestedCopyState and of every WaitForCopyState parameter.
enum class CopyState : uint16_t {
  kInitialized = 2,
  kUnsynchronized = 3,
  kSynchronized = 4,
  kBroken = 5,
  kFractured = 6,
  kSplit = 7,
  kInactive = 8,
  kSuspended = 9,
  kFailedover = 10,
  kPrepared = 11,
  kAborted = 12,
  kSkewed = 13,
  kMixed = 14,          // computed, of groups only
  kNotApplicable = 15,  // RequestedCopyState at rest only
  kPartitioned = 16,
  kInvalid = 17,
  kRestored = 18,
};

// CIM_Synchronized.ProgressStatus.
enum class ProgressStatus : uint16_t {
  kUnknown = 0,
  kCompleted = 2,
  kDormant = 3,
  kInitializing = 4,
  kPreparing = 5,
  kSynchronizing = 6,
  kResyncing = 7,
  kRestoring = 8,
  kFracturing = 9,
  kSplitting = 10,
  kFailingOver = 11,
  kFailingBack = 12,
  kAborting = 13,
  kMixed = 14,
  kNotApplicable = 15,
  kSuspending = 16,
  kRequiresFracture = 17,
  kRequiresResync = 18,
  kRequiresActivate = 19,
  kPending = 20,
  kDetaching = 21,
  kRequiresDetach = 22,
  kTerminating = 23,
  kRequiresSplit = 24,
  kRequiresResume = 25,
};

// CIM_ReplicationService.ModifyReplicaSynchronization, parameter Operation.
enum class Operation : uint16_t {
  kAbort = 2,
  kActivateConsistency = 3,
  kActivate = 4,
  kAddSyncPair = 5,
  kDeactivateConsistency = 6,
  kDeactivate = 7,
  kDetach = 8,
  kDissolve = 9,
  kFailover = 10,
  kFailback = 11,
  kFracture = 12,
  kRemoveSyncPair = 13,
  kResyncReplica = 14,
  kRestoreFromReplica = 15,
  kResume = 16,
  kResetToSync = 17,
  kResetToAsync = 18,
  kReturnToResourcePool = 19,
  kReverseRoles = 20,
  kSplit = 21,
  kSuspend = 22,
  kUnprepare = 23,  // deprecated by the schema; treated as kPrepare
  kPrepare = 24,
  kResetToAdaptive = 25,
};

// CIM_ReplicationGroup.ReservedAs.
enum class ReservedAs : uint16_t { kSourceOnly = 2, kTargetOnly = 3, kSourceOrTarget = 4 };

// CIM_StorageSynchronized.CopyPriority.
enum class CopyPriority : uint16_t { kNotManaged = 0, kLow = 1, kSame = 2, kHigh = 3, kUrgent = 4 };

// CIM_StorageSynchronized.CopyMethodology and CIM_ReplicationSettingData.DesiredCopyMethodology.
enum class CopyMethodology : uint16_t {
  kNotSpecified = 0,
  kOther = 1,
  kImplementationDecides = 2,
  kFullCopy = 3,
  kIncrementalCopy = 4,
  kDifferentialCopy = 5,
  kCopyOnWrite = 6,
  kCopyOnAccess = 7,
  kDeltaUpdate = 8,
  kSnapAndClone = 9,
  kCopyBeforeActivation = 10,
};

// CIM_StorageSynchronized.ReadOnly and CIM_ReplicationSettingData.ReadOnly; 0 stands for the schema's NULL.
enum class ReadOnlyEnd : uint16_t { kNeither = 0, kSystemElement = 2, kSyncedElement = 3, kBoth = 4 };

// CIM_SynchronizationAspect.SyncState, a number space of its own.
enum class AspectState : uint16_t {
  kInitialized = 2,
  kUnsynchronized = 3,
  kSynchronized = 4,
  kError = 5,
  kInvalid = 6,
  kRestored = 7,
};

// CIM_ConcreteJob.JobState.
enum class JobState : uint16_t {
  kNew = 2,
  kStarting = 3,
  kRunning = 4,
  kSuspended = 5,
  kShuttingDown = 6,
  kCompleted = 7,
  kTerminated = 8,
  kKilled = 9,
  kException = 10,
  kService = 11,
  kQueryPending = 12,
};

// What a job is doing; ours, printed by the CLI and stored.
enum class JobKind : uint16_t { kCopy = 1, kScrub = 2, kDrain = 3 };

// Completed, Terminated, Killed, Exception: a job never leaves these.
constexpr bool IsFinal(JobState state) { return state >= JobState::kCompleted && state <= JobState::kException; }

constexpr bool IsKnown(SyncType v) { return static_cast<uint16_t>(v) >= 6 && static_cast<uint16_t>(v) <= 9; }
constexpr bool IsKnown(Mode v) { return static_cast<uint16_t>(v) >= 2 && static_cast<uint16_t>(v) <= 4; }
constexpr bool IsKnown(CopyState v) { return static_cast<uint16_t>(v) >= 2 && static_cast<uint16_t>(v) <= 18; }
constexpr bool IsKnown(Operation v) { return static_cast<uint16_t>(v) >= 2 && static_cast<uint16_t>(v) <= 25; }
constexpr bool IsKnown(ReservedAs v) { return static_cast<uint16_t>(v) >= 2 && static_cast<uint16_t>(v) <= 4; }
constexpr bool IsKnown(CopyPriority v) { return static_cast<uint16_t>(v) <= 4; }

// The schema's own words ("Return To ResourcePool", "Not Applicable"); "Unknown" for a number without a name.
std::string_view Name(SyncType v);
std::string_view Name(Mode v);
std::string_view Name(CopyState v);
std::string_view Name(ProgressStatus v);
std::string_view Name(Operation v);
std::string_view Name(ReservedAs v);
std::string_view Name(CopyPriority v);
std::string_view Name(CopyMethodology v);
std::string_view Name(AspectState v);
std::string_view Name(JobState v);

}  // namespace lockstep::catalog
