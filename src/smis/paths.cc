#include "smis/paths.h"

#include <fmt/format.h>

#include <algorithm>

#include "smis/classes.h"
#include "smis/smis.h"

namespace lockstep::smis {

using wbem::NameEquals;
using wbem::ObjectPath;

namespace {

bool IsClass(const ObjectPath& path, const char* class_name) {
  return NameEquals(path.class_name, class_name) && (path.ns.empty() || NameEquals(path.ns, kStorageNamespace));
}

// The id in an InstanceID of the kind.
std::optional<Uuid> IdOf(const ObjectPath& path, const char* class_name, std::string_view kind) {
  if (!IsClass(path, class_name)) return std::nullopt;
  std::string_view text = path.KeyText("InstanceID");
  const std::string prefix = InstanceId(kind, "");
  if (!text.starts_with(prefix)) return std::nullopt;
  Result<Uuid> id = Uuid::Parse(text.substr(prefix.size()));
  if (!id.ok()) return std::nullopt;
  return *id;
}

}  // namespace

std::string InstanceId(std::string_view kind, std::string_view id) {
  return fmt::format("Lockstep:{}:{}", kind, id);
}

std::string NaaName(catalog::VolumeId volume) {
  // Digit 12 of a random UUID is always 4 (RFC 4122 4.4).
  constexpr size_t kVersionDigit = 12;
  std::string digits;
  for (char c : volume.ToString()) {
    if (c != '-') digits += c;
  }
  return "6" + digits.substr(0, kVersionDigit) + digits.substr(kVersionDigit + 1);
}

Paths::Paths(const control::Control& control, std::string system_name)
    : control_(control), system_name_(std::move(system_name)) {}

ObjectPath Paths::System() const {
  return {std::string(kStorageNamespace), kSystemClass, {{"CreationClassName", kSystemClass}, {"Name", system_name_}}};
}

ObjectPath Paths::Service(const char* class_name) const {
  return {std::string(kStorageNamespace),
          class_name,
          {{"SystemCreationClassName", kSystemClass},
           {"SystemName", system_name_},
           {"CreationClassName", class_name},
           {"Name", class_name}}};
}

ObjectPath Paths::StorageService() const { return Service(kStorageServiceClass); }

ObjectPath Paths::ReplicationService() const { return Service(kReplicationServiceClass); }

ObjectPath Paths::ById(const char* class_name, std::string_view kind, std::string_view id) const {
  return {std::string(kStorageNamespace), class_name, {{"InstanceID", InstanceId(kind, id)}}};
}

ObjectPath Paths::Pool(catalog::PoolId id) const { return ById(kPoolClass, "pool", id.ToString()); }

ObjectPath Paths::Device(const char* class_name, std::string id) const {
  return {std::string(kStorageNamespace),
          class_name,
          {{"SystemCreationClassName", kSystemClass},
           {"SystemName", system_name_},
           {"CreationClassName", class_name},
           {"DeviceID", std::move(id)}}};
}

ObjectPath Paths::Volume(catalog::VolumeId id) const { return Device(kVolumeClass, id.ToString()); }

ObjectPath Paths::Extent(block::DeviceId id) const { return Device(kExtentClass, id.ToString()); }

ObjectPath Paths::FreeExtent(const std::string& device) const {
  constexpr size_t kMost = 64;  // MaxLen of DeviceID; what tells long paths from each other stands at their ends
  return Device(kExtentClass, device.size() > kMost ? device.substr(device.size() - kMost) : device);
}

ObjectPath Paths::Software() const { return ById(kSoftwareClass, "software", LOCKSTEP_VERSION); }

ObjectPath Paths::AccessPoint() const { return Service(kAccessPointClass); }

ObjectPath Paths::Setting(catalog::VolumeId id) const { return ById(kStorageSettingClass, "setting", id.ToString()); }

ObjectPath Paths::Group(catalog::GroupId id) const { return ById(kGroupClass, "group", id.ToString()); }

ObjectPath Paths::Aspect(catalog::AspectId id) const { return ById(kAspectClass, "aspect", id.ToString()); }

ObjectPath Paths::SettingsState(const ObjectPath& element, catalog::AspectId id) const {
  return {std::string(kStorageNamespace),
          kSettingsDefineStateClass,
          {{"ManagedElement", element}, {"SettingData", Aspect(id)}}};
}

ObjectPath Paths::Job(catalog::JobId id) const { return ById(kJobClass, "job", id.ToString()); }

ObjectPath Paths::Relationship(const catalog::RelationshipRecord& record) const {
  return {std::string(kStorageNamespace),
          kStorageSynchronizedClass,
          {{"SystemElement", Volume(record.source)}, {"SyncedElement", Volume(record.target)}}};
}

ObjectPath Paths::GroupRelationship(const catalog::GroupRelationshipRecord& record) const {
  ObjectPath source = record.source_group.IsNil() ? Volume(record.source_element) : Group(record.source_group);
  return {std::string(kStorageNamespace),
          kGroupSynchronizedClass,
          {{"SystemElement", std::move(source)}, {"SyncedElement", Group(record.target_group)}}};
}

std::optional<catalog::PoolId> Paths::AsPool(const ObjectPath& path) const {
  std::optional<Uuid> id = IdOf(path, kPoolClass, "pool");
  if (!id || !control_.Pool(catalog::PoolId{*id}).ok()) return std::nullopt;
  return catalog::PoolId{*id};
}

std::optional<catalog::VolumeId> Paths::AsVolume(const ObjectPath& path) const {
  if (!IsClass(path, kVolumeClass)) return std::nullopt;
  Result<Uuid> id = Uuid::Parse(path.KeyText("DeviceID"));
  if (!id.ok()) return std::nullopt;
  const catalog::VolumeId volume{*id};
  ObjectPath ours = Volume(volume);
  ours.ns = path.ns;
  if (!path.SameAs(ours) || !control_.Glance(volume)) return std::nullopt;
  return volume;
}

std::optional<catalog::VolumeId> Paths::AsSetting(const ObjectPath& path) const {
  std::optional<Uuid> id = IdOf(path, kStorageSettingClass, "setting");
  if (!id || !control_.Glance(catalog::VolumeId{*id})) return std::nullopt;
  return catalog::VolumeId{*id};
}

std::optional<std::string> Paths::AsExtent(const ObjectPath& path) const {
  if (!IsClass(path, kExtentClass)) return std::nullopt;
  ObjectPath wanted = path;
  wanted.ns = kStorageNamespace;
  const std::vector<control::FreeDevice> free = control_.FreeDevices();
  for (const control::FreeDevice& device : free) {
    if (wanted.SameAs(FreeExtent(device.path))) return device.path;
  }
  const std::vector<control::PoolView> pools = control_.Pools();
  for (const control::PoolView& pool : pools) {
    for (const block::DeviceInfo& device : pool.devices) {
      if (wanted.SameAs(Extent(device.id))) return device.path;
    }
  }
  return std::nullopt;
}

std::optional<catalog::GroupId> Paths::AsGroup(const ObjectPath& path) const {
  std::optional<Uuid> id = IdOf(path, kGroupClass, "group");
  if (!id || !control_.Group(catalog::GroupId{*id}).ok()) return std::nullopt;
  return catalog::GroupId{*id};
}

std::optional<catalog::AspectId> Paths::AsAspect(const ObjectPath& path) const {
  std::optional<Uuid> id = IdOf(path, kAspectClass, "aspect");
  if (!id || !control_.Aspect(catalog::AspectId{*id}).ok()) return std::nullopt;
  return catalog::AspectId{*id};
}

std::optional<control::AspectRef> Paths::AsSettingsState(const ObjectPath& path) const {
  if (!IsClass(path, kSettingsDefineStateClass)) return std::nullopt;
  const wbem::Value* element = path.Key("ManagedElement");
  const wbem::Value* setting = path.Key("SettingData");
  if (!element || !setting || !element->AsReference() || !setting->AsReference()) return std::nullopt;
  std::optional<catalog::AspectId> id = AsAspect(*setting->AsReference());
  if (!id) return std::nullopt;
  const catalog::AspectRecord aspect = *control_.Aspect(*id);
  const bool of_group = !aspect.source_group.IsNil() && control_.Group(aspect.source_group).ok();
  if (of_group) {
    if (AsGroup(*element->AsReference()) != aspect.source_group) return std::nullopt;
    return control::AspectRef{*id, std::nullopt};
  }
  std::optional<catalog::VolumeId> volume = AsVolume(*element->AsReference());
  if (!volume || std::find(aspect.sources.begin(), aspect.sources.end(), *volume) == aspect.sources.end()) {
    return std::nullopt;
  }
  return control::AspectRef{*id, volume};
}

std::optional<catalog::JobId> Paths::AsJob(const ObjectPath& path) const {
  std::optional<Uuid> id = IdOf(path, kJobClass, "job");
  if (!id || !control_.Job(catalog::JobId{*id}).ok()) return std::nullopt;
  return catalog::JobId{*id};
}

std::optional<catalog::RelationshipId> Paths::AsRelationship(const ObjectPath& path) const {
  if (!IsClass(path, kStorageSynchronizedClass)) return std::nullopt;
  const wbem::Value* system = path.Key("SystemElement");
  const wbem::Value* synced = path.Key("SyncedElement");
  if (!system || !synced || !system->AsReference() || !synced->AsReference()) return std::nullopt;
  std::optional<catalog::VolumeId> source = AsVolume(*system->AsReference());
  std::optional<catalog::VolumeId> target = AsVolume(*synced->AsReference());
  if (!source || !target) return std::nullopt;
  Result<control::RelationshipView> found = control_.RelationshipOf(*source, *target);
  if (!found.ok()) return std::nullopt;
  return found->record.id;
}

std::optional<catalog::GroupRelationshipId> Paths::AsGroupRelationship(const ObjectPath& path) const {
  if (!IsClass(path, kGroupSynchronizedClass)) return std::nullopt;
  const wbem::Value* system = path.Key("SystemElement");
  const wbem::Value* synced = path.Key("SyncedElement");
  if (!system || !synced || !system->AsReference() || !synced->AsReference()) return std::nullopt;
  std::optional<catalog::GroupId> target = AsGroup(*synced->AsReference());
  std::optional<catalog::GroupId> group = AsGroup(*system->AsReference());
  std::optional<catalog::VolumeId> element = AsVolume(*system->AsReference());
  if (!target) return std::nullopt;
  for (const control::GroupRelationshipView& view : control_.GroupRelationships()) {
    if (view.record.target_group != *target) continue;
    if (group && view.record.source_group == *group) return view.record.id;
    if (element && view.record.source_group.IsNil() && view.record.source_element == *element) return view.record.id;
  }
  return std::nullopt;
}

}  // namespace lockstep::smis
