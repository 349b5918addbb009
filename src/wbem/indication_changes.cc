// Filters, destinations and subscriptions as clients make and delete them.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "wbem/coerce.h"
#include "wbem/indications.h"

namespace lockstep::wbem {
namespace {

constexpr uint64_t kStateEnabled = 2, kStateDisabled = 4;

// What clients leave out of a key, or send as NULL or empty.
bool IsMissing(const Value& value) {
  const std::string* text = value.AsString();
  return value.is_null() || (text && text->empty());
}

std::string TextOf(const Instance& instance, std::string_view property) {
  const std::string* text = instance[property].AsString();
  return text ? *text : "";
}

// The namespaces that a filter names; none when it leaves that to its own.
std::vector<std::string> NamespacesOf(const Instance& filter) {
  std::vector<std::string> named;
  const auto add = [&named](const Value& value) {
    const std::string* text = value.AsString();
    if (text && !StripSlashes(*text).empty()) named.emplace_back(StripSlashes(*text));
  };
  if (const Value::Elements* all = filter["SourceNamespaces"].AsArray())
    for (const Value& one : *all) add(one);
  if (named.empty()) add(filter["SourceNamespace"]);
  return named;
}

// When a subscription ends by itself.
std::optional<int64_t> EndOf(const Instance& subscription) {
  const auto duration = subscription["SubscriptionDuration"].AsUnsigned();
  const auto start = subscription["SubscriptionStartTime"].AsDatetime();
  if (!duration || !start) return std::nullopt;
  constexpr uint64_t kLongest = std::numeric_limits<int64_t>::max() / 4'000'000;
  return start->us() + static_cast<int64_t>(std::min(*duration, kLongest)) * 1'000'000;
}

}  // namespace

// The key properties of everything but a subscription, and the path made of them.
Status IndicationService::FillKeys(const std::string& ns, Instance& instance) const {
  const auto fill = [&instance](const char* key, std::string value) {
    if (IsMissing(instance[key])) instance.Set(key, Value(std::move(value)));
  };
  fill("SystemCreationClassName", identity_.system_class);
  fill("SystemName", identity_.system_name);
  fill("CreationClassName", instance.class_name);
  fill("Name", fmt::format("Lockstep:{}", around_.random.NextUuid().ToString()));
  if (!NameEquals(TextOf(instance, "CreationClassName"), instance.class_name))
    return InvalidArgument(fmt::format("CreationClassName must be {}", instance.class_name));
  instance.path = MakePath(*around_.schema.Find(ns, instance.class_name), ns, instance);
  return {};
}

Result<IndicationService::Filter> IndicationService::MakeFilter(const std::string& ns, Instance instance) const {
  const Schema& schema = around_.schema;
  LS_RETURN_IF_ERROR(FillKeys(ns, instance));
  Filter filter;
  CimStatus parsed = Query::Parse(TextOf(instance, "QueryLanguage"), TextOf(instance, "Query"), filter.query);
  if (!parsed.ok()) return InvalidArgument(parsed.message);
  filter.namespaces = NamespacesOf(instance);
  if (filter.namespaces.empty() && !NameEquals(ns, interop_)) filter.namespaces = {ns};
  std::vector<std::string> where = filter.namespaces.empty() ? schema.Namespaces() : filter.namespaces;
  bool declared = false;
  Status why = InvalidArgument(fmt::format("class {} is declared in none of the source namespaces",
                                           filter.query.class_name()));
  for (const std::string& source : where) {
    if (!schema.HasNamespace(source)) return InvalidArgument(fmt::format("there is no namespace '{}'", source));
    const ClassDecl* cls = schema.Find(source, filter.query.class_name());
    if (!cls) continue;
    if (!cls->indication) return InvalidArgument(fmt::format("class {} is no indication", cls->name));
    CimStatus checked = filter.query.Check(schema, source, *cls);
    if (!checked.ok()) why = InvalidArgument(checked.message);
    declared = declared || checked.ok();
  }
  if (!declared) return why;
  filter.demanded = filter.query.DemandedClass("SourceInstance");
  filter.name = std::make_shared<const std::string>(TextOf(instance, "Name"));
  instance.Set("IndividualSubscriptionSupported", Value(true));
  filter.instance = std::move(instance);
  return filter;
}

Result<IndicationService::Destination> IndicationService::MakeDestination(const std::string& ns,
                                                                          Instance instance) const {
  constexpr uint64_t kPermanent = 2, kTransient = 3, kCimXml = 2;
  LS_RETURN_IF_ERROR(FillKeys(ns, instance));
  Destination destination;
  LS_ASSIGN_OR_RETURN(destination.url, ListenerUrl::Parse(TextOf(instance, "Destination")));
  if (instance["PersistenceType"].is_null()) instance.Set("PersistenceType", Value(uint16_t{kPermanent}));
  const uint64_t persistence = instance["PersistenceType"].AsUnsigned().value_or(0);
  if (persistence != kPermanent && persistence != kTransient)
    return InvalidArgument("PersistenceType must be 2 (Permanent) or 3 (Transient)");
  if (instance["Protocol"].AsUnsigned().value_or(kCimXml) != kCimXml)
    return InvalidArgument("Protocol must be 2 (CIM-XML)");
  instance.Set("Protocol", Value(uint16_t{kCimXml}));
  destination.instance = std::move(instance);
  return destination;
}

Status IndicationService::CheckPolicies(const Instance& subscription) const {
  constexpr uint64_t kNone = 2, kIgnorePolicy = 2, kRemovePolicy = 4;
  const auto fatal = subscription["OnFatalErrorPolicy"].AsUnsigned();
  if (fatal && (*fatal < kIgnorePolicy || *fatal > kRemovePolicy))
    return InvalidArgument("OnFatalErrorPolicy must be 2 (Ignore), 3 (Disable) or 4 (Remove)");
  if (subscription["RepeatNotificationPolicy"].AsUnsigned().value_or(kNone) != kNone)
    return InvalidArgument("RepeatNotificationPolicy must be 2 (None): indications are neither suppressed nor delayed");
  const uint64_t state = subscription["SubscriptionState"].AsUnsigned().value_or(kStateEnabled);
  if (state != kStateEnabled && state != kStateDisabled)
    return InvalidArgument("SubscriptionState must be 2 (Enabled) or 4 (Disabled)");
  return {};
}

Result<IndicationService::Subscription> IndicationService::MakeSubscription(const std::string& ns, Instance instance) {
  const auto find = [&instance](auto& map, const char* role) {
    const ObjectPath* path = instance[role].AsReference();
    return path ? map.find(path->CanonicalKey()) : map.end();
  };
  const auto filter = find(filters_, "Filter");
  if (filter == filters_.end()) return InvalidArgument("Filter names no filter that is there");
  const auto destination = find(destinations_, "Handler");
  if (destination == destinations_.end()) return InvalidArgument("Handler names no destination that is there");
  LS_RETURN_IF_ERROR(CheckPolicies(instance));
  if (instance["RepeatNotificationPolicy"].is_null()) instance.Set("RepeatNotificationPolicy", Value(uint16_t{2}));
  const auto now = Datetime::Timestamp(around_.clock.Wall().us);
  if (instance["SubscriptionStartTime"].is_null()) instance.Set("SubscriptionStartTime", Value(now));
  if (instance["TimeOfLastStateChange"].is_null()) instance.Set("TimeOfLastStateChange", Value(now));
  instance.path = MakePath(*around_.schema.Find(ns, instance.class_name), ns, instance);
  Subscription subscription{std::move(instance), &filter->second, &destination->second, true, std::nullopt};
  const auto state = subscription.instance["SubscriptionState"].AsUnsigned();
  subscription.enabled = state.value_or(kStateEnabled) == kStateEnabled;
  if (!state) subscription.instance.Set("SubscriptionState", Value(static_cast<uint16_t>(kStateEnabled)));
  subscription.ends_us = EndOf(subscription.instance);
  return subscription;
}

// Enters what was made, and saves; nothing is entered when it cannot be saved.
template <typename T>
Result<ObjectPath> IndicationService::Keep(ByPath<T>& map, T made, size_t max, std::string_view what) {
  const std::string key = made.instance.path.CanonicalKey();
  if (map.contains(key)) return AlreadyExists(made.instance.path.ToString() + " is there already");
  if (map.size() >= max)
    return Status(Code::kTooLarge, fmt::format("there are {} {} already; delete some", map.size(), what));
  const ObjectPath path = made.instance.path;
  const auto entered = map.emplace(key, std::move(made)).first;
  if (Status saved = Save(); !saved.ok()) {
    map.erase(entered);
    return saved;
  }
  return path;
}

Result<ObjectPath> IndicationService::AddFilter(const std::string& ns, Instance instance) {
  LS_ASSIGN_OR_RETURN(Filter filter, MakeFilter(ns, std::move(instance)));
  return Keep(filters_, std::move(filter), options_.filters_max, "filters");
}

Result<ObjectPath> IndicationService::AddDestination(const std::string& ns, Instance instance) {
  LS_ASSIGN_OR_RETURN(Destination destination, MakeDestination(ns, std::move(instance)));
  // Only of new ones: a stored one that is out of reach under another configuration must not be forgotten.
  LS_RETURN_IF_ERROR(around_.transport.Check(destination.url));
  return Keep(destinations_, std::move(destination), options_.destinations_max, "destinations");
}

Result<ObjectPath> IndicationService::AddSubscription(const std::string& ns, Instance instance) {
  // These are the server's to say.
  for (const char* own : {"SubscriptionStartTime", "TimeOfLastStateChange", "SubscriptionTimeRemaining"})
    std::erase_if(instance.properties, [own](const Property& p) { return p.name == own; });
  LS_ASSIGN_OR_RETURN(Subscription made, MakeSubscription(ns, std::move(instance)));
  const std::string key = made.instance.path.CanonicalKey();
  LS_ASSIGN_OR_RETURN(ObjectPath path,
                      Keep(subscriptions_, std::move(made), options_.subscriptions_max, "subscriptions"));
  Subscription& kept = subscriptions_.at(key);
  Enable(kept, kept.enabled);
  Changed();
  return path;
}

Status IndicationService::RemoveFilter(const ObjectPath& path) {
  const auto found = filters_.find(path.CanonicalKey());
  if (found == filters_.end()) return NotFound(path.ToString() + " does not exist");
  if (found->second.fixed) return NotSupported(path.ToString() + " is always there");
  for (const auto& [key, subscription] : subscriptions_)
    if (subscription.filter == &found->second)
      return InUse("a subscription needs the filter; delete " + subscription.instance.path.ToString() + " first");
  auto taken = filters_.extract(found);
  Status saved = Save();
  if (!saved.ok()) filters_.insert(std::move(taken));
  return saved;
}

Status IndicationService::RemoveDestination(const ObjectPath& path) {
  const auto found = destinations_.find(path.CanonicalKey());
  if (found == destinations_.end()) return NotFound(path.ToString() + " does not exist");
  for (const auto& [key, subscription] : subscriptions_)
    if (subscription.destination == &found->second)
      return InUse("a subscription needs the destination; delete " + subscription.instance.path.ToString() + " first");
  auto taken = destinations_.extract(found);
  Status saved = Save();
  if (!saved.ok()) destinations_.insert(std::move(taken));
  return saved;
}

Status IndicationService::RemoveSubscription(const ObjectPath& path) {
  const auto found = subscriptions_.find(path.CanonicalKey());
  if (found == subscriptions_.end()) return NotFound(path.ToString() + " does not exist");
  auto taken = subscriptions_.extract(found);
  Status saved = Save();
  if (!saved.ok()) {
    subscriptions_.insert(std::move(taken));
    return saved;
  }
  std::erase(taken.mapped().filter->active, &taken.mapped());
  Changed();
  return saved;
}

Status IndicationService::ModifySubscription(const ObjectPath& path, const std::vector<Property>& changes) {
  const auto found = subscriptions_.find(path.CanonicalKey());
  if (found == subscriptions_.end()) return NotFound(path.ToString() + " does not exist");
  Subscription& subscription = found->second;
  const Instance before = subscription.instance;
  Instance after = before;
  for (const Property& change : changes) {
    const PropertyDecl* declared = around_.schema.Find(path.ns, path.class_name)->FindProperty(change.name);
    if (!declared || !declared->qualifiers.Is("Write"))
      return InvalidArgument(fmt::format("property {} of a subscription cannot be changed", change.name));
    after.Set(change.name, change.value);
  }
  LS_RETURN_IF_ERROR(CheckPolicies(after));
  subscription.instance = after;
  Enable(subscription, after["SubscriptionState"].AsUnsigned().value_or(kStateEnabled) == kStateEnabled);
  Status saved = Save();
  if (!saved.ok()) {
    Enable(subscription, before["SubscriptionState"].AsUnsigned() == kStateEnabled);
    subscription.instance = before;
    return saved;
  }
  subscription.ends_us = EndOf(subscription.instance);
  Changed();
  return saved;
}

// One instance of the store.
Status IndicationService::TakeBack(const StoredInstance& stored) {
  Instance instance = stored.instance;
  const Schema& schema = around_.schema;
  if (!schema.HasNamespace(stored.ns)) return NotFound("there is no namespace '" + stored.ns + "'");
  LS_RETURN_IF_ERROR(Coercion(schema, stored.ns).TypeInstance(instance));
  if (schema.IsA(stored.ns, instance.class_name, "CIM_IndicationFilter")) {
    LS_ASSIGN_OR_RETURN(Filter filter, MakeFilter(stored.ns, std::move(instance)));
    std::string key = filter.instance.path.CanonicalKey();
    filters_.try_emplace(std::move(key), std::move(filter));
  } else if (schema.IsA(stored.ns, instance.class_name, "CIM_ListenerDestination")) {
    LS_ASSIGN_OR_RETURN(Destination destination, MakeDestination(stored.ns, std::move(instance)));
    std::string key = destination.instance.path.CanonicalKey();
    destinations_.try_emplace(std::move(key), std::move(destination));
  } else {
    LS_ASSIGN_OR_RETURN(Subscription made, MakeSubscription(stored.ns, std::move(instance)));
    std::string key = made.instance.path.CanonicalKey();
    Subscription& kept = subscriptions_.try_emplace(std::move(key), std::move(made)).first->second;
    Enable(kept, kept.enabled);
  }
  return {};
}

// Filters and destinations before the subscriptions that name them.
Status IndicationService::Save() const {
  std::vector<StoredInstance> all;
  for (const auto& [key, filter] : filters_)
    if (!filter.fixed) all.push_back({filter.instance.path.ns, filter.instance});
  for (const auto& [key, destination] : destinations_)
    all.push_back({destination.instance.path.ns, destination.instance});
  for (const auto& [key, subscription] : subscriptions_)
    all.push_back({subscription.instance.path.ns, subscription.instance});
  const std::string text = EncodeStored(all);
  if (text.size() > options_.stored_bytes_max)
    return Status(Code::kTooLarge, "filters, destinations and subscriptions take more than 8 MiB together");
  const Status saved = around_.store.Save(text);
  return saved.ok() ? saved : saved.WithContext("the subscriptions cannot be saved");
}

std::vector<Instance> IndicationService::Filters(const std::string& ns) const {
  std::vector<Instance> all;
  for (const auto& [key, filter] : filters_)
    if (NameEquals(filter.instance.path.ns, ns)) all.push_back(filter.instance);
  return all;
}

std::vector<Instance> IndicationService::Destinations(const std::string& ns, std::string_view class_name) const {
  std::vector<Instance> all;
  for (const auto& [key, destination] : destinations_) {
    const ObjectPath& path = destination.instance.path;
    if (NameEquals(path.ns, ns) && NameEquals(path.class_name, class_name)) all.push_back(destination.instance);
  }
  return all;
}

std::vector<Instance> IndicationService::Subscriptions(const std::string& ns) const {
  std::vector<Instance> all;
  for (const auto& [key, subscription] : subscriptions_) {
    if (!NameEquals(subscription.instance.path.ns, ns)) continue;
    all.push_back(subscription.instance);
    if (!subscription.ends_us) continue;
    const int64_t left_us = std::max<int64_t>(*subscription.ends_us - around_.clock.Wall().us, 0);
    all.back().Set("SubscriptionTimeRemaining", Value(static_cast<uint64_t>(left_us / 1'000'000)));
  }
  return all;
}

}  // namespace lockstep::wbem
