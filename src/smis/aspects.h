// What a retained point is associated with.
#pragma once

#include <vector>

#include "smis/face.h"

namespace lockstep::smis {

// The source group when it is there, otherwise those of the source volumes that are.
std::vector<wbem::ObjectPath> AspectSources(const Face& face, const catalog::AspectRecord& aspect);

// The SettingsDefineState associations of the aspects, with what AspectSources answers.
std::vector<wbem::ObjectPath> SettingsStates(const Face& face, const std::vector<catalog::AspectId>& aspects);
wbem::Instance AspectInstance(const Face& face, const catalog::AspectRecord& aspect);

}  // namespace lockstep::smis
