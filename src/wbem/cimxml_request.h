// Decodes a CIM-XML request message (DSP0201 5.4.2: CIM, MESSAGE, SIMPLEREQ, IMETHODCALL or METHODCALL) into an
// operation. Sans-I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wbem/errors.h"
#include "wbem/operations.h"

namespace lockstep::wbem {

// Answered on the level of HTTP, without a message (DSP0200 6.3).
struct HttpRefusal {
  int status = 400;
  std::string cim_error;  // the CIMError header; empty: none
  std::string detail;     // one sentence, for the header PGErrorDetail
};

struct CimXmlRequest {
  std::string message_id;
  std::string protocol_version;
  std::string dtd_version;
  std::string call;        // the operation's or method's name as sent, which the response repeats
  bool intrinsic = true;
  OperationRequest request;
  // Not OK: the message is in order but asks for what can't be; it is answered with this error.
  CimStatus status;
};

// Nothing when `request` has been filled in.
std::optional<HttpRefusal> DecodeCimXml(std::string_view body, CimXmlRequest& request);

}  // namespace lockstep::wbem
