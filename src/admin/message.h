// One message of the local management protocol: JSON-RPC 2.0 (https://www.jsonrpc.org/specification), without batches
// and with named parameters only. docs/interfaces/admin.md is its reference.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/status.h"

namespace lockstep::admin {

using Json = nlohmann::json;

// Deeper nesting than this is refused before it is built.
inline constexpr int kDepthMax = 16;

// `id` and `params` are never null pointers. `params` is an object; `id` a string, a number or null.
struct Request {
  std::string method;
  std::shared_ptr<const Json> params;
  std::shared_ptr<const Json> id;
};

// What to answer when a line is no request: the JSON-RPC code besides the sentence.
struct Malformed {
  int code = 0;  // -32700 not JSON, -32600 not a request
  std::string message;
  std::shared_ptr<const Json> id;  // null when it could not be told
};

// Exactly one of the two is set.
struct ParsedRequest {
  std::unique_ptr<Request> request;
  std::unique_ptr<Malformed> malformed;
};
ParsedRequest ParseRequest(std::string_view line);

// Lines to send, with their "\n".
std::string ResultLine(const Json& id, const Json& result);
// data.name carries CodeName(status.code()): what a program should look at.
std::string ErrorLine(const Json& id, const Status& status);
std::string MalformedLine(const Malformed& malformed);
// A notification: it has no id of its own; params.request is the id of the request that it belongs to.
std::string EventLine(std::string_view method, const Json& params);

// The JSON-RPC error number of a code: -32602 for invalid-argument, -32603 for internal, else one of -32000 .. -32099.
int RpcCode(Code code);

}  // namespace lockstep::admin
