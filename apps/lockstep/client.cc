#include "apps/lockstep/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep::cli {

namespace {

Status StatusOf(const Json& error) {
  std::string name = "internal";
  if (const auto data = error.find("data"); data != error.end() && data->is_object()) {
    name = data->value("name", name);
  }
  Code code = Code::kInternal;
  for (int c = 1; c <= static_cast<int>(Code::kInternal); ++c) {
    if (CodeName(static_cast<Code>(c)) == name) code = static_cast<Code>(c);
  }
  const auto message = error.find("message");
  return {code, message != error.end() && message->is_string() ? message->get<std::string>() : "no message"};
}

}  // namespace

Client::Client(std::string socket_path, std::chrono::seconds timeout)
    : socket_path_(std::move(socket_path)), timeout_(timeout) {}

Client::~Client() {
  if (socket_ >= 0) ::close(socket_);
}

Status Client::Lost(Code code, std::string message) {
  connection_failed_ = true;
  return {code, std::move(message)};
}

Status Client::Connect() {
  if (socket_ >= 0) return Status::Ok();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.size() >= sizeof address.sun_path) {
    return InvalidArgument(fmt::format("socket path {} is longer than the system allows", socket_path_));
  }
  std::memcpy(address.sun_path, socket_path_.c_str(), socket_path_.size());
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return Lost(Code::kUnavailable, fmt::format("cannot make a socket: {}", std::strerror(errno)));
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return Status::Ok();
  const int error = errno;
  ::close(std::exchange(socket_, -1));
  if (error == EACCES || error == EPERM) {
    return Lost(Code::kUnavailable, fmt::format("may not open {}: use the account that lockstepd runs as, or root",
                                                socket_path_));
  }
  return Lost(Code::kUnavailable, fmt::format("no lockstepd answers on {} ({}): start it, or name its socket with "
                                              "--socket or LOCKSTEP_SOCKET",
                                              socket_path_, std::strerror(error)));
}

Status Client::SendAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return Lost(Code::kUnavailable, fmt::format("lockstepd went away: {}", std::strerror(errno)));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return Status::Ok();
}

Result<std::string> Client::ReceiveLine() {
  for (;;) {
    if (const size_t end = received_.find('\n'); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    pollfd readable{socket_, POLLIN, 0};
    const int wait_ms = timeout_.count() == 0 ? -1 : static_cast<int>(timeout_.count() * 1000);
    const int ready = ::poll(&readable, 1, wait_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Lost(Code::kTimeout, fmt::format("no answer within {} s", timeout_.count()));
    char buffer[65536];
    const ssize_t size = ::recv(socket_, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      return Lost(Code::kUnavailable, "lockstepd closed the connection before it answered; its log says why");
    }
    received_.append(buffer, static_cast<size_t>(size));
  }
}

Result<Json> Client::Call(std::string_view method, const Json& params, const OnEvent& on_event) {
  LS_RETURN_IF_ERROR(Connect());
  const int64_t id = ++last_id_;
  const Json request = {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
  LS_RETURN_IF_ERROR(SendAll(request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"));
  for (;;) {
    LS_ASSIGN_OR_RETURN(const std::string line, ReceiveLine());
    Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!answer.is_object()) return Lost(Code::kProtocol, "what answers on the socket is not lockstepd");
    if (answer.contains("method")) {
      if (on_event) on_event(answer["params"]);
      continue;
    }
    if (answer.contains("error") && answer["error"].is_object()) return StatusOf(answer["error"]);
    if (answer.contains("result") && answer["id"] == id) return std::move(answer["result"]);
    return Lost(Code::kProtocol, "what answers on the socket is not lockstepd");
  }
}

}  // namespace lockstep::cli
