#include "wbem/query.h"

#include <algorithm>
#include <compare>

#include <fmt/format.h>

#include "wbem/query_tree.h"

namespace lockstep::wbem {

Query::Query() = default;
Query::~Query() = default;
Query::Query(Query&&) noexcept = default;
Query& Query::operator=(Query&&) noexcept = default;

namespace query {

// Follows all ways through the atoms at once, so that no pattern takes more than its length times the text's.
bool Pattern::Matches(std::string_view text) const {
  const auto fits = [](const Atom& atom, char c) {
    if (atom.kind == Atom::Kind::kAny) return true;
    if (atom.kind == Atom::Kind::kByte) return atom.byte == c;
    const auto byte = static_cast<unsigned char>(c);
    const bool within = std::any_of(atom.ranges.begin(), atom.ranges.end(),
                                    [byte](const auto& r) { return r.first <= byte && byte <= r.second; });
    return within != atom.negated;
  };
  std::vector<bool> here(atoms.size() + 1), next;
  here[0] = true;
  const auto skip = [&](std::vector<bool>& at) {
    for (size_t i = 0; i < atoms.size(); ++i)
      if (at[i] && atoms[i].optional) at[i + 1] = true;
  };
  skip(here);
  for (const char c : text) {
    next.assign(atoms.size() + 1, false);
    for (size_t i = 0; i < atoms.size(); ++i) {
      if (!here[i] || !fits(atoms[i], c)) continue;
      next[i + 1] = true;
      if (atoms[i].repeated) next[i] = true;
    }
    skip(next);
    here.swap(next);
  }
  return here[atoms.size()];
}

}  // namespace query

namespace {

using query::Condition;
using query::Operand;
using query::Step;

enum class Truth : uint8_t { kFalse, kUnknown, kTrue };

Truth TruthOf(bool b) { return b ? Truth::kTrue : Truth::kFalse; }
Truth Inverse(Truth t) { return t == Truth::kUnknown ? t : TruthOf(t == Truth::kFalse); }

const Value kNull;

// Numbers of any type by what they are worth; unordered when they cannot be compared.
std::partial_ordering CompareNumbers(const Value& a, const Value& b) {
  const auto ua = a.AsUnsigned(), ub = b.AsUnsigned();
  if (ua && ub) return *ua <=> *ub;
  const auto sa = a.AsSigned(), sb = b.AsSigned();
  if (sa && sb) return *sa <=> *sb;
  const auto real = [](const Value& v) {
    if (const auto r = v.AsReal()) return *r;
    if (const auto s = v.AsSigned()) return static_cast<double>(*s);
    return static_cast<double>(v.AsUnsigned().value_or(0));
  };
  // An integer below zero and one too large for a signed one, or a real number.
  return real(a) <=> real(b);
}

std::partial_ordering CompareDatetimes(const Datetime& a, const Datetime& b) {
  if (a.is_interval() != b.is_interval()) return std::partial_ordering::unordered;
  return a.us() <=> b.us();
}

// Gives a text the form of what it is compared with: literals of datetimes, references and booleans are texts.
std::optional<Value> Alike(const Value& text, const Value& other) {
  if (!text.AsString() || text.type() != CimType::kString) return std::nullopt;
  if (other.AsDatetime()) {
    Result<Value> parsed = Value::Parse(CimType::kDatetime, *text.AsString());
    return parsed.ok() ? std::optional(*std::move(parsed)) : std::nullopt;
  }
  if (other.AsReference()) {
    Result<ObjectPath> path = ObjectPath::Parse(*text.AsString());
    if (!path.ok()) return std::nullopt;
    if (path->ns.empty()) path->ns = other.AsReference()->ns;
    return Value(*std::move(path));
  }
  return std::nullopt;
}

std::partial_ordering CompareScalars(const Value& a, const Value& b) {
  if (const auto x = Alike(a, b)) return CompareScalars(*x, b);
  if (const auto x = Alike(b, a)) return CompareScalars(a, *x);
  if (a.AsBool() && b.AsBool()) return *a.AsBool() <=> *b.AsBool();
  if (IsNumeric(a.type()) && IsNumeric(b.type())) return CompareNumbers(a, b);
  if (a.AsDatetime() && b.AsDatetime()) return CompareDatetimes(*a.AsDatetime(), *b.AsDatetime());
  if (a.AsReference() && b.AsReference())
    return a.AsReference()->SameAs(*b.AsReference()) ? std::partial_ordering::equivalent
                                                     : std::partial_ordering::unordered;
  const auto textual = [](const Value& v) { return v.type() == CimType::kString || v.type() == CimType::kChar16; };
  if (textual(a) && textual(b)) return a.ToText().compare(b.ToText()) <=> 0;
  if (a.AsInstance() && b.AsInstance() && *a.AsInstance() == *b.AsInstance())
    return std::partial_ordering::equivalent;
  return std::partial_ordering::unordered;
}

Truth Holds(Condition::Comparison comparison, std::partial_ordering order) {
  using C = Condition::Comparison;
  switch (comparison) {
    case C::kEqual: return TruthOf(order == 0);
    case C::kNotEqual: return TruthOf(order != 0);
    case C::kLess: return TruthOf(order < 0);
    case C::kLessEqual: return TruthOf(order <= 0);
    case C::kGreater: return TruthOf(order > 0);
    case C::kGreaterEqual: return TruthOf(order >= 0);
  }
  return Truth::kUnknown;
}

Truth CompareValues(Condition::Comparison comparison, const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return Truth::kUnknown;
  if (!a.is_array() && !b.is_array()) return Holds(comparison, CompareScalars(a, b));
  const Value::Elements* left = a.AsArray();
  const Value::Elements* right = b.AsArray();
  if (!left || !right) return Truth::kUnknown;
  // Arrays are equal or not; there is no order among them.
  const bool same = left->size() == right->size() &&
                    std::equal(left->begin(), left->end(), right->begin(),
                               [](const Value& x, const Value& y) { return CompareScalars(x, y) == 0; });
  if (comparison == Condition::Comparison::kEqual) return TruthOf(same);
  if (comparison == Condition::Comparison::kNotEqual) return TruthOf(!same);
  return Truth::kUnknown;
}

// Evaluates the conditions of one query against one instance.
class Evaluation {
 public:
  Evaluation(const Schema& schema, const std::string& ns, const ClassDecl& cls, const Instance& instance)
      : schema_(schema), ns_(ns), cls_(cls), instance_(instance) {}

