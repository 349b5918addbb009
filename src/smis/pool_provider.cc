// CIM_StoragePool: the pools that volumes are drawn from, and the primordial pool that stands for the disks below them.
//
// Space. Clients rely on TotalManagedSpace = RemainingManagedSpace + the sum of SpaceConsumed of what comes from the
// pool. Retained points and what no cleaner has collected yet belong to no volume, so they stand in ReservedSpace,
// which the schema defines as outside of TotalManagedSpace; total plus reserved is the size of the pool.
#include "smis/pool_space.h"

#include <fmt/format.h>

#include "block/types.h"
#include "smis/instances.h"
#include "smis/method_tables.h"
#include "smis/providers.h"

namespace lockstep::smis {

using wbem::Instance;

PoolSpace SpaceOf(const control::Control& control, const control::PoolView& pool) {
  PoolSpace space;
  space.size = pool.state.ok() ? pool.info.size : pool.record.size;
  space.remaining = pool.info.free;
  const std::vector<catalog::VolumeId> volumes = control.VolumeIds();
  for (catalog::VolumeId id : volumes) {
    const std::optional<control::VolumeGlance> volume = control.Glance(id);
    if (volume && volume->record->pool == pool.record.id) space.consumed += volume->used;
  }
  return space;
}

namespace {

void AddCommon(Instance& instance, const PoolSpace& space) {
  constexpr uint16_t kUnrestricted = 2;
  instance.Add("TotalManagedSpace", space.remaining + space.consumed);
  instance.Add("RemainingManagedSpace", space.remaining);
  instance.Add("Usage", kUnrestricted);
}

}  // namespace

Instance PoolInstance(const Face& face, const control::PoolView& pool) {
  constexpr uint16_t kLimitless = 4;
  const PoolSpace space = SpaceOf(face.control, pool);
  Instance instance = InstanceAt(face.paths.Pool(pool.record.id));
  instance.Add("PoolID", pool.record.name);
  instance.Add("ElementName", pool.record.name);
  instance.Add("Name", pool.record.name);
  instance.Add("Caption", fmt::format("{}", fmt::join(catalog::PathsOf(pool.record), ", ")));
  instance.Add("InstallDate", When(pool.record.created));
  instance.Add("Primordial", false);
  instance.Add("ElementsShareSpace", true);
  instance.Add("SpaceLimitDetermination", kLimitless);
  const uint64_t managed = space.remaining + space.consumed;
  instance.Add("ReservedSpace", space.size > managed ? space.size - managed : uint64_t{0});
  AddCommon(instance, space);
  AddHealth(instance, pool.state);
  return instance;
}

namespace {

class PoolProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    if (!sink(Primordial())) return {};
    for (const control::PoolView& pool : control().Pools()) {
      if (!sink(PoolInstance(face(), pool))) break;
    }
    return {};
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    if (path.SameAs(paths().PrimordialPool())) return Primordial();
    std::optional<catalog::PoolId> id = paths().AsPool(path);
    if (!id) return NotFound("there is no pool " + path.ToString());
    Result<control::PoolView> pool = control().Pool(*id);
    if (!pool.ok()) return pool.status();
    return PoolInstance(face(), *pool);
  }

 private:
  // The pools have it, but for devices that are offered and free.
  Instance Primordial() const {
    PoolSpace space;
    for (const control::PoolView& pool : control().Pools()) space.consumed += SpaceOf(control(), pool).size;
    const std::vector<control::FreeDevice> free = control().FreeDevices();
    for (const control::FreeDevice& device : free) space.remaining += device.size;
    Instance instance = InstanceAt(paths().PrimordialPool());
    instance.Add("PoolID", "primordial");
    instance.Add("ElementName", "Disks");
    instance.Add("Primordial", true);
    instance.Add("ElementsShareSpace", false);
    AddCommon(instance, space);
    AddHealth(instance, {});
    return instance;
  }
};

// CIM_StorageCapabilities: what volumes of the pool are like, which is the same for all of them.
class StorageCapabilitiesProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    constexpr uint16_t kStoragePool = 5;
    for (const control::PoolView& pool : control().Pools()) {
      Instance instance = InstanceAt(StorageCapabilitiesPath(face(), pool.record.id));
      instance.Add("ElementName", "Volumes of " + pool.record.name);
      instance.Add("ElementType", kStoragePool);
      instance.Add("NoSinglePointOfFailure", false);
      instance.Add("NoSinglePointOfFailureDefault", false);
      for (const char* end : {"Min", "Max", "Default"}) {
        instance.Add(std::string("DataRedundancy") + end, uint16_t{1});
        instance.Add(std::string("PackageRedundancy") + end, uint16_t{0});
        instance.Add(std::string("DeltaReservation") + end, uint16_t{0});
      }
      if (!sink(std::move(instance))) break;
    }
    return {};
  }
};

// GetSupportedSizes: there is a range of sizes, so the other method is the one to use.
Task<Outcome> GetSupportedSizes(FacePtr, wbem::MethodCall) {
  constexpr uint32_t kUseTheOtherMethod = 2;
  co_return Outcome{kUseTheOtherMethod, {}, {}};
}

Task<Outcome> GetSupportedSizeRange(FacePtr face, wbem::MethodCall call) {
  constexpr uint64_t kVolume = 3, kThinVolume = 5;
  constexpr uint32_t kInvalidElementType = 3;
  Arguments arguments(*face, call);
  const uint64_t type = arguments.Number("ElementType").value_or(kVolume);
  arguments.StorageGoal("Goal");
  if (!arguments.status().ok() || (type != kVolume && type != kThinVolume) || !face->paths.AsPool(call.object)) {
    co_return Refused(kInvalidElementType,
                      InvalidArgument("sizes are known of volumes (ElementType 3 or 5) of concrete pools only"));
  }
  std::vector<wbem::Property> out;
  out.push_back({"MinimumVolumeSize", uint64_t{block::kBlockSize}});
  out.push_back({"MaximumVolumeSize", block::kMaxVolumeSize});
  out.push_back({"VolumeSizeDivisor", uint64_t{block::kBlockSize}});
  co_return Done(std::move(out));
}

// All extents of a pool that has volumes are in use.
Task<Outcome> GetAvailableExtents(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  arguments.StorageGoal("Goal");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  std::vector<wbem::ObjectPath> extents;
  if (call.object.SameAs(face->paths.PrimordialPool())) {
    co_await face->control.LookForDevices();
    const std::vector<control::FreeDevice> free = face->control.FreeDevices();
    for (const control::FreeDevice& device : free) extents.push_back(face->paths.FreeExtent(device.path));
  }
  std::vector<wbem::Property> out;
  out.push_back({"AvailableExtents", wbem::Value::Array(extents)});
  co_return Done(std::move(out));
}

constexpr Method kPoolMethods[] = {{"GetSupportedSizes", GetSupportedSizes},
                                   {"GetSupportedSizeRange", GetSupportedSizeRange},
                                   {"GetAvailableExtents", GetAvailableExtents}};

}  // namespace

std::span<const Method> PoolMethods() { return kPoolMethods; }

ProviderPtr MakePoolProvider(FacePtr face) { return std::make_shared<PoolProvider>(std::move(face)); }

ProviderPtr MakeStorageCapabilitiesProvider(FacePtr face) {
  return std::make_shared<StorageCapabilitiesProvider>(std::move(face));
}

wbem::ObjectPath StorageCapabilitiesPath(const Face& face, catalog::PoolId pool) {
  return face.paths.ById(kStorageCapabilitiesClass, "storage-capabilities", pool.ToString());
}

}  // namespace lockstep::smis
