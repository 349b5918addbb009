#include "replication/methods.h"

#include <array>

namespace lockstep::replication {
namespace {

using A = Answers;
using W = Waits;

constexpr std::array kMethods = {
    ServiceMethod{2, "CreateElementReplica", A::kAtOnceOrJob, W::kCreation, 2},
    ServiceMethod{3, "CreateGroupReplica", A::kAtOnceOrJob, W::kCreation, 3},
    ServiceMethod{4, "CreateSynchronizationAspect", A::kAtOnce},
    ServiceMethod{5, "ModifyReplicaSynchronization", A::kAtOnceOrJob, W::kOperation, 4},
    ServiceMethod{6, "ModifyListSynchronization", A::kAtOnceOrJob, W::kOperation, 5},
    ServiceMethod{7, "ModifySettingsDefineState", A::kAtOnceOrJob, W::kStarted, 6},
    ServiceMethod{8, "GetAvailableTargetElements", A::kAtOnce},
    ServiceMethod{9, "GetPeerSystems"},
    ServiceMethod{10, "GetReplicationRelationships", A::kAtOnce},
    ServiceMethod{11, "GetServiceAccessPoints"},
    ServiceMethod{12, "CreateGroup", A::kAtOnce},
    ServiceMethod{13, "DeleteGroup", A::kAtOnce},
    ServiceMethod{14, "AddMembers", A::kAtOnce},
    ServiceMethod{15, "RemoveMembers", A::kAtOnce},
    ServiceMethod{16, "AddReplicationEntity"},
    ServiceMethod{17, "AddServiceAccessPoint"},
    ServiceMethod{18, "AddSharedSecret"},
    ServiceMethod{19, "CreateListReplica", A::kAtOnceOrJob, W::kCreation, 7},
    ServiceMethod{20, "CreateGroupReplicaFromElements", A::kAtOnceOrJob, W::kCreation, 8},
    ServiceMethod{21, "GetReplicationRelationshipInstances", A::kAtOnce},
    ServiceMethod{22, "ModifyListSettingsDefineState", A::kAtOnceOrJob, W::kStarted, 9},
    ServiceMethod{23, "CreateRemoteReplicationCollection"},
    ServiceMethod{24, "AddToRemoteReplicationCollection"},
    ServiceMethod{25, "RemoveFromRemoteReplicationCollection"},
    ServiceMethod{26, "GetSynchronizationAspects", A::kAtOnce},
    ServiceMethod{27, "GetSynchronizationAspectInstances", A::kAtOnce},
    ServiceMethod{28, "CreateGroupReplicaFromElementSynchronizations", A::kAtOnceOrJob, W::kStarted, 10},
    ServiceMethod{29, "AddElementsToGroupSynchronized", A::kAtOnceOrJob, W::kCreation, 11},
    ServiceMethod{30, "ConfirmTargetData", A::kAtOnceOrJob},
};

constexpr bool AreInOrder() {
  for (size_t i = 0; i < kMethods.size(); ++i) {
    if (kMethods[i].action != i + 2) return false;
    if ((kMethods[i].waits == W::kNoParameter) != (kMethods[i].wait_number == 0)) return false;
  }
  return kMethods.size() == 29;
}
static_assert(AreInOrder());

}  // namespace

std::span<const ServiceMethod> ServiceMethods() { return kMethods; }

}  // namespace lockstep::replication
