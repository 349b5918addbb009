#include "base/status.h"

#include <cerrno>
#include <cstring>

namespace lockstep {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidArgument:
      return "invalid-argument";
    case Code::kNotFound:
      return "not-found";
    case Code::kAlreadyExists:
      return "already-exists";
    case Code::kInUse:
      return "in-use";
    case Code::kInvalidState:
      return "invalid-state";
    case Code::kNotSupported:
      return "not-supported";
    case Code::kNoSpace:
      return "no-space";
    case Code::kTooLarge:
      return "too-large";
    case Code::kIoError:
      return "io-error";
    case Code::kCorrupted:
      return "corrupted";
    case Code::kTimeout:
      return "timeout";
    case Code::kCancelled:
      return "cancelled";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kPermissionDenied:
      return "permission-denied";
    case Code::kProtocol:
      return "protocol";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

Status::Status(Code code, std::string message, int os_error) {
  if (code != Code::kOk) rep_ = std::make_shared<const Rep>(Rep{code, os_error, std::move(message)});
}

const std::string& Status::message() const {
  static const std::string kEmpty;
  return rep_ ? rep_->message : kEmpty;
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  return std::string(CodeName(code())) + ": " + message();
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return {};
  return {code(), std::string(context) + ": " + message(), os_error()};
}

Status FromErrno(int os_error, std::string_view what) {
  Code code = Code::kIoError;
  switch (os_error) {
    case ENOENT:
      code = Code::kNotFound;
      break;
    case EEXIST:
      code = Code::kAlreadyExists;
      break;
    case ENOSPC:
    case EDQUOT:
      code = Code::kNoSpace;
      break;
    case EBUSY:
      code = Code::kInUse;
      break;
    case EACCES:
    case EPERM:
      code = Code::kPermissionDenied;
      break;
    case ETIMEDOUT:
      code = Code::kTimeout;
      break;
    default:
      break;
  }
  return {code, std::string(what) + ": " + std::strerror(os_error), os_error};
}

}  // namespace lockstep
