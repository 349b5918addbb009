#include "smis/support_table.h"

#include <algorithm>

#include <fmt/format.h>

#include "smis/classes.h"
#include "smis/indication_source.h"
#include "smis/methods.h"
#include "smis/smis.h"

namespace lockstep::smis {
namespace {

constexpr WriteSupport kWritable[] = {
    {kGroupClass, "ElementName, Persistent, DeleteOnEmptyElement, DeleteOnUnassociated, ReservedAs", false},
    {kStorageSynchronizedClass, "CopyPriority", false},
    {kJobClass, "DeleteOnCompletion, TimeBeforeRemoval", true},
    {kAspectClass, "", true},
};

void AddClasses(const wbem::Schema& schema, std::string_view ns, std::string& page) {
  page += fmt::format("\n## Classes in `{}`\n\n", ns);
  page += "| class | is a | ModifyInstance | DeleteInstance |\n| --- | --- | --- | --- |\n";
  for (const wbem::ClassDecl* cls : schema.Subclasses(ns, "", true)) {
    if (!cls->name.starts_with("Lockstep_")) continue;
    // The storage namespace declares the profile's classes for traversal only; their instances are in interop.
    if (ns == kStorageNamespace && schema.Find(kInteropNamespace, cls->name) &&
        cls->name != "Lockstep_ElementConformsToProfile") {
      continue;
    }
    const WriteSupport* writable = FindWriteSupport(cls->name);
    page += fmt::format("| {} | {} | {} | {} |\n", cls->name, cls->superclass, writable ? writable->modifiable : "",
                        writable && writable->deletable ? "yes" : "");
  }
}

void AddMethods(const wbem::Schema& schema, const char* class_name, std::string& page) {
  const wbem::ClassDecl* cls = schema.Find(kStorageNamespace, class_name);
  std::span<const Method> built = MethodsOf(class_name);
  page += fmt::format("\n## Methods of {}\n\n| method | |\n| --- | --- |\n", cls->superclass);
  for (const auto& method : cls->methods) {
    const bool is_built = std::any_of(built.begin(), built.end(),
                                      [&](const Method& m) { return wbem::NameEquals(m.name, method->name); });
    page += fmt::format("| {} | {} |\n", method->name, is_built ? "built" : "returns 1, Not Supported");
  }
}

void AddIndications(std::string& page) {
  page +=
      "\n## Indications\n\n"
      "In both namespaces CIM_IndicationFilter, CIM_ListenerDestinationCIMXML (and CIM_IndicationHandlerCIMXML) and\n"
      "CIM_IndicationSubscription are made with CreateInstance and deleted with DeleteInstance; of a subscription\n"
      "SubscriptionState, SubscriptionDuration and SubscriptionInfo can be modified. In `interop` these filters are\n"
      "always there:\n\n| filter | query |\n| --- | --- |\n";
  for (const wbem::FixedFilter& filter : FixedFilters())
    page += fmt::format("| {} | `{}` |\n", filter.name, filter.query);
  page += "\n## Alerts\n\nCIM_AlertIndication with OwningEntity Lockstep:\n\n" + DescribeAlerts();
}

}  // namespace

const WriteSupport* FindWriteSupport(std::string_view class_name) {
  for (const WriteSupport& row : kWritable) {
    if (wbem::NameEquals(row.class_name, class_name)) return &row;
  }
  return nullptr;
}

std::string SupportTable(const wbem::Schema& schema) {
  std::string page =
      "# SMI-S: what is supported\n\n"
      "Generated from the schema and from the tables that the providers use; a test fails when it is stale, and\n"
      "writes it anew when `LOCKSTEP_WRITE_DOCS` is set in its environment.\n\n"
      "Clients use the names of the standard (`CIM_ReplicationService`); the instances are of the classes below,\n"
      "which they find by inheritance. Every class answers GetInstance, EnumerateInstances and\n"
      "EnumerateInstanceNames, and takes part in Associators, AssociatorNames, References and ReferenceNames. None\n"
      "of them has CreateInstance: groups, volumes and replicas are made by methods.\n";
  AddClasses(schema, kInteropNamespace, page);
  AddClasses(schema, kStorageNamespace, page);
  for (const char* class_name : {kReplicationServiceClass, kReplicationCapabilitiesClass, kStorageServiceClass,
                                 kPoolClass, kStorageCapabilitiesClass, kJobClass}) {
    AddMethods(schema, class_name, page);
  }
  AddIndications(page);
  return page;
}

}  // namespace lockstep::smis
