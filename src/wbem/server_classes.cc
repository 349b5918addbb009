#include "wbem/server_classes.h"

namespace lockstep::wbem {
namespace {

constexpr std::string_view kManagerClass = "CIM_ObjectManager";
constexpr std::string_view kNamespaceClass = "CIM_Namespace";

// A schema may declare fewer properties than we know.
void AddIfDeclared(const ClassDecl& cls, Instance& instance, std::string name, Value value) {
  if (cls.FindProperty(name)) instance.Add(std::move(name), std::move(value));
}

ObjectPath ManagerPath(const std::string& ns, const ServerIdentity& identity) {
  return {ns, std::string(kManagerClass), {{"SystemCreationClassName", Value(identity.system_class)},
                                           {"SystemName", Value(identity.system_name)},
                                           {"CreationClassName", Value(kManagerClass)},
                                           {"Name", Value(identity.name)}}};
}

ObjectPath NamespacePath(const std::string& ns, const ServerIdentity& identity, const std::string& name) {
  return {ns, std::string(kNamespaceClass), {{"SystemCreationClassName", Value(identity.system_class)},
                                             {"SystemName", Value(identity.system_name)},
                                             {"ObjectManagerCreationClassName", Value(kManagerClass)},
                                             {"ObjectManagerName", Value(identity.name)},
                                             {"CreationClassName", Value(kNamespaceClass)},
                                             {"Name", Value(name)}}};
}

// An instance that begins with the keys of its path.
Instance FromPath(ObjectPath path) {
  Instance instance(path.class_name);
  instance.properties = path.keys;
  instance.path = std::move(path);
  return instance;
}

class ObjectManagerProvider final : public Provider {
 public:
  explicit ObjectManagerProvider(ServerIdentity identity) : identity_(std::move(identity)) {}
  Status Enumerate(const RequestContext& context, const InstanceSink& sink) override {
    const ClassDecl& cls = *context.cls;
    Instance manager = FromPath(ManagerPath(context.ns, identity_));
    AddIfDeclared(cls, manager, "ElementName", Value(identity_.element_name));
    AddIfDeclared(cls, manager, "Description", Value(identity_.description));
    AddIfDeclared(cls, manager, "OperationalStatus", Value::Array(std::vector<uint16_t>{2}));  // OK
    AddIfDeclared(cls, manager, "EnabledState", Value(uint16_t{2}));                           // Enabled
    AddIfDeclared(cls, manager, "RequestedState", Value(uint16_t{12}));                        // Not Applicable
    AddIfDeclared(cls, manager, "Started", Value(true));
    AddIfDeclared(cls, manager, "GatherStatisticalData", Value(false));
    sink(std::move(manager));
    return {};
  }

 private:
  const ServerIdentity identity_;
};

class NamespaceProvider final : public Provider {
 public:
  NamespaceProvider(const Schema& schema, ServerIdentity identity) : schema_(schema), identity_(std::move(identity)) {}
  Status Enumerate(const RequestContext& context, const InstanceSink& sink) override {
    for (const std::string& name : schema_.Namespaces()) {
      Instance ns = FromPath(NamespacePath(context.ns, identity_, name));
      AddIfDeclared(*context.cls, ns, "ElementName", Value(name));
      AddIfDeclared(*context.cls, ns, "ClassInfo", Value(uint16_t{0}));  // Unknown: its map ends at 2.8
      AddIfDeclared(*context.cls, ns, "ClassType", Value(uint16_t{2}));  // CIM
      if (!sink(std::move(ns))) break;
    }
    return {};
  }

 private:
  const Schema& schema_;
  const ServerIdentity identity_;
};

}  // namespace

Status RegisterServerClasses(ProviderRegistry& registry, const std::string& interop, const ServerIdentity& identity) {
  LS_RETURN_IF_ERROR(registry.Add(interop, kManagerClass, std::make_shared<ObjectManagerProvider>(identity)));
  const Schema& schema = registry.schema();
  LS_RETURN_IF_ERROR(registry.Add(interop, kNamespaceClass, std::make_shared<NamespaceProvider>(schema, identity)));
  if (!schema.Find(interop, "CIM_NamespaceInManager")) return {};
  const auto pairs = [&schema, interop, identity](const ObjectPath*, const PairSink& sink) {
    for (const std::string& name : schema.Namespaces())
      if (!sink({ManagerPath(interop, identity), NamespacePath(interop, identity, name), {}})) break;
    return Status();
  };
  return registry.Add(interop, "CIM_NamespaceInManager", MakePairAssociation("Antecedent", "Dependent", pairs));
}

}  // namespace lockstep::wbem
