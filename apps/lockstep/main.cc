// lockstep: the command line of a node. Speaks to lockstepd on its Unix socket; see docs/interfaces/admin.md.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <fmt/format.h>
#include <lockstep_version.h>

#include "apps/lockstep/cli.h"
#include "apps/lockstep/commands.h"
#include "apps/lockstep/exit_code.h"

namespace lockstep::cli {

namespace {

void AddGlobalOptions(CLI::App& app, GlobalOptions& options) {
  app.add_option("--socket", options.socket, "Socket of the daemon")->envname("LOCKSTEP_SOCKET")->capture_default_str();
  app.add_flag("--json", options.json, "Answer in JSON, for programs");
  app.add_option("--timeout", options.timeout_s, "Seconds that an answer may take; 0 waits for ever")
      ->check(CLI::Range(0, 86400));
}

int Main(int argc, char** argv) {
  Cli cli;
  CLI::App app("Manage a Lockstep node: pools, volumes, groups and their replicas.", "lockstep");
  app.set_version_flag("--version", std::string("lockstep ") + kVersion);
  app.require_subcommand(1);
  app.footer(std::string("Examples:\n"
                         "  lockstep pool create main /srv/main.pool --size 100G\n"
                         "  lockstep volume create db 10G --count 3\n"
                         "  lockstep group create databases db_1 db_2 db_3\n"
                         "  lockstep replica create group databases --name nightly\n"
                         "  lockstep status\n\n") +
             std::string(ExitCodeHelp()));
  AddGlobalOptions(app, cli.options());
  AddNodeCommands(app, cli);
  AddPoolCommands(app, cli);
  AddVolumeCommands(app, cli);
  AddExportCommands(app, cli);
  AddGroupCommands(app, cli);
  AddReplicaCommands(app, cli);
  AddPointCommands(app, cli);
  AddAspectCommands(app, cli);
  AddJobCommands(app, cli);
  AddUserCommands(app, cli);
  AddCompletionCommand(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and --version come this way too, with 0.
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return cli.exit_code();
}

}  // namespace

}  // namespace lockstep::cli

// Only the option parser and the JSON library throw; what gets here is a slip of ours, and is told as one.
int main(int argc, char** argv) {
  try {
    return lockstep::cli::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "lockstep: internal: {}\n", error.what());
    return lockstep::cli::ExitCodeOf("internal");
  }
}
