// lockstep group, point and aspect.
#include <memory>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/lockstep/commands.h"
#include "apps/lockstep/show.h"

namespace lockstep::cli {

namespace {

struct GroupOptions {
  std::string group;  // the one that is meant, or the name of the new one
  std::string name;   // the new name
  std::vector<std::string> members;
  std::optional<bool> persistent, delete_on_empty, delete_on_unassociated;
  std::string reserved_as;
};

void AddGroupSettings(CLI::App& command, GroupOptions& options) {
  command.add_option("--persistent", options.persistent, "Kept when nothing uses it (true or false)");
  command.add_option("--delete-on-empty", options.delete_on_empty, "Goes with its last member (true or false)");
  command.add_option("--delete-on-unassociated", options.delete_on_unassociated,
                     "Goes with the last relationship that it is in (true or false)");
  command.add_option("--reserved-as", options.reserved_as, "What it may be in a relationship")
      ->check(CLI::IsMember({"source-only", "target-only", "source-or-target"}));
}

void PutGroupSettings(const GroupOptions& options, Json& params) {
  if (options.persistent) params["persistent"] = *options.persistent;
  if (options.delete_on_empty) params["delete_on_empty_element"] = *options.delete_on_empty;
  if (options.delete_on_unassociated) params["delete_on_unassociated"] = *options.delete_on_unassociated;
  if (!options.reserved_as.empty()) params["reserved_as"] = options.reserved_as;
}

void AddGroupMembership(CLI::App& family, Cli& cli) {
  CLI::App* add = AddCommand(family, "add", "Put volumes at the end of a group", "  lockstep group add db db4 db5");
  auto added = std::make_shared<GroupOptions>();
  add->add_option("group", added->group, "Name or id")->required();
  add->add_option("volume", added->members, "Names or ids")->required();
  add->callback([&cli, added] {
    cli.Run("group.add_members", {{"group", added->group}, {"members", added->members}}, ShowGroup);
  });

  CLI::App* remove = AddCommand(family, "remove", "Take volumes out of a group; the volumes stay",
                                "  lockstep group remove db db5");
  auto removed = std::make_shared<GroupOptions>();
  remove->add_option("group", removed->group, "Name or id")->required();
  remove->add_option("volume", removed->members, "Names or ids")->required();
  remove->add_option("--delete-on-empty", removed->delete_on_empty, "Whether the group goes with its last member");
  remove->callback([&cli, removed] {
    Json params = {{"group", removed->group}, {"members", removed->members}};
    PutGroupSettings(*removed, params);
    cli.Run("group.remove_members", params, [](const Json& group) {
      return group.is_null() ? std::string("the group went with its last member\n") : ShowGroup(group);
    });
  });
}

}  // namespace

void AddGroupCommands(CLI::App& app, Cli& cli) {
  CLI::App* family = AddFamily(app, "group", "Ordered sets of volumes that are replicated together");

  CLI::App* create = AddCommand(*family, "create", "Make a group of volumes", "  lockstep group create db db1 db2 db3");
  auto made = std::make_shared<GroupOptions>();
  create->add_option("name", made->group, "Name of the group")->required();
  create->add_option("volume", made->members, "Its members, in order; names or ids");
  AddGroupSettings(*create, *made);
  create->callback([&cli, made] {
    Json params = {{"name", made->group}, {"members", made->members}};
    PutGroupSettings(*made, params);
    cli.Run("group.create", params, ShowGroup);
  });

  AddCommand(*family, "list", "List the groups", "  lockstep group list")->callback([&cli] {
    cli.Run("group.list", Json::object(), ShowGroups);
  });

  AddShow(*family, cli, "group", ShowGroup, "  lockstep group show db");

  CLI::App* modify = AddCommand(*family, "modify", "Change the name or the settings of a group",
                                "  lockstep group modify db --name database --reserved-as source-only");
  auto modified = std::make_shared<GroupOptions>();
  modify->add_option("group", modified->group, "Name or id")->required();
  modify->add_option("--name", modified->name, "The new name");
  AddGroupSettings(*modify, *modified);
  modify->callback([&cli, modified] {
    Json params = {{"group", modified->group}};
    if (!modified->name.empty()) params["name"] = modified->name;
    PutGroupSettings(*modified, params);
    cli.Run("group.modify", params, ShowGroup);
  });

  CLI::App* remove = AddCommand(*family, "delete", "Delete a group; its volumes stay",
                                "  lockstep group delete db --remove-elements");
  auto removed = std::make_shared<std::string>();
  auto elements = std::make_shared<bool>(false);
  remove->add_option("group", *removed, "Name or id")->required();
  remove->add_flag("--remove-elements", *elements, "Even when it has members");
  remove->callback([&cli, removed, elements] {
    cli.Run("group.delete", {{"group", *removed}, {"remove_elements", *elements}}, ShowNothing);
  });

  AddGroupMembership(*family, cli);
}

void AddPointCommands(CLI::App& app, Cli& cli) {
  CLI::App* point = AddFamily(app, "point", "Retained positions of volumes, held by replicas and aspects");
  CLI::App* list = AddCommand(*point, "list", "List the points",
                              "  lockstep point list\n"
                              "  lockstep point list --space");
  auto space = std::make_shared<bool>(false);
  list->add_flag("--space", *space, "Count also what releasing each, and no other, would free");
  list->callback([&cli, space] {
    cli.Run("point.list", *space ? Json{{"space", true}} : Json::object(), *space ? ShowPointSpaces : ShowPoints);
  });
}

}  // namespace lockstep::cli
