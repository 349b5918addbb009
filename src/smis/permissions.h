// Which role each change and each method of our classes needs: one table, which docs/operations.md repeats.
#pragma once

#include <span>
#include <string_view>

#include "access/role.h"

namespace lockstep::smis {

struct Permission {
  std::string_view class_name;  // "*": any
  std::string_view act;         // an operation or a method; "Get*": all that begin so
  access::Role role;
};

// The first line that fits counts; the last fits everything.
std::span<const Permission> Permissions();
access::Role NeededRole(std::string_view class_name, std::string_view act);

}  // namespace lockstep::smis
