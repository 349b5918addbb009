// The associations that have no content of their own: each is a walk over control's views that gives pairs of paths.
// Where there may be many pairs, an end that is asked about narrows the walk to the volume or job concerned.
#include "smis/aspects.h"
#include "smis/pool_space.h"
#include "smis/providers.h"
#include "wbem/indication_providers.h"

namespace lockstep::smis {

using wbem::ObjectPath;
using wbem::Pair;
using wbem::PairSink;
using wbem::Value;

namespace {

using Walk = void (*)(const Face& face, const ObjectPath* end, const PairSink& sink);

// The volumes to look at: the one that `end` names, or all when it names something else.
std::vector<catalog::VolumeId> VolumesFor(const Face& face, const ObjectPath* end) {
  if (!end || !wbem::NameEquals(end->class_name, kVolumeClass)) return face.control.VolumeIds();
  std::optional<catalog::VolumeId> id = face.paths.AsVolume(*end);
  if (!id) return {};
  return {*id};
}

void HostedService(const Face& face, const ObjectPath*, const PairSink& sink) {
  if (!sink({face.paths.System(), face.paths.ReplicationService(), {}})) return;
  if (!sink({face.paths.System(), face.paths.StorageService(), {}}) || !face.indications) return;
  sink({face.paths.System(), IndicationService(face), {}});
}

void HostedStoragePool(const Face& face, const ObjectPath*, const PairSink& sink) {
  if (!sink({face.paths.System(), face.paths.PrimordialPool(), {}})) return;
  for (const control::PoolView& pool : face.control.Pools()) {
    if (!sink({face.paths.System(), face.paths.Pool(pool.record.id), {}})) return;
  }
}

void SystemDevice(const Face& face, const ObjectPath* end, const PairSink& sink) {
  const std::vector<catalog::VolumeId> volumes = VolumesFor(face, end);
  for (catalog::VolumeId volume : volumes) {
    if (!sink({face.paths.System(), face.paths.Volume(volume), {}})) return;
  }
  const std::vector<control::PoolView> pools = face.control.Pools();
  for (const control::PoolView& pool : pools) {
    for (const block::DeviceInfo& device : pool.devices) {
      if (!sink({face.paths.System(), face.paths.Extent(device.id), {}})) return;
    }
  }
  const std::vector<control::FreeDevice> free = face.control.FreeDevices();
  for (const control::FreeDevice& device : free) {
    if (!sink({face.paths.System(), face.paths.FreeExtent(device.path), {}})) return;
  }
}

void ConcreteComponent(const Face& face, const ObjectPath*, const PairSink& sink) {
  const std::vector<control::PoolView> pools = face.control.Pools();
  for (const control::PoolView& pool : pools) {
    for (const block::DeviceInfo& device : pool.devices) {
      if (!sink({face.paths.Pool(pool.record.id), face.paths.Extent(device.id), {}})) return;
    }
  }
  const std::vector<control::FreeDevice> free = face.control.FreeDevices();
  for (const control::FreeDevice& device : free) {
    if (!sink({face.paths.PrimordialPool(), face.paths.FreeExtent(device.path), {}})) return;
  }
}

void InstalledSoftwareIdentity(const Face& face, const ObjectPath*, const PairSink& sink) {
  sink({face.paths.System(), face.paths.Software(), {}});
}

void HostedAccessPoint(const Face& face, const ObjectPath*, const PairSink& sink) {
  sink({face.paths.System(), face.paths.AccessPoint(), {}});
}

void SapAvailableForElement(const Face& face, const ObjectPath*, const PairSink& sink) {
  sink({face.paths.AccessPoint(), face.paths.System(), {}});
}

void AllocatedFromStoragePool(const Face& face, const ObjectPath* end, const PairSink& sink) {
  for (const control::PoolView& pool : face.control.Pools()) {
    Pair pair{face.paths.PrimordialPool(), face.paths.Pool(pool.record.id), {}};
    pair.properties.push_back({"SpaceConsumed", SpaceOf(face.control, pool).size});
    if (!sink(std::move(pair))) return;
  }
  const std::vector<catalog::VolumeId> volumes = VolumesFor(face, end);
  for (catalog::VolumeId id : volumes) {
    const std::optional<control::VolumeGlance> volume = face.control.Glance(id);
    if (!volume) continue;
    Pair pair{face.paths.Pool(volume->record->pool), face.paths.Volume(id), {}};
    pair.properties.push_back({"SpaceConsumed", volume->used});
    if (!sink(std::move(pair))) return;
  }
}

void ElementCapabilities(const Face& face, const ObjectPath*, const PairSink& sink) {
  constexpr uint16_t kDefault = 2, kCurrent = 3;
  const Value both = Value::Array(std::vector<uint16_t>{kDefault, kCurrent});
  auto give = [&](ObjectPath element, ObjectPath capabilities) {
    return sink({std::move(element), std::move(capabilities), {{"Characteristics", both}}});
  };
  if (!give(face.paths.ReplicationService(), ReplicationCapabilitiesPath(face))) return;
  if (!give(face.paths.StorageService(), StorageServiceCapabilitiesPath(face))) return;
  for (const control::PoolView& pool : face.control.Pools()) {
    const catalog::PoolId id = pool.record.id;
    if (!give(face.paths.Pool(id), PoolServiceCapabilitiesPath(face, id))) return;
    if (!give(face.paths.Pool(id), StorageCapabilitiesPath(face, id))) return;
  }
}

void ElementSettingData(const Face& face, const ObjectPath* end, const PairSink& sink) {
  constexpr uint16_t kYes = 1;
  const std::vector<catalog::VolumeId> volumes = VolumesFor(face, end);
  for (catalog::VolumeId volume : volumes) {
    Pair pair{face.paths.Volume(volume), face.paths.Setting(volume), {}};
    pair.properties.push_back({"IsDefault", kYes});
    pair.properties.push_back({"IsCurrent", kYes});
    if (!sink(std::move(pair))) return;
  }
}

void SettingsDefineState(const Face& face, const ObjectPath*, const PairSink& sink) {
  for (const catalog::AspectRecord& aspect : face.control.Aspects()) {
    for (ObjectPath& source : AspectSources(face, aspect)) {
      if (!sink({std::move(source), face.paths.Aspect(aspect.id), {}})) return;
    }
  }
}

void HostedCollection(const Face& face, const ObjectPath*, const PairSink& sink) {
  for (const catalog::GroupRecord& group : face.control.Groups()) {
    if (!sink({face.paths.System(), face.paths.Group(group.id), {}})) return;
  }
}

void OrderedMemberOfCollection(const Face& face, const ObjectPath* end, const PairSink& sink) {
  const bool of_group = end && wbem::NameEquals(end->class_name, kGroupClass);
  const bool of_volume = end && wbem::NameEquals(end->class_name, kVolumeClass);
  const std::optional<catalog::GroupId> only_group = of_group ? face.paths.AsGroup(*end) : std::nullopt;
  const std::optional<catalog::VolumeId> only_member = of_volume ? face.paths.AsVolume(*end) : std::nullopt;
  if ((of_group && !only_group) || (of_volume && !only_member)) return;
  std::vector<catalog::GroupRecord> groups;
  if (!only_group) groups = face.control.Groups();
  else if (auto one = face.control.Group(*only_group); one.ok()) groups.push_back(*std::move(one));
  for (const catalog::GroupRecord& group : groups) {
    uint64_t place = 0;
    for (catalog::VolumeId member : group.members) {
      if (only_member && member != *only_member) {
        ++place;
        continue;
      }
      Pair pair{face.paths.Group(group.id), face.paths.Volume(member), {}};
      pair.properties.push_back({"AssignedSequence", ++place});
      if (!sink(std::move(pair))) return;
    }
  }
}

void ServiceAffectsElement(const Face& face, const ObjectPath*, const PairSink& sink) {
  constexpr uint16_t kManages = 5;
  for (const catalog::GroupRecord& group : face.control.Groups()) {
    Pair pair{face.paths.Group(group.id), face.paths.ReplicationService(), {}};
    pair.properties.push_back({"ElementEffects", Value::Array(std::vector<uint16_t>{kManages})});
    if (!sink(std::move(pair))) return;
  }
}

void OwningJobElement(const Face& face, const ObjectPath*, const PairSink& sink) {
  const std::vector<catalog::JobRecord> jobs = face.control.Jobs();
  for (const catalog::JobRecord& job : jobs) {
    const bool copies = job.kind == catalog::JobKind::kCopy;
    ObjectPath owner = copies ? face.paths.ReplicationService() : face.paths.StorageService();
    if (!sink({std::move(owner), face.paths.Job(job.id), {}})) return;
  }
}

// What a job works on, as far as it is still there. Of volumes only the targets: clients take the first volume that
// they find here for the replica that the job made. Relationships cannot be here, since an association is no
// CIM_ManagedElement; the call that started the job has answered their paths.
std::vector<ObjectPath> AffectedBy(const Face& face, const catalog::JobRecord& job) {
  std::vector<ObjectPath> elements;
  for (catalog::VolumeId volume : job.volumes) {
    if (face.control.Glance(volume)) elements.push_back(face.paths.Volume(volume));
  }
  for (catalog::GroupId group : job.groups) {
    if (face.control.Group(group).ok()) elements.push_back(face.paths.Group(group));
  }
  if (face.control.Pool(job.pool).ok()) elements.push_back(face.paths.Pool(job.pool));
  return elements;
}

void AffectedJobElement(const Face& face, const ObjectPath* end, const PairSink& sink) {
  constexpr uint16_t kUnknown = 0;
  std::optional<catalog::JobId> asked = end ? face.paths.AsJob(*end) : std::nullopt;
  for (const catalog::JobRecord& job : face.control.Jobs()) {
    if (asked && job.id != *asked) continue;
    for (ObjectPath& element : AffectedBy(face, job)) {
      Pair pair{std::move(element), face.paths.Job(job.id), {}};
      pair.properties.push_back({"ElementEffects", Value::Array(std::vector<uint16_t>{kUnknown})});
      if (!sink(std::move(pair))) return;
    }
  }
}

struct Row {
  const char* class_name;
  const char* left;
  const char* right;
  Walk walk;
};

constexpr Row kRows[] = {
    {"Lockstep_HostedService", "Antecedent", "Dependent", HostedService},
    {"Lockstep_HostedStoragePool", "GroupComponent", "PartComponent", HostedStoragePool},
    {"Lockstep_SystemDevice", "GroupComponent", "PartComponent", SystemDevice},
    {"Lockstep_ConcreteComponent", "GroupComponent", "PartComponent", ConcreteComponent},
    {"Lockstep_InstalledSoftwareIdentity", "System", "InstalledSoftware", InstalledSoftwareIdentity},
    {"Lockstep_HostedAccessPoint", "Antecedent", "Dependent", HostedAccessPoint},
    {"Lockstep_SAPAvailableForElement", "AvailableSAP", "ManagedElement", SapAvailableForElement},
    {"Lockstep_AllocatedFromStoragePool", "Antecedent", "Dependent", AllocatedFromStoragePool},
    {"Lockstep_ElementCapabilities", "ManagedElement", "Capabilities", ElementCapabilities},
    {"Lockstep_ElementSettingData", "ManagedElement", "SettingData", ElementSettingData},
    {kSettingsDefineStateClass, "ManagedElement", "SettingData", SettingsDefineState},
    {"Lockstep_HostedCollection", "Antecedent", "Dependent", HostedCollection},
    {"Lockstep_OrderedMemberOfCollection", "Collection", "Member", OrderedMemberOfCollection},
    {"Lockstep_ServiceAffectsElement", "AffectedElement", "AffectingElement", ServiceAffectsElement},
    {"Lockstep_OwningJobElement", "OwningElement", "OwnedElement", OwningJobElement},
    {"Lockstep_AffectedJobElement", "AffectedElement", "AffectingElement", AffectedJobElement},
};

}  // namespace

ObjectPath IndicationService(const Face& face) {
  return wbem::IndicationServicePath(std::string(kInteropNamespace), ServerOf(face.identity));
}

Association MakeHostedIndicationService(FacePtr face) {
  auto source = [face](const ObjectPath*, const PairSink& sink) -> Status {
    if (face->indications) sink({face->paths.System(), IndicationService(*face), {}});
    return {};
  };
  return {"CIM_HostedService", wbem::MakePairAssociation("Antecedent", "Dependent", source)};
}

std::vector<Association> MakeAssociations(FacePtr face) {
  std::vector<Association> associations;
  for (const Row& row : kRows) {
    auto source = [face, walk = row.walk](const ObjectPath* end, const PairSink& sink) -> Status {
      walk(*face, end, sink);
      return {};
    };
    associations.push_back({row.class_name, wbem::MakePairAssociation(row.left, row.right, source)});
  }
  return associations;
}

}  // namespace lockstep::smis
