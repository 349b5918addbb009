// The SMI-S face of a node: the CIM server with our schema and our providers, over HTTP. On the control loop.
#pragma once

#include <memory>
#include <string>

#include "apps/node/config.h"
#include "control/control.h"
#include "io/env.h"
#include "smis/smis.h"
#include "wbem/cimxml_endpoint.h"
#include "wbem/core.h"
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
  // `env` and `control` outlive it.
  CimFace(io::Env& env, control::Control& control, CimIdentity identity, const Config::Face& face);

  // Reads the MOF files and registers the providers. Errors name the file and the line. Before Listen.
  Status Load();
  Result<io::Endpoint> Listen(const io::Endpoint& at);
  // Drops the connections; done when the last request has been handled.
  Task<void> Stop();

 private:
  io::Env& env_;
  control::Control& control_;
  const CimIdentity identity_;
  wbem::Schema schema_;
  wbem::ProviderRegistry registry_;
  wbem::Enumerations enumerations_;
  wbem::OperationCore core_;
  wbem::CimXmlEndpoint endpoint_;
  wbem::HttpServer server_;
};

}  // namespace lockstep::node
