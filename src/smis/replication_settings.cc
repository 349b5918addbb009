#include "smis/replication_settings.h"

#include <algorithm>
#include <span>
#include <variant>

#include <fmt/format.h>

namespace lockstep::smis {

using replication::ReplicationSettings;
using wbem::Value;

namespace {

using replication::IntervalMember;
using replication::SettingRow;

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

  bool operator()(IntervalMember interval) const {
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

  void operator()(IntervalMember interval) const {
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
    const std::span<const SettingRow> rows = replication::SettingRows();
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const SettingRow& one) { return wbem::NameEquals(one.name, property.name); });
    if (row == rows.end()) {
      return InvalidArgument(fmt::format("CIM_ReplicationSettingData has no property {}", property.name));
    }
    if (!std::visit(Reader{settings, property.value}, row->member)) {
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
  for (const SettingRow& row : replication::SettingRows()) {
    std::visit(Writer{settings, row.name, instance}, row.member);
  }
  return instance;
}

}  // namespace lockstep::smis
