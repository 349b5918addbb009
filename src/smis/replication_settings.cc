#include "smis/replication_settings.h"

#include <algorithm>
#include <array>
#include <variant>

#include <fmt/format.h>

namespace lockstep::smis {

using replication::ReplicationSettings;
using wbem::Value;

namespace {

struct Interval {
  std::optional<uint64_t> ReplicationSettings::* us;
};

using Member = std::variant<std::optional<uint16_t> ReplicationSettings::*,
                            std::optional<uint64_t> ReplicationSettings::*,
                            std::optional<bool> ReplicationSettings::*,
                            std::optional<catalog::CopyMethodology> ReplicationSettings::*,
                            std::optional<catalog::CopyPriority> ReplicationSettings::*,
                            std::optional<catalog::ReadOnlyEnd> ReplicationSettings::*, Interval>;

struct Field {
  std::string_view name;
  Member member;
};

using S = ReplicationSettings;

const std::array<Field, 26> kFields = {{
    {"Pairing", &S::pairing},
    {"UnequalGroupsAction", &S::unequal_groups_action},
    {"DesiredCopyMethodology", &S::desired_copy_methodology},
    {"TargetElementSupplier", &S::target_element_supplier},
    {"ThinProvisioningPolicy", &S::thin_provisioning_policy},
    {"ConsistentPointInTime", &S::consistent_point_in_time},
    {"DeltaUpdateInterval", Interval{&S::delta_update_interval_us}},
    {"Multihop", &S::multihop},
    {"OnGroupOrListError", &S::on_group_or_list_error},
    {"CopyPriority", &S::copy_priority},
    {"CopyRecoveryMode", &S::copy_recovery_mode},
    {"DeltaUpdateBlocks", &S::delta_update_blocks},
    {"FailedCopyStopsHostIO", &S::failed_copy_stops_host_io},
    {"UnequalListsAction", &S::unequal_lists_action},
    {"ReadOnly", &S::read_only},
    {"StorageCompressionPolicy", &S::storage_compression_policy},
    {"AutoDelete", &S::auto_delete},
    {"RRCHardwareCompressionEnabled", &S::rrc_hardware_compression_enabled},
    {"RRCSoftwareCompressionEnabled", &S::rrc_software_compression_enabled},
    {"TargetElementGoal", &S::target_element_goal},
    {"TargetElementResourcePool", &S::target_element_resource_pool},
    {"TimeBeforeRemoval", Interval{&S::time_before_removal_us}},
    {"ConsistencyExempt", &S::consistency_exempt},
    {"ConsistentAsyncCopy", &S::consistent_async_copy},
    {"DesiredRPO", Interval{&S::desired_rpo_us}},
    {"MaximumSkew", &S::maximum_skew},
}};

// Properties of the superclasses, which say nothing about the copy.
bool IsInherited(std::string_view name) {
  for (std::string_view inherited : {"InstanceID", "ElementName", "Caption", "Description", "Generation",
                                     "ConfigurationName", "ChangeableType", "ComponentSetting", "SoID", "SoOrgID"}) {
    if (wbem::NameEquals(name, inherited)) return true;
  }
  return false;
}

// Reads `value` into one member; false when it is of the wrong type.
struct Reader {
  ReplicationSettings& settings;
  const Value& value;

  bool operator()(Interval interval) const {
    std::optional<wbem::Datetime> time = value.AsDatetime();
    if (!time) {
      // Instances written as MOF carry datetimes as strings.
      if (!value.AsString()) return false;
      Result<wbem::Datetime> parsed = wbem::Datetime::Parse(*value.AsString());
      if (!parsed.ok()) return false;
      time = *parsed;
    }
    if (!time->is_interval()) return false;
    settings.*interval.us = static_cast<uint64_t>(time->us());
    return true;
  }
  bool operator()(std::optional<bool> ReplicationSettings::* member) const {
    settings.*member = value.AsBool();
    return (settings.*member).has_value();
  }
  bool operator()(std::optional<uint64_t> ReplicationSettings::* member) const {
    settings.*member = value.AsUnsigned();
    return (settings.*member).has_value();
  }
  template <typename T>
  bool operator()(std::optional<T> ReplicationSettings::* member) const {
    std::optional<uint64_t> number = value.AsUnsigned();
    if (!number || *number > 0xffff) return false;
    settings.*member = static_cast<T>(*number);
    return true;
  }
};

struct Writer {
  const ReplicationSettings& settings;
  std::string_view name;
  wbem::Instance& instance;

  void operator()(Interval interval) const {
    if (const std::optional<uint64_t>& us = settings.*interval.us) {
      instance.Set(name, wbem::Datetime::Interval(*us));
    }
  }
  template <typename T>
  void operator()(std::optional<T> ReplicationSettings::* member) const {
    if (settings.*member) instance.Set(name, Value(*(settings.*member)));
  }
};

}  // namespace

Result<ReplicationSettings> ReadSettings(const Value& parameter) {
  ReplicationSettings settings;
  if (parameter.is_null()) return settings;
  const wbem::Instance* instance = parameter.AsInstance();
  if (!instance) return InvalidArgument("ReplicationSettingData is no instance of CIM_ReplicationSettingData");
  if (!wbem::NameEquals(instance->class_name, "CIM_ReplicationSettingData") &&
      !wbem::NameEquals(instance->class_name, kReplicationSettingClass)) {
    return InvalidArgument(fmt::format("ReplicationSettingData is an instance of {}, not of CIM_ReplicationSettingData",
                                       instance->class_name));
  }
  for (const wbem::Property& property : instance->properties) {
    if (property.value.is_null() || IsInherited(property.name)) continue;
    auto field = std::find_if(kFields.begin(), kFields.end(),
                              [&](const Field& f) { return wbem::NameEquals(f.name, property.name); });
    if (field == kFields.end()) {
      return InvalidArgument(fmt::format("CIM_ReplicationSettingData has no property {}", property.name));
    }
    if (!std::visit(Reader{settings, property.value}, field->member)) {
      return InvalidArgument(
          fmt::format("ReplicationSettingData: {} cannot be '{}'", property.name, property.value.ToText()));
    }
  }
  return settings;
}

wbem::Instance DefaultSettingsInstance(const Face& face, replication::ReplicationType type) {
  constexpr uint16_t kNotChangeablePersistent = 0;
  const uint16_t number = static_cast<uint16_t>(type);
  wbem::Instance instance = InstanceAt(face.paths.ById(kReplicationSettingClass, "replication-setting",
                                                       std::to_string(number)));
  instance.Add("ElementName", fmt::format("Default settings of replication type {}", number));
  instance.Add("ChangeableType", kNotChangeablePersistent);
  const ReplicationSettings settings = replication::DefaultSettings(type);
  for (const Field& field : kFields) std::visit(Writer{settings, field.name, instance}, field.member);
  return instance;
}

}  // namespace lockstep::smis