  Truth Of(const Condition& condition) const {
    switch (condition.kind) {
      case Condition::Kind::kAnd: return Join(condition, Truth::kFalse);
      case Condition::Kind::kOr: return Join(condition, Truth::kTrue);
      case Condition::Kind::kNot: return Inverse(Of(*condition.parts.front()));
      case Condition::Kind::kIsNull: return TruthOf(!condition.left.self && ValueOf(condition.left).is_null());
      case Condition::Kind::kIsA: return IsA(condition);
      case Condition::Kind::kLike: return Like(condition);
      case Condition::Kind::kCompare: return Compare(condition);
      case Condition::Kind::kConstant: break;
    }
    return Truth::kTrue;
  }

 private:
  // The first part that decides does; what is unknown stays so if none does.
  Truth Join(const Condition& condition, Truth deciding) const {
    Truth all = Inverse(deciding);
    for (const auto& part : condition.parts) {
      const Truth t = Of(*part);
      if (t == deciding) return t;
      if (t == Truth::kUnknown) all = t;
    }
    return all;
  }

  Truth IsA(const Condition& condition) const {
    if (condition.left.self) return TruthOf(schema_.IsA(ns_, cls_.name, condition.class_name));
    const Value value = ValueOf(condition.left);
    if (const Instance* embedded = value.AsInstance())
      return TruthOf(DerivesFrom(embedded->class_name, condition.class_name));
    if (const ObjectPath* path = value.AsReference())
      return TruthOf(NameEquals(path->class_name, condition.class_name) ||
                     schema_.IsA(path->ns.empty() ? ns_ : path->ns, path->class_name, condition.class_name));
    return Truth::kUnknown;
  }
  bool DerivesFrom(std::string_view cls, std::string_view base) const {
    if (NameEquals(cls, base) || schema_.IsA(ns_, cls, base)) return true;
    // An embedded instance may come from another namespace (an indication's from where it happened).
    for (const std::string& ns : schema_.Namespaces())
      if (schema_.IsA(ns, cls, base)) return true;
    return false;
  }

