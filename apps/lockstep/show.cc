#include "apps/lockstep/show.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/lockstep/table.h"
#include "base/units.h"

namespace lockstep::cli {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr size_t kFew = 4;  // names of a list that a table's cell shows

std::string Text(const Json& json, const char* member);

// "a, b, c, d and 3 more" of a list of names or of objects.
std::string ListText(const Json& list, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(list.size(), most); ++i) {
    const Json& element = list[i];
    if (i > 0) text += ", ";
    if (element.is_object()) text += Text(element, element.contains("name") ? "name" : "id");
    else text += element.is_string() ? element.get<std::string>() : element.dump();
  }
  if (list.size() > most) text += fmt::format(" and {} more", list.size() - most);
  return list.empty() ? "-" : text;
}

// A member as text: "-" for null and for what is not there, names for objects, the first few of a list.
std::string Text(const Json& json, const char* member) {
  const auto found = json.find(member);
  if (found == json.end() || found->is_null()) return "-";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_boolean()) return found->get<bool>() ? "yes" : "no";
  if (found->is_object()) return found->contains("name") ? (*found)["name"].get<std::string>() : Text(*found, "id");
  if (found->is_array()) return ListText(*found, kFew);
  return found->dump();
}

std::string Size(const Json& json, const char* member) {
  const auto found = json.find(member);
  return found != json.end() && found->is_number() ? FormatSize(found->get<uint64_t>()) : "-";
}

// Of a volume's "space", which is null when nobody has counted it.
std::string SpaceSize(const Json& volume, const char* member) {
  const auto space = volume.find("space");
  return space == volume.end() || space->is_null() ? "-" : Size(*space, member);
}

// All of a list, for the view of one object.
std::string All(const Json& json, const char* member) { return ListText(json[member], json[member].size()); }

// "2026-11-20 23:02:00", UTC.
std::string Time(const Json& json, const char* member) {
  std::string text = Text(json, member);
  if (text.size() < 20) return text;
  text[10] = ' ';
  return text.substr(0, 19);
}

std::string TimeOr(const Json& json, const char* member, const char* otherwise) {
  const auto found = json.find(member);
  return found == json.end() || found->is_null() ? otherwise : Time(json, member);
}

// "2026-11-20 23:02:00, 2 bad blocks".
std::string ScrubText(const Json& pool) {
  const uint64_t bad = pool.value("last_scrub_bad", uint64_t{0});
  return TimeOr(pool, "last_scrub", "never") + (bad == 0 ? "" : fmt::format(", {} bad blocks", bad));
}

// "none", or "block 42 of volume db at device block 4711, 2026-11-20 23:02:00".
std::string BadText(const Json& pool) {
  const auto found = pool.find("last_bad");
  if (found == pool.end() || found->is_null()) return "none";
  return Text(pool, "last_bad") + ", " + Time(pool, "last_bad_at");
}

// "24h, 100 GiB, since 2026-11-21 12:00:00 (position 7)".
std::string HistoryText(const Json& volume) {
  const auto history = volume.find("history");
  if (history == volume.end() || history->is_null()) return "none";
  std::string text;
  if (const uint64_t seconds = history->value("seconds", uint64_t{0})) text += FormatSeconds(seconds) + ", ";
  if (const uint64_t bytes = history->value("bytes", uint64_t{0})) text += FormatSize(bytes) + ", ";
  return text + "since " + Time(*history, "since") + " (position " + Text(*history, "from_sequence") + ")";
}

std::string Percent(const Json& json, const char* member) {
  const auto found = json.find(member);
  return found != json.end() && found->is_number() ? fmt::format("{} %", found->get<uint64_t>()) : "-";
}

std::string UsePercent(const Json& pool) {
  const auto size = pool.value("size", uint64_t{0});
  const auto used = pool.value("used", uint64_t{0});
  return size == 0 ? "-" : fmt::format("{:.1f} %", 100.0 * static_cast<double>(used) / static_cast<double>(size));
}

std::string Role(const Json& volume) {
  const bool target = volume.contains("target_of") && volume["target_of"].is_string();
  const bool source = volume.contains("source_of") && !volume["source_of"].empty();
  return target && source ? "source, target" : target ? "target" : source ? "source" : "-";
}

