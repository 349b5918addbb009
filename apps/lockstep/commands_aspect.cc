// lockstep aspect: points with a name and no target volume, taken now and used later.
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/lockstep/commands.h"
#include "apps/lockstep/show.h"

namespace lockstep::cli {

namespace {

void AddCreate(CLI::App& family, Cli& cli) {
  struct Create {
    std::string name, group, volume, type, consistency;
  };
  CLI::App* command = AddCommand(family, "create", "Keep a group, or a volume, as it is now",
                                 "  lockstep aspect create monday --group db\n"
                                 "  lockstep aspect create before_upgrade --volume db1");
  auto options = std::make_shared<Create>();
  command->add_option("name", options->name, "Name of the aspect; without it one is made up");
  CLI::Option* group = command->add_option("--group", options->group, "Source group, by name or id");
  command->add_option("--volume", options->volume, "Source volume instead, by name or id")->excludes(group);
  command->add_option("--type", options->type, "Of the replicas that are made from it; snapshot by default")
      ->check(CLI::IsMember({"snapshot", "clone"}));
  command->add_option("--consistency", options->consistency, "Of the group")
      ->check(CLI::IsMember({"none", "sequential"}));
  command->callback([&cli, options] {
    Json params = Json::object();
    const auto put = [&params](const char* name, const std::string& value) {
      if (!value.empty()) params[name] = value;
    };
    put("name", options->name);
    put("source_group", options->group);
    put("source", options->volume);
    put("sync_type", options->type);
    put("consistency", options->consistency);
    cli.Run("aspect.create", params, ShowAspect);
  });
}

struct Modify {
  std::string operation;
  std::vector<std::string> aspects, targets, target_groups, names;
  std::string target_pool;
  uint64_t count = 0;
  bool full_copy = false;
  bool wait = false;
};

void RunModify(Cli& cli, const Modify& options) {
  Json params = {{"aspects", options.aspects}, {"operation", options.operation}};
  if (!options.targets.empty()) params["targets"] = options.targets;
  if (!options.target_groups.empty()) params["target_groups"] = options.target_groups;
  if (!options.names.empty()) params["names"] = options.names;
  if (!options.target_pool.empty()) params["target_pool"] = options.target_pool;
  if (options.count != 0) params["count"] = options.count;
  if (options.full_copy) params["settings"] = {{"full_copy", true}};
  cli.RunJob("aspect.modify", params, options.wait, ShowReplicaResult);
}

void AddCopy(CLI::App& family, Cli& cli) {
  CLI::App* command = AddCommand(family, "copy", "Make volumes that show what aspects have kept; these stay",
                                 "  lockstep aspect copy monday\n"
                                 "  lockstep aspect copy before_upgrade --names db1_old --full-copy --wait");
  auto options = std::make_shared<Modify>();
  options->operation = "copy-to-target";
  command->add_option("aspect", options->aspects, "Names or ids; several are copied all or none")->required();
  command->add_option("--targets", options->targets, "Of volumes' aspects: whose content is replaced, in order")
      ->delimiter(',');
  command->add_option("--target-groups", options->target_groups, "Of groups' aspects: likewise of their members")
      ->delimiter(',');
  command->add_option("--names", options->names, "Names of the volumes that are made, in order")->delimiter(',');
  command->add_option("--count", options->count, "How many volumes to make of each");
  command->add_option("--target-pool", options->target_pool, "Where they are made; the sources' pool by default");
  command->add_flag("--full-copy", options->full_copy, "Copy every byte, so that nothing is shared with the source");
  command->add_flag("--wait", options->wait, "Do not return before the job has ended; shows its progress");
  command->callback([&cli, options] { RunModify(cli, *options); });
}

void AddRestore(CLI::App& family, Cli& cli) {
  CLI::App* command = AddCommand(family, "restore", "Make the sources what the aspect has kept; their later writes go",
                                 "  lockstep aspect restore before_upgrade");
  auto options = std::make_shared<Modify>();
  options->operation = "restore";
  options->aspects.resize(1);
  command->add_option("aspect", options->aspects.front(), "Name or id")->required();
  command->callback([&cli, options] { RunModify(cli, *options); });
}

}  // namespace

void AddAspectCommands(CLI::App& app, Cli& cli) {
  CLI::App* family = AddFamily(app, "aspect", "Points with a name and no target volume");
  AddCreate(*family, cli);
  AddCommand(*family, "list", "List the aspects", "  lockstep aspect list")->callback([&cli] {
    cli.Run("aspect.list", Json::object(), ShowAspects);
  });
  AddShow(*family, cli, "aspect", ShowAspect, "  lockstep aspect show monday");
  AddCopy(*family, cli);
  AddRestore(*family, cli);
  AddCommandForOne(*family, cli, "aspect", "delete", "Forget an aspect; its point goes when nothing else holds it",
                   "  lockstep aspect delete monday", ShowNothing);
}

}  // namespace lockstep::cli
