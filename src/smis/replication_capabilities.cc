// CIM_ReplicationServiceCapabilities. Every answer comes from replication/capabilities.h and so from the data that the
// operations obey; this file only reads parameters and names results.
#include <fmt/format.h>

#include "catalog/model.h"
#include "replication/capabilities.h"
#include "smis/method_tables.h"
#include "smis/providers.h"
#include "smis/replication_settings.h"

namespace lockstep::smis {

using catalog::GroupId;
using catalog::VolumeId;
using replication::ReplicationType;
using replication::Scope;
using wbem::Property;
using wbem::Value;

namespace {

Value Numbers(std::span<const uint16_t> numbers) {
  return Value::Array(std::vector<uint16_t>(numbers.begin(), numbers.end()));
}

template <typename E>
Value EnumNumbers(const std::vector<E>& values) {
  std::vector<uint16_t> numbers;
  for (E value : values) numbers.push_back(static_cast<uint16_t>(value));
  return Value::Array(numbers);
}

Task<Outcome> Answer(const char* name, Value value) {
  std::vector<Property> out;
  out.push_back({name, std::move(value)});
  co_return Done(std::move(out));
}

// The parameter ReplicationType: not-supported for one that the schema knows and we do not.
Result<ReplicationType> ReadType(Arguments& arguments) {
  constexpr uint64_t kFirst = 2, kLast = 25;
  arguments.Require("ReplicationType");
  arguments.Settings();
  if (!arguments.status().ok()) return arguments.status();
  const uint64_t number = *arguments.Number("ReplicationType");
  if (number < kFirst || number > kLast) {
    return InvalidArgument(fmt::format("ReplicationType {} has no meaning", number));
  }
  const auto type = static_cast<ReplicationType>(number);
  if (!replication::IsSupported(type)) {
    return NotSupported(fmt::format("replication type {} is not supported", number));
  }
  return type;
}

// A number that must be one of the schema's.
template <typename E>
Result<std::optional<E>> ReadKnown(Arguments& arguments, const char* name) {
  std::optional<E> value = arguments.Enum<E>(name);
  if (value && !IsKnown(*value)) {
    return InvalidArgument(fmt::format("{} {} has no meaning", name, static_cast<uint16_t>(*value)));
  }
  return value;
}

constexpr uint16_t kLocal = 2, kRemote = 3;

Task<Outcome> ConvertSyncTypeToReplicationType(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  arguments.Require("SyncType");
  const uint64_t place = arguments.Number("LocalOrRemote").value_or(kLocal);
  if (place != kLocal && place != kRemote) arguments.Fail(InvalidArgument("LocalOrRemote must be 2 or 3"));
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  Result<ReplicationType> type = replication::ToReplicationType(
      *arguments.Enum<catalog::SyncType>("SyncType"), arguments.Enum<catalog::Mode>("Mode"), place == kRemote);
  if (!type.ok()) co_return Refused(type.status());
  Outcome outcome = co_await Answer("SupportedReplicationTypes", *type);
  co_return outcome;
}

Task<Outcome> ConvertReplicationTypeToSyncType(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Result<replication::SyncTypeAndMode> both = replication::FromReplicationType(*type);
  if (!both.ok()) co_return Refused(both.status());
  std::vector<Property> out;
  out.push_back({"SyncType", both->sync_type});
  out.push_back({"Mode", both->mode});
  out.push_back({"LocalOrRemote", kLocal});
  co_return Done(std::move(out));
}

Task<Outcome> CopyStates(FacePtr face, wbem::MethodCall call, Scope scope) {
  Arguments arguments(*face, call);
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Result<std::optional<catalog::Operation>> operation = ReadKnown<catalog::Operation>(arguments, "Operation");
  if (!operation.ok()) co_return Refused(operation.status());
  std::vector<catalog::CopyState> states;
  std::vector<bool> accessible;
  for (const replication::SupportedCopyState& state : replication::SupportedCopyStates(*type, scope, *operation)) {
    states.push_back(state.state);
    accessible.push_back(state.host_accessible);
  }
  std::vector<Property> out;
  out.push_back({"SupportedCopyStates", EnumNumbers(states)});
  if (scope == Scope::kElement) {
    Value::Elements flags;
    for (bool flag : accessible) flags.emplace_back(flag);
    out.push_back({"HostAccessible", Value::ArrayOf(wbem::CimType::kBoolean, std::move(flags))});
  }
  co_return Done(std::move(out));
}

Task<Outcome> GetSupportedCopyStates(FacePtr face, wbem::MethodCall call) {
  return CopyStates(std::move(face), std::move(call), Scope::kElement);
}

Task<Outcome> GetSupportedGroupCopyStates(FacePtr face, wbem::MethodCall call) {
  return CopyStates(std::move(face), std::move(call), Scope::kGroup);
}

Task<Outcome> GetSupportedWaitForCopyStates(FacePtr face, wbem::MethodCall call) {
  constexpr uint64_t kFirst = 2, kLast = 11;
  Arguments arguments(*face, call);
  arguments.Require("MethodName");
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  const uint64_t method = *arguments.Number("MethodName");
  if (method < kFirst || method > kLast) co_return Refused(InvalidArgument("MethodName must be 2 to 11"));
  Result<std::optional<catalog::Operation>> operation = ReadKnown<catalog::Operation>(arguments, "Operation");
  if (!operation.ok()) co_return Refused(operation.status());
  Outcome outcome = co_await Answer("SupportedCopyStates", EnumNumbers(replication::WaitForCopyStates(
                                                               *type, static_cast<uint16_t>(method), *operation)));
  co_return outcome;
}

// The questions that take a type and answer a list of numbers.
template <auto kFunction, const char* kParameter>
Task<Outcome> NumbersOfType(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Outcome outcome = co_await Answer(kParameter, Numbers(kFunction(*type)));
  co_return outcome;
}

constexpr char kFeatures[] = "Features";
constexpr char kGroupFeatures[] = "GroupFeatures";
constexpr char kSupportedConsistency[] = "SupportedConsistency";
constexpr char kThinFeatures[] = "SupportedThinProvisioningFeatures";
constexpr char kCompressionFeatures[] = "SupportedStorageCompressionFeatures";

// 3: unused blocks of a target are holes, so nothing is written there. 1: there is no compression.
std::span<const uint16_t> ThinFeatures(ReplicationType) {
  static constexpr uint16_t kNotInitialized[] = {3};
  return kNotInitialized;
}
std::span<const uint16_t> CompressionFeatures(ReplicationType) {
  static constexpr uint16_t kNone[] = {1};
  return kNone;
}

// The four parallel arrays that all questions about operations answer.
Outcome OperationsOutcome(const char* name, const std::vector<replication::SupportedOperation>& operations) {
  std::vector<uint16_t> numbers, controlling;
  Value::Elements force, updates;
  for (const replication::SupportedOperation& operation : operations) {
    numbers.push_back(static_cast<uint16_t>(operation.operation));
    controlling.push_back(operation.service_controlling);
    force.emplace_back(operation.requires_force);
    updates.emplace_back(operation.updates_synchronized_path);
  }
  std::vector<Property> out;
  out.push_back({name, Value::Array(numbers)});
  out.push_back({"ServiceControlling", Value::Array(controlling)});
  out.push_back({"RequiresForce", Value::ArrayOf(wbem::CimType::kBoolean, std::move(force))});
  out.push_back({"UpdatesSynchronizedPath", Value::ArrayOf(wbem::CimType::kBoolean, std::move(updates))});
  return Done(std::move(out));
}

Task<Outcome> Operations(FacePtr face, wbem::MethodCall call, Scope scope) {
  Arguments arguments(*face, call);
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Result<std::optional<catalog::CopyState>> state = ReadKnown<catalog::CopyState>(arguments, "CopyState");
  if (!state.ok()) co_return Refused(state.status());
  const char* name = scope == Scope::kGroup ? "SupportedGroupOperations" : "SupportedOperations";
  co_return OperationsOutcome(name, replication::SupportedOperations(*type, scope, *state));
}

Task<Outcome> GetSupportedOperations(FacePtr face, wbem::MethodCall call) {
  return Operations(std::move(face), std::move(call), Scope::kElement);
}

Task<Outcome> GetSupportedGroupOperations(FacePtr face, wbem::MethodCall call) {
  return Operations(std::move(face), std::move(call), Scope::kGroup);
}

Task<Outcome> GetSupportedListOperations(FacePtr face, wbem::MethodCall call) {
  constexpr uint64_t kStorage = 2, kGroup = 3;
  Arguments arguments(*face, call);
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  const uint64_t kind = arguments.Number("SynchronizationType").value_or(kStorage);
  if (kind != kStorage && kind != kGroup) co_return Refused(InvalidArgument("SynchronizationType must be 2 or 3"));
  Result<std::optional<catalog::CopyState>> state = ReadKnown<catalog::CopyState>(arguments, "CopyState");
  if (!state.ok()) co_return Refused(state.status());
  const Scope scope = kind == kGroup ? Scope::kGroup : Scope::kElement;
  co_return OperationsOutcome("SupportedListOperations", replication::SupportedListOperations(*type, scope, *state));
}

Task<Outcome> GetSupportedOperationsForSynchronization(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  arguments.Require("Synchronization");
  std::optional<control::RelationshipRef> reference = arguments.Synchronization("Synchronization");
  arguments.Settings();
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  catalog::SyncType sync_type{};
  catalog::Mode mode{};
  std::vector<catalog::CopyState> states;
  Scope scope = Scope::kElement;
  if (const auto* element = std::get_if<catalog::RelationshipId>(&*reference)) {
    Result<control::RelationshipView> view = face->control.Relationship(*element);
    if (!view.ok()) co_return Refused(view.status());
    sync_type = view->record.sync_type, mode = view->record.mode;
    states = {view->record.state};
  } else {
    Result<control::GroupRelationshipView> view =
        face->control.GroupRelationship(std::get<catalog::GroupRelationshipId>(*reference));
    if (!view.ok()) co_return Refused(view.status());
    sync_type = view->record.sync_type, mode = view->record.mode;
    scope = Scope::kGroup;
    for (catalog::RelationshipId id : view->pairs) {
      Result<control::RelationshipView> pair = face->control.Relationship(id);
      if (pair.ok()) states.push_back(pair->record.state);
    }
  }
  Result<ReplicationType> type = replication::ToReplicationType(sync_type, mode, false);
  if (!type.ok()) co_return Refused(type.status());
  co_return OperationsOutcome("SupportedOperations", replication::SupportedOperationsIn(*type, scope, states));
}

Task<Outcome> GetSupportedMaximum(FacePtr face, wbem::MethodCall call) {
  constexpr uint32_t kNotAvailable = 7;
  Arguments arguments(*face, call);
  arguments.Require("Component");
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Result<uint64_t> maximum = replication::SupportedMaximum(*type, *arguments.Enum<uint16_t>("Component"));
  if (!maximum.ok() && maximum.status().code() == Code::kNotFound) co_return Refused(kNotAvailable, maximum.status());
  if (!maximum.ok()) co_return Refused(maximum.status());
  Outcome outcome = co_await Answer("MaxValue", *maximum);
  co_return outcome;
}

Task<Outcome> GetDefaultConsistency(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Outcome outcome = co_await Answer("DefaultConsistency", replication::kDefaultConsistency);
  co_return outcome;
}

Task<Outcome> GetDefaultGroupPersistency(FacePtr, wbem::MethodCall) {
  return Answer("DefaultGroupPersistency", replication::kDefaultGroupPersistency);
}

Task<Outcome> GetSupportedReplicationSettingData(FacePtr face, wbem::MethodCall call) {
  constexpr uint32_t kPropertyNotSupported = 7;
  Arguments arguments(*face, call);
  arguments.Require("PropertyName");
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Result<std::vector<uint64_t>> values =
      replication::SupportedSettingValues(*type, *arguments.Enum<uint16_t>("PropertyName"));
  if (!values.ok() && values.status().code() == Code::kNotSupported) {
    co_return Refused(kPropertyNotSupported, values.status());
  }
  if (!values.ok()) co_return Refused(values.status());
  Outcome outcome = co_await Answer("SupportedValues", Value::Array(*values));
  co_return outcome;
}

Task<Outcome> GetDefaultReplicationSettingData(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Outcome outcome = co_await Answer("DefaultInstance", DefaultSettingsInstance(*face, *type));
  co_return outcome;
}

// 2 ReplicationGroup, 4 GroupSynchronized and 5 SynchronizationAspect are named at creation, groups also by
// ModifyInstance; a relationship of elements has no name that a client gives.
Task<Outcome> GetElementNameCapabilities(FacePtr face, wbem::MethodCall call) {
  constexpr uint64_t kGroup = 2, kGroupSynchronized = 4, kAspect = 5, kLast = 6;
  constexpr uint16_t kAtCreation = 2, kByModifyInstance = 4;
  Arguments arguments(*face, call);
  arguments.Require("ElementType");
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  const uint64_t type = *arguments.Number("ElementType");
  if (type < kGroup || type > kLast) co_return Refused(InvalidArgument("ElementType must be 2 to 6"));
  std::vector<uint16_t> features;
  if (type == kGroup) features = {kAtCreation, kByModifyInstance};
  if (type == kGroupSynchronized || type == kAspect) features = {kAtCreation};
  std::vector<Property> out;
  if (!features.empty()) {
    out.push_back({"MaxElementNameLen", static_cast<uint16_t>(catalog::kMaxNameLength)});
    out.push_back({"ElementNameMask", fmt::format("^[^[:cntrl:]]{{1,{}}}$", catalog::kMaxNameLength)});
  }
  out.push_back({"SupportedFeatures", Value::Array(features)});
  co_return Done(std::move(out));
}

// There is no peer yet: towards this system itself, everything works.
Task<Outcome> GetSupportedReplicationTypesForSystem(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  arguments.Require("System");
  arguments.Settings();
  const wbem::ObjectPath* system = call["System"].AsReference();
  if (system && !face->paths.IsSystem(*system)) arguments.Fail(NotFound("there is no system " + system->ToString()));
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  std::span<const ReplicationType> types = replication::SupportedReplicationTypes();
  Outcome outcome = co_await Answer("SupportedReplicationTypes",
                                    EnumNumbers(std::vector<ReplicationType>(types.begin(), types.end())));
  co_return outcome;
}

Task<Outcome> GetSupportedSettingsDefineStateOperations(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  Result<ReplicationType> type = ReadType(arguments);
  if (!type.ok()) co_return Refused(type.status());
  Outcome outcome = co_await Answer("SupportedOperations", Numbers(replication::SupportedAspectOperations(*type)));
  co_return outcome;
}

// What can be made of the element, alone or with another, as the parallel arrays of GetSynchronizationSupported.
struct SynchronizationSupport {
  bool as_source = false, as_target = false;
};

SynchronizationSupport SupportOf(const control::Control& control, VolumeId local, std::optional<VolumeId> other) {
  if (other) return {control.MayPair(local, *other).ok(), control.MayPair(*other, local).ok()};
  Result<control::VolumeView> view = control.Volume(local);
  return {view.ok() && view->host_accessible, false};
}

// A group as the source of another; its members pair with the other's in their order.
bool MayCopyGroup(const control::Control& control, GroupId source, std::optional<GroupId> target) {
  Result<catalog::GroupRecord> from = control.Group(source);
  if (!from.ok() || from->members.empty() || from->reserved_as == catalog::ReservedAs::kTargetOnly) return false;
  std::vector<VolumeId> targets;
  if (target) {
    Result<catalog::GroupRecord> to = control.Group(*target);
    if (!to.ok() || source == *target || to->reserved_as == catalog::ReservedAs::kSourceOnly) return false;
    targets = to->members;
    for (const control::GroupRelationshipView& view : control.GroupRelationships()) {
      if (view.record.target_group == *target) return false;
    }
  }
  if (!targets.empty() && targets.size() != from->members.size()) return false;
  for (size_t i = 0; i < from->members.size(); ++i) {
    const std::optional<VolumeId> to = targets.empty() ? std::nullopt : std::optional(targets[i]);
    if (!SupportOf(control, from->members[i], to).as_source) return false;
  }
  return true;
}

Task<Outcome> GetSynchronizationSupported(FacePtr face, wbem::MethodCall call) {
  constexpr uint64_t kElement = 2, kGroup = 3, kAspect = 4;
  constexpr uint16_t kAsSource = 2, kAsTarget = 3;
  Arguments arguments(*face, call);
  arguments.Require("LocalElement");
  arguments.Settings();
  arguments.RefuseRemote({"OtherElementAccessPoint"});
  const wbem::ObjectPath* local = call["LocalElement"].AsReference();
  const bool of_group = local && wbem::NameEquals(local->class_name, kGroupClass);
  const uint64_t method = arguments.Number("MethodName").value_or(of_group ? kGroup : kElement);
  if (method < kElement || method > kAspect) arguments.Fail(InvalidArgument("MethodName must be 2 to 4"));
  if (method != kAspect && of_group != (method == kGroup)) {
    arguments.Fail(
        InvalidArgument("LocalElement is a volume for CreateElementReplica, a group for CreateGroupReplica"));
  }
  if (method == kAspect && arguments.Has("OtherElement")) {
    arguments.Fail(InvalidArgument("a synchronization aspect has no OtherElement"));
  }
  SynchronizationSupport support;
  if (of_group) {
    std::optional<GroupId> group = arguments.Group("LocalElement"), other = arguments.Group("OtherElement");
    if (group && arguments.status().ok()) {
      support.as_source = MayCopyGroup(face->control, *group, other);
      support.as_target = other && MayCopyGroup(face->control, *other, group);
    }
  } else {
    std::optional<VolumeId> volume = arguments.Volume("LocalElement"), other = arguments.Volume("OtherElement");
    if (volume && arguments.status().ok()) support = SupportOf(face->control, *volume, other);
  }
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  std::vector<uint16_t> sync_types, modes, roles;
  for (ReplicationType type : replication::SupportedReplicationTypes()) {
    Result<replication::SyncTypeAndMode> what = replication::FromReplicationType(type);
    for (uint16_t role : {kAsSource, kAsTarget}) {
      if (!(role == kAsSource ? support.as_source : support.as_target)) continue;
      sync_types.push_back(static_cast<uint16_t>(what->sync_type));
      modes.push_back(static_cast<uint16_t>(what->mode));
      roles.push_back(role);
    }
  }
  std::vector<Property> out;
  out.push_back({"SyncTypes", Value::Array(sync_types)});
  out.push_back({"Modes", Value::Array(modes)});
  out.push_back({"LocalElementRole", Value::Array(roles)});
  co_return Done(std::move(out));
}

constexpr Method kReplicationCapabilitiesMethods[] = {
    {"ConvertSyncTypeToReplicationType", ConvertSyncTypeToReplicationType},
    {"ConvertReplicationTypeToSyncType", ConvertReplicationTypeToSyncType},
    {"GetSupportedCopyStates", GetSupportedCopyStates},
    {"GetSupportedGroupCopyStates", GetSupportedGroupCopyStates},
    {"GetSupportedWaitForCopyStates", GetSupportedWaitForCopyStates},
    {"GetSupportedFeatures", NumbersOfType<replication::Features, kFeatures>},
    {"GetSupportedGroupFeatures", NumbersOfType<replication::GroupFeatures, kGroupFeatures>},
    {"GetSupportedListFeatures", NumbersOfType<replication::ListFeatures, kGroupFeatures>},
    {"GetSupportedConsistency", NumbersOfType<replication::SupportedConsistency, kSupportedConsistency>},
    {"GetSupportedThinProvisioningFeatures", NumbersOfType<ThinFeatures, kThinFeatures>},
    {"GetSupportedStorageCompressionFeatures", NumbersOfType<CompressionFeatures, kCompressionFeatures>},
    {"GetSupportedOperations", GetSupportedOperations},
    {"GetSupportedGroupOperations", GetSupportedGroupOperations},
    {"GetSupportedListOperations", GetSupportedListOperations},
    {"GetSupportedOperationsForSynchronization", GetSupportedOperationsForSynchronization},
    {"GetSupportedSettingsDefineStateOperations", GetSupportedSettingsDefineStateOperations},
    {"GetSynchronizationSupported", GetSynchronizationSupported},
    {"GetSupportedMaximum", GetSupportedMaximum},
    {"GetDefaultConsistency", GetDefaultConsistency},
    {"GetDefaultGroupPersistency", GetDefaultGroupPersistency},
    {"GetSupportedReplicationSettingData", GetSupportedReplicationSettingData},
    {"GetDefaultReplicationSettingData", GetDefaultReplicationSettingData},
    {"GetElementNameCapabilities", GetElementNameCapabilities},
    {"GetSupportedReplicationTypesForSystem", GetSupportedReplicationTypesForSystem},
};

class ReplicationCapabilitiesProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    constexpr uint16_t kStorageVolume = 2;
    std::span<const ReplicationType> types = replication::SupportedReplicationTypes();
    wbem::Instance instance = InstanceAt(ReplicationCapabilitiesPath(face()));
    instance.Add("ElementName", "Replication capabilities of " + face().identity.element_name);
    instance.Add("SupportedReplicationTypes",
                 EnumNumbers(std::vector<ReplicationType>(types.begin(), types.end())));
    instance.Add("SupportedStorageObjects", Value::Array(std::vector<uint16_t>{kStorageVolume}));
    instance.Add("SupportedSynchronousActions", Numbers(replication::SynchronousActions()));
    instance.Add("SupportedAsynchronousActions", Numbers(replication::AsynchronousActions()));
    sink(std::move(instance));
    return {};
  }
};

// The default settings of each type, for clients that look for instances and do not call the method.
class ReplicationSettingProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    for (ReplicationType type : replication::SupportedReplicationTypes()) {
      if (!sink(DefaultSettingsInstance(face(), type))) break;
    }
    return {};
  }
};

}  // namespace

std::span<const Method> ReplicationCapabilitiesMethods() { return kReplicationCapabilitiesMethods; }

ProviderPtr MakeReplicationCapabilitiesProvider(FacePtr face) {
  return std::make_shared<ReplicationCapabilitiesProvider>(std::move(face));
}

ProviderPtr MakeReplicationSettingProvider(FacePtr face) {
  return std::make_shared<ReplicationSettingProvider>(std::move(face));
}

wbem::ObjectPath ReplicationCapabilitiesPath(const Face& face) {
  return face.paths.ById(kReplicationCapabilitiesClass, "replication-capabilities", "service");
}

}  // namespace lockstep::smis