std::string EndOf(const Json& replica, bool source) {
  if (replica.value("kind", "") != "group") return Text(replica, source ? "source" : "target");
  if (!source) return Text(replica, "target_group");
  return Text(replica, replica["source_group"].is_null() ? "source_element" : "source_group");
}

std::string Shown(const Table& table, std::string_view what) {
  return table.empty() ? fmt::format("no {}\n", what) : table.ToString();
}

// A section of the status screen: at most kRows of `list`, and where to see the rest.
std::string Section(std::string_view title, const Json& list, std::string (*show)(const Json&), std::string_view more) {
  constexpr size_t kRows = 15;
  if (list.empty()) return fmt::format("\n{}: none\n", title);
  Json shown = Json::array();
  for (size_t i = 0; i < std::min(kRows, list.size()); ++i) shown.push_back(list[i]);
  std::string text = fmt::format("\n{} ({})\n", title, list.size());
  const std::string table = show(shown);
  for (size_t at = 0; at < table.size();) {
    const size_t end = table.find('\n', at);
    text += "  " + table.substr(at, end - at) + "\n";
    at = end + 1;
  }
  if (list.size() > kRows) text += fmt::format("  and {} more: {}\n", list.size() - kRows, more);
  return text;
}

}  // namespace

std::string ShowNothing(const Json&) { return {}; }

Code CodeNamed(std::string_view name) {
  for (int code = 1; code <= static_cast<int>(Code::kInternal); ++code) {
    if (CodeName(static_cast<Code>(code)) == name) return static_cast<Code>(code);
  }
  return Code::kInternal;
}

std::string ShowPools(const Json& list) {
  Table table({"NAME", "STATE", ">SIZE", ">USED", ">USE", ">FREE", "PATH"});
  for (const Json& pool : list) {
    table.Add({Text(pool, "name"), Text(pool, "state"), Size(pool, "size"), Size(pool, "used"), UsePercent(pool),
               Size(pool, "free"), Text(pool, "path")});
  }
  return Shown(table, "pools");
}

namespace {
// Of a pool with several.
std::string ShowDevices(const Json& pool) {
  const auto found = pool.find("devices");
  if (found == pool.end() || found->size() < 2) return {};
  Table table({"DEVICE", ">SIZE", ">TAKEN", ">LIVE", "STATE"});
  for (const Json& device : *found)
    table.Add({Text(device, "path"), Size(device, "size"), Size(device, "taken"), Size(device, "live"),
               device.value("draining", false) ? "being emptied" : "in use"});
  return Shown(table, "devices");
}
std::string PasswordOf(const Json& user) {
  return user["pam"] == true ? "PAM" : user["password"] == true ? "yes" : "none";
}

}  // namespace

std::string ShowPool(const Json& pool) {
  return KeyValues({{"name", Text(pool, "name")},
                    {"id", Text(pool, "id")},
                    {"path", Text(pool, "path")},
                    {"state", Text(pool, "state")},
                    {"problem", pool["problem"].is_null() ? "" : Text(pool, "problem")},
                    {"size", Size(pool, "size")},
                    {"used", Size(pool, "used") + " (" + UsePercent(pool) + ")"},
                    {"free", Size(pool, "free")},
                    {"held", Size(pool, "live") + (pool.value("freeing", false) ? ", becoming less" : "")},
                    {"of it, volumes' own", Size(pool, "mapped")},
                    {"of it, history", Size(pool, "history")},
                    {"reclaimable", Size(pool, "reclaimable")},
                    {"newest position", Text(pool, "last_sequence")},
                    {"durable position", Text(pool, "durable_sequence")},
                    {"last scrub", ScrubText(pool)},
                    {"next scrub", TimeOr(pool, "next_scrub", "not scheduled")},
                    {"last bad block", BadText(pool)},
                    {"created", Time(pool, "created")}}) +
         ShowDevices(pool);
}

std::string ShowExported(const Json& exported) {
  std::string paths;
  for (const Json& path : exported["paths"]) paths += (paths.empty() ? "" : " ") + path.get<std::string>();
  return KeyValues({{"paths", paths}, {"index", Text(exported, "index")}}) +
         "Take both along: lockstep pool import " + paths + " --index " + Text(exported, "index") + "\n";
}

