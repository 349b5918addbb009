#include "smis/smis.h"

#include <vector>

#include "smis/providers.h"
#include "wbem/server_classes.h"

namespace lockstep::smis {
namespace {

constexpr std::string_view kInteropFiles[] = {"qualifiers.mof", "core.mof", "interop.mof", "event.mof",
                                              "lockstep_interop.mof"};
constexpr std::string_view kStorageFiles[] = {
    "qualifiers.mof", "core.mof",   "interop.mof",     "event.mof",   "lockstep_interop.mof",
    "storage.mof",    "access.mof", "replication.mof", "masking.mof", "lockstep.mof"};

struct ProviderOfClass {
  const char* class_name;
  ProviderPtr (*make)(FacePtr face);
};

constexpr ProviderOfClass kProviders[] = {
    {kSystemClass, MakeSystemProvider},
    {kPoolClass, MakePoolProvider},
    {kStorageCapabilitiesClass, MakeStorageCapabilitiesProvider},
    {kVolumeClass, MakeVolumeProvider},
    {kExtentClass, MakeExtentProvider},
    {kSoftwareClass, MakeSoftwareProvider},
    {kAccessPointClass, MakeAccessPointProvider},
    {kStorageSettingClass, MakeStorageSettingProvider},
    {kStorageServiceClass, MakeStorageServiceProvider},
    {kStorageServiceCapabilitiesClass, MakeStorageServiceCapabilitiesProvider},
    {kReplicationServiceClass, MakeReplicationServiceProvider},
    {kReplicationCapabilitiesClass, MakeReplicationCapabilitiesProvider},
    {kReplicationSettingClass, MakeReplicationSettingProvider},
    {kGroupClass, MakeGroupProvider},
    {kStorageSynchronizedClass, MakeStorageSynchronizedProvider},
    {kGroupSynchronizedClass, MakeGroupSynchronizedProvider},
    {kAspectClass, MakeAspectProvider},
    {kJobClass, MakeJobProvider},
};

}  // namespace

std::span<const std::string_view> MofFiles(std::string_view ns) {
  if (wbem::NameEquals(ns, kInteropNamespace)) return kInteropFiles;
  if (wbem::NameEquals(ns, kStorageNamespace)) return kStorageFiles;
  return {};
}

Status LoadSchema(wbem::Schema& schema, const std::function<Result<std::string>(std::string_view file)>& read) {
  for (std::string_view ns : {kInteropNamespace, kStorageNamespace}) {
    std::vector<wbem::MofText> texts;
    for (std::string_view file : MofFiles(ns)) {
      LS_ASSIGN_OR_RETURN(std::string text, read(file));
      texts.push_back({std::string(file), std::move(text)});
    }
    LS_RETURN_IF_ERROR(schema.Load(ns, texts));
  }
  return {};
}

wbem::ServerIdentity ServerOf(const Identity& identity) {
  return {kSystemClass, identity.system_name, "Lockstep:" + identity.system_name, "Lockstep",
          "Lockstep version " LOCKSTEP_VERSION};
}

Status AddProviders(wbem::ProviderRegistry& registry, Surroundings surroundings, Identity identity) {
  const wbem::ServerIdentity server = ServerOf(identity);
  LS_RETURN_IF_ERROR(wbem::RegisterServerClasses(registry, std::string(kInteropNamespace), server));
  auto face = std::make_shared<const Face>(surroundings, std::move(identity));
  for (const ProviderOfClass& row : kProviders) {
    LS_RETURN_IF_ERROR(registry.Add(kStorageNamespace, row.class_name, row.make(face)));
  }
  for (const Association& association : MakeAssociations(face)) {
    LS_RETURN_IF_ERROR(registry.Add(kStorageNamespace, association.class_name, association.provider));
  }
  LS_RETURN_IF_ERROR(registry.Add(kInteropNamespace, kProfileClass, MakeProfileProvider(face)));
  const Association references = MakeReferencedProfile(face);
  LS_RETURN_IF_ERROR(registry.Add(kInteropNamespace, references.class_name, references.provider));
  const Association hosted = MakeHostedIndicationService(face);
  if (face->indications) LS_RETURN_IF_ERROR(registry.Add(kInteropNamespace, hosted.class_name, hosted.provider));
  const Association conforms = MakeElementConformsToProfile(face);
  LS_RETURN_IF_ERROR(registry.Add(kInteropNamespace, conforms.class_name, conforms.provider));
  return registry.Add(kStorageNamespace, conforms.class_name, conforms.provider);
}

}  // namespace lockstep::smis
