// The names of the classes that have instances here (schema/lockstep.mof and schema/lockstep_interop.mof).
#pragma once

namespace lockstep::smis {

inline constexpr char kSystemClass[] = "Lockstep_StorageSystem";
inline constexpr char kPoolClass[] = "Lockstep_StoragePool";
inline constexpr char kVolumeClass[] = "Lockstep_StorageVolume";
inline constexpr char kExtentClass[] = "Lockstep_StorageExtent";
inline constexpr char kSoftwareClass[] = "Lockstep_SoftwareIdentity";
inline constexpr char kAccessPointClass[] = "Lockstep_RemoteServiceAccessPoint";
inline constexpr char kStorageServiceClass[] = "Lockstep_StorageConfigurationService";
inline constexpr char kStorageServiceCapabilitiesClass[] = "Lockstep_StorageConfigurationCapabilities";
inline constexpr char kStorageCapabilitiesClass[] = "Lockstep_StorageCapabilities";
inline constexpr char kStorageSettingClass[] = "Lockstep_StorageSetting";
inline constexpr char kReplicationServiceClass[] = "Lockstep_ReplicationService";
inline constexpr char kReplicationCapabilitiesClass[] = "Lockstep_ReplicationServiceCapabilities";
inline constexpr char kReplicationSettingClass[] = "Lockstep_ReplicationSettingData";
inline constexpr char kGroupClass[] = "Lockstep_ReplicationGroup";
inline constexpr char kStorageSynchronizedClass[] = "Lockstep_StorageSynchronized";
inline constexpr char kGroupSynchronizedClass[] = "Lockstep_GroupSynchronized";
inline constexpr char kAspectClass[] = "Lockstep_SynchronizationAspect";
inline constexpr char kSettingsDefineStateClass[] = "Lockstep_SettingsDefineState";
inline constexpr char kJobClass[] = "Lockstep_ConcreteJob";
inline constexpr char kProfileClass[] = "Lockstep_RegisteredProfile";

}  // namespace lockstep::smis
