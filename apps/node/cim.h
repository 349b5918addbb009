// The SMI-S face of a node: the CIM server with our schema and our providers, over HTTP. On the control loop.
#pragma once

#include <memory>
#include <string>

#include "apps/node/config.h"
#include "apps/node/security.h"
#include "control/control.h"
#include "io/env.h"
#include "smis/indication_source.h"
#include "smis/smis.h"
#include "wbem/cimxml_endpoint.h"
#include "wbem/core.h"
#include "wbem/gate.h"
#include "wbem/guard.h"
#include "wbem/http_server.h"
#include "wbem/indications.h"
#include "wbem/listener_tls.h"
#include "wbem/provider.h"
#include "wbem/schema.h"

namespace lockstep::node {

struct CimIdentity {
  std::string node_id;           // never changes
  std::string name;              // for people
  std::string schema_directory;  // of the MOF files
  std::string data_directory;    // where subscriptions are kept
};

// Subscriptions to indications, in a file of the data directory.
class SubscriptionFile final : public wbem::IndicationStore {
 public:
  // `files` outlives it.
  SubscriptionFile(io::FileSystem& files, std::string directory) : files_(files), directory_(std::move(directory)) {}
  Result<std::string> Load() override;
  Status Save(std::string_view text) override;
  Result<std::string> SetAside() override;

 private:
  io::FileSystem& files_;
  const std::string directory_;
};

class CimFace {
 public:
  // `env`, `control` and `security` outlive it.
  CimFace(io::Env& env, control::Control& control, Security& security, CimIdentity identity, const Config& config);
  ~CimFace();

  // Reads the MOF files and whose listeners are trusted, registers the providers, reads the subscriptions and begins to
  // send indications. Errors name the file and the line. Before Listen.
  Status Load();
  Result<io::Endpoint> Listen(const io::Endpoint& at);
  // REQUIRES: the security's certificate has been loaded.
  Result<io::Endpoint> ListenTls(const io::Endpoint& at);
  // Reads again whose listeners are trusted, and shows them the present certificate. Errors change nothing.
  Status TrustListeners();
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
  const std::vector<uint32_t> warn_used_;
  const std::string listener_ca_;
  wbem::Schema schema_;
  wbem::ProviderRegistry registry_;
  wbem::Enumerations enumerations_;
  Rules rules_;
  wbem::OperationCore core_;
  const wbem::Gate gate_;
  wbem::CimXmlEndpoint endpoint_;
  wbem::HttpServer server_;
  wbem::PlainTransport plain_;
  wbem::TlsTransport transport_;
  SubscriptionFile subscriptions_;
  std::unique_ptr<wbem::IndicationService> indications_;
  std::unique_ptr<smis::IndicationSource> source_;
};

}  // namespace lockstep::node
