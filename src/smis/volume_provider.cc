// CIM_StorageVolume and the CIM_StorageSetting that each has.
#include "block/types.h"
#include "smis/instances.h"
#include "smis/providers.h"

namespace lockstep::smis {

using wbem::Instance;
using wbem::Value;

namespace {

// CIM_StorageExtent.Usage.
uint16_t UsageOf(const control::VolumeGlance& volume) {
  constexpr uint16_t kUnrestricted = 2, kLocalSource = 6, kLocalTarget = 8, kLocalSourceOrTarget = 10;
  if (volume.is_source && volume.is_target) return kLocalSourceOrTarget;
  if (volume.is_source) return kLocalSource;
  return volume.is_target ? kLocalTarget : kUnrestricted;
}

// Instances of many volumes are made one after another: what they have in common is made once, and the core makes their
// paths from the keys.
Instance Make(const Face& face, const control::VolumeGlance& volume, const Status& state) {
  constexpr uint16_t kNaa = 9, kVpd83Type3 = 2, kFixedBlock = 2, kReadWrite = 3, kNone = 2;
  // What clients that do not go by Name look for (libstoragemgmt).
  static const Value kNaaDescription = Value::Array(std::vector<std::string>{"NAA;VPD83Type3"});
  static const Value kNoStatus = Value::Array(std::vector<uint16_t>{kNone});
  const catalog::VolumeRecord& record = *volume.record;
  const uint64_t blocks = record.size / block::kBlockSize;
  Instance instance(kVolumeClass);
  instance.properties.reserve(40);
  instance.Add("SystemCreationClassName", kSystemClass);
  instance.Add("SystemName", face.paths.system_name());
  instance.Add("CreationClassName", kVolumeClass);
  instance.Add("DeviceID", record.id.ToString());
  instance.Add("ElementName", record.name);
  instance.Add("Name", NaaName(record.id));
  instance.Add("OtherIdentifyingInfo", Value::Array(std::vector<std::string>{NaaName(record.id)}));
  instance.Add("IdentifyingDescriptions", kNaaDescription);
  instance.Add("NameFormat", kNaa);
  instance.Add("NameNamespace", kVpd83Type3);
  instance.Add("InstallDate", When(record.created));
  instance.Add("DataOrganization", kFixedBlock);
  instance.Add("Access", kReadWrite);
  instance.Add("BlockSize", uint64_t{block::kBlockSize});
  instance.Add("NumberOfBlocks", blocks);
  instance.Add("ConsumableBlocks", blocks);
  instance.Add("ThinlyProvisioned", true);
  instance.Add("Primordial", false);
  instance.Add("SequentialAccess", false);
  instance.Add("IsBasedOnUnderlyingRedundancy", false);
  instance.Add("NoSinglePointOfFailure", false);
  instance.Add("DataRedundancy", uint16_t{1});
  instance.Add("PackageRedundancy", uint16_t{0});
  instance.Add("ExtentStatus", kNoStatus);
  instance.Add("Usage", UsageOf(volume));
  instance.Add("CanDelete", !volume.is_exported && !volume.is_source && !volume.is_target);
  AddHealth(instance, state);
  AddEnabled(instance);
  return instance;
}

}  // namespace

Instance VolumeInstance(const Face& face, const control::VolumeView& volume, const Status& state) {
  Instance instance = Make(face,
                           {&volume.record, volume.used, !volume.source_of.empty(), volume.target_of.has_value(),
                            !volume.exports.empty()},
                           state);
  instance.path = face.paths.Volume(volume.record.id);
  return instance;
}

namespace {

class VolumeProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  wbem::Series<Instance> Instances(wbem::RequestContext) override {
    const std::vector<catalog::VolumeId> ids = control().VolumeIds();
    for (catalog::VolumeId id : ids) {
      const std::optional<control::VolumeGlance> volume = control().Glance(id);
      if (!volume) continue;  // it has gone since
      Instance instance = Make(face(), *volume, control().PoolState(volume->record->pool));
      co_yield instance;
    }
    co_return Status();
  }

  wbem::Series<wbem::ObjectPath> InstancePaths(wbem::RequestContext) override {
    const std::vector<catalog::VolumeId> ids = control().VolumeIds();
    for (catalog::VolumeId id : ids) {
      wbem::ObjectPath path = paths().Volume(id);
      if (control().Glance(id)) co_yield path;
    }
    co_return Status();
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::VolumeId> id = paths().AsVolume(path);
    if (!id) return NotFound("there is no volume " + path.ToString());
    const control::VolumeGlance volume = *control().Glance(*id);
    return Make(face(), volume, control().PoolState(volume.record->pool));
  }
};

// All volumes are alike, so all settings say the same.
class StorageSettingProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  wbem::Series<Instance> Instances(wbem::RequestContext) override {
    const std::vector<catalog::VolumeId> ids = control().VolumeIds();
    for (catalog::VolumeId id : ids) {
      const std::optional<control::VolumeGlance> volume = control().Glance(id);
      if (!volume) continue;  // it has gone since
      Instance instance = Make(*volume->record);
      co_yield instance;
    }
    co_return Status();
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::VolumeId> id = paths().AsSetting(path);
    if (!id) return NotFound("there is no storage setting " + path.ToString());
    return Make(*control().Glance(*id)->record);
  }

 private:
  Instance Make(const catalog::VolumeRecord& volume) const {
    constexpr uint16_t kFixed = 0;
    Instance instance = InstanceAt(paths().Setting(volume.id));
    instance.Add("ElementName", "Setting of " + volume.name);
    instance.Add("ChangeableType", kFixed);
    instance.Add("NoSinglePointOfFailure", false);
    for (const char* end : {"Min", "Max", "Goal"}) {
      instance.Add(std::string("DataRedundancy") + end, uint16_t{1});
      instance.Add(std::string("PackageRedundancy") + end, uint16_t{0});
    }
    return instance;
  }
};

}  // namespace

ProviderPtr MakeVolumeProvider(FacePtr face) { return std::make_shared<VolumeProvider>(std::move(face)); }

ProviderPtr MakeStorageSettingProvider(FacePtr face) {
  return std::make_shared<StorageSettingProvider>(std::move(face));
}

}  // namespace lockstep::smis
