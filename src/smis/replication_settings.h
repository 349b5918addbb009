// CIM_ReplicationSettingData: from an embedded instance to control's settings, and back.
#pragma once

#include "base/status.h"
#include "replication/capabilities.h"
#include "replication/settings.h"
#include "smis/face.h"
#include "wbem/objects.h"

namespace lockstep::smis {

// The settings in a parameter; none for NULL. Properties that are missing or NULL stay absent. invalid-argument:
// another class, a property that CIM_ReplicationSettingData does not have, a value of the wrong type.
Result<replication::ReplicationSettings> ReadSettings(const wbem::Value& parameter);

// The settings that hold by default for the type, as an instance that clients can change and send back.
wbem::Instance DefaultSettingsInstance(const Face& face, replication::ReplicationType type);

}  // namespace lockstep::smis
