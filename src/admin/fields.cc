#include "admin/fields.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.h"

namespace lockstep::admin {

const Json* Fields::Take(std::string_view name, bool required) {
  asked_.emplace_back(name);
  if (!status_.ok()) return nullptr;
  const auto found = params_.find(std::string(name));
  if (found != params_.end() && !found->is_null()) return &*found;
  if (required) Fail(name, "is missing");
  return nullptr;
}

void Fields::Fail(std::string_view name, std::string_view what) {
  if (status_.ok()) status_ = InvalidArgument(fmt::format("parameter \"{}\" {}", name, what));
}

std::optional<std::string> Fields::OptionalString(std::string_view name) {
  const Json* json = Take(name, false);
  if (json == nullptr) return std::nullopt;
  if (json->is_string()) return json->get<std::string>();
  Fail(name, "must be a string");
  return std::nullopt;
}

std::string Fields::String(std::string_view name) {
  const Json* json = Take(name, true);
  if (json == nullptr) return {};
  if (json->is_string() && !json->get_ref<const std::string&>().empty()) return json->get<std::string>();
  Fail(name, "must be a string, not empty");
  return {};
}

std::string Fields::StringOr(std::string_view name, std::string_view otherwise) {
  return OptionalString(name).value_or(std::string(otherwise));
}

std::vector<std::string> Fields::List(std::string_view name, bool required) {
  const Json* json = Take(name, required);
  std::vector<std::string> strings;
  if (json == nullptr) return strings;
  if (!json->is_array() || (required && json->empty())) {
    Fail(name, required ? "must be a list with at least one string" : "must be a list of strings");
    return strings;
  }
  for (const Json& element : *json) {
    if (!element.is_string()) {
      Fail(name, "must be a list of strings");
      return {};
    }
    strings.push_back(element.get<std::string>());
  }
  return strings;
}

std::vector<std::string> Fields::Strings(std::string_view name) { return List(name, true); }
std::vector<std::string> Fields::StringsOr(std::string_view name) { return List(name, false); }

std::optional<bool> Fields::OptionalBool(std::string_view name) {
  const Json* json = Take(name, false);
  if (json == nullptr) return std::nullopt;
  if (json->is_boolean()) return json->get<bool>();
  Fail(name, "must be true or false");
  return std::nullopt;
}

bool Fields::Bool(std::string_view name, bool otherwise) { return OptionalBool(name).value_or(otherwise); }

uint64_t Fields::Number(std::string_view name, uint64_t otherwise) {
  const Json* json = Take(name, false);
  if (json == nullptr) return otherwise;
  if (json->is_number_unsigned()) return json->get<uint64_t>();
  Fail(name, "must be a whole number, 0 or more");
  return otherwise;
}

uint64_t Fields::Size(std::string_view name, bool required) {
  const Json* json = Take(name, required);
  if (json == nullptr) return 0;
  if (json->is_number_unsigned()) return json->get<uint64_t>();
  auto size = json->is_string() ? ParseSize(json->get_ref<const std::string&>())
                                : Result<uint64_t>(InvalidArgument("is not a size"));
  if (size.ok()) return *size;
  Fail(name, "must be bytes, as a number or as text like \"10GiB\"");
  return 0;
}

Status Fields::Finish() {
  if (!status_.ok()) return status_;
  for (const auto& [name, value] : params_.items()) {
    if (std::find(asked_.begin(), asked_.end(), name) == asked_.end()) {
      return InvalidArgument(
          asked_.empty() ? fmt::format("there is no parameter \"{}\"; this method takes none", name)
                         : fmt::format("there is no parameter \"{}\"; there are: {}", name, fmt::join(asked_, ", ")));
    }
  }
  return Status::Ok();
}

}  // namespace lockstep::admin
