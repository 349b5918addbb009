// The methods of CIM_ReplicationService, by what they do.
#pragma once

#include "smis/methods.h"

namespace lockstep::smis {

// replication_groups.cc
Task<Outcome> CreateGroup(FacePtr face, wbem::MethodCall call);
Task<Outcome> DeleteGroup(FacePtr face, wbem::MethodCall call);
Task<Outcome> AddMembers(FacePtr face, wbem::MethodCall call);
Task<Outcome> RemoveMembers(FacePtr face, wbem::MethodCall call);

// replication_create.cc
Task<Outcome> CreateElementReplica(FacePtr face, wbem::MethodCall call);
Task<Outcome> CreateListReplica(FacePtr face, wbem::MethodCall call);
Task<Outcome> CreateGroupReplica(FacePtr face, wbem::MethodCall call);
Task<Outcome> CreateGroupReplicaFromElements(FacePtr face, wbem::MethodCall call);

// replication_modify.cc
Task<Outcome> ModifyReplicaSynchronization(FacePtr face, wbem::MethodCall call);
Task<Outcome> ModifyListSynchronization(FacePtr face, wbem::MethodCall call);

// replication_query.cc
Task<Outcome> GetReplicationRelationships(FacePtr face, wbem::MethodCall call);
Task<Outcome> GetReplicationRelationshipInstances(FacePtr face, wbem::MethodCall call);

}  // namespace lockstep::smis
