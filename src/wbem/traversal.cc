// Associators, AssociatorNames, References, ReferenceNames (DSP0200 5.4.2.14 to 5.4.2.17), on instances and on classes.
#include <unordered_set>

#include <fmt/format.h>

#include "wbem/coerce.h"
#include "wbem/core.h"
#include "wbem/instance_view.h"

namespace lockstep::wbem {
namespace {

bool WantsReferences(Operation operation) {
  return operation == Operation::kReferences || operation == Operation::kReferenceNames;
}
bool WantsNames(Operation operation) {
  return operation == Operation::kAssociatorNames || operation == Operation::kReferenceNames;
}
bool RoleFits(const std::string& role, std::string_view property) { return role.empty() || NameEquals(role, property); }

// The class that association classes are filtered by: References calls it ResultClass.
const std::string& AssociationFilter(const OperationRequest& request) {
  return WantsReferences(request.operation) ? request.result_class : request.assoc_class;
}

// An end, in the association's namespace where it says none.
ObjectPath Localized(const ObjectPath& end, const std::string& ns) {
  ObjectPath path = end;
  if (path.ns.empty()) path.ns = ns;
  return path;
}

}  // namespace

struct OperationCore::Traversal {
  const ObjectPath& target;
  InstanceDelivery delivery;
  std::unordered_set<std::string> seen;  // canonical keys of ends delivered: two associations may lead to one object
  size_t associations = 0;
  CimStatus failed;
};

CimStatus OperationCore::Traverse(Job& job) const {
  const OperationRequest& request = job.request;
  const std::string& filter = AssociationFilter(request);
  for (const std::string* cls : {&request.assoc_class, &request.result_class})
    if (!cls->empty() && !schema_.Find(request.ns, *cls))
      return {CimCode::kInvalidParameter, fmt::format("class {} is not declared in namespace {}", *cls, request.ns)};
  Traversal traversal{request.target, InstanceDelivery(schema_, request, nullptr), {}, 0, {}};
  for (const Entry* entry : registry_.Associations(request.ns)) {
    if (!filter.empty() && !schema_.IsA(request.ns, entry->cls->name, filter)) continue;
    CimStatus status = TraverseEntry(job, traversal, *entry);
    if (!status.ok()) return status;
  }
  if (traversal.associations > 0) return {};
  // Nothing is associated; say so only of an object that is there.
  Found found;
  return FindInstance(job, request.target, found);
}

// True when some reference of the association may point to an object of the target's class, in the role asked for.
static bool MayHoldTarget(const Schema& schema, const OperationRequest& request, const ClassDecl& association) {
  const std::string& target = request.target.class_name;
  for (const auto& p : association.properties) {
    if (p->type != CimType::kReference || !RoleFits(request.role, p->name)) continue;
    if (schema.IsA(request.ns, target, p->object_class) || schema.IsA(request.ns, p->object_class, target)) return true;
  }
  return false;
}

CimStatus OperationCore::TraverseEntry(Job& job, Traversal& traversal, const Entry& entry) const {
  const OperationRequest& request = job.request;
  if (!MayHoldTarget(schema_, request, *entry.cls)) return {};
  const RequestContext context = ContextFor(job, entry, request.ns);
  const Status status = entry.provider->References(context, traversal.target, [&](Instance association) {
    for (size_t i = 0; i < association.properties.size(); ++i) {
      const Property& near = association.properties[i];
      const ObjectPath* end = near.value.AsReference();
      if (!end || !RoleFits(request.role, near.name) || !Localized(*end, request.ns).SameAs(traversal.target)) continue;
      ++traversal.associations;
      if (WantsReferences(request.operation)) {
        if (request.operation == Operation::kReferences)
          traversal.failed = traversal.delivery.Put(context, std::move(association), job.reply);
        else
          job.reply.PutPath(PathOf(context, *entry.cls, association));
        return traversal.failed.ok();
      }
      for (size_t k = 0; k < association.properties.size(); ++k) {
        const Property& far = association.properties[k];
        if (k == i || !far.value.AsReference() || !RoleFits(request.result_role, far.name)) continue;
        if (!DeliverEnd(job, traversal, Localized(*far.value.AsReference(), request.ns))) return false;
      }
    }
    return true;
  });
  if (!traversal.failed.ok()) return traversal.failed;
  return status;
}

// Returns false when the traversal has failed.
bool OperationCore::DeliverEnd(Job& job, Traversal& traversal, const ObjectPath& end) const {
  const OperationRequest& request = job.request;
  if (!request.result_class.empty() && !schema_.IsA(end.ns, end.class_name, request.result_class)) return true;
  if (!traversal.seen.insert(end.CanonicalKey()).second) return true;
  if (WantsNames(request.operation)) {
    job.reply.PutPath(end);
    return true;
  }
  Found found;
  CimStatus status = FindInstance(job, end, found);
  // The object may have gone since the association was read.
  if (status.code == CimCode::kNotFound) return true;
  if (status.ok()) status = traversal.delivery.Put(found.context, std::move(found.instance), job.reply);
  traversal.failed = std::move(status);
  return traversal.failed.ok();
}

CimStatus OperationCore::TraverseClasses(Job& job) const {
  const OperationRequest& request = job.request;
  const std::string& filter = AssociationFilter(request);
  std::unordered_set<const ClassDecl*> seen;
  const auto put = [&](const ClassDecl* cls) {
    if (!cls || !seen.insert(cls).second) return;
    if (WantsNames(request.operation)) job.reply.PutClassName(*cls, request.ns);
    else job.reply.PutClass(*cls, request.ns);
  };
  for (const ClassDecl* association : schema_.Subclasses(request.ns, "", true)) {
    if (!association->association || (!filter.empty() && !schema_.IsA(request.ns, association->name, filter))) continue;
    for (const auto& near : association->properties) {
      if (near->type != CimType::kReference || !RoleFits(request.role, near->name)) continue;
      if (!schema_.IsA(request.ns, request.target.class_name, near->object_class)) continue;
      if (WantsReferences(request.operation)) put(association);
      for (const auto& far : association->properties) {
        if (WantsReferences(request.operation) || far == near || far->type != CimType::kReference) continue;
        const bool fits =
            request.result_class.empty() || schema_.IsA(request.ns, far->object_class, request.result_class);
        if (fits && RoleFits(request.result_role, far->name)) put(schema_.Find(request.ns, far->object_class));
      }
    }
  }
  return {};
}

}  // namespace lockstep::wbem
