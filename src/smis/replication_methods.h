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

// replication_pairs.cc
Task<Outcome> AddElementsToGroupSynchronized(FacePtr face, wbem::MethodCall call);
Task<Outcome> CreateGroupReplicaFromElementSynchronizations(FacePtr face, wbem::MethodCall call);
Task<Outcome> ConfirmTargetData(FacePtr face, wbem::MethodCall call);
Task<Outcome> GetAvailableTargetElements(FacePtr face, wbem::MethodCall call);

// replication_aspects.cc
Task<Outcome> CreateSynchronizationAspect(FacePtr face, wbem::MethodCall call);
Task<Outcome> ModifySettingsDefineState(FacePtr face, wbem::MethodCall call);
Task<Outcome> ModifyListSettingsDefineState(FacePtr face, wbem::MethodCall call);
Task<Outcome> GetSynchronizationAspects(FacePtr face, wbem::MethodCall call);
Task<Outcome> GetSynchronizationAspectInstances(FacePtr face, wbem::MethodCall call);

// replication_modify.cc
Task<Outcome> ModifyReplicaSynchronization(FacePtr face, wbem::MethodCall call);
Task<Outcome> ModifyListSynchronization(FacePtr face, wbem::MethodCall call);

// replication_query.cc
Task<Outcome> GetReplicationRelationships(FacePtr face, wbem::MethodCall call);
Task<Outcome> GetReplicationRelationshipInstances(FacePtr face, wbem::MethodCall call);

// What the methods that make replicas have in common; see replication_create.cc. `read_type`: SyncType and Mode are
// parameters, and not those of something that there is.
control::ReplicaOptions ReadReplicaOptions(Arguments& arguments, bool read_type);

}  // namespace lockstep::smis
