#include "wbem/provider.h"

#include <algorithm>

#include <fmt/format.h>

namespace lockstep::wbem {
namespace {

// All that a provider pushes, until it has been read.
template <typename T>
class Held {
 public:
  explicit Held(HeldObjects* bound) : bound_(bound) {}
  ~Held() {
    if (bound_) bound_->now -= counted_;
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  // False: there is no room for more.
  bool Add(T object) {
    if (bound_ && bound_->now >= bound_->max) {
      full_ = true;
      return false;
    }
    if (bound_) ++bound_->now, ++counted_;
    objects_.push_back(std::move(object));
    return true;
  }
  std::vector<T>& objects() { return objects_; }
  // How it ended; what is there of a list that had no room is not worth giving.
  Status End(Status status) {
    if (!full_) return status;
    objects_.clear();
    return {Code::kTooLarge, "too many clients are reading long lists at this moment: try again when they have ended"};
  }

 private:
  HeldObjects* const bound_;
  std::vector<T> objects_;
  size_t counted_ = 0;
  bool full_ = false;
};

// What a push gives, held whole.
Series<Pair> HeldPairs(PairSource from, ObjectPath end, HeldObjects* bound) {
  Held<Pair> held(bound);
  Status status = from(end.empty() ? nullptr : &end, [&held](Pair pair) { return held.Add(std::move(pair)); });
  status = held.End(std::move(status));
  for (Pair& pair : held.objects()) co_yield pair;
  co_return status;
}

class PairAssociation final : public Provider {
 public:
  // One of the two sources is empty.
  PairAssociation(std::string left_role, std::string right_role, PairSource pushed, PairSeries pulled)
      : left_role_(std::move(left_role)),
        right_role_(std::move(right_role)),
        pushed_(std::move(pushed)),
        pulled_(std::move(pulled)) {}

  Series<Instance> Instances(RequestContext context) override { return Walk(std::move(context), {}); }
  Series<Instance> Referring(RequestContext context, ObjectPath end) override {
    return Walk(std::move(context), std::move(end));
  }
  Result<Instance> Get(const RequestContext& context, const ObjectPath& path) override {
    const Value* left = path.Key(left_role_);
    const Value* right = path.Key(right_role_);
    if (!left || !right || !left->AsReference() || !right->AsReference())
      return InvalidArgument(fmt::format("{}: keys {} and {} are references", path.ToString(), left_role_,
                                         right_role_));
    Series<Pair> pairs = Pairs(context, *left->AsReference());
    while (Pair* pair = pairs.Next()) {
      Localize(context, *pair);
      if (pair->left.SameAs(*left->AsReference()) && pair->right.SameAs(*right->AsReference()))
        return ToInstance(context, std::move(*pair));
    }
    if (!pairs.status().ok()) return pairs.status();
    return NotFound(path.ToString() + " is not associated");
  }

 private:
  Series<Pair> Pairs(const RequestContext& context, ObjectPath end) const {
    return pulled_ ? pulled_(std::move(end)) : HeldPairs(pushed_, std::move(end), context.held);
  }

  // The provider outlives its series.
  Series<Instance> Walk(RequestContext context, ObjectPath end) const {
    Series<Pair> pairs = Pairs(context, std::move(end));
    while (Pair* pair = pairs.Next()) {
      Localize(context, *pair);
      Instance instance = ToInstance(context, std::move(*pair));
      co_yield instance;
    }
    co_return pairs.status();
  }

  static void Localize(const RequestContext& context, Pair& pair) {
    if (pair.left.ns.empty()) pair.left.ns = context.ns;
    if (pair.right.ns.empty()) pair.right.ns = context.ns;
  }

  Instance ToInstance(const RequestContext& context, Pair pair) const {
    Instance instance(context.cls->name);
    instance.properties.reserve(pair.properties.size() + 2);
    instance.Add(left_role_, Value(std::move(pair.left)));
    instance.Add(right_role_, Value(std::move(pair.right)));
    for (Property& p : pair.properties) instance.Add(std::move(p.name), std::move(p.value));
    return instance;
  }