  Truth Like(const Condition& condition) const {
    return Quantified(condition.left, [&](const Value& value) {
      if (value.is_null()) return Truth::kUnknown;
      if (value.is_array() || value.type() != CimType::kString) return Truth::kFalse;
      return TruthOf(condition.pattern.Matches(value.ToText()));
    });
  }

  Truth Compare(const Condition& condition) const {
    return Quantified(condition.left, [&](const Value& left) {
      return Quantified(condition.right, [&](const Value& right) {
        return CompareValues(condition.comparison, left, right);
      });
    });
  }

  template <typename Test>
  Truth Quantified(const Operand& operand, Test test) const {
    const Value value = ValueOf(operand);
    if (operand.quantifier == Operand::Quantifier::kNone || !value.AsArray()) return test(value);
    const Truth deciding = operand.quantifier == Operand::Quantifier::kAny ? Truth::kTrue : Truth::kFalse;
    Truth all = Inverse(deciding);
    for (const Value& element : *value.AsArray()) {
      const Truth t = test(element);
      if (t == deciding) return t;
      if (t == Truth::kUnknown) all = t;
    }
    return all;
  }

  Value ValueOf(const Operand& operand) const {
    if (operand.is_literal()) return operand.literal;
    if (operand.self) return Value(instance_);
    const Step& first = operand.path.front();
    if (!first.scope.empty() && !DerivesFrom(cls_.name, first.scope)) return kNull;
    Value value = Element(first, TopValue(first.name));
    for (size_t i = 1; i < operand.path.size(); ++i) value = Element(operand.path[i], Inner(operand.path[i], value));
    return value;
  }
  Value TopValue(std::string_view name) const {
    if (const Value* value = instance_.Find(name)) return *value;
    const PropertyDecl* declared = cls_.FindProperty(name);
    return declared ? declared->default_value : kNull;
  }
  // A property of an embedded instance, or a key of what a reference names.
  Value Inner(const Step& step, const Value& outer) const {
    if (const Instance* embedded = outer.AsInstance()) {
      if (!step.scope.empty() && !DerivesFrom(embedded->class_name, step.scope)) return kNull;
      return (*embedded)[step.name];
    }
    if (const ObjectPath* path = outer.AsReference()) {
      const Value* key = path->Key(step.name);
      return key ? *key : kNull;
    }
    return kNull;
  }
  static Value Element(const Step& step, Value value) {
    if (!step.index) return value;
    const Value::Elements* elements = value.AsArray();
    return elements && *step.index < elements->size() ? (*elements)[*step.index] : kNull;
  }

