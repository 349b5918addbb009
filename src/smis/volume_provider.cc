// CIM_StorageVolume and the CIM_StorageSetting that each has.
#include "block/types.h"
#include "smis/instances.h"
#include "smis/providers.h"

namespace lockstep::smis {

using wbem::Instance;
using wbem::Value;

namespace {

// CIM_StorageExtent.Usage.
uint16_t UsageOf(const control::VolumeView& volume) {
  constexpr uint16_t kUnrestricted = 2, kLocalSource = 6, kLocalTarget = 8, kLocalSourceOrTarget = 10;
  const bool source = !volume.source_of.empty();
  const bool target = volume.target_of.has_value();
  if (source && target) return kLocalSourceOrTarget;
  if (source) return kLocalSource;
  return target ? kLocalTarget : kUnrestricted;
}

}  // namespace

Instance VolumeInstance(const Face& face, const control::VolumeView& volume, const Status& state) {
  constexpr uint16_t kNaa = 9, kVpd83Type3 = 2, kFixedBlock = 2, kReadWrite = 3, kNone = 2;
  const uint64_t blocks = volume.record.size / block::kBlockSize;
  Instance instance = InstanceAt(face.paths.Volume(volume.record.id));
  instance.Add("ElementName", volume.record.name);
  instance.Add("Name", NaaName(volume.record.id));
  instance.Add("NameFormat", kNaa);
  instance.Add("NameNamespace", kVpd83Type3);
  instance.Add("InstallDate", When(volume.record.created));
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
  instance.Add("DeltaReservation", uint8_t{0});
  instance.Add("ExtentStatus", Value::Array(std::vector<uint16_t>{kNone}));
  instance.Add("Usage", UsageOf(volume));
  instance.Add("CanDelete", volume.exports.empty() && volume.source_of.empty() && !volume.target_of);
  AddHealth(instance, state);
  AddEnabled(instance);
  return instance;
}

namespace {

// What a list holds while a client reads it.
std::vector<catalog::VolumeId> VolumeIds(const control::Control& control) {
  std::vector<catalog::VolumeId> ids;
  const std::vector<control::VolumeView> volumes = control.Volumes();
  ids.reserve(volumes.size());
  for (const control::VolumeView& volume : volumes) ids.push_back(volume.record.id);
  return ids;
}

class VolumeProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  wbem::Series<Instance> Instances(wbem::RequestContext) override {
    const std::vector<catalog::VolumeId> ids = VolumeIds(control());
    for (catalog::VolumeId id : ids) {
      Result<control::VolumeView> volume = control().Volume(id);
      if (!volume.ok()) continue;  // it has gone since
      Instance instance = Make(*volume);
      co_yield instance;
    }
    co_return Status();
  }

  Status EnumeratePaths(const wbem::RequestContext&, const wbem::PathSink& sink) override {
    for (const control::VolumeView& volume : control().Volumes()) {
      if (!sink(paths().Volume(volume.record.id))) break;
    }
    return {};
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::VolumeId> id = paths().AsVolume(path);
    if (!id) return NotFound("there is no volume " + path.ToString());
    Result<control::VolumeView> volume = control().Volume(*id);
    if (!volume.ok()) return volume.status();
    return Make(*volume);
  }

 private:
  Instance Make(const control::VolumeView& volume) const {
    Result<control::PoolView> pool = control().Pool(volume.record.pool);
    return VolumeInstance(face(), volume, pool.ok() ? pool->state : pool.status());
  }
};

// All volumes are alike, so all settings say the same.
class StorageSettingProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  wbem::Series<Instance> Instances(wbem::RequestContext) override {
    const std::vector<catalog::VolumeId> ids = VolumeIds(control());
    for (catalog::VolumeId id : ids) {
      Result<control::VolumeView> volume = control().Volume(id);
      if (!volume.ok()) continue;  // it has gone since
      Instance instance = Make(*volume);
      co_yield instance;
    }
    co_return Status();
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::VolumeId> id = paths().AsSetting(path);
    if (!id) return NotFound("there is no storage setting " + path.ToString());
    Result<control::VolumeView> volume = control().Volume(*id);
    if (!volume.ok()) return volume.status();
    return Make(*volume);
  }

 private:
  Instance Make(const control::VolumeView& volume) const {
    constexpr uint16_t kFixed = 0;
    Instance instance = InstanceAt(paths().Setting(volume.record.id));
    instance.Add("ElementName", "Setting of " + volume.record.name);
    instance.Add("ChangeableType", kFixed);
    instance.Add("NoSinglePointOfFailure", false);
    for (const char* end : {"Min", "Max", "Goal"}) {
      instance.Add(std::string("DataRedundancy") + end, uint16_t{1});
      instance.Add(std::string("PackageRedundancy") + end, uint16_t{0});
      instance.Add(std::string("DeltaReservation") + end, uint8_t{0});
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
