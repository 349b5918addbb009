// Object paths of our instances, and back: which object a path that a client gave names. A path that names nothing of
// the kind wanted (other class, other namespace, other system, malformed or unknown id) resolves to nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "catalog/model.h"
#include "control/control.h"
#include "wbem/objects.h"

namespace lockstep::smis {

// "Lockstep:<kind>:<id>", the form that the schema recommends for InstanceID (OrgID:LocalID).
std::string InstanceId(std::string_view kind, std::string_view id);

// CIM_StorageVolume.Name: 32 hexadecimal digits in the shape of an NAA type 6 identifier, made from the volume's id by
// leaving out the digit of it that says "random UUID". Not registered with the IEEE, but unique as the id is.
std::string NaaName(catalog::VolumeId volume);

class Paths {
 public:
  // `control` answers whether an object is there; it outlives this.
  Paths(const control::Control& control, std::string system_name);

  wbem::ObjectPath System() const;
  wbem::ObjectPath StorageService() const;
  wbem::ObjectPath ReplicationService() const;
  // Instances of classes whose key is InstanceID.
  wbem::ObjectPath ById(const char* class_name, std::string_view kind, std::string_view id) const;
  wbem::ObjectPath PrimordialPool() const { return ById("Lockstep_StoragePool", "pool", "primordial"); }
  wbem::ObjectPath Pool(catalog::PoolId id) const;
  wbem::ObjectPath Volume(catalog::VolumeId id) const;
  wbem::ObjectPath Setting(catalog::VolumeId id) const;  // the StorageSetting of the volume
  wbem::ObjectPath Extent(block::DeviceId id) const;
  wbem::ObjectPath FreeExtent(const std::string& device) const;  // one that is part of no pool
  wbem::ObjectPath Software() const;
  wbem::ObjectPath AccessPoint() const;
  wbem::ObjectPath Group(catalog::GroupId id) const;
  wbem::ObjectPath Aspect(catalog::AspectId id) const;
  // The SettingsDefineState of an element, a volume or a group, and the aspect.
  wbem::ObjectPath SettingsState(const wbem::ObjectPath& element, catalog::AspectId id) const;
  wbem::ObjectPath Job(catalog::JobId id) const;
  wbem::ObjectPath Relationship(const catalog::RelationshipRecord& record) const;
  wbem::ObjectPath GroupRelationship(const catalog::GroupRelationshipRecord& record) const;

  bool IsSystem(const wbem::ObjectPath& path) const { return path.SameAs(System()); }
  std::optional<catalog::PoolId> AsPool(const wbem::ObjectPath& path) const;
  std::optional<catalog::VolumeId> AsVolume(const wbem::ObjectPath& path) const;
  std::optional<catalog::VolumeId> AsSetting(const wbem::ObjectPath& path) const;
  // The path of the device, whether it is free or part of a pool.
  std::optional<std::string> AsExtent(const wbem::ObjectPath& path) const;
  std::optional<catalog::GroupId> AsGroup(const wbem::ObjectPath& path) const;
  std::optional<catalog::AspectId> AsAspect(const wbem::ObjectPath& path) const;
  std::optional<control::AspectRef> AsSettingsState(const wbem::ObjectPath& path) const;
  std::optional<catalog::JobId> AsJob(const wbem::ObjectPath& path) const;
  std::optional<catalog::RelationshipId> AsRelationship(const wbem::ObjectPath& path) const;
  std::optional<catalog::GroupRelationshipId> AsGroupRelationship(const wbem::ObjectPath& path) const;

  const std::string& system_name() const { return system_name_; }

 private:
  wbem::ObjectPath Service(const char* class_name) const;
  wbem::ObjectPath Device(const char* class_name, std::string id) const;

  const control::Control& control_;
  std::string system_name_;
};

}  // namespace lockstep::smis
