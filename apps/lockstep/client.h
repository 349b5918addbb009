// The CLI's end of the local management protocol (docs/interfaces/admin.md): blocking, one connection, one request at a
// time. It makes its own system calls: a command that lives for milliseconds has no loop to wait on, and nothing of it
// runs in a simulation.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/status.h"

namespace lockstep::cli {

using Json = nlohmann::json;

class Client {
 public:
  // `timeout`: how long an answer or an event may take; zero waits for ever. Connects with the first call.
  Client(std::string socket_path, std::chrono::seconds timeout);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  using OnEvent = std::function<void(const Json& params)>;
  // Sends a request and waits for its answer; `on_event` gets what the daemon reports before it. The daemon's errors
  // come back with their code; unavailable means that no daemon was reached or that it went away, timeout that it did
  // not answer in time, protocol that what came back makes no sense.
  Result<Json> Call(std::string_view method, const Json& params, const OnEvent& on_event = nullptr);

  // Whether the last error is the connection's (unavailable, timeout, protocol), not one that the daemon answered.
  bool connection_failed() const { return connection_failed_; }

 private:
  Status Connect();
  Status SendAll(std::string_view bytes);
  Result<std::string> ReceiveLine();
  Status Lost(Code code, std::string message);

  const std::string socket_path_;
  const std::chrono::seconds timeout_;
  int socket_ = -1;
  int64_t last_id_ = 0;
  std::string received_;
  bool connection_failed_ = false;
};

}  // namespace lockstep::cli
