// The users of a node, kept in one text file: a line "name role hash" each, "-" in the place of the hash for who can
// only show a certificate, "pam" for whose password the operating system knows; "#" begins a comment. Read at start;
// changed through here (lockstep user), atomically and durably.
//
// On one loop. Passwords are hashed on the executor.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/password.h"
#include "access/role.h"
#include "base/task.h"
#include "io/files.h"
#include "io/loop.h"
#include "io/random.h"

namespace lockstep::access {

struct User {
  std::string name;
  Role role = Role::kMonitor;
  std::string password_hash;  // empty: only by certificate, or
  bool pam = false;           // by a password that is not ours
};

using UserMap = std::map<std::string, User, std::less<>>;

// invalid-argument: "<file>:<line>: ..." for lines that are none, names given twice.
Result<UserMap> ParseUsers(std::string_view text, std::string_view file);
std::string FormatUsers(const UserMap& users);
// 1 to 64 letters, digits and "._@-", not beginning with "-": what survives every file, header and command line.
Status CheckUserName(std::string_view name);

class Users {
 public:
  struct Surroundings {
    io::FileSystem& files;
    io::Executor& executor;
    io::Loop& loop;
    io::Random& random;
    PasswordCost cost = {};
    bool pam = false;  // there is something to ask for passwords that are not ours
  };
  // `path` is absolute.
  Users(Surroundings surroundings, std::string path);

  // A file that is missing means: nobody. Blocking; before anything else.
  Status Load();

  const User* Find(std::string_view name) const;
  std::vector<User> List() const;  // by name
  // Changes with every change: what was concluded from an older state is void.
  uint64_t generation() const { return generation_; }

  // Without password: only by certificate. already-exists, not-found, invalid-argument; io-error when the file cannot
  // be written, and then nothing has changed.
  Task<Status> Add(std::string name, Role role, std::optional<std::string> password);
  // Whose password is asked for outside. As above; not-supported when there is nothing to ask.
  Status AddPam(std::string name, Role role);
  // Of our own, whatever the user was known by before.
  Task<Status> SetPassword(std::string name, std::string password);
  Status SetRole(std::string_view name, Role role);
  Status Remove(std::string_view name);

 private:
  Task<Result<std::string>> Hash(std::string password);
  Status Save(UserMap changed);

  const Surroundings surroundings_;
  const std::string path_;
  UserMap users_;
  uint64_t generation_ = 1;
};

}  // namespace lockstep::access
