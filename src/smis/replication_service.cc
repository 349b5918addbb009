// CIM_ReplicationService: the instance, and which of its methods are built.
#include "smis/method_tables.h"
#include "smis/providers.h"
#include "smis/replication_methods.h"

namespace lockstep::smis {
namespace {

constexpr Method kReplicationServiceMethods[] = {
    {"CreateGroup", CreateGroup},
    {"DeleteGroup", DeleteGroup},
    {"AddMembers", AddMembers},
    {"RemoveMembers", RemoveMembers},
    {"CreateElementReplica", CreateElementReplica},
    {"CreateListReplica", CreateListReplica},
    {"CreateGroupReplica", CreateGroupReplica},
    {"CreateGroupReplicaFromElements", CreateGroupReplicaFromElements},
    {"ModifyReplicaSynchronization", ModifyReplicaSynchronization},
    {"ModifyListSynchronization", ModifyListSynchronization},
    {"AddElementsToGroupSynchronized", AddElementsToGroupSynchronized},
    {"CreateGroupReplicaFromElementSynchronizations", CreateGroupReplicaFromElementSynchronizations},
    {"ConfirmTargetData", ConfirmTargetData},
    {"GetAvailableTargetElements", GetAvailableTargetElements},
    {"CreateSynchronizationAspect", CreateSynchronizationAspect},
    {"ModifySettingsDefineState", ModifySettingsDefineState},
    {"ModifyListSettingsDefineState", ModifyListSettingsDefineState},
    {"GetSynchronizationAspects", GetSynchronizationAspects},
    {"GetSynchronizationAspectInstances", GetSynchronizationAspectInstances},
    {"GetReplicationRelationships", GetReplicationRelationships},
    {"GetReplicationRelationshipInstances", GetReplicationRelationshipInstances},
};

class ReplicationServiceProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    wbem::Instance instance = InstanceAt(paths().ReplicationService());
    instance.Add("ElementName", "Replication of " + face().identity.element_name);
    instance.Add("Started", true);
    AddHealth(instance, {});
    AddEnabled(instance);
    sink(std::move(instance));
    return {};
  }
};

}  // namespace

std::span<const Method> ReplicationServiceMethods() { return kReplicationServiceMethods; }

ProviderPtr MakeReplicationServiceProvider(FacePtr face) {
  return std::make_shared<ReplicationServiceProvider>(std::move(face));
}

}  // namespace lockstep::smis
