#include "catalog/states.h"

#include <array>
#include <cstddef>

namespace lockstep::catalog {
namespace {

using Words = std::string_view;

// `names[v - first]`, where an empty entry is a number that the schema leaves out.
template <size_t N, typename E>
Words Lookup(const std::array<Words, N>& names, E v, size_t first) {
  const size_t n = static_cast<size_t>(v);
  if (n < first || n - first >= N || names[n - first].empty()) return "Unknown";
  return names[n - first];
}

}  // namespace

std::string_view Name(SyncType v) {
  static constexpr std::array<Words, 4> kNames = {"Mirror", "Snapshot", "Clone", "TokenizedClone"};
  return Lookup(kNames, v, 6);
}

std::string_view Name(Mode v) {
  static constexpr std::array<Words, 3> kNames = {"Synchronous", "Asynchronous", "Adaptive"};
  return Lookup(kNames, v, 2);
}

std::string_view Name(CopyState v) {
  static constexpr std::array<Words, 17> kNames = {
      "Initialized", "Unsynchronized", "Synchronized", "Broken",  "Fractured", "Split",
      "Inactive",    "Suspended",      "Failedover",   "Prepared", "Aborted",   "Skewed",
      "Mixed",       "Not Applicable", "Partitioned",  "Invalid",  "Restored"};
  return Lookup(kNames, v, 2);
}

std::string_view Name(ProgressStatus v) {
  static constexpr std::array<Words, 24> kNames = {
      "Completed",       "Dormant",         "Initializing",      "Preparing",       "Synchronizing", "Resyncing",
      "Restoring",       "Fracturing",      "Splitting",         "Failing over",    "Failing back",  "Aborting",
      "Mixed",           "Not Applicable",  "Suspending",        "Requires fracture", "Requires resync",
      "Requires activate", "Pending",       "Detaching",         "Requires detach", "Terminating",   "Requires split",
      "Requires resume"};
  return Lookup(kNames, v, 2);
}

std::string_view Name(Operation v) {
  static constexpr std::array<Words, 24> kNames = {
      "Abort",          "Activate Consistency", "Activate",      "AddSyncPair",     "Deactivate Consistency",
      "Deactivate",     "Detach",               "Dissolve",      "Failover",        "Failback",
      "Fracture",       "RemoveSyncPair",       "Resync Replica", "Restore from Replica", "Resume",
      "Reset To Sync",  "Reset To Async",       "Return To ResourcePool", "Reverse Roles", "Split",
      "Suspend",        "Unprepare",            "Prepare",       "Reset to Adaptive"};
  return Lookup(kNames, v, 2);
}

std::string_view Name(ReservedAs v) {
  static constexpr std::array<Words, 3> kNames = {"Source Only", "Target Only", "Source or Target"};
  return Lookup(kNames, v, 2);
}

std::string_view Name(CopyPriority v) {
  static constexpr std::array<Words, 5> kNames = {"Not Managed", "Low", "Same", "High", "Urgent"};
  return Lookup(kNames, v, 0);
}

std::string_view Name(CopyMethodology v) {
  static constexpr std::array<Words, 11> kNames = {
      "Not Specified",    "Other",             "Implementation decides", "Full Copy",
      "Incremental-Copy", "Differential-Copy", "Copy-On-Write",          "Copy-On-Access",
      "Delta-Update",     "Snap-And-Clone",    "Copy-before-Activation"};
  return Lookup(kNames, v, 0);
}

std::string_view Name(AspectState v) {
  static constexpr std::array<Words, 6> kNames = {"Initialized", "Unsynchronized", "Synchronized",
                                                  "Error",       "Invalid",        "Restored"};
  return Lookup(kNames, v, 2);
}

std::string_view Name(JobState v) {
  static constexpr std::array<Words, 11> kNames = {"New",       "Starting",   "Running", "Suspended", "Shutting Down",
                                                   "Completed", "Terminated", "Killed",  "Exception", "Service",
                                                   "Query Pending"};
  return Lookup(kNames, v, 2);
}

}  // namespace lockstep::catalog
