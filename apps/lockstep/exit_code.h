// What `lockstep` tells its caller by its exit code. Stable: scripts depend on it. Listed for people in `lockstep
// --help` and docs/operations.md.
#pragma once

#include <string_view>

namespace lockstep::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 2;        // the command line is wrong; nothing was asked of the daemon
inline constexpr int kExitUnreachable = 3;  // no daemon answers on the socket, or the connection broke

// The code of an error that the daemon answered, by its name ("not-found"): 10 and up, 1 for a name not known here.
int ExitCodeOf(std::string_view error_name);

// The table for --help: one "code  meaning" line each.
std::string_view ExitCodeHelp();

}  // namespace lockstep::cli
