// CIM status codes (DSP0200 5.3, table 2), as both encodings report them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace lockstep::wbem {

enum class CimCode : uint8_t {
  kOk = 0,
  kFailed = 1,
  kAccessDenied = 2,
  kInvalidNamespace = 3,
  kInvalidParameter = 4,
  kInvalidClass = 5,
  kNotFound = 6,
  kNotSupported = 7,
  kClassHasChildren = 8,
  kClassHasInstances = 9,
  kInvalidSuperclass = 10,
  kAlreadyExists = 11,
  kNoSuchProperty = 12,
  kTypeMismatch = 13,
  kQueryLanguageNotSupported = 14,
  kInvalidQuery = 15,
  kMethodNotAvailable = 16,
  kMethodNotFound = 17,
  kNamespaceNotEmpty = 20,
  kInvalidEnumerationContext = 21,
  kInvalidOperationTimeout = 22,
  kPullHasBeenAbandoned = 23,
  kPullCannotBeAbandoned = 24,
  kFilteredEnumerationNotSupported = 25,
  kContinuationOnErrorNotSupported = 26,
  kServerLimitsExceeded = 27,
  kServerIsShuttingDown = 28,
  kQueryFeatureNotSupported = 29,
};

// "CIM_ERR_NOT_FOUND".
std::string_view CimCodeName(CimCode code);

struct [[nodiscard]] CimStatus {
  CimCode code = CimCode::kOk;
  std::string message;  // one sentence; empty when OK

  CimStatus() = default;
  CimStatus(CimCode c, std::string m) : code(c), message(std::move(m)) {}
  // As provider.h says.
  CimStatus(const Status& status);
  bool ok() const { return code == CimCode::kOk; }
};

}  // namespace lockstep::wbem
