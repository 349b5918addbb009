// Errors as values. A Status is OK or a code and one sentence that tells the reader what failed and what to do.
// An OK Status is one null pointer: passing it costs nothing. Value type; distinct objects may be used by distinct
// threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace lockstep {

enum class Code : uint8_t {
  kOk,
  kInvalidArgument,  // the request itself is wrong; repeating it cannot help
  kNotFound,
  kAlreadyExists,
  kInUse,         // something else holds the object: a connection, a relationship, a running operation
  kInvalidState,  // legal in general, not in the object's present state
  kNotSupported,
  kNoSpace,
  kTooLarge,   // over a documented limit
  kIoError,    // the device or the operating system refused
  kCorrupted,  // stored bytes do not match their checksum or make no sense
  kTimeout,
  kCancelled,
  kUnavailable,  // a peer or a service is not reachable now
  kPermissionDenied,
  kProtocol,  // a client broke the protocol
  kInternal,
};

// The code's name in lower case with hyphens ("not-found"), stable: printed by the CLI's --json.
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(Code code, std::string message, int os_error = 0);

  static Status Ok() { return {}; }

  bool ok() const { return rep_ == nullptr; }
  Code code() const { return rep_ ? rep_->code : Code::kOk; }
  // Empty when OK.
  const std::string& message() const;
  // errno of the failed system call, or 0.
  int os_error() const { return rep_ ? rep_->os_error : 0; }
  // "no-space: pool p1 is full ..." for logs; "ok" when OK.
  std::string ToString() const;
  // The same error with "context: " before its message. OK stays OK.
  Status WithContext(std::string_view context) const;

 private:
  struct Rep {
    Code code;
    int os_error;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;
};

inline Status InvalidArgument(std::string m) {
  return {Code::kInvalidArgument, std::move(m)};
}
inline Status NotFound(std::string m) {
  return {Code::kNotFound, std::move(m)};
}
inline Status AlreadyExists(std::string m) {
  return {Code::kAlreadyExists, std::move(m)};
}
inline Status InUse(std::string m) {
  return {Code::kInUse, std::move(m)};
}
inline Status InvalidState(std::string m) {
  return {Code::kInvalidState, std::move(m)};
}
inline Status NotSupported(std::string m) {
  return {Code::kNotSupported, std::move(m)};
}
inline Status NoSpace(std::string m) {
  return {Code::kNoSpace, std::move(m)};
}
inline Status IoError(std::string m, int os_error = 0) {
  return {Code::kIoError, std::move(m), os_error};
}
inline Status Corrupted(std::string m) {
  return {Code::kCorrupted, std::move(m)};
}
inline Status Cancelled(std::string m) {
  return {Code::kCancelled, std::move(m)};
}
inline Status ProtocolError(std::string m) {
  return {Code::kProtocol, std::move(m)};
}
inline Status Internal(std::string m) {
  return {Code::kInternal, std::move(m)};
}
// Maps errno to the nearest code: ENOENT not-found, EEXIST already-exists, ENOSPC/EDQUOT no-space, EBUSY in-use,
// EACCES/EPERM permission-denied, ETIMEDOUT timeout, anything else io-error. `what` names the act and the object.
Status FromErrno(int os_error, std::string_view what);

// A value or the Status that explains why there is none. Reading value() of a failed Result is a programmer error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}
  Result(Status status) : v_(std::in_place_index<1>, std::move(status)) { LS_ASSERT(!std::get<1>(v_).ok()); }

  bool ok() const { return v_.index() == 0; }
  Status status() const { return ok() ? Status() : std::get<1>(v_); }
  T& value() & {
    LS_ASSERT(ok());
    return std::get<0>(v_);
  }
  const T& value() const& {
    LS_ASSERT(ok());
    return std::get<0>(v_);
  }
  T&& value() && {
    LS_ASSERT(ok());
    return std::get<0>(std::move(v_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> v_;
};

}  // namespace lockstep

#define LS_CONCAT_INNER(a, b) a##b
#define LS_CONCAT(a, b) LS_CONCAT_INNER(a, b)

// In functions that return Status or Result.
#define LS_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                  \
    if (::lockstep::Status ls_status = (expression); !ls_status.ok()) return ls_status; \
  } while (false)
#define LS_ASSIGN_OR_RETURN(target, expression) \
  LS_ASSIGN_OR_RETURN_IMPL(LS_CONCAT(ls_result_, __LINE__), target, expression)
#define LS_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                \
  if (!result.ok()) return result.status();                  \
  target = std::move(result).value()

// The same in coroutines. The expression may contain co_await.
#define LS_CO_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                     \
    if (::lockstep::Status ls_status = (expression); !ls_status.ok()) co_return ls_status; \
  } while (false)
#define LS_CO_ASSIGN_OR_RETURN(target, expression) \
  LS_CO_ASSIGN_OR_RETURN_IMPL(LS_CONCAT(ls_result_, __LINE__), target, expression)
#define LS_CO_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) co_return result.status();                  \
  target = std::move(result).value()
