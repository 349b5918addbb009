#include "admin/message.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep::admin {

namespace {

constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;

// JSON text as sent; bytes that are no UTF-8 (in a message that quotes them) are replaced, never thrown about.
std::string Line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

ParsedRequest Refuse(int code, std::string message, Json id = nullptr) {
  ParsedRequest refused;
  refused.malformed =
      std::make_unique<Malformed>(Malformed{code, std::move(message), std::make_shared<const Json>(std::move(id))});
  return refused;
}

bool IsId(const Json& id) { return id.is_string() || id.is_number() || id.is_null(); }

// How deep the brackets of the text go, strings left out. Counted before parsing, so that nothing deep is ever built.
int Depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    else if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    else if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

}  // namespace

ParsedRequest ParseRequest(std::string_view line) {
  if (Depth(line) > kDepthMax) return Refuse(kParseError, fmt::format("nested deeper than {} levels", kDepthMax));
  Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Refuse(kParseError, "the line is not JSON");
  if (!json.is_object()) return Refuse(kInvalidRequest, "a request is one JSON object; batches are not supported");

  Json id = json.contains("id") ? json["id"] : Json(nullptr);
  if (!IsId(id)) return Refuse(kInvalidRequest, "\"id\" must be a string or a number");
  const auto version = json.find("jsonrpc");
  if (version == json.end() || *version != "2.0") return Refuse(kInvalidRequest, "\"jsonrpc\" must be \"2.0\"", id);
  const auto method = json.find("method");
  if (method == json.end() || !method->is_string()) return Refuse(kInvalidRequest, "\"method\" must be a string", id);
  Json params = json.contains("params") ? std::move(json["params"]) : Json::object();
  if (!params.is_object()) return Refuse(kInvalidRequest, "\"params\" must be an object with named parameters", id);

  ParsedRequest parsed;
  parsed.request = std::make_unique<Request>(Request{method->get<std::string>(),
                                                     std::make_shared<const Json>(std::move(params)),
                                                     std::make_shared<const Json>(std::move(id))});
  return parsed;
}

std::string ResultLine(const Json& id, const Json& result) {
  return Line({{"jsonrpc", "2.0"}, {"id", id}, {"result", result}});
}

std::string ErrorLine(const Json& id, const Status& status) {
  Json data = {{"name", CodeName(status.code())}};
  if (status.os_error() != 0) data["errno"] = status.os_error();
  Json error = {{"code", RpcCode(status.code())}, {"message", status.message()}, {"data", std::move(data)}};
  return Line({{"jsonrpc", "2.0"}, {"id", id}, {"error", std::move(error)}});
}

std::string MalformedLine(const Malformed& malformed) {
  Json error = {{"code", malformed.code}, {"message", malformed.message}, {"data", {{"name", "protocol"}}}};
  return Line({{"jsonrpc", "2.0"}, {"id", *malformed.id}, {"error", std::move(error)}});
}

std::string EventLine(std::string_view method, const Json& params) {
  return Line({{"jsonrpc", "2.0"}, {"method", method}, {"params", params}});
}

int RpcCode(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return -32602;
    case Code::kInternal: return -32603;
    default: return -32000 - static_cast<int>(code);
  }
}

}  // namespace lockstep::admin
