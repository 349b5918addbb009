#include "access/users.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "io/whole_file.h"

namespace lockstep::access {
namespace {

constexpr std::string_view kHeader =
    "# Users of Lockstep: name, role, password hash. Managed by `lockstep user`; lockstepd reads it at start.\n";

std::string_view NextWord(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

Result<User> ParseLine(std::string_view line) {
  User user;
  user.name = NextWord(line);
  const std::string_view role = NextWord(line), hash = NextWord(line);
  if (hash.empty() || !NextWord(line).empty())
    return InvalidArgument("a line is a name, a role and a password hash, \"-\" or \"pam\"");
  LS_RETURN_IF_ERROR(CheckUserName(user.name));
  LS_ASSIGN_OR_RETURN(user.role, ParseRole(role));
  user.pam = hash == "pam";
  if (user.pam || hash == "-") return user;
  if (!IsPasswordHash(hash)) return InvalidArgument("the third word is no password hash; set it with `lockstep user`");
  user.password_hash = hash;
  return user;
}

Status NoUser(std::string_view name) {
  return NotFound(fmt::format("there is no user {}; `lockstep user list` shows those there are", name.substr(0, 64)));
}

}  // namespace

Status CheckUserName(std::string_view name) {
  static constexpr std::string_view kOthers = "._@-";
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != kOthers.npos;
  };
  if (!name.empty() && name.size() <= 64 && name.front() != '-' && std::all_of(name.begin(), name.end(), plain))
    return {};
  return InvalidArgument("a user's name has 1 to 64 letters, digits and ._@- and does not begin with -");
}

Result<UserMap> ParseUsers(std::string_view text, std::string_view file) {
  UserMap users;
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    Result<User> user = ParseLine(line);
    if (!user.ok()) return user.status().WithContext(fmt::format("{}:{}", file, number));
    const std::string name = user->name;
    if (!users.emplace(name, *std::move(user)).second)
      return InvalidArgument(fmt::format("{}:{}: user {} is there already", file, number, name));
  }
  return users;
}

std::string FormatUsers(const UserMap& users) {
  std::string text(kHeader);
  for (const auto& [name, user] : users) {
    fmt::format_to(std::back_inserter(text), "{} {} {}\n", name, RoleName(user.role),
                   user.pam ? "pam" : user.password_hash.empty() ? "-" : user.password_hash);
  }
  return text;
}

Users::Users(Surroundings surroundings, std::string path)
    : surroundings_(surroundings), path_(std::move(path)) {}

Status Users::Load() {
  Result<std::string> text = io::ReadWholeFile(surroundings_.files, path_);
  if (!text.ok()) return text.status().code() == Code::kNotFound ? Status() : text.status();
  LS_ASSIGN_OR_RETURN(users_, ParseUsers(*text, path_));
  ++generation_;
  return {};
}

const User* Users::Find(std::string_view name) const {
  const auto it = users_.find(name);
  return it == users_.end() ? nullptr : &it->second;
}

std::vector<User> Users::List() const {
  std::vector<User> list;
  for (const auto& [name, user] : users_) list.push_back(user);
  return list;
}

Task<Result<std::string>> Users::Hash(std::string password) {
  Result<std::string> hash{std::string()};
  const auto work = [&] { hash = HashPassword(password, surroundings_.random, surroundings_.cost); };
  co_await surroundings_.executor.Call(surroundings_.loop, work);
  co_return hash;
}

Task<Status> Users::Add(std::string name, Role role, std::optional<std::string> password) {
  LS_CO_RETURN_IF_ERROR(CheckUserName(name));
  if (password) LS_CO_RETURN_IF_ERROR(CheckPassword(*password));
  User user{name, role, {}, false};
  if (password) {
    Task<Result<std::string>> hashing = Hash(*std::move(password));
    Result<std::string> hash = co_await std::move(hashing);
    if (!hash.ok()) co_return hash.status();
    user.password_hash = *std::move(hash);
  }
  UserMap changed = users_;
  if (!changed.emplace(name, std::move(user)).second)
    co_return AlreadyExists(fmt::format("there is a user {} already", name));
  co_return Save(std::move(changed));
}

Status Users::AddPam(std::string name, Role role) {
  LS_RETURN_IF_ERROR(CheckUserName(name));
  if (!surroundings_.pam)
    return NotSupported("this node does not use PAM; set pam_service under [cim] and restart lockstepd");
  UserMap changed = users_;
  if (!changed.emplace(name, User{name, role, {}, true}).second)
    return AlreadyExists(fmt::format("there is a user {} already", name));
  return Save(std::move(changed));
}

Task<Status> Users::SetPassword(std::string name, std::string password) {
  LS_CO_RETURN_IF_ERROR(CheckPassword(password));
  if (Find(name) == nullptr) co_return NoUser(name);
  Task<Result<std::string>> hashing = Hash(std::move(password));
  Result<std::string> hash = co_await std::move(hashing);
  if (!hash.ok()) co_return hash.status();
  UserMap changed = users_;
  const auto it = changed.find(name);
  if (it == changed.end()) co_return NoUser(name);  // removed meanwhile
  it->second.password_hash = *std::move(hash);
  it->second.pam = false;
  co_return Save(std::move(changed));
}

Status Users::SetRole(std::string_view name, Role role) {
  UserMap changed = users_;
  const auto it = changed.find(name);
  if (it == changed.end()) return NoUser(name);
  it->second.role = role;
  return Save(std::move(changed));
}

Status Users::Remove(std::string_view name) {
  UserMap changed = users_;
  const auto it = changed.find(name);
  if (it == changed.end()) return NoUser(name);
  changed.erase(it);
  return Save(std::move(changed));
}

Status Users::Save(UserMap changed) {
  const size_t slash = path_.rfind('/');
  LS_RETURN_IF_ERROR(io::ReplaceWholeFile(surroundings_.files, slash == 0 ? "/" : path_.substr(0, slash),
                                          path_.substr(slash + 1), FormatUsers(changed)));
  users_ = std::move(changed);
  ++generation_;
  return {};
}

}  // namespace lockstep::access
