// One factory for each class that has instances; see the file of the same name.
#pragma once

#include <memory>

#include "smis/methods.h"
#include "wbem/provider.h"

namespace lockstep::smis {

using ProviderPtr = std::shared_ptr<wbem::Provider>;

ProviderPtr MakeSystemProvider(FacePtr face);
ProviderPtr MakePoolProvider(FacePtr face);
ProviderPtr MakeStorageCapabilitiesProvider(FacePtr face);
ProviderPtr MakeVolumeProvider(FacePtr face);
ProviderPtr MakeStorageSettingProvider(FacePtr face);
ProviderPtr MakeExtentProvider(FacePtr face);
ProviderPtr MakeSoftwareProvider(FacePtr face);
ProviderPtr MakeAccessPointProvider(FacePtr face);
ProviderPtr MakeStorageServiceProvider(FacePtr face);
ProviderPtr MakeStorageServiceCapabilitiesProvider(FacePtr face);
ProviderPtr MakeReplicationServiceProvider(FacePtr face);
ProviderPtr MakeReplicationCapabilitiesProvider(FacePtr face);
ProviderPtr MakeReplicationSettingProvider(FacePtr face);
ProviderPtr MakeGroupProvider(FacePtr face);
ProviderPtr MakeStorageSynchronizedProvider(FacePtr face);
ProviderPtr MakeGroupSynchronizedProvider(FacePtr face);
ProviderPtr MakeAspectProvider(FacePtr face);
ProviderPtr MakeJobProvider(FacePtr face);
ProviderPtr MakeProfileProvider(FacePtr face);

// InstanceID of the capabilities of a service or a pool.
wbem::ObjectPath StorageCapabilitiesPath(const Face& face, catalog::PoolId pool);
wbem::ObjectPath StorageServiceCapabilitiesPath(const Face& face);
wbem::ObjectPath PoolServiceCapabilitiesPath(const Face& face, catalog::PoolId pool);
wbem::ObjectPath ReplicationCapabilitiesPath(const Face& face);

// The associations that are pairs without content of their own, each with its class.
struct Association {
  const char* class_name;
  ProviderPtr provider;
};
std::vector<Association> MakeAssociations(FacePtr face);
// Likewise those of the registered profiles; ElementConformsToProfile stands in both namespaces.
Association MakeReferencedProfile(FacePtr face);
// The service of the Interop namespace, and the system that it is on, seen from there.
wbem::ObjectPath IndicationService(const Face& face);
Association MakeHostedIndicationService(FacePtr face);
Association MakeElementConformsToProfile(FacePtr face);

}  // namespace lockstep::smis
