// Passwords that the operating system knows, through PAM. Only in builds with libpam.
#pragma once

#include <string>

#include "access/authenticator.h"
#include "base/status.h"

namespace lockstep::daemon {

// `service` is a name (of a file in /etc/pam.d) or the absolute path of such a file; empty: no check, and null is
// returned. not-supported in a build without PAM, not-found when the path is of no file.
Result<access::PasswordCheck> MakePamCheck(const std::string& service);

}  // namespace lockstep::daemon
