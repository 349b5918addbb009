#include "replication/settings.h"

#include <array>
#include <string>

namespace lockstep::replication {
namespace {

// A property whose values the schema numbers first..last, of which only some can be honoured.
Status CheckRange(const char* name, std::optional<uint16_t> value, uint16_t first, uint16_t last) {
  if (!value || (*value >= first && *value <= last)) return Status::Ok();
  return InvalidArgument(std::string(name) + " is " + std::to_string(*value) + "; the schema knows " +
                         std::to_string(first) + " to " + std::to_string(last));
}

Status Refuse(const char* name, const char* why) { return NotSupported(std::string(name) + ": " + why); }

std::optional<uint16_t> Number(const auto& value) {
  return value ? std::optional<uint16_t>(static_cast<uint16_t>(*value)) : std::nullopt;
}

Status CheckRanges(const ReplicationSettings& s) {
  LS_RETURN_IF_ERROR(CheckRange("Pairing", s.pairing, 2, 4));
  LS_RETURN_IF_ERROR(CheckRange("UnequalGroupsAction", s.unequal_groups_action, 2, 4));
  LS_RETURN_IF_ERROR(CheckRange("UnequalListsAction", s.unequal_lists_action, 2, 4));
  LS_RETURN_IF_ERROR(CheckRange("DesiredCopyMethodology", Number(s.desired_copy_methodology), 1, 10));
  LS_RETURN_IF_ERROR(CheckRange("TargetElementSupplier", s.target_element_supplier, 1, 5));
  LS_RETURN_IF_ERROR(CheckRange("ThinProvisioningPolicy", s.thin_provisioning_policy, 2, 7));
  LS_RETURN_IF_ERROR(CheckRange("OnGroupOrListError", s.on_group_or_list_error, 2, 3));
  LS_RETURN_IF_ERROR(CheckRange("CopyPriority", Number(s.copy_priority), 0, 4));
  LS_RETURN_IF_ERROR(CheckRange("StorageCompressionPolicy", s.storage_compression_policy, 2, 7));
  LS_RETURN_IF_ERROR(CheckRange("TargetElementGoal", s.target_element_goal, 2, 3));
  LS_RETURN_IF_ERROR(CheckRange("TargetElementResourcePool", s.target_element_resource_pool, 2, 3));
  if (s.copy_recovery_mode.value_or(0) != 0) {
    LS_RETURN_IF_ERROR(CheckRange("CopyRecoveryMode", s.copy_recovery_mode, 2, 4));
  }
  if (s.read_only && *s.read_only != catalog::ReadOnlyEnd::kNeither) {
    LS_RETURN_IF_ERROR(CheckRange("ReadOnly", Number(s.read_only), 2, 4));
  }
  return Status::Ok();
}

// Wishes that concern links, other kinds of pools or other ways of copying than the log's.
Status CheckFeasible(const ReplicationSettings& s) {
  using catalog::CopyMethodology;
  if (s.desired_copy_methodology) {
    const CopyMethodology wish = *s.desired_copy_methodology;
    if (wish != CopyMethodology::kImplementationDecides && wish != CopyMethodology::kFullCopy &&
        wish != CopyMethodology::kCopyOnWrite) {
      return Refuse("DesiredCopyMethodology", "only 2 (Instrumentation decides), 3 (Full-Copy) and 6 (Copy-On-Write)");
    }
  }
  if (s.on_group_or_list_error.value_or(3) == 2) {
    return Refuse("OnGroupOrListError", "an operation on a group or list is done for all members or for none");
  }
  const uint16_t thin = s.thin_provisioning_policy.value_or(7);
  if (thin == 3 || thin == 4) return Refuse("ThinProvisioningPolicy", "all volumes are thin");
  const uint16_t compression = s.storage_compression_policy.value_or(7);
  if (compression >= 2 && compression <= 4) return Refuse("StorageCompressionPolicy", "volumes are not compressed");
  if (s.auto_delete.value_or(false)) return Refuse("AutoDelete", "replicas are removed on request only");
  if (s.time_before_removal_us) return Refuse("TimeBeforeRemoval", "replicas are removed on request only");
  if (s.failed_copy_stops_host_io.value_or(false)) return Refuse("FailedCopyStopsHostIO", "this is for remote mirrors");
  if (s.consistent_async_copy.value_or(false)) return Refuse("ConsistentAsyncCopy", "this is for mirrors");
  if (s.desired_rpo_us.value_or(0) != 0) return Refuse("DesiredRPO", "this is for asynchronous mirrors");
  if (s.maximum_skew.value_or(0) != 0) return Refuse("MaximumSkew", "this is for adaptive mirrors");
  if (s.delta_update_interval_us.value_or(0) != 0 || s.delta_update_blocks.value_or(0) != 0) {
    return Refuse("DeltaUpdateInterval, DeltaUpdateBlocks", "copies are not updated by themselves");
  }
  if (s.rrc_hardware_compression_enabled.value_or(false) || s.rrc_software_compression_enabled.value_or(false)) {
    return Refuse("RRCSoftwareCompressionEnabled, RRCHardwareCompressionEnabled", "there are no remote links");
  }
  return Status::Ok();
}

}  // namespace

Status CheckSettings(const ReplicationSettings& settings) {
  LS_RETURN_IF_ERROR(CheckRanges(settings));
  return CheckFeasible(settings);
}

}  // namespace lockstep::replication
