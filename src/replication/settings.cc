#include "replication/settings.h"

#include <array>
#include <string>

namespace lockstep::replication {
namespace {

using S = ReplicationSettings;

constexpr uint64_t Bits(std::initializer_list<unsigned> values) {
  uint64_t bits = 0;
  for (const unsigned value : values) bits |= uint64_t{1} << value;
  return bits;
}

constexpr uint64_t kNone = Bits({0}), kFalse = Bits({2}), kFalseOrTrue = Bits({2, 3});
constexpr std::string_view kNoLinks = "there are no remote links";
constexpr std::string_view kOnRequest = "replicas are removed on request only";
constexpr std::string_view kNoUpdates = "copies are not updated by themselves";

// name, member, PropertyName, value map, 0 too, advertised, accepted, default, why not the others
constexpr std::array kSettings = {
    SettingRow{"Pairing", &S::pairing, 9, 2, 4, false, true, Bits({2, 3, 4}), 3, ""},
    SettingRow{"UnequalGroupsAction", &S::unequal_groups_action, 6, 2, 4, false, true, Bits({2, 3, 4}), 2, ""},
    SettingRow{"DesiredCopyMethodology", &S::desired_copy_methodology, 3, 1, 10, false, true, Bits({2, 3, 6}), 2,
               "only 2 (Instrumentation decides), 3 (Full-Copy) and 6 (Copy-On-Write)"},
    SettingRow{"TargetElementSupplier", &S::target_element_supplier, 7, 1, 5, false, true, Bits({2, 3, 4, 5}), 4,
               "no existing volume is picked for you; name the targets, or ask for new ones with 2 or 4"},
    SettingRow{"ThinProvisioningPolicy", &S::thin_provisioning_policy, 8, 2, 7, false, true, Bits({2, 5, 6, 7}), 7,
               "all volumes are thin"},
    SettingRow{"ConsistentPointInTime", &S::consistent_point_in_time, 2, 0, 0, false, true, kFalseOrTrue, 2, ""},
    SettingRow{"DeltaUpdateInterval", IntervalMember{&S::delta_update_interval_us}, 13, 0, 0, false, false, kNone, {},
               kNoUpdates},
    SettingRow{"Multihop", &S::multihop, 4, 0, 0, false, true, Bits({1}), 1,
               "hops need no notice; copy the copies, as far as you like"},
    SettingRow{"OnGroupOrListError", &S::on_group_or_list_error, 5, 2, 3, false, true, Bits({3}), 3,
               "an operation on a group or list is done for all members or for none"},
    SettingRow{"CopyPriority", &S::copy_priority, 0, 0, 4, true, true, Bits({0, 1, 2, 3, 4}), 2, ""},
    SettingRow{"CopyRecoveryMode", &S::copy_recovery_mode, 11, 2, 4, true, false, Bits({0, 4}), {}, kNoLinks},
    SettingRow{"DeltaUpdateBlocks", &S::delta_update_blocks, 14, 0, 0, false, false, kNone, {}, kNoUpdates},
    SettingRow{"FailedCopyStopsHostIO", &S::failed_copy_stops_host_io, 10, 0, 0, false, false, kFalse, {},
               "this is for remote mirrors"},
    SettingRow{"UnequalListsAction", &S::unequal_lists_action, 12, 2, 4, false, true, Bits({2, 3, 4}), 2, ""},
    SettingRow{"ReadOnly", &S::read_only, 15, 2, 4, true, true, Bits({0, 2, 3, 4}), {}, ""},
    SettingRow{"StorageCompressionPolicy", &S::storage_compression_policy, 16, 2, 7, false, true, Bits({5, 6, 7}), 7,
               "volumes are not compressed"},
    SettingRow{"AutoDelete", &S::auto_delete, 21, 0, 0, false, false, kFalse, {}, kOnRequest},
    SettingRow{"RRCHardwareCompressionEnabled", &S::rrc_hardware_compression_enabled, 20, 0, 0, false, false, kFalse,
               {}, kNoLinks},
    SettingRow{"RRCSoftwareCompressionEnabled", &S::rrc_software_compression_enabled, 19, 0, 0, false, false, kFalse,
               {}, kNoLinks},
    SettingRow{"TargetElementGoal", &S::target_element_goal, 18, 2, 3, false, true, Bits({2, 3}), 2, ""},
    SettingRow{"TargetElementResourcePool", &S::target_element_resource_pool, 17, 2, 3, false, true, Bits({2, 3}), 2,
               ""},
    SettingRow{"TimeBeforeRemoval", IntervalMember{&S::time_before_removal_us}, 23, 0, 0, false, false, kNone, {},
               kOnRequest},
    SettingRow{"ConsistencyExempt", &S::consistency_exempt, 24, 0, 0, false, true, kFalseOrTrue, 2, ""},
    SettingRow{"ConsistentAsyncCopy", &S::consistent_async_copy, 25, 0, 0, false, false, kFalse, {},
               "this is for mirrors"},
    SettingRow{"DesiredRPO", IntervalMember{&S::desired_rpo_us}, 26, 0, 0, false, false, kNone, {},
               "this is for asynchronous mirrors"},
    SettingRow{"MaximumSkew", &S::maximum_skew, 27, 0, 0, false, false, kNone, {}, "this is for adaptive mirrors"},
};

// A value as SettingRow has it.
struct MemberValue {
  const ReplicationSettings& settings;
  std::optional<uint64_t> operator()(IntervalMember interval) const { return settings.*interval.us; }
  std::optional<uint64_t> operator()(std::optional<bool> S::* flag) const {
    constexpr uint64_t kNo = 2, kYes = 3;
    if (!(settings.*flag)) return std::nullopt;
    return *(settings.*flag) ? kYes : kNo;
  }
  std::optional<uint64_t> operator()(std::optional<uint64_t> S::* number) const { return settings.*number; }
  template <typename T>
  std::optional<uint64_t> operator()(std::optional<T> S::* number) const {
    if (!(settings.*number)) return std::nullopt;
    return static_cast<uint64_t>(*(settings.*number));
  }
};

Status CheckRow(const SettingRow& row, uint64_t value) {
  const bool mapped = row.first != 0 || row.last != 0;
  const bool known = !mapped || (value >= row.first && value <= row.last) || (row.zero && value == 0);
  if (!known) {
    return InvalidArgument(std::string(row.name) + " is " + std::to_string(value) + "; the schema knows " +
                           std::to_string(row.first) + " to " + std::to_string(row.last));
  }
  if (row.Accepts(value)) return Status::Ok();
  return NotSupported(std::string(row.name) + ": " + std::string(row.why));
}

}  // namespace

std::span<const SettingRow> SettingRows() { return kSettings; }

std::optional<uint64_t> ValueOf(const ReplicationSettings& settings, const SettingMember& member) {
  return std::visit(MemberValue{settings}, member);
}

Status CheckSettings(const ReplicationSettings& settings) {
  for (const SettingRow& row : kSettings) {
    const std::optional<uint64_t> value = ValueOf(settings, row.member);
    if (value) LS_RETURN_IF_ERROR(CheckRow(row, *value));
  }
  return Status::Ok();
}

}  // namespace lockstep::replication
