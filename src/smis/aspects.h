// What a retained point is associated with.
#pragma once

#include <vector>

#include "smis/face.h"

namespace lockstep::smis {

// The source group when it is there, otherwise those of the source volumes that are.
std::vector<wbem::ObjectPath> AspectSources(const Face& face, const catalog::AspectRecord& aspect);

}  // namespace lockstep::smis
