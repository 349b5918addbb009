// What all providers of this face share: control, the node's name, and a few conversions.
#pragma once

#include <string>

#include "base/log.h"
#include "control/control.h"
#include "io/clock.h"
#include "smis/classes.h"
#include "smis/paths.h"
#include "smis/smis.h"
#include "wbem/objects.h"

namespace lockstep::smis {

// Owned jointly by the providers; immutable. The references outlive them.
struct Face {
  Face(Surroundings s, Identity i)
      : control(s.control),
        clock(s.clock),
        log(s.log),
        indications(s.indications),
        identity(std::move(i)),
        paths(s.control, identity.system_name) {}

  control::Control& control;
  io::Clock& clock;
  Log& log;
  const bool indications;
  const Identity identity;
  const Paths paths;
};

// CIM_ManagedSystemElement.OperationalStatus and HealthState, as far as we use them.
inline constexpr uint16_t kStatusOk = 2, kStatusDegraded = 3, kStatusError = 6, kStatusStopped = 10,
                          kStatusCompleted = 17;
inline constexpr uint16_t kHealthOk = 5, kHealthDegraded = 10, kHealthMajorFailure = 20;

// An instance of the path's class with the path and its keys set.
wbem::Instance InstanceAt(wbem::ObjectPath path);

// NULL for the time that stands for "never".
wbem::Value When(io::WallTime time);

// OperationalStatus, StatusDescriptions and HealthState of something that works, or does not for the reason given.
void AddHealth(wbem::Instance& instance, const Status& state);

// EnabledState Enabled and RequestedState Not Applicable: nothing here can be switched off.
void AddEnabled(wbem::Instance& instance);

}  // namespace lockstep::smis
