// The fields of every record, named once: tables, statements and the encoding of intents are all made from this list,
// so they cannot disagree. A visitor is called as visitor("column", field) in a fixed order; the first field is the id.
//
// The order and the names are the format of the catalog: a field that is added comes last, under the version that has
// it first, and needs a migration step (schema.cc). Nothing is removed or moved.
#pragma once

#include <array>
#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

#include "catalog/catalog.h"

namespace lockstep::catalog {

// R is the record type T or const T.
template <typename R, typename T>
concept Is = std::same_as<std::remove_const_t<R>, T>;

// Whether the visitor is about a version that has the fields of `version`. One that does not say is about the newest.
template <typename V>
bool Has(const V& v, int version) {
  if constexpr (requires { v.version(); })
    return v.version() >= version;
  else
    return true;
}

template <typename V, Is<PoolRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("name", r.name), v("path", r.path), v("size", r.size), v("created", r.created);
  if (!Has(v, 2)) return;
  v("last_scrub", r.last_scrub), v("last_scrub_bad", r.last_scrub_bad), v("scrub_begun", r.scrub_begun);
  v("last_bad_at", r.last_bad_at), v("last_bad", r.last_bad);
}

template <typename V, Is<VolumeRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("pool", r.pool), v("name", r.name), v("size", r.size), v("created", r.created);
}

template <typename V, Is<GroupRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("name", r.name), v("members", r.members), v("persistent", r.persistent);
  v("delete_on_empty_element", r.delete_on_empty_element), v("delete_on_unassociated", r.delete_on_unassociated);
  v("consistent_point_in_time", r.consistent_point_in_time), v("reserved_as", r.reserved_as), v("created", r.created);
}

template <typename V, Is<PointRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("pool", r.pool), v("volumes", r.volumes), v("taken", r.taken);
}

template <typename V, Is<RelationshipRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("source", r.source), v("target", r.target), v("sync_type", r.sync_type), v("mode", r.mode);
  v("state", r.state), v("progress", r.progress), v("requested", r.requested), v("point", r.point);
  v("group_relationship", r.group), v("full_copy", r.full_copy), v("copied", r.copied), v("priority", r.priority);
  v("methodology", r.methodology), v("read_only", r.read_only), v("consistency_exempt", r.consistency_exempt);
  v("target_created", r.target_created), v("when_established", r.when_established);
  v("when_activated", r.when_activated), v("when_deactivated", r.when_deactivated);
  v("when_suspended", r.when_suspended), v("when_synchronized", r.when_synchronized), v("when_synced", r.when_synced);
}

template <typename V, Is<GroupRelationshipRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("name", r.name), v("source_group", r.source_group), v("source_element", r.source_element);
  v("target_group", r.target_group), v("sync_type", r.sync_type), v("mode", r.mode);
  v("consistency_enabled", r.consistency_enabled), v("when_established", r.when_established);
}

template <typename V, Is<AspectRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("name", r.name), v("point", r.point), v("sources", r.sources), v("source_group", r.source_group);
  v("sync_type", r.sync_type), v("mode", r.mode), v("state", r.state), v("consistency_enabled", r.consistency_enabled);
  v("when_point_in_time", r.when_point_in_time);
}

template <typename V, Is<JobRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("kind", r.kind), v("name", r.name), v("method", r.method), v("state", r.state);
  v("percent", r.percent), v("error_code", r.error_code), v("error", r.error), v("wait_for", r.wait_for);
  v("relationships", r.relationships), v("group_relationship", r.group_relationship), v("volumes", r.volumes);
  v("groups", r.groups), v("delete_on_completion", r.delete_on_completion);
  v("time_before_removal_us", r.time_before_removal_us), v("submitted", r.submitted), v("started", r.started);
  v("state_changed", r.state_changed);
  if (!Has(v, 2)) return;
  v("pool", r.pool), v("position", r.position), v("bad", r.bad), v("bytes_per_second", r.bytes_per_second);
}

template <typename V, Is<ExportRecord> R>
void VisitFields(V&& v, R& r) {
  v("id", r.id), v("volume", r.volume), v("name", r.name), v("read_only", r.read_only), v("created", r.created);
}

// The tables, in the order of the alternatives of Record and RecordId.
inline constexpr std::array<const char*, std::variant_size_v<Record>> kTables = {
    "pools", "volumes", "groups", "points", "relationships", "group_relationships", "aspects", "jobs", "exports"};

// Calls f(std::integral_constant<size_t, 0>), f(... 1) and so on, once for each kind of record.
template <typename F>
void ForEachKind(F&& f) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    (f(std::integral_constant<size_t, I>()), ...);
  }(std::make_index_sequence<std::variant_size_v<Record>>());
}

}  // namespace lockstep::catalog
