// lockstep replica: making replicas, looking at them, and every operation on them as a verb.
#include <map>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/lockstep/commands.h"
#include "apps/lockstep/show.h"

namespace lockstep::cli {

namespace {

struct ReplicaOptions {
  std::string type = "snapshot";
  std::string mode, name, wait_for, consistency, read_only, priority, target_pool;
  std::string source, target, source_group, target_group, source_group_name, target_group_name;
  std::vector<std::string> sources, targets, names;
  uint64_t count = 0;
  bool full_copy = false;
  bool wait = false;
};

void AddReplicaOptions(CLI::App& command, ReplicaOptions& options) {
  command.add_option("--type", options.type, "What kind of replica")
      ->check(CLI::IsMember({"snapshot", "clone", "mirror"}))
      ->capture_default_str();
  command.add_option("--mode", options.mode, "When the writer is told; the type's own by default")
      ->check(CLI::IsMember({"synchronous", "asynchronous", "adaptive"}));
  command.add_flag("--full-copy", options.full_copy, "Copy every byte, so that nothing is shared with the source");
  command.add_option("--read-only", options.read_only, "Which end refuses writes")
      ->check(CLI::IsMember({"source", "target", "both"}));
  command.add_option("--priority", options.priority, "Of the copying")
      ->check(CLI::IsMember({"low", "same", "high", "urgent"}));
  command.add_option("--target-pool", options.target_pool, "Where the targets are made; the sources' pool by default");
  command.add_option("--wait-for", options.wait_for, "Copy state at which it counts as done, as synchronized");
  command.add_flag("--wait", options.wait, "Do not return before the job has ended; shows its progress");
}

// CIM_ReplicationSettingData and the rest of what all four ways to make replicas take.
Json CreateParams(const ReplicaOptions& options) {
  Json params = {{"sync_type", options.type}};
  const auto put = [&params](const char* name, const std::string& value) {
    if (!value.empty()) params[name] = value;
  };
  put("mode", options.mode);
  put("name", options.name);
  put("target_pool", options.target_pool);
  put("wait_for_copy_state", options.wait_for);
  Json settings = Json::object();
  if (options.full_copy) settings["full_copy"] = true;
  // The numbers of ReadOnly and CopyPriority in the schema.
  static const std::map<std::string, int> kReadOnly = {{"source", 2}, {"target", 3}, {"both", 4}};
  static const std::map<std::string, int> kPriority = {{"low", 1}, {"same", 2}, {"high", 3}, {"urgent", 4}};
  if (!options.read_only.empty()) settings["read_only"] = kReadOnly.at(options.read_only);
  if (!options.priority.empty()) settings["copy_priority"] = kPriority.at(options.priority);
  if (!settings.empty()) params["settings"] = settings;
  return params;
}

void AddConsistency(CLI::App& command, ReplicaOptions& options) {
  command.add_option("--consistency", options.consistency, "Of the group while it is replicated")
      ->check(CLI::IsMember({"none", "sequential"}));
}

void PutConsistency(const ReplicaOptions& options, Json& params) {
  if (!options.consistency.empty()) params["consistency"] = options.consistency;
}

void AddCreateElement(CLI::App& create, Cli& cli) {
  CLI::App* command = AddCommand(create, "element", "Make a replica of one volume",
                                 "  lockstep replica create element db1 --name db1_monday\n"
                                 "  lockstep replica create element db1 --type clone --full-copy --wait\n"
                                 "  lockstep replica create element db1 --target spare");
  auto options = std::make_shared<ReplicaOptions>();
  command->add_option("source", options->source, "Volume, by name or id")->required();
  command->add_option("--target", options->target, "Volume whose content it replaces; else one is made");
  command->add_option("--name", options->name, "Name of the volume that is made");
  AddReplicaOptions(*command, *options);
  command->callback([&cli, options] {
    Json params = CreateParams(*options);
    params["source"] = options->source;
    if (!options->target.empty()) params["target"] = options->target;
    cli.RunJob("replica.create_element", params, options->wait, ShowReplicaResult);
  });
}

void AddCreateList(CLI::App& create, Cli& cli) {
  CLI::App* command = AddCommand(create, "list", "Make replicas of several volumes: all or none",
                                 "  lockstep replica create list db1 db2 --names db1_snap,db2_snap\n"
                                 "  lockstep replica create list db1 db2 --targets spare1,spare2 --type clone");
  auto options = std::make_shared<ReplicaOptions>();
  command->add_option("source", options->sources, "Volumes, by name or id")->required();
  command->add_option("--targets", options->targets, "Volumes whose content they replace, in order")->delimiter(',');
  command->add_option("--names", options->names, "Names of the volumes that are made, in order")->delimiter(',');
  AddConsistency(*command, *options);
  AddReplicaOptions(*command, *options);
  command->callback([&cli, options] {
    Json params = CreateParams(*options);
    params["sources"] = options->sources;
    if (!options->targets.empty()) params["targets"] = options->targets;
    if (!options->names.empty()) params["names"] = options->names;
    PutConsistency(*options, params);
    cli.RunJob("replica.create_list", params, options->wait, ShowReplicaResult);
  });
}

void AddCreateGroup(CLI::App& create, Cli& cli) {
  CLI::App* command = AddCommand(create, "group", "Make a replica of a group at one point in time: all or none",
                                 "  lockstep replica create group db --name db_nightly\n"
                                 "  lockstep replica create group db --type clone --target-group db_copy --wait\n"
                                 "  lockstep replica create group --source db1 --count 5      (five replicas of one)");
  auto options = std::make_shared<ReplicaOptions>();
  CLI::Option* group = command->add_option("group", options->source_group, "Source group, by name or id");
  CLI::Option* source = command->add_option("--source", options->source, "One volume instead, by name or id");
  command->add_option("--count", options->count, "How many replicas of --source")->needs(source);
  source->excludes(group);
  command->add_option("--target-group", options->target_group, "Group whose members' content they replace");
  command->add_option("--name", options->name, "Name of the group relationship");
  AddConsistency(*command, *options);
  AddReplicaOptions(*command, *options);
  command->callback([&cli, options] {
    if (options->source_group.empty() == options->source.empty()) {
      throw CLI::ValidationError("group", "name a source group, or a volume with --source");
    }
    Json params = CreateParams(*options);
    if (!options->source_group.empty()) params["source_group"] = options->source_group;
    if (!options->source.empty()) params["source"] = options->source;
    if (!options->target_group.empty()) params["target_group"] = options->target_group;
    if (options->count > 0) params["count"] = options->count;
    PutConsistency(*options, params);
    cli.RunJob("replica.create_group", params, options->wait, ShowReplicaResult);
  });
}

void AddCreateFromElements(CLI::App& create, Cli& cli) {
  CLI::App* command = AddCommand(create, "from-elements", "Group volumes and make a replica of the group, in one step",
                                 "  lockstep replica create from-elements db1 db2 db3 --source-group-name db \\\n"
                                 "      --target-group-name db_snap --name db_nightly");
  auto options = std::make_shared<ReplicaOptions>();
  command->add_option("source", options->sources, "Volumes, by name or id, in the group's order")->required();
  command->add_option("--source-group", options->source_group, "Existing group to put them into");
  command->add_option("--source-group-name", options->source_group_name, "Name of the group that is made of them");
  command->add_option("--targets", options->targets, "Volumes whose content they replace, in order")->delimiter(',');
  command->add_option("--target-group", options->target_group, "Existing group for the targets");
  command->add_option("--target-group-name", options->target_group_name, "Name of the group of targets that is made");
  command->add_option("--names", options->names, "Names of the volumes that are made, in order")->delimiter(',');
  command->add_option("--name", options->name, "Name of the group relationship");
  AddConsistency(*command, *options);
  AddReplicaOptions(*command, *options);
  command->callback([&cli, options] {
    Json params = CreateParams(*options);
    params["sources"] = options->sources;
    const auto put = [&params](const char* name, const auto& value) {
      if (!value.empty()) params[name] = value;
    };
    put("targets", options->targets);
    put("source_group", options->source_group);
    put("source_group_name", options->source_group_name);
    put("target_group", options->target_group);
    put("target_group_name", options->target_group_name);
    put("target_names", options->names);
    PutConsistency(*options, params);
    cli.RunJob("replica.create_group_from_elements", params, options->wait, ShowReplicaResult);
  });
}

struct ModifyOptions {
  std::string operation, wait_for;
  std::vector<std::string> replicas, pairs;
  bool force = false;
  bool wait = false;
};

void AddModifyOptions(CLI::App& command, Cli& cli, std::shared_ptr<ModifyOptions> options) {
  command.add_option("replica", options->replicas,
                     "Name of a group relationship, of a replica volume, or an id; several are changed all or none")
      ->required();
  command.add_flag("--force", options->force, "Even where data could be lost; the error says when this is needed");
  command.add_option("--wait-for", options->wait_for, "Copy state at which it counts as done, as synchronized");
  command.add_flag("--wait", options->wait, "Do not return before the job has ended; shows its progress");
  command.callback([&cli, options] {
    Json params = {{"replicas", options->replicas}, {"operation", options->operation}, {"force", options->force}};
    if (!options->wait_for.empty()) params["wait_for_copy_state"] = options->wait_for;
    if (!options->pairs.empty()) params["sync_pairs"] = options->pairs;
    cli.RunJob("replica.modify", params, options->wait, ShowReplicaResult);
  });
}

// A verb for each operation that a snapshot or a clone knows. `modify` takes the rest by the schema's name.
void AddVerbs(CLI::App& family, Cli& cli) {
  struct Verb {
    const char* name;
    const char* operation;
    const char* description;
  };
  static constexpr Verb kVerbs[] = {
      {"resync", "resync-replica", "Make the replica equal to its source as it is now; the replica's own writes go"},
      {"restore", "restore-from-replica", "Make the source equal to the replica; the source's later writes go"},
      {"fracture", "fracture", "Separate the replica from its source for the time being"},
      {"split", "split", "Separate the replicas of a group at one common point"},
      {"suspend", "suspend", "Stop the copying for the time being"},
      {"resume", "resume", "Go on with what was suspended"},
      {"prepare", "prepare", "Get ready for activation"},
      {"activate", "activate", "Take the point in time now"},
      {"deactivate", "deactivate", "Make a snapshot unusable and let go of its point"},
      {"abort", "abort", "Give up the copying; resync starts it again"},
      {"detach", "detach", "Forget the relationship; both volumes stay as they are"},
      {"dissolve", "dissolve", "Forget the relationship; the point may stay as an aspect"},
      {"return", "return-to-resource-pool", "Delete a snapshot with its volume and free its space"},
  };
  for (const Verb& verb : kVerbs) {
    const std::string name = verb.name;
    CLI::App* command = AddCommand(family, name, verb.description,
                                   "  lockstep replica " + name + " db_nightly\n"
                                   "  lockstep replica " + name + " db1_snap db2_snap --wait");
    auto options = std::make_shared<ModifyOptions>();
    options->operation = verb.operation;
    AddModifyOptions(*command, cli, options);
  }

  CLI::App* modify = AddCommand(family, "modify", "Any operation of ModifyReplicaSynchronization, by its name",
                                "  lockstep replica modify \"Resync Replica\" db_nightly\n"
                                "  lockstep replica modify remove-sync-pair db_nightly --pairs db3_snap");
  auto options = std::make_shared<ModifyOptions>();
  modify->add_option("operation", options->operation, "The schema's word, as resync-replica")->required();
  modify->add_option("--pairs", options->pairs, "Pairs to add or remove, by their ids or target volumes")
      ->delimiter(',');
  AddModifyOptions(*modify, cli, options);
}

void AddQuestions(CLI::App& family, Cli& cli) {
  CLI::App* list = AddCommand(family, "list", "List group relationships and relationships",
                              "  lockstep replica list --type snapshot\n"
                              "  lockstep replica list --kind group --copy-state fractured");
  struct Filter {
    std::string kind = "all";
    std::string type, mode, copy_state;
  };
  auto filter = std::make_shared<Filter>();
  list->add_option("--kind", filter->kind, "Of two groups, or of two volumes")
      ->check(CLI::IsMember({"all", "group", "element"}))
      ->capture_default_str();
  list->add_option("--type", filter->type, "Only this sync type");
  list->add_option("--mode", filter->mode, "Only this mode");
  list->add_option("--copy-state", filter->copy_state, "Only those in this state");
  list->callback([&cli, filter] {
    Json params = {{"kind", filter->kind}};
    if (!filter->type.empty()) params["sync_type"] = filter->type;
    if (!filter->mode.empty()) params["mode"] = filter->mode;
    if (!filter->copy_state.empty()) params["copy_state"] = filter->copy_state;
    cli.Run("replica.list", params, ShowReplicas);
  });

  CLI::App* show = AddCommand(family, "show", "Show everything about a replica, with the pairs of a group",
                              "  lockstep replica show db_nightly");
  auto shown = std::make_shared<std::string>();
  show->add_option("replica", *shown, "Name of a group relationship, of a replica volume, or an id")->required();
  show->callback([&cli, shown] { cli.Run("replica.show", {{"replica", *shown}}, ShowReplica); });

  CLI::App* priority = AddCommand(family, "set-priority", "How much the copying may take from the other work",
                                  "  lockstep replica set-priority db1_copy high");
  auto pair = std::make_shared<std::pair<std::string, std::string>>();
  priority->add_option("replica", pair->first, "Name of a replica volume, or an id")->required();
  priority->add_option("priority", pair->second, "not-managed, low, same, high or urgent")->required();
  priority->callback([&cli, pair] {
    cli.Run("replica.set_priority", {{"replica", pair->first}, {"copy_priority", pair->second}}, ShowReplica);
  });
}

}  // namespace

void AddReplicaCommands(CLI::App& app, Cli& cli) {
  CLI::App* family = AddFamily(app, "replica", "Snapshots and clones of volumes and of groups");
  CLI::App* create = AddFamily(*family, "create", "Make replicas");
  AddCreateElement(*create, cli);
  AddCreateList(*create, cli);
  AddCreateGroup(*create, cli);
  AddCreateFromElements(*create, cli);
  AddQuestions(*family, cli);
  AddVerbs(*family, cli);
}

}  // namespace lockstep::cli