std::string ShowDeletedPool(const Json& deleted) {
  std::string text;
  for (const Json& path : deleted["paths"]) text += path.get<std::string>() + " can be used again\n";
  return text;
}

std::string ShowCheck(const Json& report) {
  std::string text = KeyValues({{"blocks shown", Text(report, "current_blocks")},
                                {"blocks kept by points", Text(report, "history_blocks")},
                                {"problems", fmt::format("{}", report["problems"].size())}});
  for (const Json& problem : report["problems"]) text += problem.get<std::string>() + "\n";
  return text;
}

std::string ShowVolumes(const Json& list) {
  Table table({"NAME", "POOL", ">SIZE", ">USED", "ROLE", "GROUPS", "EXPORTS", ">CLIENTS"});
  for (const Json& volume : list) {
    table.Add({Text(volume, "name"), Text(volume, "pool"), Size(volume, "size"), Size(volume, "used"), Role(volume),
               Text(volume, "groups"), Text(volume, "exports"), Text(volume, "connections")});
  }
  return Shown(table, "volumes");
}

std::string ShowVolumeSpaces(const Json& list) {
  Table table({"NAME", "POOL", ">SIZE", ">WRITTEN", ">SHOWN", ">ALONE", ">SHARED"});
  for (const Json& volume : list) {
    table.Add({Text(volume, "name"), Text(volume, "pool"), Size(volume, "size"), Size(volume, "used"),
               SpaceSize(volume, "mapped"), SpaceSize(volume, "unique"), SpaceSize(volume, "shared")});
  }
  return Shown(table, "volumes");
}

std::string ShowVolume(const Json& volume) {
  return KeyValues({{"name", Text(volume, "name")},
                    {"id", Text(volume, "id")},
                    {"pool", Text(volume, "pool")},
                    {"size", Size(volume, "size")},
                    {"written", Size(volume, "used")},
                    {"shown", SpaceSize(volume, "mapped")},
                    {"alone (deleting it frees)", SpaceSize(volume, "unique")},
                    {"shared", SpaceSize(volume, "shared")},
                    {"history", HistoryText(volume)},
                    {"target of", Text(volume, "target_of")},
                    {"source of", All(volume, "source_of")},
                    {"groups", All(volume, "groups")},
                    {"exports", All(volume, "exports")},
                    {"host accessible", Text(volume, "host_accessible")},
                    {"clients", Text(volume, "connections")},
                    {"created", Time(volume, "created")}});
}

std::string ShowExports(const Json& list) {
  Table table({"NAME", "VOLUME", "PUBLISHED", "READ ONLY", ">CLIENTS"});
  for (const Json& one : list) {
    table.Add({Text(one, "name"), Text(one, "volume"), Text(one, "published"), Text(one, "read_only"),
               Text(one, "connections")});
  }
  return Shown(table, "exports");
}

std::string ShowExport(const Json& one) {
  return KeyValues({{"name", Text(one, "name")},
                    {"id", Text(one, "id")},
                    {"volume", Text(one, "volume")},
                    {"published", Text(one, "published")},
                    {"read only", Text(one, "read_only")},
                    {"clients", Text(one, "connections")},
                    {"created", Time(one, "created")}});
}

std::string ShowGroups(const Json& list) {
  Table table({"NAME", ">MEMBERS", "RESERVED AS", "VOLUMES"});
  for (const Json& group : list) {
    table.Add({Text(group, "name"), std::to_string(group["members"].size()), Text(group, "reserved_as"),
               Text(group, "members")});
  }
  return Shown(table, "groups");
}

std::string ShowGroup(const Json& group) {
  return KeyValues({{"name", Text(group, "name")},
                    {"id", Text(group, "id")},
                    {"members", All(group, "members")},
                    {"reserved as", Text(group, "reserved_as")},
                    {"persistent", Text(group, "persistent")},
                    {"delete on empty element", Text(group, "delete_on_empty_element")},
                    {"delete on unassociated", Text(group, "delete_on_unassociated")},
                    {"consistent point in time", Text(group, "consistent_point_in_time")},
                    {"created", Time(group, "created")}});
}

