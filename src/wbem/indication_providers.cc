#include "wbem/indication_providers.h"

namespace lockstep::wbem {
namespace {

constexpr const char* kFilterClass = "CIM_IndicationFilter";
constexpr const char* kDestinationClasses[] = {"CIM_ListenerDestinationCIMXML", "CIM_IndicationHandlerCIMXML"};
constexpr const char* kSubscriptionClass = "CIM_IndicationSubscription";
constexpr const char* kServiceClass = "CIM_IndicationService";
constexpr const char* kCapabilitiesClass = "CIM_IndicationServiceCapabilities";

Status Give(std::vector<Instance> all, const InstanceSink& sink) {
  for (Instance& one : all)
    if (!sink(std::move(one))) break;
  return {};
}

class FilterProvider final : public Provider {
 public:
  explicit FilterProvider(IndicationService& service) : service_(service) {}
  Status Enumerate(const RequestContext& context, const InstanceSink& sink) override {
    return Give(service_.Filters(context.ns), sink);
  }
  Task<Result<ObjectPath>> Create(RequestContext context, Instance instance) override {
    co_return service_.AddFilter(context.ns, std::move(instance));
  }
  Task<Status> Delete(RequestContext, ObjectPath path) override { co_return service_.RemoveFilter(path); }

 private:
  IndicationService& service_;
};

class DestinationProvider final : public Provider {
 public:
  explicit DestinationProvider(IndicationService& service) : service_(service) {}
  Status Enumerate(const RequestContext& context, const InstanceSink& sink) override {
    return Give(service_.Destinations(context.ns, context.cls->name), sink);
  }
  Task<Result<ObjectPath>> Create(RequestContext context, Instance instance) override {
    co_return service_.AddDestination(context.ns, std::move(instance));
  }
  Task<Status> Delete(RequestContext, ObjectPath path) override { co_return service_.RemoveDestination(path); }

 private:
  IndicationService& service_;
};

class SubscriptionProvider final : public Provider {
 public:
  explicit SubscriptionProvider(IndicationService& service) : service_(service) {}
  Status Enumerate(const RequestContext& context, const InstanceSink& sink) override {
    return Give(service_.Subscriptions(context.ns), sink);
  }
  Task<Result<ObjectPath>> Create(RequestContext context, Instance instance) override {
    co_return service_.AddSubscription(context.ns, std::move(instance));
  }
  Task<Status> Modify(RequestContext, ObjectPath path, std::vector<Property> changes) override {
    co_return service_.ModifySubscription(path, changes);
  }
  Task<Status> Delete(RequestContext, ObjectPath path) override { co_return service_.RemoveSubscription(path); }

 private:
  IndicationService& service_;
};

uint32_t Seconds(io::Duration duration) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

class ServiceProvider final : public Provider {
 public:
  explicit ServiceProvider(IndicationService& service) : service_(service) {}
  Status Enumerate(const RequestContext& context, const InstanceSink& sink) override {
    const IndicationOptions& options = service_.options();
    ObjectPath path = IndicationServicePath(context.ns, service_.identity());
    Instance instance(path.class_name);
    instance.properties = path.keys;
    instance.path = std::move(path);
    instance.Add("ElementName", "Indications of " + service_.identity().element_name);
    instance.Add("OperationalStatus", Value::Array(std::vector<uint16_t>{2}));  // OK
    instance.Add("EnabledState", uint16_t{2});                                  // Enabled
    instance.Add("RequestedState", uint16_t{12});                               // Not Applicable
    instance.Add("Started", true);
    instance.Add("FilterCreationEnabled", true);
    instance.Add("DeliveryRetryAttempts", static_cast<uint16_t>(options.delivery.retry_attempts));
    instance.Add("DeliveryRetryInterval", Seconds(options.delivery.retry_interval));
    instance.Add("SubscriptionRemovalAction", options.removal_action);
    instance.Add("SubscriptionRemovalTimeInterval", Seconds(options.removal_after));
    sink(std::move(instance));
    return {};
  }

 private:
  IndicationService& service_;
};

ObjectPath CapabilitiesPath(const std::string& ns) {
  return {ns, kCapabilitiesClass, {{"InstanceID", Value("Lockstep:IndicationServiceCapabilities")}}};
}

class CapabilitiesProvider final : public Provider {
 public:
  explicit CapabilitiesProvider(IndicationService& service) : service_(service) {}
  Status Enumerate(const RequestContext& context, const InstanceSink& sink) override {
    ObjectPath path = CapabilitiesPath(context.ns);
    Instance instance(path.class_name);
    instance.properties = path.keys;
    instance.path = std::move(path);
    instance.Add("ElementName", "What may be done about indications");
    for (const char* fixed : {"FilterCreationEnabled", "DeliveryRetryAttempts", "DeliveryRetryInterval",
                              "SubscriptionRemovalAction", "SubscriptionRemovalTimeInterval"})
      instance.Add(std::string(fixed) + "IsSettable", false);
    instance.Add("MaxListenerDestinations", static_cast<uint32_t>(service_.options().destinations_max));
    instance.Add("MaxActiveSubscriptions", static_cast<uint32_t>(service_.options().subscriptions_max));
    instance.Add("SubscriptionsPersisted", true);
    sink(std::move(instance));
    return {};
  }

 private:
  IndicationService& service_;
};

}  // namespace

ObjectPath IndicationServicePath(const std::string& interop, const ServerIdentity& identity) {
  return {interop, kServiceClass, {{"SystemCreationClassName", Value(identity.system_class)},
                                   {"SystemName", Value(identity.system_name)},
                                   {"CreationClassName", Value(kServiceClass)},
                                   {"Name", Value("Lockstep:IndicationService")}}};
}

Status RegisterIndicationClasses(ProviderRegistry& registry, const std::string& interop, IndicationService& service) {
  for (const std::string& ns : registry.schema().Namespaces()) {
    if (!registry.schema().Find(ns, kFilterClass)) continue;
    LS_RETURN_IF_ERROR(registry.Add(ns, kFilterClass, std::make_shared<FilterProvider>(service)));
    for (const char* name : kDestinationClasses)
      LS_RETURN_IF_ERROR(registry.Add(ns, name, std::make_shared<DestinationProvider>(service)));
    LS_RETURN_IF_ERROR(registry.Add(ns, kSubscriptionClass, std::make_shared<SubscriptionProvider>(service)));
  }
  LS_RETURN_IF_ERROR(registry.Add(interop, kServiceClass, std::make_shared<ServiceProvider>(service)));
  LS_RETURN_IF_ERROR(registry.Add(interop, kCapabilitiesClass, std::make_shared<CapabilitiesProvider>(service)));
  if (!registry.schema().Find(interop, "CIM_ElementCapabilities")) return {};
  const auto pairs = [&service, interop](const ObjectPath*, const PairSink& sink) {
    sink({IndicationServicePath(interop, service.identity()), CapabilitiesPath(interop), {}});
    return Status();
  };
  return registry.Add(interop, "CIM_ElementCapabilities", MakePairAssociation("ManagedElement", "Capabilities", pairs));
}

}  // namespace lockstep::wbem
