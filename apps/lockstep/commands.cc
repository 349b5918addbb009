#include "apps/lockstep/commands.h"

#include "base/units.h"

namespace lockstep::cli {

CLI::App* AddFamily(CLI::App& app, const std::string& name, const std::string& description) {
  CLI::App* family = app.add_subcommand(name, description);
  family->require_subcommand(1);
  family->fallthrough();
  family->footer("");  // else that of the command above is shown again
  return family;
}

CLI::App* AddCommand(CLI::App& family, const std::string& name, const std::string& description,
                     const std::string& examples) {
  CLI::App* command = family.add_subcommand(name, description);
  command->footer("Examples:\n" + examples);
  command->fallthrough();
  return command;
}

CLI::App* AddCommandForOne(CLI::App& family, Cli& cli, const std::string& kind, const std::string& verb,
                           const std::string& description, const std::string& examples, const Cli::Show& show) {
  CLI::App* command = AddCommand(family, verb, description, examples);
  auto name = std::make_shared<std::string>();
  command->add_option(kind, *name, "Name or id")->required();
  command->callback([&cli, kind, verb, name, show] { cli.Run(kind + "." + verb, {{kind, *name}}, show); });
  return command;
}

void AddShow(CLI::App& family, Cli& cli, const std::string& kind, const Cli::Show& show, const std::string& examples) {
  AddCommandForOne(family, cli, kind, "show", "Show everything about one " + kind, examples, show);
}

std::string CheckSize(const std::string& text) {
  const auto size = ParseSize(text);
  return size.ok() ? std::string() : size.status().message();
}

}  // namespace lockstep::cli
