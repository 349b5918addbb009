// What stands around pools and volumes: the devices and files that pools lie on, and devices that pools can be made of
// (CIM_StorageExtent); this software (CIM_SoftwareIdentity); where the node is managed (CIM_RemoteServiceAccessPoint).
#include <cstdlib>

#include "block/types.h"
#include "smis/providers.h"

namespace lockstep::smis {

using wbem::Instance;
using wbem::Value;

namespace {

class ExtentProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    const std::vector<control::PoolView> pools = control().Pools();
    for (const control::PoolView& pool : pools) {
      for (const block::DeviceInfo& device : pool.devices) {
        constexpr uint16_t kNone = 2, kRelocating = 18, kPoolContributor = 18;
        Instance instance = Make(paths().Extent(device.id), device.path, device.size);
        instance.Add("ExtentStatus", Value::Array(std::vector<uint16_t>{device.draining ? kRelocating : kNone}));
        instance.Add("Usage", kPoolContributor);
        AddHealth(instance, pool.state);
        if (!sink(std::move(instance))) return {};
      }
    }
    const std::vector<control::FreeDevice> free = control().FreeDevices();
    for (const control::FreeDevice& device : free) {
      constexpr uint16_t kNone = 2, kUnrestricted = 2;
      Instance instance = Make(paths().FreeExtent(device.path), device.path, device.size);
      instance.Add("ExtentStatus", Value::Array(std::vector<uint16_t>{kNone}));
      instance.Add("Usage", kUnrestricted);
      AddHealth(instance, {});
      if (!sink(std::move(instance))) return {};
    }
    return {};
  }

 private:
  static Instance Make(wbem::ObjectPath at, const std::string& device, uint64_t size) {
    constexpr uint16_t kDeviceName = 12, kDeviceNamespace = 8, kFixedBlock = 2, kReadWrite = 3;
    const uint64_t blocks = size / block::kBlockSize;
    Instance instance = InstanceAt(std::move(at));
    instance.Add("ElementName", device);
    instance.Add("Name", device);
    instance.Add("NameFormat", kDeviceName);
    instance.Add("NameNamespace", kDeviceNamespace);
    instance.Add("DataOrganization", kFixedBlock);
    instance.Add("Access", kReadWrite);
    instance.Add("BlockSize", uint64_t{block::kBlockSize});
    instance.Add("NumberOfBlocks", blocks);
    instance.Add("ConsumableBlocks", blocks);
    instance.Add("Primordial", true);
    instance.Add("SequentialAccess", false);
    instance.Add("IsBasedOnUnderlyingRedundancy", false);
    instance.Add("NoSinglePointOfFailure", false);
    instance.Add("DataRedundancy", uint16_t{1});
    instance.Add("PackageRedundancy", uint16_t{0});
    AddEnabled(instance);
    return instance;
  }
};

class SoftwareProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    constexpr uint16_t kApplication = 4;
    Instance instance = InstanceAt(paths().Software());
    instance.Add("Name", "Lockstep");
    instance.Add("ElementName", "Lockstep");
    instance.Add("Manufacturer", "Lockstep");
    instance.Add("VersionString", LOCKSTEP_VERSION);
    instance.Add("IsEntity", true);
    instance.Add("Classifications", Value::Array(std::vector<uint16_t>{kApplication}));
    char* rest = nullptr;
    const char* text = LOCKSTEP_VERSION;
    for (const char* part : {"MajorVersion", "MinorVersion", "RevisionNumber"}) {
      instance.Add(part, static_cast<uint16_t>(std::strtoul(text, &rest, 10)));
      text = *rest == '.' ? rest + 1 : rest;
    }
    AddHealth(instance, {});
    sink(std::move(instance));
    return {};
  }
};

class AccessPointProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    constexpr uint16_t kHostName = 2;
    Instance instance = InstanceAt(paths().AccessPoint());
    instance.Add("ElementName", "Management of " + face().identity.element_name);
    instance.Add("AccessInfo", face().identity.element_name);
    instance.Add("InfoFormat", kHostName);
    AddHealth(instance, {});
    AddEnabled(instance);
    sink(std::move(instance));
    return {};
  }
};

}  // namespace

ProviderPtr MakeExtentProvider(FacePtr face) { return std::make_shared<ExtentProvider>(std::move(face)); }

ProviderPtr MakeSoftwareProvider(FacePtr face) { return std::make_shared<SoftwareProvider>(std::move(face)); }

ProviderPtr MakeAccessPointProvider(FacePtr face) { return std::make_shared<AccessPointProvider>(std::move(face)); }

}  // namespace lockstep::smis
