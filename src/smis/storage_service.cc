// CIM_StorageConfigurationService: making, changing and deleting volumes and pools; and what its capabilities say of
// that. Pools are made of the devices that the configuration offers, and can be made only when it offers some.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "block/types.h"
#include "smis/method_tables.h"
#include "smis/providers.h"

namespace lockstep::smis {

using catalog::VolumeId;
using wbem::Instance;
using wbem::Value;

namespace {

// Storage Pool Creation, Deletion, Modification; Storage Element Creation, Return, Modification; Multiple Storage
// Element Creation, Return.
constexpr uint16_t kPoolCreation = 2, kPoolDeletion = 3, kPoolModification = 4;
constexpr uint16_t kElementCreation = 5, kElementReturn = 6, kElementModification = 7, kMultipleCreation = 22,
                   kMultipleReturn = 23;
constexpr uint32_t kSizeNotSupported = 4097;
constexpr uint64_t kMaxCount = 1000;  // of volumes in one call

// ElementType of the methods that draw from pools: all our volumes are thin, so a full one cannot be had.
Status CheckElementType(std::optional<uint64_t> type) {
  constexpr uint64_t kAnyVolume = 2, kThinVolume = 5, kLast = 8;
  if (!type || *type == kAnyVolume || *type == kThinVolume) return {};
  if (*type > kAnyVolume && *type <= kLast) {
    return NotSupported(fmt::format("ElementType {} is not supported: volumes are thin, give 2 or 5", *type));
  }
  return InvalidArgument(fmt::format("ElementType {} has no meaning: give 2 or 5", *type));
}

// A size that no volume can have: Size Not Supported with the nearest one that it can have.
std::optional<Outcome> CheckSize(uint64_t size) {
  if (size >= 1 && size <= block::kMaxVolumeSize) return std::nullopt;
  const uint64_t nearest = size == 0 ? block::kBlockSize : block::kMaxVolumeSize;
  Status why = InvalidArgument(fmt::format("no volume can have {} bytes; the nearest is {}", size, nearest));
  Outcome outcome = Refused(kSizeNotSupported, std::move(why));
  outcome.out.push_back({"Size", nearest});
  return outcome;
}

std::vector<wbem::Property> VolumeOut(const Face& face, VolumeId id) {
  std::vector<wbem::Property> out;
  Result<control::VolumeView> view = face.control.Volume(id);
  if (view.ok()) out.push_back({"Size", view->record.size});
  out.push_back({"TheElement", face.paths.Volume(id)});
  return out;
}

Task<Outcome> CreateVolume(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::CreateVolumesRequest request;
  request.name = arguments.Text("ElementName").value_or("");
  request.pool = arguments.Pool("InPool");
  arguments.Require("Size");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  request.size = *arguments.Number("Size");
  if (std::optional<Outcome> wrong = CheckSize(request.size)) co_return *std::move(wrong);
  Result<std::vector<VolumeId>> made = co_await face->control.CreateVolumes(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  co_return Done(VolumeOut(*face, made->front()));
}

// Renames first: that can be taken back if growing then fails.
Task<Outcome> ModifyVolume(FacePtr face, wbem::MethodCall call, VolumeId id) {
  Arguments arguments(*face, call);
  if (arguments.Has("InPool")) co_return Refused(InvalidArgument("InPool must be NULL when TheElement is given"));
  Result<control::VolumeView> before = face->control.Volume(id);
  if (!before.ok()) co_return Refused(before.status());
  const std::string old_name = before->record.name;
  const uint64_t size = arguments.Number("Size").value_or(before->record.size);
  if (std::optional<Outcome> wrong = CheckSize(size)) co_return *std::move(wrong);
  if (size < before->record.size) {
    // It destroys data, which the method has no way to confirm.
    Status refused = NotSupported("volume " + old_name + " cannot be made smaller but by `lockstep volume resize`");
    Outcome outcome = Refused(kSizeNotSupported, std::move(refused));
    outcome.out.push_back({"Size", before->record.size});
    co_return outcome;
  }
  const std::string name = arguments.Text("ElementName").value_or(old_name);
  if (name != old_name) {
    Status renamed = co_await face->control.RenameVolume(id, name);
    if (!renamed.ok()) co_return Refused(std::move(renamed));
  }
  if (size > before->record.size) {
    Status resized = co_await face->control.ResizeVolume(id, size);
    if (!resized.ok()) {
      if (name != old_name) {
        Status undone = co_await face->control.RenameVolume(id, old_name);
        if (!undone.ok()) face->log.Error("smis: volume {} keeps its new name: {}", name, undone.message());
      }
      co_return Refused(std::move(resized));
    }
  }
  co_return Done(VolumeOut(*face, id));
}

Task<Outcome> CreateOrModifyElementFromStoragePool(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  arguments.StorageGoal("Goal");
  std::optional<VolumeId> element = arguments.Volume("TheElement");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Status type = CheckElementType(arguments.Number("ElementType"));
  if (!type.ok()) co_return Refused(std::move(type));
  Outcome outcome;
  if (element) outcome = co_await ModifyVolume(face, std::move(call), *element);
  else outcome = co_await CreateVolume(face, std::move(call));
  co_return outcome;
}

// Names for some of the volumes to make: different from each other and from what is there.
Status CheckNames(const control::Control& control, const std::vector<std::string>& names, uint64_t count) {
  if (names.size() > count) {
    return InvalidArgument(fmt::format("{} ElementNames were given for {} volumes", names.size(), count));
  }
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (name.empty()) continue;
    if (!seen.insert(name).second) return InvalidArgument("ElementNames has " + name + " twice");
    if (control.VolumeByName(name).ok()) return AlreadyExists("there is a volume " + name + " already");
  }
  return {};
}

// Gives the volumes that were made their names; when one cannot be given, all of them are deleted again.
Task<Status> NameVolumes(FacePtr face, std::vector<VolumeId> volumes, std::vector<std::string> names) {
  Status failure;
  for (size_t i = 0; i < names.size() && failure.ok(); ++i) {
    if (!names[i].empty()) failure = co_await face->control.RenameVolume(volumes[i], names[i]);
  }
  if (failure.ok()) co_return failure;
  for (VolumeId volume : volumes) {
    Status deleted = co_await face->control.DeleteVolume(volume);
    if (!deleted.ok()) face->log.Error("smis: volume {} stays: {}", volume.ToString(), deleted.message());
  }
  co_return failure;
}

Task<Outcome> CreateElementsFromStoragePools(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  control::CreateVolumesRequest request;
  std::vector<std::string> names = arguments.Texts("ElementNames");
  const uint64_t count = arguments.Number("ElementCount").value_or(1);
  const std::vector<catalog::PoolId> pools = arguments.Pools("InPools");
  arguments.StorageGoal("Goal");
  arguments.Require("Size");
  if (arguments.Has("TheElements")) arguments.Fail(NotSupported("TheElements as input is not supported: leave it out"));
  if (count == 0 || count > kMaxCount) arguments.Fail(InvalidArgument("ElementCount must be 1 to 1000"));
  arguments.Fail(CheckElementType(arguments.Number("ElementType")));
  if (pools.size() > 1) arguments.Fail(NotSupported("volumes of one call are drawn from one pool"));
  arguments.Fail(CheckNames(face->control, names, count));
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  request.size = *arguments.Number("Size");
  if (std::optional<Outcome> wrong = CheckSize(request.size)) co_return *std::move(wrong);
  if (!pools.empty()) request.pool = pools.front();
  request.count = static_cast<uint32_t>(count);
  Result<std::vector<VolumeId>> made = co_await face->control.CreateVolumes(std::move(request));
  if (!made.ok()) co_return Refused(made.status());
  Status named = co_await NameVolumes(face, *made, std::move(names));
  if (!named.ok()) co_return Refused(std::move(named));
  std::vector<wbem::ObjectPath> elements;
  for (VolumeId id : *made) elements.push_back(face->paths.Volume(id));
  std::vector<wbem::Property> out = VolumeOut(*face, made->front());
  out.back() = {"TheElements", Value::Array(elements)};
  co_return Done(std::move(out));
}

Task<Outcome> ReturnToStoragePool(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  arguments.Require("TheElement");
  std::optional<VolumeId> volume = arguments.Volume("TheElement");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Status status = co_await face->control.DeleteVolume(*volume);
  if (!status.ok()) co_return Refused(std::move(status));
  co_return Done();
}

// All can be deleted: looked at before the first one is, so that a refusal leaves all of them.
Status CheckUnused(const control::Control& control, const std::vector<VolumeId>& volumes) {
  std::set<VolumeId> seen;
  for (VolumeId id : volumes) {
    if (!seen.insert(id).second) return InvalidArgument("TheElements has a volume twice");
    Result<control::VolumeView> view = control.Volume(id);
    if (!view.ok()) return view.status();
    if (!view->exports.empty()) return InUse("volume " + view->record.name + " is exported");
    if (view->target_of || !view->source_of.empty()) {
      return InUse("volume " + view->record.name + " is in a copy relationship");
    }
  }
  return {};
}

Task<Outcome> ReturnElementsToStoragePool(FacePtr face, wbem::MethodCall call) {
  constexpr uint64_t kContinue = 2, kReturnError = 3;
  Arguments arguments(*face, call);
  arguments.Require("TheElements");
  const uint64_t options = arguments.Number("Options").value_or(kReturnError);
  if (options != kContinue && options != kReturnError) arguments.Fail(InvalidArgument("Options must be 2 or 3"));
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  std::vector<VolumeId> volumes = arguments.Volumes("TheElements");
  if (!arguments.status().ok() && options == kReturnError) co_return Refused(arguments.status());
  Status unused = CheckUnused(face->control, volumes);
  if (!unused.ok()) co_return Refused(std::move(unused));
  for (VolumeId volume : volumes) {
    Status status = co_await face->control.DeleteVolume(volume);
    if (!status.ok()) co_return Refused(std::move(status));
  }
  co_return Done();
}

Task<Outcome> CreateOrModifyStoragePool(FacePtr face, wbem::MethodCall call) {
  Status offered = face->control.OffersDevices();
  if (!offered.ok()) co_return Refused(std::move(offered));
  Arguments arguments(*face, call);
  control::ShapePoolRequest request;
  request.pool = arguments.Pool("Pool");
  request.name = arguments.Text("ElementName").value_or("");
  request.devices = arguments.Extents("InExtents");
  request.size = arguments.Number("Size");
  arguments.OnlyPrimordial("InPools");
  arguments.StorageGoal("Goal");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<control::SizeRange> sizes = face->control.SizesWith(request.pool, request.devices);
  const uint64_t wanted = request.size.value_or(0);
  Result<catalog::PoolId> shaped = co_await face->control.ShapePool(std::move(request));
  if (shaped.status().code() == Code::kTooLarge && sizes.ok()) {
    Outcome outcome = Refused(kSizeNotSupported, shaped.status());
    outcome.out.push_back({"Size", std::max(sizes->least, std::min(wanted, sizes->most))});
    co_return outcome;
  }
  if (!shaped.ok()) co_return Refused(shaped.status());
  std::vector<wbem::Property> out;
  Result<control::PoolView> view = face->control.Pool(*shaped);
  if (view.ok()) out.push_back({"Size", view->info.size});
  out.push_back({"Pool", face->paths.Pool(*shaped)});
  co_return Done(std::move(out));
}

Task<Outcome> DeleteStoragePool(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  arguments.Require("Pool");
  std::optional<catalog::PoolId> pool = arguments.Pool("Pool");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Status status = co_await face->control.DeletePool(*pool);
  if (!status.ok()) co_return Refused(std::move(status));
  co_return Done();
}

constexpr Method kStorageServiceMethods[] = {
    {"CreateOrModifyStoragePool", CreateOrModifyStoragePool},
    {"DeleteStoragePool", DeleteStoragePool},
    {"CreateOrModifyElementFromStoragePool", CreateOrModifyElementFromStoragePool},
    {"CreateElementsFromStoragePools", CreateElementsFromStoragePools},
    {"ReturnToStoragePool", ReturnToStoragePool},
    {"ReturnElementsToStoragePool", ReturnElementsToStoragePool},
};

class StorageServiceProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    Instance instance = InstanceAt(paths().StorageService());
    instance.Add("ElementName", "Storage configuration of " + face().identity.element_name);
    instance.Add("Started", true);
    AddHealth(instance, {});
    AddEnabled(instance);
    sink(std::move(instance));
    return {};
  }
};

