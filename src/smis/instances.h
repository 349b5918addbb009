// What several parts show as instances: their providers, and indications about them. (Relationships: synchronized.h.)
#pragma once

#include "smis/face.h"

namespace lockstep::smis {

wbem::Instance PoolInstance(const Face& face, const control::PoolView& pool);
// `state` is that of the volume's pool.
wbem::Instance VolumeInstance(const Face& face, const control::VolumeView& volume, const Status& state);
wbem::Instance GroupInstance(const Face& face, const catalog::GroupRecord& group);
wbem::Instance JobInstance(const Face& face, const catalog::JobRecord& job);

}  // namespace lockstep::smis
