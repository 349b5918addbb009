// Enumerations, queries and single instances; associations are in traversal.cc.
#include "wbem/reader.h"

#include <fmt/format.h>

namespace lockstep::wbem {

Delivery::Delivery(const Schema& schema, const Selection& selection)
    : selection_(selection),
      instances_(schema, selection.request,
                 selection.reads == Operation::kEnumerateInstances && !selection.request.deep_inheritance
                     ? schema.Find(selection.request.ns, selection.request.target.class_name)
                     : nullptr) {}

CimStatus Delivery::Put(Piece& piece, Reply& reply) {
  if (!piece.failure.ok()) return std::move(piece.failure);
  if (piece.qualifier) {
    reply.PutQualifier(*piece.qualifier);
  } else if (piece.cls) {
    const std::string& ns = selection_.request.ns;
    const Shape shape = SpecOf(selection_.reads).shape;
    if (shape == Shape::kClassName || shape == Shape::kObjectPath) reply.PutClassName(*piece.cls, ns);
    else reply.PutClass(*piece.cls, ns);
  } else if (piece.entry) {
    return instances_.Put(*piece.entry->cls, piece.path.ns, piece.instance, reply);
  } else {
    reply.PutPath(piece.path);
  }
  return {};
}

Series<Piece> Reader::Read(SelectionPtr selection) const {
  switch (selection->reads) {
    case Operation::kEnumerateClasses:
    case Operation::kEnumerateClassNames: return Classes(std::move(selection));
    case Operation::kEnumerateQualifiers: return Qualifiers(std::move(selection));
    case Operation::kEnumerateInstanceNames: return Paths(std::move(selection));
    case Operation::kEnumerateInstances: return Instances(std::move(selection));
    case Operation::kExecQuery: {
      const std::string& ns = selection->request.ns;
      const ClassDecl& cls = *schema_.Find(ns, selection->request.target.class_name);
      std::optional<ObjectPath> path = selection->query->PinnedPath(cls, ns);
      return path ? Pinned(std::move(selection), *std::move(path)) : Instances(std::move(selection));
    }
    default: break;
  }
  return selection->request.target.keys.empty() ? AssociatedClasses(std::move(selection))
                                                : Associated(std::move(selection));
}

RequestContext Reader::ContextFor(const OperationRequest& request, const Caller& caller, const Entry& entry,
                                  const std::string& ns) const {
  RequestContext context{ns, entry.cls, caller.user, caller.peer, {}, &held_};
  // A query may look at any property.
  if (!request.property_list || !request.query.empty()) return context;
  context.wanted = request.property_list;
  // Without its keys an instance has no path.
  for (std::string& key : entry.cls->KeyNames()) context.wanted->push_back(std::move(key));
  return context;
}

CimStatus Reader::Find(const OperationRequest& request, const Caller& caller, const ObjectPath& path,
                       Found& found) const {
  CimStatus status = Look(request, caller, path, found);
  if (!status.ok()) return status;
  found.path = path;
  found.path.class_name = found.entry->cls->name;
  return {};
}

CimStatus Reader::Look(const OperationRequest& request, const Caller& caller, const ObjectPath& path,
                       Found& found) const {
  std::vector<const Entry*> entries;
  if (const Entry* own = registry_.Find(path.ns, path.class_name)) entries.push_back(own);
  else entries = registry_.FindWithSubclasses(path.ns, path.class_name);
  for (const Entry* entry : entries) {
    if (found.entry != entry || found.context.ns != path.ns) {
      found.entry = entry;
      found.context = ContextFor(request, caller, *entry, path.ns);
    }
    ObjectPath own_path;
    const bool exact = path.class_name == entry->cls->name;
    if (!exact) {
      own_path = path;
      own_path.class_name = entry->cls->name;
    }
    Result<Instance> instance = entry->provider->Get(found.context, exact ? path : own_path);
    if (!instance.ok()) {
      if (instance.status().code() == Code::kNotFound && entries.size() > 1) continue;
      return instance.status();
    }
    found.instance = *std::move(instance);
    return {};
  }
  return {CimCode::kNotFound, path.ToString() + " does not exist"};
}

bool Reader::Passes(const Selection& s, const Entry& entry, const Instance& instance) const {
  return !s.query || s.query->Matches(schema_, s.request.ns, *entry.cls, instance);
}

Series<Piece> Reader::Classes(SelectionPtr s) const {
  const OperationRequest& request = s->request;
  const std::vector<const ClassDecl*> found =
      schema_.Subclasses(request.ns, request.target.class_name, request.deep_inheritance);
  for (const ClassDecl* cls : found) {
    Piece piece;
    piece.cls = cls;
    co_yield piece;
  }
  co_return Status();
}

Series<Piece> Reader::Qualifiers(SelectionPtr s) const {
  const std::vector<const QualifierDecl*> found = schema_.QualifierDecls(s->request.ns);
  for (const QualifierDecl* qualifier : found) {
    Piece piece;
    piece.qualifier = qualifier;
    co_yield piece;
  }
  co_return Status();
}

namespace {

Piece Failure(const Status& status) {
  Piece piece;
  piece.failure = status;
  return piece;
}

Piece PathPiece(ObjectPath path, const std::string& ns) {
  Piece piece;
  piece.path = std::move(path);
  if (piece.path.ns.empty()) piece.path.ns = ns;
  return piece;
}

}  // namespace

Series<Piece> Reader::Instances(SelectionPtr s) const {
  const OperationRequest& request = s->request;
  const std::vector<const Entry*> entries = registry_.FindWithSubclasses(request.ns, request.target.class_name);
  const bool paths_only = SpecOf(s->reads).shape == Shape::kInstanceName;
  for (const Entry* entry : entries) {
    const RequestContext context = ContextFor(request, s->caller, *entry, request.ns);
    Series<Instance> all = entry->provider->Instances(context);
    while (Instance* instance = all.Next()) {
      if (!Passes(*s, *entry, *instance)) continue;
      Piece piece;
      if (paths_only) {
        piece.path = PathOf(*entry->cls, request.ns, *instance);
      } else {
        piece.entry = entry;
        piece.instance = std::move(*instance);
        piece.path.ns = request.ns;
      }
      co_yield piece;
    }
    if (all.status().ok()) continue;
    Piece failure = Failure(all.status());
    co_yield failure;
  }
  co_return Status();
}

Series<Piece> Reader::Paths(SelectionPtr s) const {
  // A filter looks at the instances.
  if (s->query) return Instances(std::move(s));
  return [](SelectionPtr of, std::vector<const Entry*> entries, const Reader& reader) -> Series<Piece> {
    for (const Entry* entry : entries) {
      const RequestContext context = reader.ContextFor(of->request, of->caller, *entry, of->request.ns);
      Series<ObjectPath> all = entry->provider->InstancePaths(context);
      while (ObjectPath* path = all.Next()) {
        Piece piece = PathPiece(std::move(*path), of->request.ns);
        co_yield piece;
      }
      if (all.status().ok()) continue;
      Piece failure = Failure(all.status());
      co_yield failure;
    }
    co_return Status();
  }(s, registry_.FindWithSubclasses(s->request.ns, s->request.target.class_name), *this);
}

// The class and each of its subclasses may have an instance with these keys.
Series<Piece> Reader::Pinned(SelectionPtr s, ObjectPath path) const {
  const std::vector<const Entry*> entries = registry_.FindWithSubclasses(path.ns, path.class_name);
  for (const Entry* entry : entries) {
    const RequestContext context = ContextFor(s->request, s->caller, *entry, path.ns);
    ObjectPath own_path = path;
    own_path.class_name = entry->cls->name;
    Result<Instance> instance = entry->provider->Get(context, own_path);
    if (!instance.ok() && instance.status().code() == Code::kNotFound) continue;
    Piece piece;
    if (!instance.ok()) {
      piece = Failure(instance.status());
    } else {
      if (!Passes(*s, *entry, *instance)) continue;
      piece.entry = entry;
      piece.instance = *std::move(instance);
      piece.path.ns = path.ns;
    }
    co_yield piece;
  }
  co_return Status();
}

}  // namespace lockstep::wbem
