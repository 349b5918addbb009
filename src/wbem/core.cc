// Dispatch, checks that all operations share, and reading.
#include "wbem/core.h"

#include <fmt/format.h>

#include "wbem/coerce.h"

namespace lockstep::wbem {

Task<CimStatus> OperationCore::Perform(OperationRequest request, Caller caller, Reply& reply) const {
  Job job{std::move(request), std::move(caller), reply};
  CimStatus status = ReadQuery(job);
  if (status.ok()) status = CheckTarget(job);
  if (!status.ok()) co_return status;
  const access::Role needed = NeededRole(job);
  if (!guard_ || needed == access::Role::kMonitor) {
    Task<CimStatus> dispatch = Dispatch(job);
    status = co_await std::move(dispatch);
    co_return status;
  }
  // What is recorded is what was asked for; performing takes the request apart.
  const Caller who = job.caller;
  const std::string what = Describe(job.request);
  status = CheckRole(job, needed);
  if (status.ok()) {
    Task<CimStatus> dispatch = Dispatch(job);
    status = co_await std::move(dispatch);
  }
  std::string result = job.outcome.empty() ? "ok" : job.outcome;
  if (!status.ok()) result = fmt::format("{}: {}", CimCodeName(status.code), status.message);
  guard_->Record({who, what, result});
  co_return status;
}

access::Role OperationCore::NeededRole(const Job& job) const {
  const OperationRequest& request = job.request;
  const Act act = SpecOf(request.operation).act;
  const ClassDecl* cls = act == Act::kChange || act == Act::kInvoke
                             ? schema_.Find(request.ns, request.target.class_name)
                             : nullptr;
  if (!guard_ || !cls) return RoleForAct(act);
  // Case does not count in a method's name; the guard knows it as it is declared.
  const MethodDecl* method = act == Act::kInvoke ? cls->FindMethod(request.name) : nullptr;
  return guard_->NeededRole(*cls, method ? std::string_view(method->name) : ActName(request));
}

CimStatus OperationCore::CheckRole(const Job& job, access::Role needed) const {
  if (access::Allows(job.caller.role, needed)) return {};
  return {CimCode::kAccessDenied,
          fmt::format("{} needs the role {}; {} has the role {}", ActName(job.request), access::RoleName(needed),
                      job.caller.user.empty() ? "an anonymous caller" : job.caller.user,
                      access::RoleName(job.caller.role))};
}

Task<CimStatus> OperationCore::Dispatch(Job& job) const {
  CimStatus status;
  switch (SpecOf(job.request.operation).act) {
    case Act::kReadOne: status = ReadOne(job); break;
    case Act::kReadMany: status = co_await ReadMany(job); break;
    case Act::kOpen: status = co_await Open(job); break;
    case Act::kPull: status = co_await Pull(job); break;
    case Act::kClose: status = Close(job); break;
    case Act::kCount: status = Count(job); break;
    case Act::kDeclare: status = Declare(job); break;
    case Act::kChange: status = co_await Change(job); break;
    case Act::kInvoke: status = co_await InvokeMethod(job); break;
  }
  co_return status;
}

// Parses the query or the filter of a request; a query's class becomes its target.
CimStatus OperationCore::ReadQuery(Job& job) const {
  OperationRequest& request = job.request;
  const OperationSpec& spec = SpecOf(request.operation);
  const bool whole = spec.reads == Operation::kExecQuery;
  if (!whole && request.query.empty() && request.query_language.empty()) return {};
  if (spec.act != Act::kOpen && spec.act != Act::kReadMany) return {};
  if (!schema_.HasNamespace(request.ns)) return {};  // which CheckTarget says
  if (!whole && request.query_language.empty())
    return {CimCode::kInvalidParameter, "FilterQuery needs FilterQueryLanguage"};
  if (!whole && request.query.empty()) return {CimCode::kInvalidParameter, "FilterQueryLanguage needs FilterQuery"};
  job.query.emplace();
  CimStatus status = whole ? Query::Parse(request.query_language, request.query, *job.query)
                           : Query::ParseFilter(request.query_language, request.query, *job.query);
  if (!status.ok()) return status;
  if (whole) {
    request.target = ObjectPath(request.ns, job.query->class_name());
    request.property_list = job.query->selected();
  } else if (!job.query->class_name().empty() && !schema_.Find(request.ns, job.query->class_name())) {
    return {CimCode::kInvalidQuery, fmt::format("class {} is not declared in namespace {}", job.query->class_name(),
                                                request.ns)};
  }
  return {};
}

// Leaves request.target typed and in request.ns.
CimStatus OperationCore::CheckTarget(Job& job) const {
  OperationRequest& request = job.request;
  if (!schema_.HasNamespace(request.ns))
    return {CimCode::kInvalidNamespace, fmt::format("there is no namespace '{}'", request.ns)};
  const OperationSpec& spec = SpecOf(request.operation);
  if (spec.act == Act::kDeclare) return {};
  request.target.ns = request.ns;
  request.target.host.clear();
  if (request.operation == Operation::kCreateInstance) request.target.class_name = request.instance.class_name;
  if (request.target.empty()) return {};  // EnumerateClasses from the root, pulls
  const ClassDecl* cls = schema_.Find(request.ns, request.target.class_name);
  if (!cls)
    return {request.operation == Operation::kGetClass ? CimCode::kNotFound : CimCode::kInvalidClass,
            fmt::format("class {} is not declared in namespace {}", request.target.class_name, request.ns)};
  Result<ObjectPath> path = Coercion(schema_, request.ns).ToPath(std::move(request.target));
  if (!path.ok()) return path.status();
  request.target = *std::move(path);
  const bool of_instance = !spec.parameters.empty() && spec.parameters.front().slot == Slot::kTargetInstance;
  if (of_instance && request.target.keys.empty() && !cls->KeyNames().empty())
    return {CimCode::kInvalidParameter, fmt::format("the keys of class {} are missing", cls->name)};
  if (job.query) {
    // What is at the far end of an association has no class that would be known beforehand.
    const bool of_class = spec.reads == Operation::kExecQuery || spec.reads == Operation::kEnumerateInstances ||
                          spec.reads == Operation::kEnumerateInstanceNames;
    CimStatus checked = of_class ? job.query->Check(schema_, request.ns, *cls) : CimStatus();
    if (!checked.ok()) return checked;
  }
  return CheckClasses(job);
}

CimStatus OperationCore::CheckClasses(const Job& job) const {
  const OperationRequest& request = job.request;
  for (const std::string* cls : {&request.assoc_class, &request.result_class})
    if (!cls->empty() && !schema_.Find(request.ns, *cls))
      return {CimCode::kInvalidParameter, fmt::format("class {} is not declared in namespace {}", *cls, request.ns)};
  return {};
}

CimStatus OperationCore::ReadOne(Job& job) const {
  switch (job.request.operation) {
    case Operation::kGetClass: return GetClass(job);
    case Operation::kGetInstance: return GetInstance(job);
    case Operation::kGetProperty: return GetProperty(job);
    default: return GetQualifier(job);
  }
}

CimStatus OperationCore::GetClass(Job& job) const {
  job.reply.PutClass(*schema_.Find(job.request.ns, job.request.target.class_name), job.request.ns);
  return {};
}

CimStatus OperationCore::GetInstance(Job& job) const {
  Found found;
  CimStatus status = FindInstance(job, job.request.target, found);
  if (!status.ok()) return status;
  InstanceDelivery delivery(schema_, job.request, nullptr);
  return delivery.Put(*found.entry->cls, found.context.ns, found.instance, job.reply);
}

CimStatus OperationCore::GetProperty(Job& job) const {
  const ClassDecl* cls = schema_.Find(job.request.ns, job.request.target.class_name);
  const PropertyDecl* property = cls->FindProperty(job.request.name);
  if (!property)
    return {CimCode::kNoSuchProperty, fmt::format("class {} has no property '{}'", cls->name, job.request.name)};
  Found found;
  CimStatus status = FindInstance(job, job.request.target, found);
  if (!status.ok()) return status;
  const Value* value = found.instance.Find(property->name);
  job.reply.PutValue(*property, value ? *value : property->default_value);
  return {};
}

CimStatus OperationCore::GetQualifier(Job& job) const {
  const QualifierDecl* qualifier = schema_.FindQualifierDecl(job.request.ns, job.request.name);
  if (!qualifier)
    return {CimCode::kNotFound, fmt::format("qualifier '{}' is not declared in namespace {}",
                                            job.request.name.substr(0, 64), job.request.ns)};
  job.reply.PutQualifier(*qualifier);
  return {};
}

Task<CimStatus> OperationCore::ReadMany(Job& job) const {
  const Operation reads = SpecOf(job.request.operation).reads;
  auto selection = std::make_shared<Selection>();
  selection->request = std::move(job.request);
  selection->reads = reads;
  selection->caller = std::move(job.caller);
  selection->query = std::move(job.query);
  Delivery delivery(schema_, *selection);
  Series<Piece> pieces = reader_.Read(selection);
  while (Piece* piece = pieces.Next()) {
    CimStatus put = delivery.Put(*piece, job.reply);
    if (!put.ok()) co_return put;
    if (!job.reply.Full()) continue;
    Task<bool> drain = job.reply.Drain();
    const bool more = co_await std::move(drain);
    if (!more) co_return CimStatus(CimCode::kFailed, "the client has gone");
  }
  co_return CimStatus(pieces.status());
}

// Classes and qualifier declarations are data of the server: what DSP0200 wants to be checked is checked, and then the
// change is refused.
CimStatus OperationCore::Declare(Job& job) const {
  const OperationRequest& request = job.request;
  const Operation operation = request.operation;
  const CimStatus refused(CimCode::kNotSupported, "classes and qualifiers of this server are not changed by clients");
  if (operation == Operation::kSetQualifier) return refused;
  if (operation == Operation::kDeleteQualifier) {
    if (schema_.FindQualifierDecl(request.ns, request.name)) return refused;
    return {CimCode::kNotFound, fmt::format("qualifier '{}' is not declared in namespace {}",
                                            request.name.substr(0, 64), request.ns)};
  }
  const std::string& name = request.cls ? request.cls->name : request.target.class_name;
  const ClassDecl* present = schema_.Find(request.ns, name);
  if (operation == Operation::kCreateClass && present)
    return {CimCode::kAlreadyExists, fmt::format("class {} is declared already", present->name)};
  if (operation != Operation::kCreateClass && !present)
    return {CimCode::kNotFound, fmt::format("class {} is not declared in namespace {}", name, request.ns)};
  if (operation == Operation::kDeleteClass) {
    if (!schema_.Subclasses(request.ns, name, false).empty())
      return {CimCode::kClassHasChildren, fmt::format("class {} has subclasses", present->name)};
    if (registry_.Find(request.ns, name))
      return {CimCode::kClassHasInstances, fmt::format("class {} has a provider", present->name)};
    return refused;
  }
  const std::string& superclass = request.cls->superclass;
  if (!superclass.empty() && !schema_.Find(request.ns, superclass))
    return {CimCode::kInvalidSuperclass, fmt::format("class {} is not declared in namespace {}", superclass,
                                                     request.ns)};
  if (present && !NameEquals(present->superclass, superclass))
    return {CimCode::kInvalidSuperclass, fmt::format("the superclass of {} is '{}'", present->name,
                                                     present->superclass)};
  return refused;
}

}  // namespace lockstep::wbem