  const Schema& schema_;
  const std::string& ns_;
  const ClassDecl& cls_;
  const Instance& instance_;
};

CimStatus CheckOperand(const Schema& schema, const std::string& ns, const ClassDecl& cls, const Operand& operand) {
  if (operand.path.empty()) return {};
  const Step& first = operand.path.front();
  const ClassDecl* where = first.scope.empty() ? &cls : schema.Find(ns, first.scope);
  if (!where)
    return {CimCode::kInvalidQuery, fmt::format("the query names class {}, which is not declared in {}", first.scope,
                                                ns)};
  if (where->FindProperty(first.name)) return {};
  for (const ClassDecl* sub : schema.Subclasses(ns, where->name, true))
    if (sub->FindProperty(first.name)) return {};
  return {CimCode::kInvalidQuery, fmt::format("the query names property {}, which class {} does not have", first.name,
                                              where->name)};
}

CimStatus CheckCondition(const Schema& schema, const std::string& ns, const ClassDecl& cls, const Condition& c) {
  for (const auto& part : c.parts) {
    CimStatus status = CheckCondition(schema, ns, cls, *part);
    if (!status.ok()) return status;
  }
  CimStatus status = CheckOperand(schema, ns, cls, c.left);
  return status.ok() ? CheckOperand(schema, ns, cls, c.right) : status;
}

// The literal that the condition says `key` is equal to.
const Value* PinnedKey(const Condition& c, const PropertyDecl& key) {
  if (c.kind == Condition::Kind::kAnd) {
    for (const auto& part : c.parts)
      if (const Value* pinned = PinnedKey(*part, key)) return pinned;
    return nullptr;
  }
  if (c.kind != Condition::Kind::kCompare || c.comparison != Condition::Comparison::kEqual) return nullptr;
  const auto names = [&key](const Operand& o) {
    return o.path.size() == 1 && o.path[0].scope.empty() && !o.path[0].index && NameEquals(o.path[0].name, key.name);
  };
  if (names(c.left) && c.right.is_literal() && !c.right.literal.is_null()) return &c.right.literal;
  if (names(c.right) && c.left.is_literal() && !c.left.literal.is_null()) return &c.left.literal;
  return nullptr;
}

// The class that `property` must be of, if the condition is to hold.
std::string ClassDemanded(const Condition& c, std::string_view property) {
  if (c.kind == Condition::Kind::kAnd) {
    for (const auto& part : c.parts)
      if (std::string demanded = ClassDemanded(*part, property); !demanded.empty()) return demanded;
    return "";
  }
  const auto& path = c.left.path;
  const bool names = c.kind == Condition::Kind::kIsA && path.size() == 1 && NameEquals(path.front().name, property);
  return names ? c.class_name : "";
}

}  // namespace

CimStatus Query::Check(const Schema& schema, const std::string& ns, const ClassDecl& cls) const {
  if (selected_)
    for (const std::string& name : *selected_) {
      Operand operand;
      operand.path.push_back({"", name, {}});
      CimStatus status = CheckOperand(schema, ns, cls, operand);
      if (!status.ok()) return status;
    }
  return where_ ? CheckCondition(schema, ns, cls, *where_) : CimStatus();
}

bool Query::Matches(const Schema& schema, const std::string& ns, const ClassDecl& cls, const Instance& instance) const {
  if (!class_name_.empty() && !schema.IsA(ns, cls.name, class_name_)) return false;
  return !where_ || Evaluation(schema, ns, cls, instance).Of(*where_) == Truth::kTrue;
}

std::optional<ObjectPath> Query::PinnedPath(const ClassDecl& cls, const std::string& ns) const {
  if (!where_) return std::nullopt;
  ObjectPath path(ns, cls.name);
  for (const auto& p : cls.properties) {
    if (!p->key) continue;
    const Value* pinned = PinnedKey(*where_, *p);
    if (!pinned) return std::nullopt;
    if (p->type == CimType::kReference) return std::nullopt;  // what is equal to it may be written in several ways
    Result<Value> typed = pinned->ConvertTo(p->type, false);
    if (!typed.ok()) return std::nullopt;
    path.keys.push_back({p->name, *std::move(typed)});
  }
  if (path.keys.empty()) return std::nullopt;
  return path;
}

std::string Query::DemandedClass(std::string_view property) const {
  return where_ ? ClassDemanded(*where_, property) : "";
}

}  // namespace lockstep::wbem
