// Passwords at rest: salted and hashed with scrypt (RFC 7914), which costs an attacker memory as well as time. Slow by
// intent (some 50 to 100 ms and 32 MiB): for an executor, never on a loop.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "io/random.h"

namespace lockstep::access {

// The cost, which is stored with each hash: 2^log_n rounds of r blocks. Tests take less than the default.
struct PasswordCost {
  unsigned log_n = 15, r = 8, p = 1;
};

// "scrypt$15$8$1$<salt>$<hash>", both in hexadecimal digits.
Result<std::string> HashPassword(std::string_view password, io::Random& random, PasswordCost cost = {});
// False as well when `hash` is none. Takes as long for a wrong password as for the right one.
bool VerifyPassword(std::string_view password, std::string_view hash);
// Whether the text has the form of a hash that can be verified.
bool IsPasswordHash(std::string_view text);

// invalid-argument when it is shorter than 8 characters, longer than 256, or has control characters.
Status CheckPassword(std::string_view password);

}  // namespace lockstep::access
