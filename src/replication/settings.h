// CIM_ReplicationSettingData as a value: what a caller wants of a copy. An absent property keeps its default (the
// schema's, or that of the replication type; replication/capabilities.h answers them).
//
// Properties that no replication type here can honour are refused when they ask for something other than what happens
// anyway. SettingRows says which, for checking, for the capabilities and for whoever reads and writes instances.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "catalog/states.h"

namespace lockstep::replication {

// Intervals are microseconds.
struct ReplicationSettings {
  std::optional<uint16_t> pairing;                 // 2 Instrumentation decides, 3 Exact order, 4 Optimum
  std::optional<uint16_t> unequal_groups_action;   // 2 Return an error (default), 3 source larger, 4 target larger
  std::optional<catalog::CopyMethodology> desired_copy_methodology;  // 3 Full-Copy: every byte is copied
  std::optional<uint16_t> target_element_supplier;  // 1 Use existing .. 5 Client must supply; default 4
  std::optional<uint16_t> thin_provisioning_policy;
  std::optional<bool> consistent_point_in_time;
  std::optional<uint64_t> delta_update_interval_us;
  std::optional<uint16_t> multihop;
  std::optional<uint16_t> on_group_or_list_error;  // 2 Continue, 3 Stop (default)
  std::optional<catalog::CopyPriority> copy_priority;
  std::optional<uint16_t> copy_recovery_mode;
  std::optional<uint64_t> delta_update_blocks;
  std::optional<bool> failed_copy_stops_host_io;
  std::optional<uint16_t> unequal_lists_action;    // 2 Return an error (default), 3 source larger, 4 target larger
  std::optional<catalog::ReadOnlyEnd> read_only;
  std::optional<uint16_t> storage_compression_policy;
  std::optional<bool> auto_delete;
  std::optional<bool> rrc_hardware_compression_enabled;
  std::optional<bool> rrc_software_compression_enabled;
  std::optional<uint16_t> target_element_goal;           // 2 Implementation decides, 3 Same as source element
  std::optional<uint16_t> target_element_resource_pool;  // 2 Implementation decides, 3 Same as source element
  std::optional<uint64_t> time_before_removal_us;
  std::optional<bool> consistency_exempt;
  std::optional<bool> consistent_async_copy;
  std::optional<uint64_t> desired_rpo_us;
  std::optional<uint64_t> maximum_skew;

  bool operator==(const ReplicationSettings&) const = default;
};

// Where a property stands in the settings. An interval is one of microseconds that CIM writes as a datetime.
struct IntervalMember {
  std::optional<uint64_t> ReplicationSettings::* us;
};
using SettingMember = std::variant<std::optional<uint16_t> ReplicationSettings::*,
                                   std::optional<uint64_t> ReplicationSettings::*,
                                   std::optional<bool> ReplicationSettings::*,
                                   std::optional<catalog::CopyMethodology> ReplicationSettings::*,
                                   std::optional<catalog::CopyPriority> ReplicationSettings::*,
                                   std::optional<catalog::ReadOnlyEnd> ReplicationSettings::*, IntervalMember>;

// One property. Values are as GetSupportedReplicationSettingData writes them: a boolean is 2 (false) or 3 (true).
struct SettingRow {
  std::string_view name;
  SettingMember member;
  uint16_t property_name = 0;           // of GetSupportedReplicationSettingData; 0: has none there
  uint16_t first = 0, last = 0;         // the schema's value map; 0, 0: any number
  bool zero = false;                    // 0 has a meaning, too
  bool advertised = false;              // as supported; otherwise only what asks for nothing is accepted
  uint64_t accepted = 0;                // bit n: the value n
  std::optional<uint64_t> default_value{};
  std::string_view why;                 // the other values are refused
  bool Accepts(uint64_t value) const { return value < 64 && (accepted >> value & 1) != 0; }
};
// Every property of CIM_ReplicationSettingData, in the schema's order.
std::span<const SettingRow> SettingRows();
// As such a value; nothing when the property is absent.
std::optional<uint64_t> ValueOf(const ReplicationSettings& settings, const SettingMember& member);

// invalid-argument: a number outside the schema's value map. not-supported: a legal wish that nothing here can fulfil.
Status CheckSettings(const ReplicationSettings& settings);

}  // namespace lockstep::replication
