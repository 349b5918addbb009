// Who sends a request: the one place that looks at credentials, before the request itself is looked at.
//
//   certificate       over TLS, verified: the user that its common name names
//   password          Basic authentication (RFC 7617), over TLS only
//   nothing           whoever is on this machine, with the role that the configuration gives to anonymous callers
#pragma once

#include <optional>
#include <string>

#include "access/authenticator.h"
#include "base/task.h"
#include "wbem/http_server.h"
#include "wbem/reader.h"

namespace lockstep::wbem {

// Either a caller or the reply that refuses.
struct Admission {
  std::optional<Caller> caller;
  HttpReply refusal;
};

// The name and the password of an Authorization header; nothing when it is not of the scheme Basic or malformed.
struct BasicCredentials {
  std::string user, password;
};
std::optional<BasicCredentials> ParseBasic(std::string_view header);

class Gate {
 public:
  // `authenticator` outlives the gate. Without `anonymous` everybody has to say who he is. `realm` is what a client
  // shows when it asks for the password.
  Gate(access::Authenticator& authenticator, std::optional<access::Role> anonymous, std::string realm);

  // Does not look at the body. The gate outlives the task; `authorization` is the header, empty when there is none.
  Task<Admission> Admit(std::string authorization, HttpClient client) const;

 private:
  Admission Unnamed(const HttpClient& client) const;
  Admission Challenge(std::string detail) const;

  access::Authenticator& authenticator_;
  const std::optional<access::Role> anonymous_;
  const std::string realm_;
};

}  // namespace lockstep::wbem
