#include "smis/permissions.h"

#include "smis/classes.h"

namespace lockstep::smis {
namespace {

using access::Role;

constexpr Permission kPermissions[] = {
    // Methods that only answer.
    {"*", "Get*", Role::kMonitor},
    {kReplicationCapabilitiesClass, "Convert*", Role::kMonitor},
    // Replication.
    {kReplicationServiceClass, "*", Role::kOperator},
    {kGroupClass, "*", Role::kOperator},
    {kStorageSynchronizedClass, "*", Role::kOperator},
    {kGroupSynchronizedClass, "*", Role::kOperator},
    {kAspectClass, "*", Role::kOperator},
    {kSettingsDefineStateClass, "*", Role::kOperator},
    // Volumes, not the pools that they are drawn from.
    {kStorageServiceClass, "CreateOrModifyElementFromStoragePool", Role::kOperator},
    {kStorageServiceClass, "CreateElementsFromStoragePools", Role::kOperator},
    {kStorageServiceClass, "ReturnToStoragePool", Role::kOperator},
    {kStorageServiceClass, "ReturnElementsToStoragePool", Role::kOperator},
    {kVolumeClass, "*", Role::kOperator},
    // Who is told of what: sent to where the subscriber says.
    {"CIM_IndicationFilter", "*", Role::kOperator},
    {"CIM_ListenerDestinationCIMXML", "*", Role::kOperator},
    {"CIM_IndicationHandlerCIMXML", "*", Role::kOperator},
    {"CIM_IndicationSubscription", "*", Role::kOperator},
    // Jobs are of those.
    {kJobClass, "*", Role::kOperator},
    {"*", "*", Role::kAdministrator},
};

bool Fits(std::string_view pattern, std::string_view text) {
  if (!pattern.ends_with('*')) return pattern == text;
  return text.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace

std::span<const Permission> Permissions() { return kPermissions; }

Role NeededRole(std::string_view class_name, std::string_view act) {
  for (const Permission& permission : kPermissions)
    if (Fits(permission.class_name, class_name) && Fits(permission.act, act)) return permission.role;
  return Role::kAdministrator;
}

}  // namespace lockstep::smis
