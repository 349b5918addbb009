// lockstep volume set, clone and revert.
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/lockstep/commands.h"
#include "apps/lockstep/show.h"
#include "base/units.h"

namespace lockstep::cli {

namespace {

std::string CheckLength(const std::string& text) {
  const auto seconds = ParseSeconds(text);
  return seconds.ok() ? std::string() : seconds.status().message();
}

constexpr const char* kMoment =
    "A moment in the volumes' history: -10m (so long ago), '2026-11-21 12:00:00' (UTC), or @1234 (a position)";

struct Options {
  std::vector<std::string> volumes;
  std::string source, group, at, name, suffix, length, space;
  bool none = false, force = false;

  Json Named() const {
    Json params = Json::object();
    if (!volumes.empty()) params["volumes"] = volumes;
    if (!source.empty()) params["volumes"] = {source};
    if (!group.empty()) params["group"] = group;
    return params;
  }
};

void AddSet(CLI::App& volume, Cli& cli) {
  CLI::App* set = AddCommand(volume, "set", "Say how much of their past volumes keep, to the second",
                             "  lockstep volume set db_1 --history 24h\n"
                             "  lockstep volume set --group databases --history 7d --history-space 100G\n"
                             "  lockstep volume set db_1 --no-history");
  auto o = std::make_shared<Options>();
  CLI::Option* names = set->add_option("volume", o->volumes, "Names or ids");
  CLI::Option* group = set->add_option("--group", o->group, "All members of this group")->excludes(names);
  CLI::Option* length =
      set->add_option("--history", o->length, "How far back, as 90s, 30m, 24h or 7d")->check(CheckLength);
  CLI::Option* space =
      set->add_option("--history-space", o->space, "How much of what was replaced, as 100G")->check(CheckSize);
  CLI::Option* none = set->add_flag("--no-history", o->none, "Nothing; what was kept is given up");
  none->excludes(length)->excludes(space);
  set->callback([&cli, o, names, group, length, space, none] {
    if (!*names && !*group) throw CLI::RequiredError("volume or --group");
    if (!*length && !*space && !*none) throw CLI::RequiredError("--history, --history-space or --no-history");
    Json params = o->Named();
    if (*length) params["time"] = o->length;
    if (*space) params["space"] = o->space;
    cli.Run("volume.set_history", params, ShowVolumes);
  });
}

void AddClone(CLI::App& volume, Cli& cli) {
  CLI::App* clone = AddCommand(volume, "clone", "Make a new volume of what one is, or was",
                               "  lockstep volume clone db_1 db_1_before --at -10m\n"
                               "  lockstep volume clone --group databases --suffix _noon --at '2026-11-21 12:00:00'");
  auto o = std::make_shared<Options>();
  CLI::Option* name = clone->add_option("volume", o->source, "Name or id of the volume");
  CLI::Option* made = clone->add_option("name", o->name, "Name of the new volume");
  CLI::Option* group =
      clone->add_option("--group", o->group, "All members of this group, at one moment")->excludes(name);
  CLI::Option* suffix = clone->add_option("--suffix", o->suffix, "With --group: what follows the members' names");
  clone->add_option("--at", o->at, kMoment);
  suffix->needs(group);
  clone->callback([&cli, o, name, made, group, suffix] {
    if (!*group && !(*name && *made)) throw CLI::RequiredError("volume and name, or --group");
    if (*group && !*suffix) throw CLI::RequiredError("--suffix");
    Json params = o->Named();
    if (*group)
      params["suffix"] = o->suffix;
    else
      params["names"] = {o->name};
    if (!o->at.empty()) params["at"] = o->at;
    cli.Run("volume.clone", params, ShowVolumes);
  });
}

void AddRevert(CLI::App& volume, Cli& cli) {
  CLI::App* revert = AddCommand(volume, "revert", "Give volumes back what they were; their windows have what they are",
                                "  lockstep volume revert db_1 --at -10m\n"
                                "  lockstep volume revert --group databases --at @184467");
  auto o = std::make_shared<Options>();
  CLI::Option* names = revert->add_option("volume", o->volumes, "Names or ids; all to one moment");
  CLI::Option* group = revert->add_option("--group", o->group, "All members of this group")->excludes(names);
  revert->add_option("--at", o->at, kMoment)->required();
  revert->add_flag("--force", o->force, "Even while clients are connected");
  revert->callback([&cli, o, names, group] {
    if (!*names && !*group) throw CLI::RequiredError("volume or --group");
    Json params = o->Named();
    params["at"] = o->at;
    if (o->force) params["force"] = true;
    cli.Run("volume.revert", params, ShowVolumes);
  });
}

}  // namespace

void AddHistoryCommands(CLI::App& volume, Cli& cli) {
  AddSet(volume, cli);
  AddClone(volume, cli);
  AddRevert(volume, cli);
}

}  // namespace lockstep::cli
