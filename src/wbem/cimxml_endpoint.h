// CIM-XML over HTTP (DSP0200 6 and 7): checks the headers of a request against its body, has the operation performed
// and makes the reply. Knows nothing of connections.
#pragma once

#include <string>

#include "base/task.h"
#include "wbem/cimxml_request.h"
#include "wbem/cimxml_templates.h"
#include "wbem/core.h"
#include "wbem/gate.h"
#include "wbem/http_server.h"

namespace lockstep::wbem {

class CimXmlEndpoint {
 public:
  // `core` outlives the endpoint. `host` is the name that paths in replies give for this server; `owning_entity` is
  // whose message ids a CIM_Error has.
  // `gate` says who callers are; without one, whoever comes may do everything.
  CimXmlEndpoint(const OperationCore& core, std::string host, std::string owning_entity = "Lockstep",
                 const Gate* gate = nullptr)
      : core_(core), gate_(gate), host_(std::move(host)), owning_entity_(std::move(owning_entity)) {}

  // The endpoint outlives the task. Never fails: what is wrong is in the reply. `peer` is for providers' audit. A reply
  // that gets large goes through `stream` in pieces, if there is one; what is returned is its end.
  Task<HttpReply> Handle(HttpRequest request, std::string peer, HttpStream* stream = nullptr) const;

 private:
  const OperationCore& core_;
  const Gate* const gate_;
  const std::string host_, owning_entity_;
  mutable CimXmlTemplates templates_;  // a memory of what has been computed
};

}  // namespace lockstep::wbem
