#include "wbem/schema.h"

#include <algorithm>

#include <fmt/format.h>

#include "wbem/mof.h"

namespace lockstep::wbem {
namespace {

template <typename T>
const T* FindNamed(const std::vector<std::shared_ptr<const T>>& list, std::string_view name) {
  for (const auto& item : list)
    if (NameEquals(item->name, name)) return item.get();
  return nullptr;
}

void InheritQualifiers(Qualifiers& own, const Qualifiers& inherited) {
  for (const Qualifier& q : inherited.list)
    if (q.to_subclass && !own.Find(q.name)) own.list.push_back(q);
}

Status CheckOverride(const ClassDecl& cls, const TypedElement& own, const TypedElement& inherited) {
  const bool text = own.type == CimType::kString && inherited.type == CimType::kInstance;
  const bool narrowed = own.type == CimType::kInstance && inherited.type == CimType::kString;
  if (own.array == inherited.array && (own.type == inherited.type || text || narrowed)) return {};
  return InvalidArgument(fmt::format("{}.{} overrides a {}{} with a {}{}", cls.name, own.name, TypeName(inherited.type),
                                     inherited.array ? "[]" : "", TypeName(own.type), own.array ? "[]" : ""));
}

void InheritProperty(PropertyDecl& own, const PropertyDecl& inherited) {
  InheritQualifiers(own.qualifiers, inherited.qualifiers);
  own.origin = inherited.origin;
  own.key = own.qualifiers.Is("Key");
  ApplyEmbedding(own);
  if (own.default_value.is_null()) own.default_value = inherited.default_value;
}

void InheritMethod(MethodDecl& own, const MethodDecl& inherited) {
  InheritQualifiers(own.qualifiers, inherited.qualifiers);
  own.origin = inherited.origin;
  own.is_static = own.qualifiers.Is("Static");
  for (ParameterDecl& p : own.parameters) {
    const ParameterDecl* theirs = inherited.FindParameter(p.name);
    if (!theirs) continue;
    InheritQualifiers(p.qualifiers, theirs->qualifiers);
    ApplyEmbedding(p);
  }
}

// Puts what `parent` has before and under what `cls` declares; an overridden feature keeps its inherited place.
template <typename T, typename Inherit>
Status MergeFeatures(const ClassDecl& cls, std::vector<std::shared_ptr<const T>>& own,
                     const std::vector<std::shared_ptr<const T>>& inherited, Inherit inherit) {
  std::vector<std::shared_ptr<const T>> merged = inherited;
  for (const auto& feature : own) {
    auto copy = std::make_shared<T>(*feature);
    copy->origin = copy->declared_in = cls.name;
    const auto place = std::find_if(merged.begin(), merged.end(),
                                    [&](const auto& m) { return NameEquals(m->name, feature->name); });
    if (place == merged.end()) {
      merged.push_back(std::move(copy));
      continue;
    }
    LS_RETURN_IF_ERROR(CheckOverride(cls, *copy, **place));
    inherit(*copy, **place);
    *place = std::move(copy);
  }
  own = std::move(merged);
  return {};
}

Status Resolve(ClassDecl& cls, const ClassDecl& parent) {
  InheritQualifiers(cls.qualifiers, parent.qualifiers);
  cls.association = cls.qualifiers.Is("Association");
  cls.indication = cls.qualifiers.Is("Indication");
  LS_RETURN_IF_ERROR(MergeFeatures(cls, cls.properties, parent.properties, InheritProperty));
  return MergeFeatures(cls, cls.methods, parent.methods, InheritMethod);
}

using Classes = std::unordered_map<std::string, std::unique_ptr<ClassDecl>, NameHash, NameSame>;

// Resolves the classes of one Load against each other and against those that are there already.
class Loader {
 public:
  explicit Loader(const Classes& present) : present_(present) {}

