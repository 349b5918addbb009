#include "smis/methods.h"

#include <algorithm>

#include <fmt/format.h>

#include "smis/method_tables.h"
#include "smis/replication_settings.h"

namespace lockstep::smis {

using wbem::Value;

uint32_t ReturnCode(const Status& status) {
  switch (status.code()) {
    case Code::kOk: return kCompleted;
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kAlreadyExists: return kInvalidParameter;
    case Code::kNotSupported: return kNotSupported;
    case Code::kInUse: return kInUse;
    case Code::kTimeout: return kTimeout;
    default: return kFailed;
  }
}

Outcome Done(std::vector<wbem::Property> out) { return {kCompleted, std::move(out), {}}; }

Outcome DoneOrStarted(const Face& face, std::optional<catalog::JobId> job, std::vector<wbem::Property> out) {
  if (!job) return Done(std::move(out));
  out.push_back({"Job", face.paths.Job(*job)});
  return {kJobStarted, std::move(out), {}};
}

Outcome Refused(Status why) {
  const uint32_t code = ReturnCode(why);
  return {code, {}, std::move(why)};
}

Outcome Refused(uint32_t code, Status why) { return {code, {}, std::move(why)}; }

void Arguments::Fail(Status why) {
  if (status_.ok()) status_ = std::move(why);
}

void Arguments::Require(std::string_view name) {
  const Value& value = call_[name];
  if (value.is_null() || (value.AsArray() && value.AsArray()->empty())) {
    Fail(InvalidArgument(fmt::format("{} is required", name)));
  }
}

std::optional<std::string> Arguments::Text(std::string_view name) {
  const std::string* text = call_[name].AsString();
  if (!text) return std::nullopt;
  return *text;
}

std::vector<std::string> Arguments::Texts(std::string_view name) {
  std::vector<std::string> texts;
  if (const Value::Elements* elements = call_[name].AsArray()) {
    for (const Value& element : *elements) texts.push_back(element.AsString() ? *element.AsString() : std::string());
  }
  return texts;
}

std::optional<bool> Arguments::Flag(std::string_view name) { return call_[name].AsBool(); }

std::optional<uint64_t> Arguments::Number(std::string_view name) { return call_[name].AsUnsigned(); }

void Arguments::FailReference(std::string_view name, const Value& value, const char* wanted) {
  Fail(InvalidArgument(fmt::format("{} names no {} of this system: {}", name, wanted, value.ToText())));
}

template <typename T, typename Resolve>
std::optional<T> Arguments::Reference(std::string_view name, const char* wanted, Resolve resolve) {
  const Value& value = call_[name];
  if (value.is_null()) return std::nullopt;
  std::optional<T> found;
  if (value.AsReference()) found = resolve(*value.AsReference());
  if (!found) FailReference(name, value, wanted);
  return found;
}

template <typename T, typename Resolve>
std::vector<T> Arguments::References(std::string_view name, const char* wanted, Resolve resolve) {
  std::vector<T> all;
  const Value::Elements* elements = call_[name].AsArray();
  if (!elements) return all;
  for (const Value& element : *elements) {
    std::optional<T> found;
    if (element.AsReference()) found = resolve(*element.AsReference());
    if (found) all.push_back(*found);
    else FailReference(name, element, wanted);
  }
  return all;
}

std::optional<catalog::VolumeId> Arguments::Volume(std::string_view name) {
  return Reference<catalog::VolumeId>(name, "volume", [this](const auto& path) { return face_.paths.AsVolume(path); });
}

std::vector<catalog::VolumeId> Arguments::Volumes(std::string_view name) {
  return References<catalog::VolumeId>(name, "volume", [this](const auto& path) { return face_.paths.AsVolume(path); });
}

std::optional<catalog::GroupId> Arguments::Group(std::string_view name) {
  return Reference<catalog::GroupId>(name, "replication group",
                                     [this](const auto& path) { return face_.paths.AsGroup(path); });
}

std::vector<catalog::GroupId> Arguments::Groups(std::string_view name) {
  return References<catalog::GroupId>(name, "replication group",
                                      [this](const auto& path) { return face_.paths.AsGroup(path); });
}

std::optional<catalog::PoolId> Arguments::Pool(std::string_view name) {
  return Reference<catalog::PoolId>(name, "pool that volumes are drawn from",
                                    [this](const auto& path) { return face_.paths.AsPool(path); });
}

std::vector<catalog::PoolId> Arguments::Pools(std::string_view name) {
  return References<catalog::PoolId>(name, "pool that volumes are drawn from",
                                     [this](const auto& path) { return face_.paths.AsPool(path); });
}

std::vector<std::string> Arguments::Extents(std::string_view name) {
  std::vector<std::string> devices;
  const std::vector<std::string> texts = Texts(name);
  for (const std::string& text : texts) {
    const Result<wbem::ObjectPath> path = wbem::ObjectPath::Parse(text);
    std::optional<std::string> device;
    if (path.ok()) device = face_.paths.AsExtent(*path);
    if (device) devices.push_back(*std::move(device));
    else FailReference(name, text, "extent");
  }
  return devices;
}

void Arguments::OnlyPrimordial(std::string_view name) {
  const std::vector<std::string> texts = Texts(name);
  for (const std::string& text : texts) {
    Result<wbem::ObjectPath> path = wbem::ObjectPath::Parse(text);
    if (path.ok() && path->ns.empty()) path->ns = kStorageNamespace;
    if (path.ok() && path->SameAs(face_.paths.PrimordialPool())) continue;
    if (path.ok() && face_.paths.AsPool(*path))
      Fail(NotSupported(fmt::format("{} can name the primordial pool only", name)));
    else
      FailReference(name, text, "pool");
  }
}

namespace {
std::optional<control::RelationshipRef> AsRef(const Paths& paths, const wbem::ObjectPath& path) {
  if (std::optional<catalog::RelationshipId> id = paths.AsRelationship(path)) return control::RelationshipRef(*id);
  if (std::optional<catalog::GroupRelationshipId> id = paths.AsGroupRelationship(path)) {
    return control::RelationshipRef(*id);
  }
  return std::nullopt;
}
}  // namespace

std::optional<control::RelationshipRef> Arguments::Synchronization(std::string_view name) {
  return Reference<control::RelationshipRef>(name, "copy relationship",
                                             [this](const auto& path) { return AsRef(face_.paths, path); });
}

std::vector<control::RelationshipRef> Arguments::Synchronizations(std::string_view name) {
  return References<control::RelationshipRef>(name, "copy relationship",
                                              [this](const auto& path) { return AsRef(face_.paths, path); });
}

std::optional<control::AspectRef> Arguments::SettingsState(std::string_view name) {
  return Reference<control::AspectRef>(name, "association of a synchronization aspect",
                                       [this](const auto& path) { return face_.paths.AsSettingsState(path); });
}

std::vector<control::AspectRef> Arguments::SettingsStates(std::string_view name) {
  return References<control::AspectRef>(name, "association of a synchronization aspect",
                                        [this](const auto& path) { return face_.paths.AsSettingsState(path); });
}

bool Arguments::StorageGoal(std::string_view name) {
  return Reference<catalog::VolumeId>(name, "storage setting",
                                      [this](const auto& path) { return face_.paths.AsSetting(path); })
      .has_value();
}

replication::ReplicationSettings Arguments::Settings() {
  Result<replication::ReplicationSettings> settings = ReadSettings(call_["ReplicationSettingData"]);
  if (settings.ok()) return *std::move(settings);
  Fail(settings.status());
  return {};
}

void Arguments::RefuseRemote(std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    if (call_.Has(name)) FailReference(name, call_[name], "way to another system");
  }
}

