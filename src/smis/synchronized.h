// Copy relationships as instances, for their providers and for GetReplicationRelationshipInstances.
#pragma once

#include "smis/face.h"

namespace lockstep::smis {

wbem::Instance StorageSynchronizedInstance(const Face& face, const control::RelationshipView& view);
wbem::Instance GroupSynchronizedInstance(const Face& face, const control::GroupRelationshipView& view);

}  // namespace lockstep::smis
