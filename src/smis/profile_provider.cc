// CIM_RegisteredProfile and its associations: how clients of the Interop namespace find the system. Only profiles whose
// classes are really served are registered.
#include <fmt/format.h>

#include "smis/providers.h"

namespace lockstep::smis {

using wbem::Instance;
using wbem::ObjectPath;
using wbem::Pair;

namespace {

// What conforms to a profile: its central class in SMI-S.
enum class Central {
  kSystem, kPools, kStorageService, kReplicationService, kIndicationService, kSoftware, kAccessPoint
};

struct Profile {
  std::string_view name;  // exactly as SNIA writes it: clients compare it
  Central central;
};

constexpr std::string_view kVersion = "1.6.1";

// The first one is the autonomous profile, the others are components of it.
constexpr Profile kProfiles[] = {
    {"Array", Central::kSystem},
    {"Block Services", Central::kStorageService},
    {"Thin Provisioning", Central::kPools},
    {"Replication Services", Central::kReplicationService},
    {"Job Control", Central::kReplicationService},
    {"Indication", Central::kIndicationService},
    {"Software", Central::kSoftware},
    {"Access Points", Central::kAccessPoint},
};

// Indications are there when the CIM server has them.
bool IsServed(const Face& face, const Profile& profile) {
  return face.indications || profile.central != Central::kIndicationService;
}

ObjectPath ProfilePath(const Profile& profile) {
  return {std::string(kInteropNamespace),
          kProfileClass,
          {{"InstanceID", fmt::format("SNIA:{}:{}", profile.name, kVersion)}}};
}

class ProfileProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    constexpr uint16_t kSnia = 11, kNotAdvertised = 2, kProfileType = 2;
    for (const Profile& profile : kProfiles) {
      if (!IsServed(face(), profile)) continue;
      Instance instance = InstanceAt(ProfilePath(profile));
      instance.Add("ElementName", profile.name);
      instance.Add("SpecificationType", kProfileType);
      instance.Add("RegisteredOrganization", kSnia);
      instance.Add("RegisteredName", profile.name);
      instance.Add("RegisteredVersion", kVersion);
      instance.Add("AdvertiseTypes", wbem::Value::Array(std::vector<uint16_t>{kNotAdvertised}));
      if (!sink(std::move(instance))) break;
    }
    return {};
  }
};

std::vector<ObjectPath> Conformant(const Face& face, Central central) {
  switch (central) {
    case Central::kSystem: return {face.paths.System()};
    case Central::kStorageService: return {face.paths.StorageService()};
    case Central::kReplicationService: return {face.paths.ReplicationService()};
    case Central::kIndicationService:
      if (face.indications) return {IndicationService(face)};
      return {};
    case Central::kSoftware: return {face.paths.Software()};
    case Central::kAccessPoint: return {face.paths.AccessPoint()};
    case Central::kPools: break;
  }
  std::vector<ObjectPath> pools;
  for (const control::PoolView& pool : face.control.Pools()) pools.push_back(face.paths.Pool(pool.record.id));
  return pools;
}

}  // namespace

ProviderPtr MakeProfileProvider(FacePtr face) { return std::make_shared<ProfileProvider>(std::move(face)); }

Association MakeReferencedProfile(FacePtr face) {
  auto source = [face](const ObjectPath*, const wbem::PairSink& sink) -> Status {
    for (size_t i = 1; i < std::size(kProfiles); ++i) {
      if (!IsServed(*face, kProfiles[i])) continue;
      if (!sink(Pair{ProfilePath(kProfiles[i]), ProfilePath(kProfiles[0]), {}})) break;
    }
    return {};
  };
  return {"Lockstep_ReferencedProfile", wbem::MakePairAssociation("Antecedent", "Dependent", source)};
}

Association MakeElementConformsToProfile(FacePtr face) {
  auto source = [face](const ObjectPath*, const wbem::PairSink& sink) -> Status {
    for (const Profile& profile : kProfiles) {
      for (const ObjectPath& element : Conformant(*face, profile.central)) {
        if (!sink(Pair{ProfilePath(profile), element, {}})) return {};
      }
    }
    return {};
  };
  return {"Lockstep_ElementConformsToProfile",
          wbem::MakePairAssociation("ConformantStandard", "ManagedElement", source)};
}

}  // namespace lockstep::smis
