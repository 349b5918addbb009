#include "wbem/errors.h"

#include <array>

namespace lockstep::wbem {
namespace {

constexpr std::array<std::string_view, 30> kNames = {
    "CIM_ERR_OK",
    "CIM_ERR_FAILED",
    "CIM_ERR_ACCESS_DENIED",
    "CIM_ERR_INVALID_NAMESPACE",
    "CIM_ERR_INVALID_PARAMETER",
    "CIM_ERR_INVALID_CLASS",
    "CIM_ERR_NOT_FOUND",
    "CIM_ERR_NOT_SUPPORTED",
    "CIM_ERR_CLASS_HAS_CHILDREN",
    "CIM_ERR_CLASS_HAS_INSTANCES",
    "CIM_ERR_INVALID_SUPERCLASS",
    "CIM_ERR_ALREADY_EXISTS",
    "CIM_ERR_NO_SUCH_PROPERTY",
    "CIM_ERR_TYPE_MISMATCH",
    "CIM_ERR_QUERY_LANGUAGE_NOT_SUPPORTED",
    "CIM_ERR_INVALID_QUERY",
    "CIM_ERR_METHOD_NOT_AVAILABLE",
    "CIM_ERR_METHOD_NOT_FOUND",
    "",
    "",
    "CIM_ERR_NAMESPACE_NOT_EMPTY",
    "CIM_ERR_INVALID_ENUMERATION_CONTEXT",
    "CIM_ERR_INVALID_OPERATION_TIMEOUT",
    "CIM_ERR_PULL_HAS_BEEN_ABANDONED",
    "CIM_ERR_PULL_CANNOT_BE_ABANDONED",
    "CIM_ERR_FILTERED_ENUMERATION_NOT_SUPPORTED",
    "CIM_ERR_CONTINUATION_ON_ERROR_NOT_SUPPORTED",
    "CIM_ERR_SERVER_LIMITS_EXCEEDED",
    "CIM_ERR_SERVER_IS_SHUTTING_DOWN",
    "CIM_ERR_QUERY_FEATURE_NOT_SUPPORTED",
};

CimCode FromCode(Code code) {
  switch (code) {
    case Code::kOk: return CimCode::kOk;
    case Code::kInvalidArgument: return CimCode::kInvalidParameter;
    case Code::kNotFound: return CimCode::kNotFound;
    case Code::kNotSupported: return CimCode::kNotSupported;
    case Code::kAlreadyExists: return CimCode::kAlreadyExists;
    case Code::kPermissionDenied: return CimCode::kAccessDenied;
    case Code::kTooLarge: return CimCode::kServerLimitsExceeded;
    default: return CimCode::kFailed;
  }
}

}  // namespace

std::string_view CimCodeName(CimCode code) { return kNames[static_cast<size_t>(code)]; }

CimStatus::CimStatus(const Status& status) : code(FromCode(status.code())), message(status.message()) {}

}  // namespace lockstep::wbem
