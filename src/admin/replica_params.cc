#include "admin/replica_params.h"

#include <limits>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "admin/lookup.h"
#include "admin/words.h"

namespace lockstep::admin {

using replication::ReplicationSettings;

namespace {

// Reads an optional number or truth value of the settings, range checked for its type.
template <typename T>
void Read(Fields& fields, std::string_view name, std::optional<T>& to) {
  if constexpr (std::is_same_v<T, bool>) {
    to = fields.OptionalBool(name);
  } else {
    constexpr uint64_t kAbsent = std::numeric_limits<uint64_t>::max();
    const uint64_t number = fields.Number(name, kAbsent);
    if (number == kAbsent) return;
    if constexpr (sizeof(T) == sizeof(uint16_t)) {
      if (number > std::numeric_limits<uint16_t>::max()) return fields.Fail(name, "is not one of the schema's numbers");
    }
    to = static_cast<T>(number);
  }
}

void ReadNumbers(Fields& in, ReplicationSettings& settings) {
  Read(in, "pairing", settings.pairing);
  Read(in, "unequal_groups_action", settings.unequal_groups_action);
  Read(in, "desired_copy_methodology", settings.desired_copy_methodology);
  Read(in, "target_element_supplier", settings.target_element_supplier);
  Read(in, "thin_provisioning_policy", settings.thin_provisioning_policy);
  Read(in, "consistent_point_in_time", settings.consistent_point_in_time);
  Read(in, "delta_update_interval_us", settings.delta_update_interval_us);
  Read(in, "multihop", settings.multihop);
  Read(in, "on_group_or_list_error", settings.on_group_or_list_error);
  Read(in, "copy_priority", settings.copy_priority);
  Read(in, "copy_recovery_mode", settings.copy_recovery_mode);
  Read(in, "delta_update_blocks", settings.delta_update_blocks);
  Read(in, "failed_copy_stops_host_io", settings.failed_copy_stops_host_io);
  Read(in, "unequal_lists_action", settings.unequal_lists_action);
  Read(in, "read_only", settings.read_only);
  Read(in, "storage_compression_policy", settings.storage_compression_policy);
  Read(in, "auto_delete", settings.auto_delete);
  Read(in, "target_element_goal", settings.target_element_goal);
  Read(in, "target_element_resource_pool", settings.target_element_resource_pool);
  Read(in, "time_before_removal_us", settings.time_before_removal_us);
  Read(in, "consistency_exempt", settings.consistency_exempt);
  Read(in, "consistent_async_copy", settings.consistent_async_copy);
  Read(in, "desired_rpo_us", settings.desired_rpo_us);
  Read(in, "maximum_skew", settings.maximum_skew);
}

// A word of the schema, if it is there.
template <typename E>
std::optional<E> ReadWord(Fields& fields, std::string_view name, Result<E> (*parse)(std::string_view)) {
  const auto text = fields.OptionalString(name);
  if (!text) return std::nullopt;
  const Result<E> word = parse(*text);
  if (word.ok()) return *word;
  fields.Fail(name, "is wrong: " + word.status().message());
  return std::nullopt;
}

}  // namespace

ReplicationSettings ReadSettings(Fields& fields, const Json& params) {
  ReplicationSettings settings;
  fields.Allow("settings");
  const auto found = params.find("settings");
  if (found == params.end() || found->is_null()) return settings;
  if (!found->is_object()) {
    fields.Fail("settings", "must be an object");
    return settings;
  }
  Fields in(*found);
  ReadNumbers(in, settings);
  if (in.Bool("full_copy", false)) settings.desired_copy_methodology = catalog::CopyMethodology::kFullCopy;
  if (const Status status = in.Finish(); !status.ok()) fields.Fail("settings", "is wrong: " + status.message());
  return settings;
}

std::optional<catalog::CopyState> ReadCopyState(Fields& fields, std::string_view name) {
  return ReadWord(fields, name, ParseCopyState);
}

std::optional<catalog::CopyState> ReadWaitFor(Fields& fields) { return ReadCopyState(fields, "wait_for_copy_state"); }

std::optional<uint16_t> ReadConsistency(Fields& fields) {
  const auto text = fields.OptionalString("consistency");
  if (!text) return std::nullopt;
  if (*text == "none") return uint16_t{2};
  if (*text == "sequential") return uint16_t{3};
  fields.Fail("consistency", "must be \"none\" or \"sequential\"");
  return std::nullopt;
}

std::optional<catalog::SyncType> ReadSyncType(Fields& fields) { return ReadWord(fields, "sync_type", ParseSyncType); }

std::optional<catalog::Mode> ReadMode(Fields& fields) { return ReadWord(fields, "mode", ParseMode); }

control::ReplicaOptions ReadReplicaOptions(Fields& fields, const Json& params, const control::Control& control) {
  control::ReplicaOptions options = ReadTargetOptions(fields, params, control);
  if (const auto type = ReadSyncType(fields)) options.sync_type = *type;
  options.mode = ReadMode(fields);
  return options;
}

control::ReplicaOptions ReadTargetOptions(Fields& fields, const Json& params, const control::Control& control) {
  control::ReplicaOptions options;
  options.settings = ReadSettings(fields, params);
  options.wait_for_copy_state = ReadWaitFor(fields);
  if (const auto pool = fields.OptionalString("target_pool")) {
    const auto view = FindPool(control, *pool);
    if (view.ok()) options.target_pool = view->record.id;
    else fields.Fail("target_pool", "is wrong: " + view.status().message());
  }
  return options;
}

}  // namespace lockstep::admin
