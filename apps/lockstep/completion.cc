// lockstep completion: scripts for the shells, made from the commands themselves.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "apps/lockstep/commands.h"

namespace lockstep::cli {

namespace {

// One line for each command: "path|words that may follow it".
void Collect(const CLI::App& command, const std::string& path, std::vector<std::string>& lines) {
  std::string words;
  for (const CLI::App* each : command.get_subcommands(nullptr)) words += each->get_name() + " ";
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  }
  if (!words.empty()) words.pop_back();
  lines.push_back(path + "|" + words);
  for (const CLI::App* each : command.get_subcommands(nullptr)) {
    Collect(*each, path.empty() ? each->get_name() : path + " " + each->get_name(), lines);
  }
}

// Finds the command that has been typed so far and offers what may follow it. The bash script runs in zsh as well, by
// its bashcompinit.
void PrintScript(const CLI::App& app, bool zsh) {
  std::vector<std::string> lines;
  Collect(app, "", lines);
  if (zsh) fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
  fmt::print("_lockstep() {{\n  local path=\"\" words=\"\" i\n"
             "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
             "    case \"${{COMP_WORDS[i]}}\" in -*) continue ;; esac\n"
             "    case \"$(_lockstep_words \"${{path:+$path }}${{COMP_WORDS[i]}}\")\" in\n"
             "      '') ;; *) path=\"${{path:+$path }}${{COMP_WORDS[i]}}\" ;;\n    esac\n  done\n"
             "  words=$(_lockstep_words \"$path\")\n"
             "  words=\"$words --json --socket --timeout --help\"\n"
             "  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n"
             "}}\n_lockstep_words() {{\n  case \"$1\" in\n");
  for (const std::string& line : lines) {
    const size_t bar = line.find('|');
    fmt::print("    '{}') echo '{}' ;;\n", line.substr(0, bar), line.substr(bar + 1));
  }
  fmt::print("  esac\n}}\ncomplete -F _lockstep lockstep\n");
}

}  // namespace

void AddCompletionCommand(CLI::App& app) {
  CLI::App* command = AddCommand(app, "completion", "Print a script that completes commands in your shell",
                                 "  lockstep completion bash > /etc/bash_completion.d/lockstep\n"
                                 "  source <(lockstep completion zsh)");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  command->callback([&app, shell] { PrintScript(app, *shell == "zsh"); });
}

}  // namespace lockstep::cli
