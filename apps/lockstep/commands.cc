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

std::string CheckSize(const std::string& text) {
  const auto size = ParseSize(text);
  return size.ok() ? std::string() : size.status().message();
}

}  // namespace lockstep::cli
