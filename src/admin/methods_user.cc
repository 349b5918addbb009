// user.*: who may use the node over the network.
#include <nlohmann/json.hpp>

#include "access/users.h"
#include "admin/fields.h"
#include "admin/methods.h"

namespace lockstep::admin {

namespace {

Json UserJson(const access::User& user) {
  return {{"name", user.name},
          {"role", access::RoleName(user.role)},
          {"password", !user.password_hash.empty()},
          {"pam", user.pam}};
}

Result<access::Users*> UsersOf(Context& context) {
  if (context.users == nullptr) return NotSupported("this node has no users");
  return context.users;
}

Result<Json> Shown(const access::Users& users, const std::string& name) {
  const access::User* user = users.Find(name);
  if (user == nullptr) return NotFound("there is no user " + name);
  return UserJson(*user);
}

// What a change answers: the user as he is after it.
Answer ShownAfter(const access::Users& users, std::string name, Task<Status> change) {
  const Status changed = co_await std::move(change);
  if (!changed.ok()) co_return changed;
  co_return Shown(users, name);
}

access::Role TakeRole(Fields& fields) {
  const auto role = access::ParseRole(fields.String("role"));
  if (!role.ok()) fields.Fail("role", "must be \"administrator\", \"operator\" or \"monitor\"");
  return role.ok() ? *role : access::Role::kMonitor;
}

Answer ListUsers(Context& context, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  LS_CO_ASSIGN_OR_RETURN(access::Users* const users, UsersOf(context));
  Json list = Json::array();
  const std::vector<access::User> all = users->List();
  for (const access::User& user : all) list.push_back(UserJson(user));
  co_return list;
}

Answer AddUser(Context& context, Params params) {
  Fields fields(*params);
  const std::string name = fields.String("name");
  const access::Role role = TakeRole(fields);
  std::optional<std::string> password = fields.OptionalString("password");
  const bool pam = fields.OptionalBool("pam").value_or(false);
  if (pam && password) fields.Fail("pam", "a user has a password here or with PAM, not both");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(access::Users* const users, UsersOf(context));
  if (pam) {
    LS_CO_RETURN_IF_ERROR(users->AddPam(name, role));
    co_return Shown(*users, name);
  }
  Answer shown = ShownAfter(*users, name, users->Add(name, role, std::move(password)));
  co_return co_await std::move(shown);
}

Answer SetUserPassword(Context& context, Params params) {
  Fields fields(*params);
  const std::string name = fields.String("name");
  std::string password = fields.String("password");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(access::Users* const users, UsersOf(context));
  Answer shown = ShownAfter(*users, name, users->SetPassword(name, std::move(password)));
  co_return co_await std::move(shown);
}

Answer SetUserRole(Context& context, Params params) {
  Fields fields(*params);
  const std::string name = fields.String("name");
  const access::Role role = TakeRole(fields);
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(access::Users* const users, UsersOf(context));
  LS_CO_RETURN_IF_ERROR(users->SetRole(name, role));
  co_return Shown(*users, name);
}

Answer RemoveUser(Context& context, Params params) {
  Fields fields(*params);
  const std::string name = fields.String("name");
  LS_CO_RETURN_IF_ERROR(fields.Finish());
  LS_CO_ASSIGN_OR_RETURN(access::Users* const users, UsersOf(context));
  LS_CO_RETURN_IF_ERROR(users->Remove(name));
  co_return Json::object();
}

}  // namespace

std::span<const Method> UserMethods() {
  static constexpr Method kMethods[] = {{"user.list", ListUsers},
                                        {"user.add", AddUser},
                                        {"user.set_password", SetUserPassword},
                                        {"user.set_role", SetUserRole},
                                        {"user.remove", RemoveUser}};
  return kMethods;
}

}  // namespace lockstep::admin
