#include "wbem/guard.h"

#include <algorithm>

#include <fmt/format.h>

#include "wbem/names.h"

namespace lockstep::wbem {
namespace {

constexpr size_t kTextMax = 4000, kElementsMax = 64;

bool IsSecret(std::string_view name) {
  const std::string lower = NameLower(name);
  return lower.find("password") != lower.npos || lower.find("secret") != lower.npos;
}

void DescribeValue(std::string& out, std::string_view name, const Value& value);

void DescribeAll(std::string& out, const std::vector<Property>& properties) {
  for (const Property& property : properties) {
    if (&property != &properties.front()) out += ", ";
    DescribeValue(out, property.name, property.value);
  }
}

void DescribeScalar(std::string& out, const Value& value) {
  if (const Instance* instance = value.AsInstance()) {
    out += instance->class_name + "{";
    DescribeAll(out, instance->properties);
    out += "}";
  } else {
    out += value.is_null() ? "NULL" : value.ToText();
  }
}

void DescribeValue(std::string& out, std::string_view name, const Value& value) {
  if (out.size() > kTextMax) return;
  out.append(name) += '=';
  if (IsSecret(name)) {
    out += "(not shown)";
    return;
  }
  const Value::Elements* elements = value.AsArray();
  if (elements == nullptr) return DescribeScalar(out, value);
  out += '[';
  for (size_t i = 0; i < std::min(elements->size(), kElementsMax); ++i) {
    if (i > 0) out += ", ";
    DescribeScalar(out, (*elements)[i]);
  }
  out += elements->size() > kElementsMax ? ", ...]" : "]";
}

}  // namespace

access::Role RoleForAct(Act act) {
  switch (act) {
    case Act::kReadOne:
    case Act::kReadMany:
    case Act::kOpen:
    case Act::kPull:
    case Act::kClose:
    case Act::kCount: return access::Role::kMonitor;
    case Act::kChange:
    case Act::kInvoke: return access::Role::kOperator;
    case Act::kDeclare: return access::Role::kAdministrator;
  }
  return access::Role::kAdministrator;
}

std::string_view ActName(const OperationRequest& request) {
  if (request.operation == Operation::kInvokeMethod) return request.name;
  if (request.operation == Operation::kSetProperty) return SpecOf(Operation::kModifyInstance).name;
  return SpecOf(request.operation).name;
}

std::string Describe(const OperationRequest& request) {
  std::string out = fmt::format("{} of {}", ActName(request), request.target.ToString());
  if (request.target.empty()) out = fmt::format("{} in {}", ActName(request), request.ns);
  const size_t bare = out.size();
  std::string with;
  for (const Argument& argument : request.arguments) {
    if (!with.empty()) with += ", ";
    DescribeValue(with, argument.name, argument.value);
  }
  DescribeAll(with, request.instance.properties);
  if (request.operation == Operation::kSetProperty) DescribeValue(with, request.name, request.value);
  if (request.cls) with += request.cls->name;
  if (!with.empty()) out += " with " + with;
  if (out.size() > std::max(bare, kTextMax)) out = out.substr(0, std::max(bare, kTextMax)) + "...";
  return out;
}

}  // namespace lockstep::wbem
