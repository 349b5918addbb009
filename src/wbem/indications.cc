// From what happens to the listeners, and what becomes of subscriptions whose listeners are gone. What clients make and
// delete is in indication_changes.cc.
#include "wbem/indications.h"

#include <algorithm>

#include <fmt/format.h>

#include "wbem/coerce.h"

namespace lockstep::wbem {
namespace {

// CIM_AbstractIndicationSubscription.OnFatalErrorPolicy.
constexpr uint64_t kIgnore = 2, kDisable = 3, kRemove = 4;
// CIM_IndicationService.SubscriptionRemovalAction.
constexpr uint16_t kActionRemove = 2, kActionDisable = 3;
constexpr int64_t kLongestTimerUs = int64_t{3600} * 1'000'000;  // the calendar may jump

uint64_t PolicyOf(const Instance& subscription, const IndicationOptions& options) {
  if (const auto own = subscription["OnFatalErrorPolicy"].AsUnsigned()) return *own;
  return options.removal_action == kActionRemove    ? kRemove
         : options.removal_action == kActionDisable ? kDisable
                                                    : kIgnore;
}

// How long a destination must have been out of reach.
io::Duration TriggerOf(const Instance& subscription, const IndicationOptions& options) {
  const auto own = subscription["FailureTriggerTimeInterval"].AsUnsigned();
  if (!own) return options.removal_after;
  // Never before what was queued has been given up.
  const io::Duration least = options.delivery.retry_interval * options.delivery.retry_attempts;
  constexpr uint64_t kCentury = 100ull * 365 * 24 * 3600;
  return std::max<io::Duration>(least, std::chrono::seconds(std::min(*own, kCentury)));
}

}  // namespace

bool IndicationService::Filter::Covers(std::string_view ns) const {
  return namespaces.empty() ||
         std::any_of(namespaces.begin(), namespaces.end(), [ns](const auto& n) { return NameEquals(n, ns); });
}

IndicationService::IndicationService(Surroundings surroundings, std::string interop, ServerIdentity identity,
                                     IndicationOptions options)
    : around_(surroundings),
      interop_(std::move(interop)),
      identity_(std::move(identity)),
      options_(options),
      boot_(fmt::format("{}:{}", identity_.name, surroundings.random.NextUuid().ToString())) {}

IndicationService::~IndicationService() { around_.loop.Cancel(end_timer_); }

void IndicationService::Stop() {
  stopped_ = true;
  around_.loop.Cancel(end_timer_);
  end_timer_ = io::TimerId::kNone;
  interest_ = nullptr;
  for (auto& [key, destination] : destinations_) destination.sender.reset();
}

Status IndicationService::AddFixedFilters(const std::vector<FixedFilter>& filters) {
  for (const FixedFilter& fixed : filters) {
    Instance instance("CIM_IndicationFilter");
    instance.Add("Name", fixed.name).Add("ElementName", fixed.name).Add("Description", fixed.description);
    instance.Add("Query", fixed.query).Add("QueryLanguage", fixed.language);
    LS_RETURN_IF_ERROR(Coercion(around_.schema, interop_).TypeInstance(instance));
    Result<Filter> filter = MakeFilter(interop_, std::move(instance));
    if (!filter.ok()) return filter.status().WithContext("the filter " + fixed.name);
    filter->fixed = true;
    std::string key = filter->instance.path.CanonicalKey();
    filters_.insert_or_assign(std::move(key), *std::move(filter));
  }
  return {};
}

Status IndicationService::Load() {
  const Result<std::string> text = around_.store.Load();
  if (!text.ok()) return text.status().code() == Code::kNotFound ? Status() : text.status();
  Result<std::vector<StoredInstance>> all = DecodeStored(*text);
  if (!all.ok()) {
    const Result<std::string> where = around_.store.SetAside();
    if (!where.ok()) return where.status().WithContext(all.status().message());
    around_.log.Error("wbem: {}; it is kept as {}, and clients have to subscribe again", all.status().message(),
                      *where);
    return {};
  }
  for (StoredInstance& stored : *all) {
    const std::string what = stored.instance.class_name;
    const Status taken = TakeBack(stored);
    if (!taken.ok()) around_.log.Error("wbem: a stored {} is left out: {}", what, taken.message());
  }
  Changed();
  return {};
}

bool IndicationService::Wants(const std::string& ns, std::string_view indication_class,
                              std::string_view source_class) const {
  if (stopped_) return false;
  for (const auto& [key, filter] : filters_) {
    if (filter.active.empty() || !filter.Covers(ns)) continue;
    if (!around_.schema.IsA(ns, indication_class, filter.query.class_name())) continue;
    if (filter.demanded.empty() || source_class.empty() || around_.schema.IsA(ns, source_class, filter.demanded))
      return true;
  }
  return false;
}

void IndicationService::Publish(const std::string& ns, Instance indication) {
  const ClassDecl* cls = around_.schema.Find(ns, indication.class_name);
  const Status typed = Coercion(around_.schema, ns).TypeInstance(indication);
  if (!typed.ok()) {
    around_.log.Error("wbem: an indication breaks the schema and is dropped: {}", typed.message());
    return;
  }
  IndicationText whole;
  bool stamped = false;
  for (auto& [key, filter] : filters_) {
    if (stopped_ || filter.active.empty() || !filter.Covers(ns)) continue;
    if (!filter.query.Matches(around_.schema, ns, *cls, indication)) continue;
    if (!std::exchange(stamped, true)) Stamp(indication);
    const auto& selected = filter.query.selected();
    IndicationText text = selected ? WriteIndication(*cls, indication, selected) : whole;
    if (!text) text = whole = WriteIndication(*cls, indication, std::nullopt);
    for (Subscription* subscription : filter.active) SenderOf(*subscription->destination).Send(text, filter.name);
  }
}

void IndicationService::Stamp(Instance& indication) {
  indication.Set("IndicationIdentifier", Value(fmt::format("{}:{}", boot_, next_id_++)));
  indication.Set("IndicationTime", Value(Datetime::Timestamp(around_.clock.Wall().us)));
}

ListenerSender& IndicationService::SenderOf(Destination& destination) {
  if (!destination.sender) {
    const std::string key = destination.instance.path.CanonicalKey();
    const ListenerSender::Surroundings surroundings{around_.loop,        around_.clock, around_.log, around_.transport,
                                                    options_.delivery, held_};
    destination.sender = std::make_unique<ListenerSender>(
        surroundings, destination.url, fmt::format("{}:{}", boot_, around_.random.NextUuid().ToString()),
        [this, key] { DeliveryFailed(key); });
  }
  return *destination.sender;
}

// Later, because the sender that says so may have to go.
void IndicationService::DeliveryFailed(const std::string& destination_key) {
  around_.loop.Post([this, weak = std::weak_ptr<bool>(alive_), destination_key] {
    if (!weak.expired() && !stopped_) ApplyPolicies(destination_key);
  });
}

void IndicationService::ApplyPolicies(const std::string& destination_key) {
  const auto found = destinations_.find(destination_key);
  if (found == destinations_.end() || !found->second.sender) return;
  const std::optional<io::Instant> since = found->second.sender->failing_since();
  if (!since) return;
  const io::Duration failing = around_.clock.Now() - *since;
  std::vector<std::string> removed;
  bool changed = false;
  for (auto& [key, subscription] : subscriptions_) {
    if (subscription.destination != &found->second || !subscription.enabled) continue;
    const uint64_t policy = PolicyOf(subscription.instance, options_);
    if (policy == kIgnore || failing < TriggerOf(subscription.instance, options_)) continue;
    around_.log.Warn("wbem: the subscription of {} is {}: its destination cannot be reached",
                     found->second.url.ToString(), policy == kRemove ? "removed" : "disabled");
    Enable(subscription, false);
    if (policy == kRemove) removed.push_back(key);
    changed = true;
  }
  for (const std::string& key : removed) subscriptions_.erase(key);
  if (!changed) return;
  if (const Status saved = Save(); !saved.ok()) around_.log.Error("wbem: {}", saved.message());
  Changed();
}

void IndicationService::Enable(Subscription& subscription, bool enabled) {
  constexpr uint16_t kEnabled = 2, kDisabled = 4;
  std::vector<Subscription*>& active = subscription.filter->active;
  std::erase(active, &subscription);
  if (enabled) active.push_back(&subscription);
  const uint16_t state = enabled ? kEnabled : kDisabled;
  if (subscription.enabled == enabled && subscription.instance["SubscriptionState"].AsUnsigned() == state) return;
  subscription.enabled = enabled;
  subscription.instance.Set("SubscriptionState", Value(state));
  subscription.instance.Set("TimeOfLastStateChange", Value(Datetime::Timestamp(around_.clock.Wall().us)));
}

// What is there has been saved and may differ from before.
void IndicationService::Changed() {
  ScheduleEnd();
  around_.loop.Post([this, weak = std::weak_ptr<bool>(alive_)] {
    if (!weak.expired() && interest_) interest_();
  });
}

void IndicationService::ScheduleEnd() {
  around_.loop.Cancel(end_timer_);
  end_timer_ = io::TimerId::kNone;
  std::optional<int64_t> first;
  for (const auto& [key, subscription] : subscriptions_)
    if (subscription.ends_us) first = std::min(first.value_or(*subscription.ends_us), *subscription.ends_us);
  if (!first || stopped_) return;
  const int64_t left_us = std::clamp<int64_t>(*first - around_.clock.Wall().us, 1000, kLongestTimerUs);
  end_timer_ = around_.loop.After(std::chrono::microseconds(left_us), [this] {
    end_timer_ = io::TimerId::kNone;
    EndExpired();
  });
}

void IndicationService::EndExpired() {
  const int64_t now = around_.clock.Wall().us;
  bool changed = false;
  for (auto at = subscriptions_.begin(); at != subscriptions_.end();) {
    const bool ended = at->second.ends_us && *at->second.ends_us <= now;
    if (ended) Enable(at->second, false);
    at = ended ? subscriptions_.erase(at) : std::next(at);
    changed = changed || ended;
  }
  if (changed)
    if (const Status saved = Save(); !saved.ok()) around_.log.Error("wbem: {}", saved.message());
  Changed();
}

DeliveryCounts IndicationService::CountsOf(const ObjectPath& destination) const {
  const auto found = destinations_.find(destination.CanonicalKey());
  return found == destinations_.end() || !found->second.sender ? DeliveryCounts() : found->second.sender->counts();
}

size_t IndicationService::queued() const {
  size_t queued = 0;
  for (const auto& [key, destination] : destinations_)
    if (destination.sender) queued += destination.sender->queued();
  return queued;
}

}  // namespace lockstep::wbem
