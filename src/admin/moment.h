// Moments of the past as people write them.
#pragma once

#include <string_view>

#include "base/status.h"
#include "control/requests.h"

namespace lockstep::admin {

// "@1234": a position of the pool's log. "-10m", "-2h": so long ago. "2026-11-21 12:00:00", "2026-11-21T12:00:00.5Z",
// "2026-11-21": a time in UTC. invalid-argument for anything else.
Result<control::Moment> ParseMoment(std::string_view text);

}  // namespace lockstep::admin
