// What somebody may do. Each role may do what those before it may.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace lockstep::access {

enum class Role : uint8_t {
  kMonitor,        // reads
  kOperator,       // changes volumes, groups and replication
  kAdministrator,  // everything: pools, users
};

inline bool Allows(Role has, Role needed) { return has >= needed; }

// "monitor", "operator", "administrator".
std::string_view RoleName(Role role);
// invalid-argument for anything else.
Result<Role> ParseRole(std::string_view name);

}  // namespace lockstep::access