// One for the service and one for each pool, which say the same.
class CapabilitiesProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    if (!sink(Make(StorageServiceCapabilitiesPath(face()), face().identity.element_name))) return {};
    for (const control::PoolView& pool : control().Pools()) {
      if (!sink(Make(PoolServiceCapabilitiesPath(face(), pool.record.id), pool.record.name))) break;
    }
    return {};
  }

 private:
  Instance Make(wbem::ObjectPath path, const std::string& of) const {
    constexpr uint16_t kVolume = 2, kThinVolume = 5;
    // StorageVolume Creation, StorageVolume Modification, Single InPool, Storage Element Capacity Expansion.
    const std::vector<uint16_t> features = {3, 5, 6, 12};
    std::vector<uint16_t> actions = {kPoolDeletion,        kElementCreation,  kElementReturn,
                                     kElementModification, kMultipleCreation, kMultipleReturn};
    std::vector<uint16_t> pool_features;
    if (control().OffersDevices().ok()) {
      actions.insert(actions.end(), {kPoolCreation, kPoolModification});
      pool_features = {2, 6};  // InExtents, Storage Pool Capacity Expansion
    }
    std::sort(actions.begin(), actions.end());
    Instance instance = InstanceAt(std::move(path));
    instance.Add("ElementName", "Storage configuration capabilities of " + of);
    instance.Add("SupportedSynchronousActions", Value::Array(actions));
    instance.Add("SupportedAsynchronousActions", Value::Array(std::vector<uint16_t>{}));
    instance.Add("SupportedStorageElementTypes", Value::Array(std::vector<uint16_t>{kVolume, kThinVolume}));
    instance.Add("SupportedStorageElementFeatures", Value::Array(features));
    instance.Add("SupportedStoragePoolFeatures", Value::Array(pool_features));
    instance.Add("SupportedCopyTypes", Value::Array(std::vector<uint16_t>{}));
    instance.Add("MaximumElementCreateCount", kMaxCount);
    instance.Add("AutomaticPoolSelectionAllowed", true);
    return instance;
  }
};

}  // namespace

std::span<const Method> StorageServiceMethods() { return kStorageServiceMethods; }

ProviderPtr MakeStorageServiceProvider(FacePtr face) {
  return std::make_shared<StorageServiceProvider>(std::move(face));
}

ProviderPtr MakeStorageServiceCapabilitiesProvider(FacePtr face) {
  return std::make_shared<CapabilitiesProvider>(std::move(face));
}

wbem::ObjectPath StorageServiceCapabilitiesPath(const Face& face) {
  return face.paths.ById(kStorageServiceCapabilitiesClass, "storage-configuration", "service");
}

wbem::ObjectPath PoolServiceCapabilitiesPath(const Face& face, catalog::PoolId pool) {
  return face.paths.ById(kStorageServiceCapabilitiesClass, "storage-configuration", pool.ToString());
}

}  // namespace lockstep::smis
