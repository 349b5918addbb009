// Who may use the network faces of a node, and how they are encrypted: users, certificate, audit log. On the control
// loop.
#pragma once

#include <memory>
#include <string>

#include "access/audit.h"
#include "access/authenticator.h"
#include "access/users.h"
#include "apps/node/config.h"
#include "io/env.h"
#include "io/tls/tls.h"

namespace lockstep::node {

class Security {
 public:
  // `env` and `config` outlive it. `pam` may be null.
  Security(io::Env& env, const Config& config, access::PasswordCheck pam);

  // Reads the users. Blocking.
  Status LoadUsers();
  // Reads certificate and key; when both are missing and the configuration names none of its own, makes them. Blocking.
  // Again: for connections from then on; after an error those that were read before go on to be used.
  Status LoadCertificate();
  // The audit log is on the disk.
  Task<void> Stop();

  access::Users& users() { return users_; }
  access::AuditLog& audit() { return audit_; }
  access::Authenticator& authenticator() { return authenticator_; }
  const io::TlsContext* tls() const { return tls_.get(); }  // nullptr before LoadCertificate; stays the same one
  const io::KeyPair& identity() const { return identity_; }  // likewise empty

 private:
  Result<io::KeyPair> ReadIdentity();
  Result<io::KeyPair> MakeIdentity();

  io::Env& env_;
  const Config& config_;
  access::Users users_;
  access::AuditLog audit_;
  access::Authenticator authenticator_;
  std::unique_ptr<io::TlsContext> tls_;
  io::KeyPair identity_;
};

}  // namespace lockstep::node
