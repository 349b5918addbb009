// Indications (DSP1054): filters, destinations and subscriptions, and the way of what happens to who wants to hear of
// it. Knows no source: whoever notices something asks Wants and calls Publish.
//
// One loop. Publish evaluates the filters and queues what passes; it never waits and never fails, and what is queued is
// bounded (listener_sender.h). What clients have made is in the store before they get their answer. What is queued is
// not: a restart begins new sequences (SequenceContext), by which listeners see that they may have missed something.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "io/clock.h"
#include "io/loop.h"
#include "io/random.h"
#include "wbem/indication_store.h"
#include "wbem/listener_sender.h"
#include "wbem/query.h"
#include "wbem/schema.h"
#include "wbem/server_classes.h"

namespace lockstep::wbem {

// CIM_IndicationService's properties, and bounds.
struct IndicationOptions {
  DeliveryOptions delivery;
  // For subscriptions that do not say so themselves: what becomes of one whose destination has been out of reach for
  // so long.
  uint16_t removal_action = 2;  // CIM_IndicationService.SubscriptionRemovalAction: 2 Remove, 3 Disable, 4 Ignore
  io::Duration removal_after = std::chrono::hours(24 * 30);
  size_t filters_max = 1000;
  size_t destinations_max = 100;
  size_t subscriptions_max = 1000;
  size_t stored_bytes_max = 8 * 1024 * 1024;  // of the text of all that clients have made
};

// A filter that is always there and cannot be deleted.
struct FixedFilter {
  std::string name;
  std::string description;
  std::string query;
  std::string language = "DMTF:CQL";
};

class IndicationService {
 public:
  // References outlive the service.
  struct Surroundings {
    io::Loop& loop;
    io::Clock& clock;
    io::Random& random;
    Log& log;
    const Schema& schema;
    ListenerTransport& transport;
    IndicationStore& store;
  };
  // `interop`: the namespace whose filters, when they name no namespace, are about all of them.
  IndicationService(Surroundings surroundings, std::string interop, ServerIdentity identity,
                    IndicationOptions options = {});
  ~IndicationService();
  IndicationService(const IndicationService&) = delete;
  IndicationService& operator=(const IndicationService&) = delete;

  // Once, after the schema has been loaded and before anything else: filters that are always there, then what is in
  // the store. A list that is damaged is set aside, and logged; only a store that does not answer is an error.
  Status AddFixedFilters(const std::vector<FixedFilter>& filters);
  Status Load();
  // Gives up what is queued, and every connection. Nothing is sent from then on.
  void Stop();

  // ---- For sources.
  // Whether somebody wants indications of this class in this namespace, about instances of `source_class` (empty: of
  // no instance). Cheap; says yes too often rather than too seldom.
  bool Wants(const std::string& ns, std::string_view indication_class, std::string_view source_class) const;
  // `indication` is complete but for its identifier, its time and what depends on the listener; values are converted to
  // their declared types. One that breaks the schema is logged and dropped.
  void Publish(const std::string& ns, Instance indication);
  // Called later, on the loop, whenever what is wanted may have changed.
  void OnInterest(std::function<void()> changed) { interest_ = std::move(changed); }

  // ---- For the providers (indication_providers.cc). Paths are typed and in their namespace.
  Result<ObjectPath> AddFilter(const std::string& ns, Instance instance);
  Result<ObjectPath> AddDestination(const std::string& ns, Instance instance);
  Result<ObjectPath> AddSubscription(const std::string& ns, Instance instance);
  // in-use: a subscription needs it. not-supported: it is always there.
  Status RemoveFilter(const ObjectPath& path);
  Status RemoveDestination(const ObjectPath& path);
  Status RemoveSubscription(const ObjectPath& path);
  Status ModifySubscription(const ObjectPath& path, const std::vector<Property>& changes);
  // In the order of their paths.
  std::vector<Instance> Filters(const std::string& ns) const;
  std::vector<Instance> Destinations(const std::string& ns, std::string_view class_name) const;
  std::vector<Instance> Subscriptions(const std::string& ns) const;
  const ServerIdentity& identity() const { return identity_; }
  const IndicationOptions& options() const { return options_; }

  // What has become of the indications for a destination, for tests and for people; zeroes when it is not there.
  DeliveryCounts CountsOf(const ObjectPath& destination) const;
  size_t queued() const;

 private:
  struct Subscription;
  struct Filter {
    Instance instance;
    Query query;
    std::vector<std::string> namespaces;  // empty: all
    std::string demanded;                 // of SourceInstance
    std::shared_ptr<const std::string> name;
    bool fixed = false;
    std::vector<Subscription*> active;  // that are enabled
    bool Covers(std::string_view ns) const;
  };
  struct Destination {
    Instance instance;
    ListenerUrl url;
    std::unique_ptr<ListenerSender> sender;  // when it was needed first
  };
  struct Subscription {
    Instance instance;
    Filter* filter;
    Destination* destination;
    bool enabled = true;
    std::optional<int64_t> ends_us;  // by the clock on the wall
  };
  template <typename T>
  using ByPath = std::map<std::string, T>;  // by ObjectPath::CanonicalKey

  Status FillKeys(const std::string& ns, Instance& instance) const;
  Result<Filter> MakeFilter(const std::string& ns, Instance instance) const;
  Result<Destination> MakeDestination(const std::string& ns, Instance instance) const;
  Result<Subscription> MakeSubscription(const std::string& ns, Instance instance);
  Status CheckPolicies(const Instance& subscription) const;
  Status TakeBack(const StoredInstance& stored);
  template <typename T>
  Result<ObjectPath> Keep(ByPath<T>& map, T made, size_t max, std::string_view what);
  void Enable(Subscription& subscription, bool enabled);
  Status Save() const;
  void Changed();
  void Stamp(Instance& indication);
  ListenerSender& SenderOf(Destination& destination);
  void DeliveryFailed(const std::string& destination_key);
  void ApplyPolicies(const std::string& destination_key);
  void ScheduleEnd();
  void EndExpired();

  const Surroundings around_;
  const std::string interop_;
  const ServerIdentity identity_;
  const IndicationOptions options_;
  const std::string boot_;  // in every SequenceContext and IndicationIdentifier of this life
  uint64_t next_id_ = 1;
  HeldBytes held_;
  ByPath<Filter> filters_;
  ByPath<Destination> destinations_;
  ByPath<Subscription> subscriptions_;
  std::function<void()> interest_;
  io::TimerId end_timer_ = io::TimerId::kNone;
  bool stopped_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lockstep::wbem
