#include "apps/lockstep/exit_code.h"

#include <utility>

namespace lockstep::cli {

int ExitCodeOf(std::string_view error_name) {
  static constexpr std::pair<std::string_view, int> kCodes[] = {
      {"invalid-argument", 10}, {"not-found", 11}, {"already-exists", 12}, {"in-use", 13},
      {"invalid-state", 14},    {"not-supported", 15}, {"no-space", 16},   {"too-large", 17},
      {"io-error", 18},         {"corrupted", 19},     {"timeout", 20},    {"cancelled", 21},
      {"unavailable", 22},      {"permission-denied", 23}, {"protocol", 24}, {"internal", 25},
  };
  for (const auto& [name, code] : kCodes) {
    if (name == error_name) return code;
  }
  return 1;
}

std::string_view ExitCodeHelp() {
  return "Exit codes:\n"
         "   0  done\n"
         "   1  an error without a code of its own\n"
         "   2  the command line is wrong; nothing was asked of the daemon\n"
         "   3  no daemon answers on the socket, or the connection broke\n"
         "  10  invalid-argument: the request is wrong, repeating it cannot help\n"
         "  11  not-found\n"
         "  12  already-exists\n"
         "  13  in-use: something else holds the object\n"
         "  14  invalid-state: not possible in the object's present state\n"
         "  15  not-supported\n"
         "  16  no-space: the pool is full\n"
         "  17  too-large: over a documented limit\n"
         "  18  io-error: the device or the operating system refused\n"
         "  19  corrupted: stored bytes do not match their checksum\n"
         "  20  timeout\n"
         "  21  cancelled\n"
         "  22  unavailable\n"
         "  23  permission-denied\n"
         "  24  protocol\n"
         "  25  internal\n";
}

}  // namespace lockstep::cli
