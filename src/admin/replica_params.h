// The parameters that the replica methods share, read from JSON.
#pragma once

#include "admin/fields.h"
#include "control/control.h"

namespace lockstep::admin {

// Reads "sync_type", "mode", "target_pool", "wait_for_copy_state" and "settings". Call before Fields::Finish; a pool
// that does not exist is recorded as a wrong parameter.
control::ReplicaOptions ReadReplicaOptions(Fields& fields, const Json& params, const control::Control& control);
// The same without "sync_type" and "mode".
control::ReplicaOptions ReadTargetOptions(Fields& fields, const Json& params, const control::Control& control);
std::optional<catalog::SyncType> ReadSyncType(Fields& fields);
std::optional<catalog::Mode> ReadMode(Fields& fields);

// Reads "settings": the properties of CIM_ReplicationSettingData in snake_case, numbers and truth values as the schema
// has them, and full_copy for DesiredCopyMethodology = Full-Copy.
replication::ReplicationSettings ReadSettings(Fields& fields, const Json& params);

std::optional<catalog::CopyState> ReadCopyState(Fields& fields, std::string_view name);
std::optional<catalog::CopyState> ReadWaitFor(Fields& fields);  // "wait_for_copy_state"
// "none" or "sequential", the schema's 2 and 3.
std::optional<uint16_t> ReadConsistency(Fields& fields);

}  // namespace lockstep::admin
