// One exit code for each reason for which lockstepd ends. Stable; listed in docs/operations.md and --help.
#pragma once

#include "apps/node/node.h"

namespace lockstep::daemon {

enum class ExitCode : int {
  kStopped = 0,        // by SIGTERM or SIGINT, cleanly
  kUsage = 2,          // the command line is wrong
  kConfiguration = 3,  // the configuration cannot be read or is wrong
  kDataDirectory = 4,  // cannot be made or read, or another lockstepd uses it
  kCatalog = 5,        // cannot be opened, is damaged, or is of a newer version
  kSchema = 6,         // the MOF files are missing or wrong
  kListen = 7,         // an address is taken or may not be used
  kSystem = 8,         // the operating system refuses what every node needs
  kHurried = 9,        // a second signal while stopping; as safe as a crash, and as slow to start after
};

inline ExitCode ExitCodeOf(node::StartFailure failure) {
  switch (failure) {
    case node::StartFailure::kNone: return ExitCode::kStopped;
    case node::StartFailure::kDataDirectory: return ExitCode::kDataDirectory;
    case node::StartFailure::kCatalog: return ExitCode::kCatalog;
    case node::StartFailure::kSchema: return ExitCode::kSchema;
    case node::StartFailure::kSecurity: return ExitCode::kConfiguration;
    case node::StartFailure::kListen: return ExitCode::kListen;
  }
  return ExitCode::kSystem;
}

}  // namespace lockstep::daemon