std::string ShowReplicas(const Json& list) {
  Table table({"KIND", "NAME", "SOURCE", "TARGET", "TYPE", "COPY STATE", "PROGRESS", ">SYNCED", "ID"});
  for (const Json& replica : list) {
    table.Add({Text(replica, "kind"), Text(replica, "name"), EndOf(replica, true), EndOf(replica, false),
               Text(replica, "sync_type"), Text(replica, "copy_state"), Text(replica, "progress_status"),
               Percent(replica, "percent_synced"), Text(replica, "id")});
  }
  return Shown(table, "replicas");
}

std::string ShowReplica(const Json& replica) {
  const bool group = replica.value("kind", "") == "group";
  Pairs pairs = {{"kind", group ? "group relationship" : "relationship"},
                 {"name", group ? Text(replica, "name") : ""},
                 {"id", Text(replica, "id")},
                 {"source", EndOf(replica, true)},
                 {"target", EndOf(replica, false)},
                 {"type", Text(replica, "sync_type") + ", " + Text(replica, "mode")},
                 {"copy state", Text(replica, "copy_state")},
                 {"requested", Text(replica, "requested_copy_state")},
                 {"progress", Text(replica, "progress_status")},
                 {"synced", Percent(replica, "percent_synced")},
                 {"job", Text(replica, "job")},
                 {"established", Time(replica, "when_established")}};
  if (group) {
    pairs.emplace_back("consistency", Text(replica, "consistency_state"));
  } else {
    pairs.emplace_back("group relationship", Text(replica, "group_relationship"));
    pairs.emplace_back("point", Text(replica, "point"));
    pairs.emplace_back("full copy", Text(replica, "full_copy"));
    pairs.emplace_back("copied", Size(replica, "copied"));
    pairs.emplace_back("copy priority", Text(replica, "copy_priority"));
    pairs.emplace_back("read only", Text(replica, "read_only"));
    pairs.emplace_back("target usable", Text(replica, "host_accessible"));
    pairs.emplace_back("synchronized", Time(replica, "when_synchronized"));
    pairs.emplace_back("point in time", Time(replica, "when_synced"));
  }
  std::string text = KeyValues(pairs);
  if (group && !replica["pairs"].empty() && replica["pairs"][0].is_object()) {
    text += "\n" + ShowReplicas(replica["pairs"]);
  }
  return text;
}

std::string ShowReplicaResult(const Json& result) {
  Json list = Json::array();
  if (result.contains("synchronization")) list.push_back(result["synchronization"]);
  for (const char* member : {"synchronizations", "pairs"}) {
    if (!result.contains(member)) continue;
    for (const Json& each : result[member]) list.push_back(each);
  }
  std::string text = list.empty() ? "" : ShowReplicas(list);
  if (result.contains("aspects") && !result["aspects"].empty()) text += ShowAspects(result["aspects"]);
  if (result.contains("job_ended")) text += fmt::format("job {}\n", Text(result["job_ended"], "state"));
  else if (result["job"].is_string())
    text += fmt::format("job {0} goes on: lockstep job watch {0}\n", Text(result, "job"));
  return text;
}

std::string ShowPoints(const Json& list) {
  Table table({"ID", "POOL", "TAKEN", ">RELATIONSHIPS", ">ASPECTS", "VOLUMES"});
  for (const Json& point : list) {
    table.Add({Text(point, "id"), Text(point, "pool"), Time(point, "taken"),
               std::to_string(point["relationships"].size()), std::to_string(point["aspects"].size()),
               Text(point, "volumes")});
  }
  return Shown(table, "points");
}

std::string ShowPointSpaces(const Json& list) {
  Table table({"ID", "POOL", "TAKEN", ">WOULD FREE", "VOLUMES"});
  for (const Json& point : list) {
    table.Add({Text(point, "id"), Text(point, "pool"), Time(point, "taken"),
               point["would_free"].is_null() ? "-" : Size(point, "would_free"), Text(point, "volumes")});
  }
  return Shown(table, "points");
}

std::string ShowAspects(const Json& list) {
  Table table({"NAME", "SOURCES", "TYPE", "STATE", "POINT IN TIME", "ID"});
  for (const Json& aspect : list) {
    table.Add({Text(aspect, "name"), Text(aspect, "sources"), Text(aspect, "sync_type"), Text(aspect, "state"),
               Time(aspect, "when_point_in_time"), Text(aspect, "id")});
  }
  return Shown(table, "aspects");
}

