#include "access/role.h"

#include <fmt/format.h>

namespace lockstep::access {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kMonitor: return "monitor";
    case Role::kOperator: return "operator";
    case Role::kAdministrator: return "administrator";
  }
  return "monitor";
}

Result<Role> ParseRole(std::string_view name) {
  for (const Role role : {Role::kMonitor, Role::kOperator, Role::kAdministrator})
    if (name == RoleName(role)) return role;
  return InvalidArgument(fmt::format("\"{}\" is no role: \"administrator\", \"operator\" and \"monitor\" are",
                                     name.substr(0, 64)));
}

}  // namespace lockstep::access