  Status Add(const MofText& mof) {
    LS_ASSIGN_OR_RETURN(std::vector<ClassDecl> classes, ParseMof(mof, &qualifiers_));
    for (ClassDecl& cls : classes) {
      const std::string name = cls.name;
      if (present_.contains(name) || fresh_.contains(name))
        return InvalidArgument(fmt::format("{}: class {} is declared twice", mof.name, name));
      order_.push_back({name, mof.name});
      fresh_.emplace(name, std::make_unique<ClassDecl>(std::move(cls)));
    }
    return {};
  }

  Result<Classes> Finish() {
    for (const auto& [name, file] : order_) {
      Status done = ResolveUpwards(name);
      if (!done.ok()) return done.WithContext(file);
    }
    for (const auto& [name, file] : order_) {
      Status done = CheckClasses(*Find(name));
      if (!done.ok()) return done.WithContext(file);
    }
    return std::move(fresh_);
  }
  std::vector<QualifierDecl>& qualifiers() { return qualifiers_; }

 private:
  ClassDecl* Find(std::string_view name) const {
    if (const auto it = fresh_.find(name); it != fresh_.end()) return it->second.get();
    const auto it = present_.find(name);
    return it == present_.end() ? nullptr : it->second.get();
  }
  bool IsResolved(std::string_view name) const { return present_.contains(name) || resolved_.contains(name); }

  // Resolves the ancestors of `name` from the top down, then itself.
  Status ResolveUpwards(const std::string& name) {
    std::vector<ClassDecl*> chain;
    for (ClassDecl* c = Find(name); !IsResolved(c->name);) {
      if (chain.size() > fresh_.size()) return InvalidArgument("class " + name + " inherits from itself");
      chain.push_back(c);
      if (c->superclass.empty()) break;
      ClassDecl* parent = Find(c->superclass);
      if (!parent)
        return InvalidArgument(fmt::format("class {}: its superclass {} is not declared", c->name, c->superclass));
      c->superclass = parent->name;
      c = parent;
    }
    static const ClassDecl kNothing;
    for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
      const ClassDecl* parent = (*it)->superclass.empty() ? &kNothing : Find((*it)->superclass);
      LS_RETURN_IF_ERROR(Resolve(**it, *parent));
      resolved_.emplace((*it)->name, true);
    }
    return {};
  }

  Status CheckElement(const ClassDecl& cls, const TypedElement& e) const {
    if (e.object_class.empty() || Find(e.object_class)) return {};
    return InvalidArgument(fmt::format("{}.{} names class {}, which is not declared", cls.name, e.name,
                                       e.object_class));
  }
  Status CheckClasses(const ClassDecl& cls) const {
    for (const auto& p : cls.properties) LS_RETURN_IF_ERROR(CheckElement(cls, *p));
    for (const auto& m : cls.methods)
      for (const ParameterDecl& p : m->parameters) LS_RETURN_IF_ERROR(CheckElement(cls, p));
    return {};
  }

  const Classes& present_;
  Classes fresh_;
  std::vector<QualifierDecl> qualifiers_;
  std::unordered_map<std::string, bool, NameHash, NameSame> resolved_;
  std::vector<std::pair<std::string, std::string>> order_;  // class, file
};

}  // namespace

struct Schema::Namespace {
  Classes classes;
  std::map<std::string, std::vector<const ClassDecl*>, NameOrder> children;  // by superclass, each sorted by name
  std::map<std::string, QualifierDecl, NameOrder> qualifiers;
};

const Value* Qualifiers::Find(std::string_view name) const {
  for (const Qualifier& q : list)
    if (NameEquals(q.name, name)) return &q.value;
  return nullptr;
}

bool Qualifiers::Is(std::string_view name) const {
  const Value* v = Find(name);
  return v && v->AsBool().value_or(false);
}

void ApplyEmbedding(TypedElement& element) {
  if (element.type != CimType::kString) return;
  if (const Value* embedded = element.qualifiers.Find("EmbeddedInstance"); embedded && embedded->AsString()) {
    element.type = CimType::kInstance;
    element.object_class = *embedded->AsString();
  } else if (element.qualifiers.Is("EmbeddedObject")) {
    element.type = CimType::kInstance;
  }
}

