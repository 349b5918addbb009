// The SMI-S face of a node: the CIM server with our schema and our providers, over HTTP. On the control loop.
#pragma once

#include <memory>
#include <string>

#include "apps/node/config.h"
#include "apps/node/security.h"
#include "control/control.h"
#include "io/env.h"
#include "smis/smis.h"
#include "wbem/cimxml_endpoint.h"
#include "wbem/core.h"
#include "wbem/gate.h"
#include "wbem/guard.h"
#include "wbem/http_server.h"
#include "wbem/provider.h"
#include "wbem/schema.h"

namespace lockstep::node {

struct CimIdentity {
  std::string node_id;           // never changes
  std::string name;              // for people
  std::string schema_directory;  // of the MOF files
};

class CimFace {
 public:
  // `env`, `control` and `security` outlive it.
  CimFace(io::Env& env, control::Control& control, Security& security, CimIdentity identity, const Config& config);

  // Reads the MOF files and registers the providers. Errors name the file and the line. Before Listen.
  Status Load();
  Result<io::Endpoint> Listen(const io::Endpoint& at);
  // REQUIRES: the security's certificate has been loaded.
  Result<io::Endpoint> ListenTls(const io::Endpoint& at);
  // Drops the connections; done when the last request has been handled.
  Task<void> Stop();

 private:
  // Roles as smis/permissions.h has them; changes go to the audit log.
  class Rules final : public wbem::Guard {
   public:
    explicit Rules(access::AuditLog& audit) : audit_(audit) {}
    access::Role NeededRole(const wbem::ClassDecl& cls, std::string_view act) const override;
    void Record(const wbem::Deed& deed) override;

   private:
    access::AuditLog& audit_;
  };

  io::Env& env_;
  control::Control& control_;
  Security& security_;
  const CimIdentity identity_;
  wbem::Schema schema_;
  wbem::ProviderRegistry registry_;
  wbem::Enumerations enumerations_;
  Rules rules_;
  wbem::OperationCore core_;
  const wbem::Gate gate_;
  wbem::CimXmlEndpoint endpoint_;
  wbem::HttpServer server_;
};

}  // namespace lockstep::node
