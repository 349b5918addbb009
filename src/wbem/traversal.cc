// Associators, AssociatorNames, References, ReferenceNames (DSP0200 5.4.2.14 to 5.4.2.17), on instances and on classes.
#include <unordered_set>

#include <fmt/format.h>

#include "wbem/reader.h"

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
const std::string& AssociationFilter(const Selection& s) {
  return WantsReferences(s.reads) ? s.request.result_class : s.request.assoc_class;
}

// An end, in the association's namespace where it says none.
ObjectPath Localized(const ObjectPath& end, const std::string& ns) {
  ObjectPath path = end;
  if (path.ns.empty()) path.ns = ns;
  return path;
}

bool IsEnd(const Value& value, const ObjectPath& target, const std::string& ns) {
  const ObjectPath* end = value.AsReference();
  if (!end) return false;
  return end->ns.empty() ? Localized(*end, ns).SameAs(target) : end->SameAs(target);
}

// True when some reference of the association may point to an object of the target's class, in the role asked for.
bool MayHoldTarget(const Schema& schema, const OperationRequest& request, const ClassDecl& association) {
  const std::string& target = request.target.class_name;
  for (const auto& p : association.properties) {
    if (p->type != CimType::kReference || !RoleFits(request.role, p->name)) continue;
    if (schema.IsA(request.ns, target, p->object_class) || schema.IsA(request.ns, p->object_class, target)) return true;
  }
  return false;
}

}  // namespace

std::vector<const Reader::Entry*> Reader::AssociationsFor(const Selection& s) const {
  const std::string& filter = AssociationFilter(s);
  std::vector<const Entry*> fitting;
  for (const Entry* entry : registry_.Associations(s.request.ns))
    if ((filter.empty() || schema_.IsA(s.request.ns, entry->cls->name, filter)) &&
        MayHoldTarget(schema_, s.request, *entry->cls))
      fitting.push_back(entry);
  return fitting;
}

Piece Reader::ReferencePiece(const Selection& s, const Entry& entry, const RequestContext& context,
                             Instance instance) const {
  Piece piece;
  piece.path.ns = context.ns;
  if (WantsNames(s.reads)) {
    piece.path = PathOf(*entry.cls, context.ns, instance);
    return piece;
  }
  piece.entry = &entry;
  piece.instance = std::move(instance);
  return piece;
}

// The object at the other end, as far as it is asked for and there. False: it is not.
bool Reader::FarPiece(const Selection& s, const ObjectPath& end, Found& found, Piece& piece) const {
  if (WantsNames(s.reads) && !s.query) {
    piece.path = end;
    return true;
  }
  CimStatus status = Look(s.request, s.caller, end, found);
  // The object may have gone since the association was read.
  if (status.code == CimCode::kNotFound) return false;
  if (!status.ok()) {
    piece.failure = std::move(status);
    return true;
  }
  if (!Passes(s, *found.entry, found.instance)) return false;
  if (WantsNames(s.reads)) {
    piece.path = end;
    return true;
  }
  piece.path.ns = end.ns;
  piece.entry = found.entry;
  piece.instance = std::move(found.instance);
  return true;
}

Series<Piece> Reader::Associated(SelectionPtr s) const {
  const OperationRequest& request = s->request;
  const bool references = WantsReferences(s->reads);
  std::unordered_set<std::string> seen;  // canonical keys of ends delivered: two associations may lead to one object
  bool associated = false;
  Found found;
  const std::vector<const Entry*> entries = AssociationsFor(*s);
  for (const Entry* entry : entries) {
    const RequestContext context = ContextFor(request, s->caller, *entry, request.ns);
    Series<Instance> all = entry->provider->Referring(context, request.target);
    while (Instance* association = all.Next()) {
      const std::vector<Property>& properties = association->properties;
      for (size_t near = 0; near < properties.size(); ++near) {
        if (!RoleFits(request.role, properties[near].name)) continue;
        if (!IsEnd(properties[near].value, request.target, request.ns)) continue;
        associated = true;
        if (references) {
          if (!Passes(*s, *entry, *association)) break;
          Piece piece = ReferencePiece(*s, *entry, context, std::move(*association));
          co_yield piece;
          break;
        }
        for (size_t far = 0; far < properties.size(); ++far) {
          const ObjectPath* other = properties[far].value.AsReference();
          if (far == near || !other || !RoleFits(request.result_role, properties[far].name)) continue;
          ObjectPath localized;
          if (other->ns.empty()) localized = Localized(*other, request.ns);
          const ObjectPath& end = other->ns.empty() ? localized : *other;
          if (!request.result_class.empty() && !schema_.IsA(end.ns, end.class_name, request.result_class)) continue;
          if (!seen.insert(end.CanonicalKey()).second) continue;
          Piece piece;
          if (FarPiece(*s, end, found, piece)) co_yield piece;
        }
      }
    }
    if (all.status().ok()) continue;
    Piece failure;
    failure.failure = all.status();
    associated = true;
    co_yield failure;
  }
  if (associated) co_return Status();
  // Nothing is associated; say so only of an object that is there.
  Piece failure;
  failure.failure = Find(request, s->caller, request.target, found);
  if (!failure.failure.ok()) co_yield failure;
  co_return Status();
}

Series<Piece> Reader::AssociatedClasses(SelectionPtr s) const {
  const OperationRequest& request = s->request;
  const std::string& filter = AssociationFilter(*s);
  const bool references = WantsReferences(s->reads);
  std::unordered_set<const ClassDecl*> seen;
  std::vector<const ClassDecl*> found;
  const auto put = [&](const ClassDecl* cls) {
    if (cls && seen.insert(cls).second) found.push_back(cls);
  };
  const std::vector<const ClassDecl*> all = schema_.Subclasses(request.ns, "", true);
  for (const ClassDecl* association : all) {
    if (!association->association || (!filter.empty() && !schema_.IsA(request.ns, association->name, filter))) continue;
    for (const auto& near : association->properties) {
      if (near->type != CimType::kReference || !RoleFits(request.role, near->name)) continue;
      if (!schema_.IsA(request.ns, request.target.class_name, near->object_class)) continue;
      if (references) put(association);
      for (const auto& far : association->properties) {
        if (references || far == near || far->type != CimType::kReference) continue;
        const bool fits =
            request.result_class.empty() || schema_.IsA(request.ns, far->object_class, request.result_class);
        if (fits && RoleFits(request.result_role, far->name)) put(schema_.Find(request.ns, far->object_class));
      }
    }
  }
  for (const ClassDecl* cls : found) {
    Piece piece;
    piece.cls = cls;
    co_yield piece;
  }
  co_return Status();
}

}  // namespace lockstep::wbem
