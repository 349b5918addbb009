// Dispatch, class operations and instance reads.
#include "wbem/core.h"

#include <fmt/format.h>

#include "wbem/coerce.h"
#include "wbem/instance_view.h"

namespace lockstep::wbem {
namespace {

CimStatus NoSuchClass(std::string_view name, std::string_view ns) {
  return {CimCode::kInvalidClass, fmt::format("class {} is not declared in namespace {}", name, ns)};
}

}  // namespace

Task<CimStatus> OperationCore::Perform(OperationRequest request, Caller caller, Reply& reply) const {
  Job job{std::move(request), std::move(caller), reply};
  CimStatus status = CheckTarget(job);
  if (!status.ok()) co_return status;
  switch (job.request.operation) {
    case Operation::kCreateInstance: status = co_await CreateInstance(job); break;
    case Operation::kModifyInstance: status = co_await ModifyInstance(job); break;
    case Operation::kDeleteInstance: status = co_await DeleteInstance(job); break;
    case Operation::kSetProperty: status = co_await SetProperty(job); break;
    case Operation::kInvokeMethod: status = co_await InvokeMethod(job); break;
    default: status = PerformRead(job);
  }
  co_return status;
}

// The checks that all operations share; leaves request.target typed and in request.ns.
CimStatus OperationCore::CheckTarget(Job& job) const {
  OperationRequest& request = job.request;
  if (!schema_.HasNamespace(request.ns))
    return {CimCode::kInvalidNamespace, fmt::format("there is no namespace '{}'", request.ns)};
  request.target.ns = request.ns;
  request.target.host.clear();
  if (request.operation == Operation::kCreateInstance) request.target.class_name = request.instance.class_name;
  if (request.target.empty()) return {};  // EnumerateClasses from the root
  const ClassDecl* cls = schema_.Find(request.ns, request.target.class_name);
  if (!cls) return NoSuchClass(request.target.class_name, request.ns);
  Result<ObjectPath> path = Coercion(schema_, request.ns).ToPath(std::move(request.target));
  if (!path.ok()) return path.status();
  request.target = *std::move(path);
  return {};
}

CimStatus OperationCore::PerformRead(Job& job) const {
  const bool of_class = job.request.target.keys.empty();
  switch (job.request.operation) {
    case Operation::kGetClass: return GetClass(job);
    case Operation::kEnumerateClasses:
    case Operation::kEnumerateClassNames: return EnumerateClasses(job);
    case Operation::kGetInstance: return GetInstance(job);
    case Operation::kEnumerateInstances: return EnumerateInstances(job);
    case Operation::kEnumerateInstanceNames: return EnumerateInstanceNames(job);
    case Operation::kGetProperty: return GetProperty(job);
    default: return of_class ? TraverseClasses(job) : Traverse(job);
  }
}

CimStatus OperationCore::GetClass(Job& job) const {
  job.reply.PutClass(*schema_.Find(job.request.ns, job.request.target.class_name), job.request.ns);
  return {};
}

CimStatus OperationCore::EnumerateClasses(Job& job) const {
  const OperationRequest& request = job.request;
  for (const ClassDecl* cls : schema_.Subclasses(request.ns, request.target.class_name, request.deep_inheritance)) {
    if (request.operation == Operation::kEnumerateClasses) job.reply.PutClass(*cls, request.ns);
    else job.reply.PutClassName(*cls, request.ns);
  }
  return {};
}

RequestContext OperationCore::ContextFor(const Job& job, const Entry& entry, const std::string& ns) const {
  RequestContext context{ns, entry.cls, job.caller.user, job.caller.peer, job.request.property_list};
  // Without its keys an instance has no path.
  if (context.wanted)
    for (std::string& key : entry.cls->KeyNames()) context.wanted->push_back(std::move(key));
  return context;
}

CimStatus OperationCore::FindInstance(const Job& job, const ObjectPath& path, Found& found) const {
  std::vector<const Entry*> entries;
  if (const Entry* own = registry_.Find(path.ns, path.class_name)) entries.push_back(own);
  else entries = registry_.FindWithSubclasses(path.ns, path.class_name);
  for (const Entry* entry : entries) {
    ObjectPath own_path = path;
    own_path.class_name = entry->cls->name;
    RequestContext context = ContextFor(job, *entry, path.ns);
    Result<Instance> instance = entry->provider->Get(context, own_path);
    if (!instance.ok()) {
      if (instance.status().code() == Code::kNotFound && entries.size() > 1) continue;
      return instance.status();
    }
    found = Found{entry, std::move(context), std::move(own_path), *std::move(instance)};
    return {};
  }
  return {CimCode::kNotFound, path.ToString() + " does not exist"};
}

CimStatus OperationCore::GetInstance(Job& job) const {
  Found found;
  CimStatus status = FindInstance(job, job.request.target, found);
  if (!status.ok()) return status;
  return InstanceDelivery(schema_, job.request, nullptr).Put(found.context, std::move(found.instance), job.reply);
}

CimStatus OperationCore::EnumerateInstances(Job& job) const {
  const OperationRequest& request = job.request;
  const ClassDecl* limit =
      request.deep_inheritance ? nullptr : schema_.Find(request.ns, request.target.class_name);
  InstanceDelivery delivery(schema_, request, limit);
  for (const Entry* entry : registry_.FindWithSubclasses(request.ns, request.target.class_name)) {
    const RequestContext context = ContextFor(job, *entry, request.ns);
    CimStatus delivered;
    const Status status = entry->provider->Enumerate(context, [&](Instance instance) {
      delivered = delivery.Put(context, std::move(instance), job.reply);
      return delivered.ok();
    });
    if (!delivered.ok()) return delivered;
    if (!status.ok()) return status;
  }
  return {};
}

CimStatus OperationCore::EnumerateInstanceNames(Job& job) const {
  const OperationRequest& request = job.request;
  for (const Entry* entry : registry_.FindWithSubclasses(request.ns, request.target.class_name)) {
    const RequestContext context = ContextFor(job, *entry, request.ns);
    const Status status = entry->provider->EnumeratePaths(context, [&](ObjectPath path) {
      if (path.ns.empty()) path.ns = request.ns;
      job.reply.PutPath(path);
      return true;
    });
    if (!status.ok()) return status;
  }
  return {};
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

}  // namespace lockstep::wbem
