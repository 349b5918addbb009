// Reading: every operation that gives objects is a series of pieces here, made from schema and providers while it is
// read; the core hands the pieces to a Reply at once, or keeps the series for pulls. Polymorphism, roles, classes and
// queries are applied here.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/role.h"
#include "wbem/errors.h"
#include "wbem/instance_view.h"
#include "wbem/operations.h"
#include "wbem/provider.h"
#include "wbem/query.h"
#include "wbem/series.h"

namespace lockstep::wbem {

// Who is asking; copied into every RequestContext.
struct Caller {
  std::string user;  // empty: anonymous
  std::string peer;
  access::Role role = access::Role::kAdministrator;
};

// What is asked for, as long as it is read. The request has been checked: its target is typed.
struct Selection {
  OperationRequest request;
  Operation reads = Operation::kGetClass;  // the operation of Act::kReadMany that gives the pieces
  Caller caller;
  std::optional<Query> query;  // of ExecQuery, or a filter
};
using SelectionPtr = std::shared_ptr<const Selection>;

// One of: an instance with the entry that gave it; a path; a class (with `entry` and `path` empty); a qualifier
// declaration; or why some of the result is missing, after which more may follow.
struct Piece {
  const ProviderRegistry::Entry* entry = nullptr;
  Instance instance;
  ObjectPath path;
  const ClassDecl* cls = nullptr;
  const QualifierDecl* qualifier = nullptr;
  CimStatus failure;
};

// An instance that has been looked for and found.
struct Found {
  const ProviderRegistry::Entry* entry = nullptr;
  RequestContext context;
  ObjectPath path;  // of the class that the entry serves
  Instance instance;
};

// Puts pieces into a Reply in the form that the operation's shape wants.
class Delivery {
 public:
  // `selection` and `schema` outlive it.
  Delivery(const Schema& schema, const Selection& selection);
  // What is in the piece is used up.
  CimStatus Put(Piece& piece, Reply& reply);

 private:
  const Selection& selection_;
  InstanceDelivery instances_;
};

class Reader {
 public:
  using Entry = ProviderRegistry::Entry;

  // `registry` outlives the reader and its series.
  explicit Reader(const ProviderRegistry& registry) : registry_(registry), schema_(registry.schema()) {}

  Series<Piece> Read(SelectionPtr selection) const;

  // What the providers are told about a request.
  RequestContext ContextFor(const OperationRequest& request, const Caller& caller, const Entry& entry,
                            const std::string& ns) const;
  // Asks the provider of the path's class, or where it has none those of its subclasses, for the instance. `path` is
  // typed already.
  CimStatus Find(const OperationRequest& request, const Caller& caller, const ObjectPath& path, Found& found) const;
  // The same without found.path; `found` may come from the search before, whose context then serves again.
  CimStatus Look(const OperationRequest& request, const Caller& caller, const ObjectPath& path, Found& found) const;

 private:
  Series<Piece> Classes(SelectionPtr s) const;
  Series<Piece> Qualifiers(SelectionPtr s) const;
  Series<Piece> Instances(SelectionPtr s) const;
  Series<Piece> Paths(SelectionPtr s) const;
  Series<Piece> Pinned(SelectionPtr s, ObjectPath path) const;
  Series<Piece> Associated(SelectionPtr s) const;
  Series<Piece> AssociatedClasses(SelectionPtr s) const;

  bool Passes(const Selection& s, const Entry& entry, const Instance& instance) const;
  std::vector<const Entry*> AssociationsFor(const Selection& s) const;
  Piece ReferencePiece(const Selection& s, const Entry& entry, const RequestContext& context, Instance instance) const;
  bool FarPiece(const Selection& s, const ObjectPath& end, Found& found, Piece& piece) const;

  const ProviderRegistry& registry_;
  const Schema& schema_;
  mutable HeldObjects held_;
};

}  // namespace lockstep::wbem