Task<Result<wbem::MethodResult>> FaceProvider::Invoke(wbem::MethodCall call) {
  const std::string name = call.method->name;
  const std::string who = fmt::format("{}@{}", call.context.user.empty() ? "anonymous" : call.context.user,
                                      call.context.peer);
  std::span<const Method> methods = MethodsOf(call.context.cls->name);
  auto method = std::find_if(methods.begin(), methods.end(),
                             [&](const Method& m) { return wbem::NameEquals(m.name, name); });
  Outcome outcome;
  if (method == methods.end()) {
    outcome = Refused(lockstep::NotSupported(fmt::format("{} is declared, but not built yet", name)));
  } else {
    outcome = co_await method->run(face_, std::move(call));
  }
  if (outcome.why.ok()) {
    face_->log.Info("smis: {} by {} returned {}", name, who, outcome.code);
  } else {
    face_->log.Warn("smis: {} by {} returned {}: {}", name, who, outcome.code, outcome.why.message());
  }
  wbem::MethodResult result;
  result.return_value = outcome.code;
  result.out = std::move(outcome.out);
  co_return result;
}

std::optional<wbem::MethodResult> FaceProvider::RefuseParameter(const wbem::RequestContext&,
                                                               const wbem::MethodDecl& method, const Status& why) {
  face_->log.Warn("smis: {} returned {}: {}", method.name, kInvalidParameter, why.message());
  return wbem::MethodResult{kInvalidParameter, {}};
}

std::span<const Method> MethodsOf(std::string_view class_name) {
  if (wbem::NameEquals(class_name, kReplicationServiceClass)) return ReplicationServiceMethods();
  if (wbem::NameEquals(class_name, kReplicationCapabilitiesClass)) return ReplicationCapabilitiesMethods();
  if (wbem::NameEquals(class_name, kStorageServiceClass)) return StorageServiceMethods();
  if (wbem::NameEquals(class_name, kPoolClass)) return PoolMethods();
  if (wbem::NameEquals(class_name, kJobClass)) return JobMethods();
  return {};
}

}  // namespace lockstep::smis
