// The named parameters of a request, read strictly: a wrong type, a missing one or one that nobody knows is an error
// that names it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/message.h"
#include "base/status.h"

namespace lockstep::admin {

// Reads from `params`, which it does not own and which must be an object. The first thing that is wrong is kept; what
// is read after that is empty. Call Finish() before the values are used.
class Fields {
 public:
  explicit Fields(const Json& params) : params_(params) {}

  std::string String(std::string_view name);  // required, not empty
  std::string StringOr(std::string_view name, std::string_view otherwise);
  std::optional<std::string> OptionalString(std::string_view name);
  std::vector<std::string> Strings(std::string_view name);    // required, a list with at least one
  std::vector<std::string> StringsOr(std::string_view name);  // an empty list when it is not there
  bool Bool(std::string_view name, bool otherwise);
  std::optional<bool> OptionalBool(std::string_view name);
  uint64_t Number(std::string_view name, uint64_t otherwise);
  // Bytes: a number, or text as ParseSize reads it. 0 when it is not there and not `required`.
  uint64_t Size(std::string_view name, bool required);

  // `name` is known, and the caller reads it by other means.
  void Allow(std::string_view name) { asked_.emplace_back(name); }
  // invalid-argument for the first thing that was wrong, a parameter that was never asked for included.
  Status Finish();
  // Records that `name` cannot be used, unless something was wrong before.
  void Fail(std::string_view name, std::string_view what);

 private:
  const Json* Take(std::string_view name, bool required);
  std::vector<std::string> List(std::string_view name, bool required);

  const Json& params_;
  std::vector<std::string> asked_;
  Status status_;
};

}  // namespace lockstep::admin
