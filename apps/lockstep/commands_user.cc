// lockstep user: who may use the node over the network.
#include <termios.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "apps/lockstep/commands.h"
#include "apps/lockstep/show.h"

namespace lockstep::cli {

namespace {

struct UserOptions {
  std::string name, role;
  bool no_password = false, pam = false;
};

// Keeps what is typed from being seen, while it lives.
class Unseen {
 public:
  Unseen() : terminal_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!terminal_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Unseen() {
    if (!terminal_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::cerr << "\n";
  }
  bool terminal() const { return terminal_; }

 private:
  termios before_{};
  const bool terminal_;
};

std::string ReadSecret(const std::string& prompt) {
  const Unseen unseen;
  if (unseen.terminal()) std::cerr << prompt << std::flush;
  std::string line;
  std::getline(std::cin, line);
  return line;
}

// From the terminal twice, or the first line of standard input. Never from the command line, which everybody sees.
std::string AskPassword(const std::string& user) {
  const std::string password = ReadSecret("Password for " + user + ": ");
  if (::isatty(STDIN_FILENO) == 1 && ReadSecret("The same again: ") != password)
    throw CLI::ValidationError("password", "the two are not the same");
  if (password.empty()) throw CLI::ValidationError("password", "none was given");
  return password;
}

void AddName(CLI::App& command, UserOptions& options) {
  command.add_option("name", options.name, "Letters, digits and ._@-")->required();
}

CLI::Option* AddRole(CLI::Option* option) {
  return option->required()->check(CLI::IsMember({"administrator", "operator", "monitor"}));
}

void AddChanges(CLI::App& family, Cli& cli) {
  CLI::App* passwd = AddCommand(family, "passwd", "Give a user another password",
                                "  lockstep user passwd anna\n"
                                "  lockstep user passwd anna < password-file");
  auto changed = std::make_shared<UserOptions>();
  AddName(*passwd, *changed);
  passwd->callback([&cli, changed] {
    cli.Run("user.set_password", {{"name", changed->name}, {"password", AskPassword(changed->name)}}, ShowUser);
  });

  CLI::App* role = AddCommand(family, "role", "Give a user another role", "  lockstep user role anna operator");
  auto moved = std::make_shared<UserOptions>();
  AddName(*role, *moved);
  AddRole(role->add_option("role", moved->role, "administrator, operator or monitor"));
  role->callback([&cli, moved] {
    cli.Run("user.set_role", {{"name", moved->name}, {"role", moved->role}}, ShowUser);
  });

  CLI::App* remove = AddCommand(family, "remove", "Forget a user", "  lockstep user remove anna");
  auto removed = std::make_shared<UserOptions>();
  AddName(*remove, *removed);
  remove->callback([&cli, removed] { cli.Run("user.remove", {{"name", removed->name}}, ShowNothing); });
}

}  // namespace

void AddUserCommands(CLI::App& app, Cli& cli) {
  CLI::App* family = AddFamily(app, "user", "Who may use this node over the network, and for what");
  AddCommand(*family, "list", "List the users", "  lockstep user list")->callback([&cli] {
    cli.Run("user.list", Json::object(), ShowUsers);
  });

  CLI::App* add = AddCommand(*family, "add", "Add a user; asks for the password, or reads it from standard input",
                             "  lockstep user add anna --role administrator\n"
                             "  lockstep user add backup --role operator < password-file\n"
                             "  lockstep user add host7.example.org --role monitor --no-password\n"
                             "  lockstep user add bert --role operator --pam");
  auto added = std::make_shared<UserOptions>();
  AddName(*add, *added);
  AddRole(add->add_option("--role", added->role, "administrator, operator or monitor"));
  CLI::Option* certified =
      add->add_flag("--no-password", added->no_password, "Known by a certificate with this common name only");
  add->add_flag("--pam", added->pam, "The password is the operating system's (pam_service in the configuration)")
      ->excludes(certified);
  add->callback([&cli, added] {
    Json params = {{"name", added->name}, {"role", added->role}};
    if (added->pam) params["pam"] = true;
    else if (!added->no_password) params["password"] = AskPassword(added->name);
    cli.Run("user.add", params, ShowUser);
  });
  AddChanges(*family, cli);
}

}  // namespace lockstep::cli