const ParameterDecl* MethodDecl::FindParameter(std::string_view parameter) const {
  for (const ParameterDecl& p : parameters)
    if (NameEquals(p.name, parameter)) return &p;
  return nullptr;
}

const PropertyDecl* ClassDecl::FindProperty(std::string_view property) const { return FindNamed(properties, property); }
const MethodDecl* ClassDecl::FindMethod(std::string_view method) const { return FindNamed(methods, method); }

std::vector<std::string> ClassDecl::KeyNames() const {
  std::vector<std::string> names;
  for (const auto& p : properties)
    if (p->key) names.push_back(p->name);
  return names;
}

Schema::Schema() = default;
Schema::~Schema() = default;
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;

Status Schema::Load(std::string_view ns, std::span<const MofText> texts) {
  static const Classes kNone;
  const auto found = namespaces_.find(ns);
  Loader loader(found == namespaces_.end() ? kNone : found->second->classes);
  for (const MofText& text : texts) LS_RETURN_IF_ERROR(loader.Add(text));
  LS_ASSIGN_OR_RETURN(Classes fresh, loader.Finish());

  std::unique_ptr<Namespace>& target = namespaces_[std::string(ns)];
  if (!target) target = std::make_unique<Namespace>();
  for (auto& [name, cls] : fresh) {
    target->children[cls->superclass].push_back(cls.get());
    target->classes.emplace(name, std::move(cls));
  }
  for (QualifierDecl& qualifier : loader.qualifiers())
    target->qualifiers.insert_or_assign(qualifier.name, std::move(qualifier));
  for (auto& [parent, children] : target->children)
    std::sort(children.begin(), children.end(), [](auto* a, auto* b) { return NameLess(a->name, b->name); });
  return {};
}

std::vector<std::string> Schema::Namespaces() const {
  std::vector<std::string> names;
  for (const auto& [name, unused] : namespaces_) names.push_back(name);
  return names;
}

const Schema::Namespace* Schema::FindNamespace(std::string_view ns) const {
  const auto it = namespaces_.find(ns);
  return it == namespaces_.end() ? nullptr : it->second.get();
}

bool Schema::HasNamespace(std::string_view ns) const { return FindNamespace(ns) != nullptr; }

const ClassDecl* Schema::Find(std::string_view ns, std::string_view class_name) const {
  const Namespace* n = FindNamespace(ns);
  if (!n) return nullptr;
  const auto it = n->classes.find(class_name);
  return it == n->classes.end() ? nullptr : it->second.get();
}

std::vector<const ClassDecl*> Schema::Subclasses(std::string_view ns, std::string_view class_name, bool deep) const {
  std::vector<const ClassDecl*> found;
  const Namespace* n = FindNamespace(ns);
  if (!n) return found;
  const auto append = [&](std::string_view parent) {
    if (const auto it = n->children.find(parent); it != n->children.end())
      found.insert(found.end(), it->second.begin(), it->second.end());
  };
  append(class_name);
  for (size_t i = 0; deep && i < found.size(); ++i) append(found[i]->name);
  if (deep) std::sort(found.begin(), found.end(), [](auto* a, auto* b) { return NameLess(a->name, b->name); });
  return found;
}

std::vector<const QualifierDecl*> Schema::QualifierDecls(std::string_view ns) const {
  std::vector<const QualifierDecl*> found;
  if (const Namespace* n = FindNamespace(ns))
    for (const auto& [name, qualifier] : n->qualifiers) found.push_back(&qualifier);
  return found;
}

const QualifierDecl* Schema::FindQualifierDecl(std::string_view ns, std::string_view name) const {
  const Namespace* n = FindNamespace(ns);
  if (!n) return nullptr;
  const auto it = n->qualifiers.find(name);
  return it == n->qualifiers.end() ? nullptr : &it->second;
}

bool Schema::IsA(std::string_view ns, std::string_view derived, std::string_view base) const {
  for (const ClassDecl* c = Find(ns, derived); c; c = Find(ns, c->superclass))
    if (NameEquals(c->name, base)) return true;
  return false;
}

}  // namespace lockstep::wbem
