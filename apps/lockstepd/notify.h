// Telling the service manager how we are: sd_notify(3) by its wire format, a datagram to the socket that it names.
#pragma once

#include <string_view>

namespace lockstep::daemon {

// Sends `state` ("READY=1\nSTATUS=...") to the socket in $NOTIFY_SOCKET; does nothing when there is none. What cannot
// be delivered is lost: the manager then runs into its own timeout.
void NotifyServiceManager(std::string_view state);

}  // namespace lockstep::daemon
