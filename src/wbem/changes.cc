// Operations that change something or call a method.
#include <algorithm>

#include <fmt/format.h>

#include "wbem/coerce.h"
#include "wbem/core.h"

namespace lockstep::wbem {
namespace {

bool IsListed(const std::optional<std::vector<std::string>>& list, std::string_view name) {
  return !list || std::any_of(list->begin(), list->end(), [&](auto& n) { return NameEquals(n, name); });
}

CimStatus NoProvider(const ClassDecl& cls, std::string_view act) {
  return {CimCode::kNotSupported, fmt::format("class {} has no provider that could {} an instance", cls.name, act)};
}

// Gives the properties their declared types and spelling, and refuses repetition.
CimStatus TypeProperties(const Coercion& coercion, Instance& instance) {
  const Status typed = coercion.TypeInstance(instance);
  if (!typed.ok()) return typed;
  for (size_t i = 0; i < instance.properties.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (instance.properties[i].name == instance.properties[k].name)
        return {CimCode::kInvalidParameter, fmt::format("property '{}' is given twice", instance.properties[i].name)};
  return {};
}

}  // namespace

Task<CimStatus> OperationCore::Change(Job& job) const {
  switch (job.request.operation) {
    case Operation::kCreateInstance: return CreateInstance(job);
    case Operation::kModifyInstance: return ModifyInstance(job);
    case Operation::kDeleteInstance: return DeleteInstance(job);
    default: return SetProperty(job);
  }
}

Task<CimStatus> OperationCore::CreateInstance(Job& job) const {
  OperationRequest& request = job.request;
  const ClassDecl* cls = schema_.Find(request.ns, request.target.class_name);
  CimStatus status = TypeProperties(Coercion(schema_, request.ns), request.instance);
  if (!status.ok()) co_return status;
  const Entry* entry = registry_.Find(request.ns, cls->name);
  if (!entry) co_return NoProvider(*cls, "create");
  Task<Result<ObjectPath>> create =
      entry->provider->Create(ContextFor(job, *entry, request.ns), std::move(request.instance));
  Result<ObjectPath> path = co_await std::move(create);
  if (!path.ok()) co_return path.status();
  if (path->ns.empty()) path->ns = request.ns;
  job.reply.PutPath(*path);
  co_return CimStatus();
}

// Reduces `changes` to what differs from the instance as it is; keys must not.
CimStatus OperationCore::ApplyChanges(const Job& job, const Found& found, std::vector<Property>& changes) const {
  std::vector<Property> differing;
  for (Property& change : changes) {
    const PropertyDecl& declared = *found.entry->cls->FindProperty(change.name);
    const Value* present = found.instance.Find(change.name);
    const Value& before = present ? *present : declared.default_value;
    Result<Value> before_typed = before.ConvertTo(declared.type, declared.array);
    if (before_typed.ok() && *before_typed == change.value) continue;
    if (declared.key) {
      // Clients that send an instance without its keys mean those of the path.
      if (change.value.is_null()) continue;
      return {CimCode::kInvalidParameter,
              fmt::format("key '{}' of {} cannot be changed", change.name, job.request.target.ToString())};
    }
    differing.push_back(std::move(change));
  }
  changes = std::move(differing);
  return {};
}

Task<CimStatus> OperationCore::ModifyInstance(Job& job) const {
  OperationRequest& request = job.request;
  const ClassDecl* cls = schema_.Find(request.ns, request.target.class_name);
  if (!NameEquals(request.instance.class_name, cls->name))
    co_return CimStatus(CimCode::kInvalidParameter, fmt::format("the instance is of class {}, its path of {}",
                                                                request.instance.class_name, cls->name));
  for (const Property& p : request.instance.properties)
    if (!cls->FindProperty(p.name))
      co_return CimStatus(CimCode::kNoSuchProperty, fmt::format("class {} has no property '{}'", cls->name, p.name));
  CimStatus status = TypeProperties(Coercion(schema_, request.ns), request.instance);
  if (!status.ok()) co_return status;

  // Properties that the list names and the instance does not have go back to their defaults (DSP0200 5.4.2.8).
  std::vector<Property> changes;
  for (Property& p : request.instance.properties)
    if (IsListed(request.property_list, p.name)) changes.push_back(std::move(p));
  for (const auto& p : cls->properties) {
    const auto same = [&](const Property& c) { return c.name == p->name; };
    if (request.property_list && IsListed(request.property_list, p->name) &&
        std::none_of(changes.begin(), changes.end(), same))
      changes.push_back({p->name, p->default_value});
  }
  request.property_list.reset();  // comparing needs the whole instance
  Found found;
  status = FindInstance(job, request.target, found);
  if (!status.ok()) co_return status;
  status = ApplyChanges(job, found, changes);
  if (!status.ok() || changes.empty()) co_return status;
  Task<Status> modify = found.entry->provider->Modify(found.context, found.path, std::move(changes));
  const Status modified = co_await std::move(modify);
  co_return modified;
}

Task<CimStatus> OperationCore::DeleteInstance(Job& job) const {
  const OperationRequest& request = job.request;
  Found found;
  CimStatus status = FindInstance(job, request.target, found);
  if (!status.ok()) co_return status;
  Task<Status> remove = found.entry->provider->Delete(found.context, found.path);
  const Status removed = co_await std::move(remove);
  co_return removed;
}

Task<CimStatus> OperationCore::SetProperty(Job& job) const {
  OperationRequest& request = job.request;
  const ClassDecl* cls = schema_.Find(request.ns, request.target.class_name);
  const PropertyDecl* property = cls->FindProperty(request.name);
  if (!property)
    co_return CimStatus(CimCode::kNoSuchProperty,
                        fmt::format("class {} has no property '{}'", cls->name, request.name));
  Result<Value> value = Coercion(schema_, request.ns).ToDeclared(*property, request.value, false);
  if (!value.ok()) co_return CimStatus(CimCode::kTypeMismatch, value.status().message());
  Found found;
  CimStatus status = FindInstance(job, request.target, found);
  if (!status.ok()) co_return status;
  std::vector<Property> changes;
  changes.push_back({property->name, *std::move(value)});
  status = ApplyChanges(job, found, changes);
  if (!status.ok() || changes.empty()) co_return status;
  Task<Status> modify = found.entry->provider->Modify(found.context, found.path, std::move(changes));
  const Status modified = co_await std::move(modify);
  co_return modified;
}

CimStatus OperationCore::TypeArguments(const Job& job, const MethodDecl& method, std::vector<Property>& typed,
                                       const ParameterDecl*& refused) const {
  const Coercion coercion(schema_, job.request.ns);
  for (const Argument& argument : job.request.arguments) {
    const ParameterDecl* declared = method.FindParameter(argument.name);
    if (!declared)
      return {CimCode::kInvalidParameter, fmt::format("method {} has no parameter '{}'", method.name, argument.name)};
    if (std::any_of(typed.begin(), typed.end(), [&](auto& t) { return t.name == declared->name; }))
      return {CimCode::kInvalidParameter, fmt::format("parameter '{}' is given twice", declared->name)};
    if (!declared->in && !argument.value.is_null())
      return {CimCode::kInvalidParameter,
              fmt::format("parameter '{}' of {} is not an input", declared->name, method.name)};
    Result<Value> value = coercion.ToDeclared(*declared, argument.value, argument.typed);
    if (!value.ok()) {
      if (declared->type == CimType::kReference || declared->type == CimType::kInstance) refused = declared;
      return value.status();
    }
    if (declared->in) typed.push_back({declared->name, *std::move(value)});
  }
  return {};
}

namespace {

// The result as declared: types converted, out parameters that are not declared refused.
Status TypeResult(const MethodDecl& method, MethodResult& result) {
  LS_ASSIGN_OR_RETURN(result.return_value, result.return_value.ConvertTo(method.type, false));
  for (Property& out : result.out) {
    const ParameterDecl* declared = method.FindParameter(out.name);
    if (!declared || !declared->out)
      return Internal(fmt::format("{} has no out parameter '{}'", method.name, out.name));
    LS_ASSIGN_OR_RETURN(out.value, out.value.ConvertTo(declared->type, declared->array));
  }
  return {};
}

}  // namespace

Task<CimStatus> OperationCore::InvokeMethod(Job& job) const {
  OperationRequest& request = job.request;
  const ClassDecl* cls = schema_.Find(request.ns, request.target.class_name);
  const MethodDecl* method = cls->FindMethod(request.name);
  if (!method)
    co_return CimStatus(CimCode::kMethodNotFound, fmt::format("class {} has no method '{}'", cls->name, request.name));
  Found found;
  found.entry = registry_.Find(request.ns, cls->name);
  if (!request.target.keys.empty()) {
    CimStatus status = FindInstance(job, request.target, found);
    if (!status.ok()) co_return status;
  } else if (!method->is_static) {
    co_return CimStatus(CimCode::kInvalidParameter,
                        fmt::format("method {} is called on an instance of {}, not on the class", method->name,
                                    cls->name));
  } else if (found.entry) {
    found.context = ContextFor(job, *found.entry, request.ns);
    found.path = request.target;
  }
  if (!found.entry)
    co_return CimStatus(CimCode::kMethodNotAvailable, fmt::format("class {} has no provider", cls->name));
  MethodCall call{found.context, found.path, method, {}};
  const ParameterDecl* refused = nullptr;
  CimStatus status = TypeArguments(job, *method, call.in, refused);
  std::optional<MethodResult> refusal;
  if (refused)
    refusal = found.entry->provider->RefuseParameter(found.context, *method, InvalidArgument(status.message));
  if (!status.ok() && !refusal) co_return status;
  Result<MethodResult> result{MethodResult{}};
  if (refusal) {
    result = *std::move(refusal);
  } else {
    Task<Result<MethodResult>> invoke = found.entry->provider->Invoke(std::move(call));
    result = co_await std::move(invoke);
  }
  if (!result.ok()) {
    const bool unavailable = result.status().code() == Code::kNotSupported;
    co_return unavailable ? CimStatus(CimCode::kMethodNotAvailable, result.status().message())
                          : CimStatus(result.status());
  }
  const Status typed = TypeResult(*method, *result);
  if (!typed.ok()) co_return CimStatus(CimCode::kFailed, typed.message());
  job.outcome = "returned " + result->return_value.ToText();
  job.reply.PutMethodResult(*method, result->return_value, result->out);
  co_return CimStatus();
}

}  // namespace lockstep::wbem
