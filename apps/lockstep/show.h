// The daemon's answers as text for people: lists as tables, one object as aligned lines.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/status.h"

namespace lockstep::cli {

using Json = nlohmann::json;

std::string ShowPools(const Json& list);
std::string ShowPool(const Json& pool);
std::string ShowExported(const Json& exported);  // what pool.export answers
std::string ShowDeletedPool(const Json& deleted);  // what pool.delete answers
std::string ShowCheck(const Json& report);
std::string ShowVolumes(const Json& list);
std::string ShowVolumeSpaces(const Json& list);
std::string ShowVolume(const Json& volume);
std::string ShowExports(const Json& list);
std::string ShowExport(const Json& one);
std::string ShowGroups(const Json& list);
std::string ShowGroup(const Json& group);
std::string ShowReplicas(const Json& list);
std::string ShowReplica(const Json& replica);
// The answers of replica.create_* and replica.modify.
std::string ShowReplicaResult(const Json& result);
std::string ShowPoints(const Json& list);
std::string ShowPointSpaces(const Json& list);
std::string ShowAspects(const Json& list);
std::string ShowAspect(const Json& aspect);
std::string ShowJobs(const Json& list);
std::string ShowJob(const Json& job);
std::string ShowUsers(const Json& list);
std::string ShowUser(const Json& user);
std::string ShowStatus(const Json& status);
std::string ShowCapabilities(const Json& list);
// Nothing: success of what leaves nothing to show.
std::string ShowNothing(const Json& result);

// The code whose name this is; internal for any other text.
Code CodeNamed(std::string_view name);

}  // namespace lockstep::cli
