// CIM-XML over HTTP (DSP0200 6 and 7): checks the headers of a request against its body, has the operation performed
// and makes the reply. Knows nothing of connections.
#pragma once

#include <string>

#include "base/task.h"
#include "wbem/cimxml_request.h"
#include "wbem/core.h"
#include "wbem/http_connection.h"

namespace lockstep::wbem {

class CimXmlEndpoint {
 public:
  // `core` outlives the endpoint. `host` is the name that paths in replies give for this server.
  CimXmlEndpoint(const OperationCore& core, std::string host) : core_(core), host_(std::move(host)) {}

  // The endpoint outlives the task. Never fails: what is wrong is in the reply. `peer` is for providers' audit.
  Task<HttpReply> Handle(HttpRequest request, std::string peer) const;

 private:
  const OperationCore& core_;
  const std::string host_;
};

}  // namespace lockstep::wbem
