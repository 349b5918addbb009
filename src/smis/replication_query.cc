// CIM_ReplicationService: GetReplicationRelationships and GetReplicationRelationshipInstances.
#include <fmt/format.h>

#include "smis/replication_methods.h"
#include "smis/synchronized.h"

namespace lockstep::smis {

using wbem::Value;

namespace {

struct Query {
  control::RelationshipFilter filter;
  std::optional<catalog::CopyMethodology> methodology;  // from the settings: only element relationships have one
};

template <typename E>
void CheckKnown(Arguments& arguments, const char* name, std::optional<E> value) {
  if (value && !IsKnown(*value)) {
    arguments.Fail(InvalidArgument(fmt::format("{} {} has no meaning", name, static_cast<uint16_t>(*value))));
  }
}

// A number of which the schema knows 2 and 3.
std::optional<uint16_t> TwoOrThree(Arguments& arguments, const char* name) {
  std::optional<uint16_t> value = arguments.Enum<uint16_t>(name);
  if (value && *value != 2 && *value != 3) arguments.Fail(InvalidArgument(fmt::format("{} must be 2 or 3", name)));
  return value;
}

Query ReadQuery(Arguments& arguments) {
  Query query;
  if (std::optional<uint16_t> type = TwoOrThree(arguments, "Type")) {
    query.filter.type = static_cast<control::RelationshipType>(*type);
  }
  query.filter.sync_type = arguments.Enum<catalog::SyncType>("SyncType");
  query.filter.mode = arguments.Enum<catalog::Mode>("Mode");
  query.filter.locality = TwoOrThree(arguments, "Locality");
  query.filter.copy_state = arguments.Enum<catalog::CopyState>("CopyState");
  CheckKnown(arguments, "SyncType", query.filter.sync_type);
  CheckKnown(arguments, "Mode", query.filter.mode);
  CheckKnown(arguments, "CopyState", query.filter.copy_state);
  query.methodology = arguments.Settings().desired_copy_methodology;
  return query;
}

std::vector<control::RelationshipView> ElementRelationships(const Face& face, const Query& query) {
  if (query.filter.type == control::RelationshipType::kGroupSynchronized) return {};
  std::vector<control::RelationshipView> all = face.control.Relationships(query.filter);
  if (query.methodology) std::erase_if(all, [&](const auto& v) { return v.record.methodology != *query.methodology; });
  return all;
}

std::vector<control::GroupRelationshipView> GroupRelationships(const Face& face, const Query& query) {
  if (query.filter.type == control::RelationshipType::kStorageSynchronized || query.methodology) return {};
  return face.control.GroupRelationships(query.filter);
}

}  // namespace

Task<Outcome> GetReplicationRelationships(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  const Query query = ReadQuery(arguments);
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  std::vector<wbem::ObjectPath> found;
  for (const auto& view : ElementRelationships(*face, query)) found.push_back(face->paths.Relationship(view.record));
  for (const auto& view : GroupRelationships(*face, query)) found.push_back(face->paths.GroupRelationship(view.record));
  std::vector<wbem::Property> out;
  out.push_back({"Synchronizations", Value::Array(found)});
  co_return Done(std::move(out));
}

Task<Outcome> GetReplicationRelationshipInstances(FacePtr face, wbem::MethodCall call) {
  Arguments arguments(*face, call);
  const Query query = ReadQuery(arguments);
  if (!arguments.status().ok()) co_return Refused(arguments.status());
  std::vector<wbem::Instance> found;
  for (const auto& view : ElementRelationships(*face, query)) found.push_back(StorageSynchronizedInstance(*face, view));
  for (const auto& view : GroupRelationships(*face, query)) found.push_back(GroupSynchronizedInstance(*face, view));
  std::vector<wbem::Property> out;
  out.push_back({"Synchronizations", Value::Array(found)});
  co_return Done(std::move(out));
}

}  // namespace lockstep::smis
