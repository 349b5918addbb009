// The commands of `lockstep`, one function per kind of object: it adds the command with its subcommands, their options,
// their help and what they do. The application and the Cli outlive the parsing.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "apps/lockstep/cli.h"

namespace lockstep::cli {

void AddPoolCommands(CLI::App& app, Cli& cli);
void AddVolumeCommands(CLI::App& app, Cli& cli);
void AddHistoryCommands(CLI::App& volume, Cli& cli);  // within the volume commands
void AddExportCommands(CLI::App& app, Cli& cli);
void AddGroupCommands(CLI::App& app, Cli& cli);
void AddReplicaCommands(CLI::App& app, Cli& cli);
void AddPointCommands(CLI::App& app, Cli& cli);
void AddAspectCommands(CLI::App& app, Cli& cli);
void AddJobCommands(CLI::App& app, Cli& cli);
void AddUserCommands(CLI::App& app, Cli& cli);
void AddNodeCommands(CLI::App& app, Cli& cli);
// Needs the finished tree of the other commands when it runs.
void AddCompletionCommand(CLI::App& app);

// A command that only groups others: it wants exactly one of them.
CLI::App* AddFamily(CLI::App& app, const std::string& name, const std::string& description);
// One that does something; `examples` are lines for its --help.
CLI::App* AddCommand(CLI::App& family, const std::string& name, const std::string& description,
                     const std::string& examples);
// One that names a single object, by name or id, and shows the answer: `kind` is the object's family and parameter, and
// the method is "kind.verb".
CLI::App* AddCommandForOne(CLI::App& family, Cli& cli, const std::string& kind, const std::string& verb,
                           const std::string& description, const std::string& examples, const Cli::Show& show);
// That of them which shows the object.
void AddShow(CLI::App& family, Cli& cli, const std::string& kind, const Cli::Show& show, const std::string& examples);
// For CLI::Option::check, so that a slip of the finger is a usage error: empty when the text is a size.
std::string CheckSize(const std::string& text);

}  // namespace lockstep::cli
