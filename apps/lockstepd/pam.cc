#include "apps/lockstepd/pam.h"

#include <fmt/format.h>

#ifdef LOCKSTEP_PAM
#include <security/pam_appl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>
#endif

namespace lockstep::daemon {

#ifdef LOCKSTEP_PAM

namespace {

// Answers what a module asks: the password where nothing is to be seen, nothing else. `data` is the password.
int Converse(int count, const pam_message** messages, pam_response** answers, void* data) {
  if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
  auto* made = static_cast<pam_response*>(std::calloc(static_cast<size_t>(count), sizeof(pam_response)));
  if (made == nullptr) return PAM_BUF_ERR;
  bool understood = true;
  for (int i = 0; i < count; ++i) {
    const int style = messages[i]->msg_style;
    if (style == PAM_PROMPT_ECHO_OFF) made[i].resp = ::strdup(static_cast<const char*>(data));
    else understood = understood && (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG);
  }
  if (!understood) {
    for (int i = 0; i < count; ++i) std::free(made[i].resp);
    std::free(made);
    return PAM_CONV_ERR;
  }
  *answers = made;
  return PAM_SUCCESS;
}

// Modules would sleep after a failure, on a thread that others wait for. Who guesses is held back elsewhere.
void DoNotDelay(int, unsigned, void*) {}

struct Service {
  std::string name, folder;  // no folder: the system's
};

bool Check(const Service& service, const std::string& user, std::string password) {
  if (password.find('\0') != std::string::npos) return false;
  const pam_conv conversation{Converse, password.data()};
  pam_handle_t* handle = nullptr;
  const char* folder = service.folder.empty() ? nullptr : service.folder.c_str();
  if (::pam_start_confdir(service.name.c_str(), user.c_str(), &conversation, folder, &handle) != PAM_SUCCESS)
    return false;
  const auto delay = reinterpret_cast<const void*>(&DoNotDelay);
  int result = ::pam_set_item(handle, PAM_FAIL_DELAY, delay);
  constexpr int kFlags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
  if (result == PAM_SUCCESS) result = ::pam_authenticate(handle, kFlags);
  // Locked, expired, not allowed now.
  if (result == PAM_SUCCESS) result = ::pam_acct_mgmt(handle, kFlags);
  // A module may have put somebody else in the user's place.
  const void* known = nullptr;
  const bool same = ::pam_get_item(handle, PAM_USER, &known) == PAM_SUCCESS && known != nullptr &&
                    user == static_cast<const char*>(known);
  (void)::pam_end(handle, result);
  return result == PAM_SUCCESS && same;
}

}  // namespace

Result<access::PasswordCheck> MakePamCheck(const std::string& service) {
  if (service.empty()) return access::PasswordCheck();
  const size_t slash = service.rfind('/');
  Service parts{service, ""};
  if (slash != std::string::npos) parts = {service.substr(slash + 1), service.substr(0, slash + 1)};
  const std::string path = slash == std::string::npos ? "/etc/pam.d/" + service : service;
  if (::access(path.c_str(), R_OK) != 0)
    return NotFound(fmt::format("[cim] pam_service: {} cannot be read: make it, or name another service", path));
  return access::PasswordCheck([parts](const std::string& user, const std::string& password) {
    return Check(parts, user, password);
  });
}

#else

Result<access::PasswordCheck> MakePamCheck(const std::string& service) {
  if (service.empty()) return access::PasswordCheck();
  return NotSupported(fmt::format("[cim] pam_service = \"{}\": this lockstepd was built without PAM", service));
}

#endif

}  // namespace lockstep::daemon
