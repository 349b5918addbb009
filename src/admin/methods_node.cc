// node.*: the whole node at once, and what it can do.
#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/methods.h"
#include "admin/render.h"
#include "replication/capabilities.h"

namespace lockstep::admin {

namespace {

using replication::ReplicationType;
using replication::Scope;

Json FactsJson(const NodeFacts& facts) {
  return {{"version", facts.version},
          {"data_directory", facts.data_directory},
          {"nbd_endpoints", facts.nbd_endpoints},
          {"cim_endpoints", facts.cim_endpoints},
          {"cim_https_endpoints", facts.cim_https_endpoints},
          {"started", TimeJson(facts.started)}};
}

Answer Ping(Context& context, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  co_return FactsJson(context.facts);
}

Answer Methods(Context&, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  Json names = Json::array();
  for (const std::string_view name : MethodNames()) names.push_back(name);
  co_return names;
}

Answer ShowStatus(Context& context, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  co_await context.control.RefreshUsage();
  const control::Control& control = context.control;
  const Renderer renderer(control);
  Json pools = Json::array(), volumes = Json::array(), groups = Json::array(), exports = Json::array();
  Json relationships = Json::array(), group_relationships = Json::array(), jobs = Json::array();
  for (const auto& view : control.Pools()) pools.push_back(renderer.Pool(view));
  for (const auto& view : control.Volumes()) volumes.push_back(renderer.Volume(view));
  for (const auto& record : control.Groups()) groups.push_back(renderer.Group(record));
  for (const auto& view : control.Exports()) exports.push_back(renderer.Export(view));
  for (const auto& view : control.Relationships()) relationships.push_back(renderer.Relationship(view));
  for (const auto& view : control.GroupRelationships()) group_relationships.push_back(renderer.GroupRelationship(view));
  for (const auto& record : control.Jobs()) jobs.push_back(renderer.Job(record));
  Json status = {{"node", FactsJson(context.facts)},
                 {"pools", std::move(pools)},
                 {"volumes", std::move(volumes)},
                 {"groups", std::move(groups)},
                 {"exports", std::move(exports)},
                 {"relationships", std::move(relationships)},
                 {"group_relationships", std::move(group_relationships)},
                 {"jobs", std::move(jobs)}};
  co_return status;
}

Json OperationsJson(ReplicationType type, Scope scope) {
  Json list = Json::array();
  for (const auto& supported : replication::SupportedOperations(type, scope)) {
    list.push_back({{"operation", catalog::Name(supported.operation)}, {"requires_force", supported.requires_force}});
  }
  return list;
}

Json StatesJson(ReplicationType type, Scope scope) {
  Json list = Json::array();
  for (const auto& supported : replication::SupportedCopyStates(type, scope)) {
    list.push_back({{"copy_state", catalog::Name(supported.state)}, {"host_accessible", supported.host_accessible}});
  }
  return list;
}

Answer Capabilities(Context&, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  Json list = Json::array();
  for (const ReplicationType type : replication::SupportedReplicationTypes()) {
    LS_CO_ASSIGN_OR_RETURN(const replication::SyncTypeAndMode what, replication::FromReplicationType(type));
    list.push_back({{"replication_type", static_cast<uint16_t>(type)},
                    {"sync_type", catalog::Name(what.sync_type)},
                    {"mode", catalog::Name(what.mode)},
                    {"operations", OperationsJson(type, Scope::kElement)},
                    {"group_operations", OperationsJson(type, Scope::kGroup)},
                    {"copy_states", StatesJson(type, Scope::kElement)}});
  }
  co_return list;
}

}  // namespace

std::span<const Method> NodeMethods() {
  static constexpr Method kMethods[] = {{"node.ping", Ping},
                                        {"node.status", ShowStatus},
                                        {"node.capabilities", Capabilities},
                                        {"node.methods", Methods}};
  return kMethods;
}

}  // namespace lockstep::admin