std::string ShowAspect(const Json& aspect) {
  return KeyValues({{"name", Text(aspect, "name")},
                    {"id", Text(aspect, "id")},
                    {"sources", All(aspect, "sources")},
                    {"source group", Text(aspect, "source_group")},
                    {"type", Text(aspect, "sync_type") + ", " + Text(aspect, "mode")},
                    {"state", Text(aspect, "state")},
                    {"point", Text(aspect, "point")},
                    {"point in time", Time(aspect, "when_point_in_time")}});
}

std::string ShowJobs(const Json& list) {
  Table table({"ID", "NAME", "STATE", ">DONE", "SUBMITTED", "ERROR"});
  for (const Json& job : list) {
    table.Add({Text(job, "id"), Text(job, "name"), Text(job, "state"), Percent(job, "percent"),
               Time(job, "submitted"), job["error"].is_object() ? Text(job["error"], "message") : "-"});
  }
  return Shown(table, "jobs");
}

std::string ShowJob(const Json& job) {
  const uint64_t kept_s = job.value("time_before_removal_us", uint64_t{0}) / 1'000'000;
  return KeyValues({{"id", Text(job, "id")},
                    {"name", Text(job, "name")},
                    {"method", Text(job, "method")},
                    {"state", Text(job, "state")},
                    {"done", Percent(job, "percent")},
                    {"error", job["error"].is_object() ? Text(job["error"], "message") : ""},
                    {"waits for", Text(job, "wait_for")},
                    {"targets", All(job, "volumes")},
                    {"removed after", job["delete_on_completion"] == true ? fmt::format("{} s", kept_s) : "never"},
                    {"submitted", Time(job, "submitted")},
                    {"started", Time(job, "started")},
                    {"last change", Time(job, "state_changed")}});
}

std::string ShowUsers(const Json& list) {
  Table table({"NAME", "ROLE", "PASSWORD"});
  for (const Json& user : list)
    table.Add({Text(user, "name"), Text(user, "role"), PasswordOf(user)});
  return Shown(table, "users");
}

std::string ShowUser(const Json& user) {
  return KeyValues({{"name", Text(user, "name")},
                    {"role", Text(user, "role")},
                    {"password", PasswordOf(user)}});
}

std::string ShowStatus(const Json& status) {
  const Json& node = status["node"];
  Json jobs = Json::array();
  for (const Json& job : status["jobs"]) {
    if (job["ended"] != true || job["error"].is_object()) jobs.push_back(job);
  }
  Json replicas = Json::array();
  for (const Json& each : status["group_relationships"]) replicas.push_back(each);
  for (const Json& each : status["relationships"]) replicas.push_back(each);
  std::string text = fmt::format("lockstepd {}, up since {} UTC, data in {}\n", Text(node, "version"),
                                 Time(node, "started"), Text(node, "data_directory"));
  text += fmt::format("NBD on {}; SMI-S on {}\n", Text(node, "nbd_endpoints"), Text(node, "cim_endpoints"));
  text += Section("POOLS", status["pools"], ShowPools, "lockstep pool list");
  text += Section("VOLUMES", status["volumes"], ShowVolumes, "lockstep volume list");
  text += Section("GROUPS", status["groups"], ShowGroups, "lockstep group list");
  text += Section("REPLICAS", replicas, ShowReplicas, "lockstep replica list");
  text += Section("JOBS, running or failed", jobs, ShowJobs, "lockstep job list");
  return text;
}

std::string ShowCapabilities(const Json& list) {
  std::string text;
  for (const Json& type : list) {
    text += fmt::format("{}{}, {} (replication type {})\n", text.empty() ? "" : "\n", Text(type, "sync_type"),
                        Text(type, "mode"), Text(type, "replication_type"));
    const auto words = [&type](const char* member, const char* word) {
      std::string joined;
      for (const Json& each : type[member]) {
        joined += (joined.empty() ? "" : ", ") + Text(each, word);
        if (each.value("requires_force", false)) joined += " (with --force)";
      }
      return joined.empty() ? std::string("-") : joined;
    };
    text += "  " + std::string("operations:        ") + words("operations", "operation") + "\n";
    text += "  " + std::string("group operations:  ") + words("group_operations", "operation") + "\n";
    text += "  " + std::string("copy states:       ") + words("copy_states", "copy_state") + "\n";
  }
  return text;
}

}  // namespace lockstep::cli