  const std::string left_role_, right_role_;
  const PairSource pushed_;
  const PairSeries pulled_;
};

}  // namespace

bool RequestContext::Wants(std::string_view property) const {
  return !wanted || std::any_of(wanted->begin(), wanted->end(), [&](auto& w) { return NameEquals(w, property); });
}

const Value& MethodCall::operator[](std::string_view parameter) const {
  static const Value kNull;
  for (const Property& p : in)
    if (NameEquals(p.name, parameter)) return p.value;
  return kNull;
}

ObjectPath MakePath(const ClassDecl& cls, std::string_view ns, const Instance& instance) {
  ObjectPath path{std::string(ns), cls.name};
  for (const auto& p : cls.properties)
    if (p->key) path.keys.push_back({p->name, instance[p->name]});
  return path;
}

Status Provider::Enumerate(const RequestContext& context, const InstanceSink& sink) {
  Series<Instance> all = Instances(context);
  while (Instance* instance = all.Next())
    if (!sink(std::move(*instance))) return {};
  return all.status();
}

Series<Instance> Provider::Instances(RequestContext context) {
  Held<Instance> held(context.held);
  Status status = Enumerate(context, [&held](Instance instance) { return held.Add(std::move(instance)); });
  status = held.End(std::move(status));
  for (Instance& instance : held.objects()) {
    Instance next = std::move(instance);  // and with it goes its memory
    co_yield next;
  }
  co_return status;
}

Status Provider::EnumeratePaths(const RequestContext& context, const PathSink& sink) {
  return Enumerate(context, [&](Instance instance) {
    if (!instance.path.empty()) return sink(std::move(instance.path));
    return sink(MakePath(*context.cls, context.ns, instance));
  });
}

Series<ObjectPath> Provider::InstancePaths(RequestContext context) {
  Held<ObjectPath> held(context.held);
  Status status = EnumeratePaths(context, [&held](ObjectPath path) { return held.Add(std::move(path)); });
  status = held.End(std::move(status));
  for (ObjectPath& path : held.objects()) {
    ObjectPath next = std::move(path);
    co_yield next;
  }
  co_return status;
}

Result<Instance> Provider::Get(const RequestContext& context, const ObjectPath& path) {
  std::optional<Instance> found;
  const Status status = Enumerate(context, [&](Instance instance) {
    ObjectPath own = instance.path.empty() ? MakePath(*context.cls, context.ns, instance) : instance.path;
    if (own.ns.empty()) own.ns = context.ns;
    if (!own.SameAs(path)) return true;
    found = std::move(instance);
    return false;
  });
  if (!status.ok()) return status;
  if (!found) return NotFound(path.ToString() + " does not exist");
  return *std::move(found);
}

Status Provider::References(const RequestContext& context, const ObjectPath&, const InstanceSink& sink) {
  return Enumerate(context, sink);
}

Series<Instance> Provider::Referring(RequestContext context, ObjectPath end) {
  Held<Instance> held(context.held);
  Status status = References(context, end, [&held](Instance instance) { return held.Add(std::move(instance)); });
  status = held.End(std::move(status));
  for (Instance& instance : held.objects()) {
    Instance next = std::move(instance);
    co_yield next;
  }
  co_return status;
}

Task<Result<ObjectPath>> Provider::Create(RequestContext context, Instance) {
  co_return NotSupported("instances of " + context.cls->name + " are not made with CreateInstance");
}

Task<Status> Provider::Modify(RequestContext context, ObjectPath, std::vector<Property>) {
  co_return NotSupported("instances of " + context.cls->name + " cannot be modified");
}

Task<Status> Provider::Delete(RequestContext context, ObjectPath) {
  co_return NotSupported("instances of " + context.cls->name + " are not removed with DeleteInstance");
}

Task<Result<MethodResult>> Provider::Invoke(MethodCall call) {
  co_return NotSupported(fmt::format("{}.{} is declared but not available", call.context.cls->name, call.method->name));
}

std::optional<MethodResult> Provider::RefuseParameter(const RequestContext&, const MethodDecl&, const Status&) {
  return std::nullopt;
}

std::shared_ptr<Provider> MakePairAssociation(std::string left_role, std::string right_role, PairSource source) {
  return std::make_shared<PairAssociation>(std::move(left_role), std::move(right_role), std::move(source), nullptr);
}

std::shared_ptr<Provider> MakePairAssociation(std::string left_role, std::string right_role, PairSeries source) {
  return std::make_shared<PairAssociation>(std::move(left_role), std::move(right_role), nullptr, std::move(source));
}

Status ProviderRegistry::Add(std::string_view ns, std::string_view class_name, std::shared_ptr<Provider> provider) {
  const ClassDecl* cls = schema_.Find(ns, class_name);
  if (!cls) return NotFound(fmt::format("no class {} is declared in namespace {}", class_name, ns));
  if (cls->abstract)
    return InvalidArgument(fmt::format("class {} is abstract: it has no instances to provide", cls->name));
  ByClass& classes = namespaces_[std::string(ns)];
  if (!classes.emplace(cls->name, Entry{cls, std::move(provider)}).second)
    return AlreadyExists(fmt::format("class {} has a provider in namespace {} already", cls->name, ns));
  return {};
}

const ProviderRegistry::Entry* ProviderRegistry::Find(std::string_view ns, std::string_view class_name) const {
  const auto n = namespaces_.find(ns);
  if (n == namespaces_.end()) return nullptr;
  const auto it = n->second.find(class_name);
  return it == n->second.end() ? nullptr : &it->second;
}

std::vector<const ProviderRegistry::Entry*> ProviderRegistry::FindWithSubclasses(std::string_view ns,
                                                                                 std::string_view class_name) const {
  std::vector<const Entry*> found;
  if (const Entry* own = Find(ns, class_name)) found.push_back(own);
  for (const ClassDecl* sub : schema_.Subclasses(ns, class_name, true))
    if (const Entry* entry = Find(ns, sub->name)) found.push_back(entry);
  return found;
}

std::vector<const ProviderRegistry::Entry*> ProviderRegistry::Associations(std::string_view ns) const {
  std::vector<const Entry*> found;
  const auto n = namespaces_.find(ns);
  if (n == namespaces_.end()) return found;
  for (const auto& [name, entry] : n->second)
    if (entry.cls->association) found.push_back(&entry);
  return found;
}

}  // namespace lockstep::wbem
