// A simulated machine with a node on it, spoken to as its clients do: over the admin socket.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "apps/node/node.h"
#include "sim/await.h"

namespace lockstep::node {

using Json = nlohmann::json;

inline constexpr char kPoolPath[] = "/disks/main";
inline constexpr uint64_t kPoolSize = uint64_t{1} << 30;

inline Config SimConfig() {
  Config config;
  config.data_directory = "/var/lib/lockstep";
  config.admin_socket = "/run/lockstep/admin.sock";
  config.nbd.listen = {{io::Endpoint::Kind::kUnix, "/run/lockstep/nbd.sock", 0}};
  config.cim.listen.clear();
  config.cim_security.https.clear();
  return config;
}

using sim::Await;

// A client of the admin socket: one request, one answer.
class AdminClient {
 public:
  explicit AdminClient(sim::SimEnv& env) : env_(env) {
    env_.control_network().Connect({io::Endpoint::Kind::kUnix, "/run/lockstep/admin.sock", 0},
                                   [this](Result<std::unique_ptr<io::Stream>> stream) {
                                     failed_ = !stream.ok();
                                     if (stream.ok()) stream_ = std::move(stream).value();
                                   });
    env_.loop().RunUntil([this] { return stream_ != nullptr || failed_; });
  }

  // Sends bytes as they are.
  void Send(std::string bytes) {
    sending_ = std::move(bytes);
    buffer_ = {reinterpret_cast<std::byte*>(sending_.data()), sending_.size()};
    bool sent = false;
    stream_->Write(std::span(&buffer_, 1), [&sent](Status) { sent = true; });
    env_.loop().RunUntil([&sent] { return sent; });
  }
  void EndInput() { stream_->ShutdownWrite(); }

  // The next line, or none when the connection is closed first.
  std::optional<std::string> ReadLine() {
    for (;;) {
      if (const size_t end = received_.find('\n'); end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        return line;
      }
      std::optional<Result<size_t>> size;
      std::byte piece[4096];
      stream_->Read(piece, [&size](Result<size_t> result) { size.emplace(std::move(result)); });
      env_.loop().RunUntil([&size] { return size.has_value(); });
      if (!size || !size->ok() || **size == 0) return std::nullopt;
      received_.append(reinterpret_cast<const char*>(piece), **size);
    }
  }

  // The whole answer: {"result": ...} or {"error": ...}; null when the connection broke. Events before it are kept.
  Json Ask(const std::string& method, const Json& params = Json::object()) {
    if (failed_) return nullptr;
    Send(Json{{"jsonrpc", "2.0"}, {"id", ++id_}, {"method", method}, {"params", params}}.dump() + "\n");
    while (auto line = ReadLine()) {
      Json answer = Json::parse(*line);
      if (!answer.contains("method")) return answer;
      events.push_back(std::move(answer));
    }
    return nullptr;
  }

  std::vector<Json> events;

 private:
  sim::SimEnv& env_;
  std::unique_ptr<io::Stream> stream_;
  bool failed_ = false;
  std::string sending_, received_;
  io::Buffer buffer_{};
  int id_ = 0;
};

// The node's process on a machine: started with the object, stopped with it.
class Process {
 public:
  explicit Process(sim::SimEnv& env) : env_(env), node_(std::make_unique<Node>(env, SimConfig(), "test")) {
    started_ = Await(env_, node_->Start());
  }
  ~Process() {
    Await(env_, node_->Stop());
    node_.reset();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const StartResult& started() const { return started_; }
  Node& node() { return *node_; }

  Json Ask(const std::string& method, const Json& params = Json::object()) {
    return AdminClient(env_).Ask(method, params);
  }
  // The result; a test failure when it is an error.
  Json Do(const std::string& method, const Json& params = Json::object()) {
    Json answer = Ask(method, params);
    EXPECT_TRUE(answer.is_object() && answer.contains("result")) << method << ": " << answer.dump();
    return answer.is_object() ? answer.value("result", Json()) : Json();
  }
  // The name of the error, "" when there is none.
  std::string Refusal(const std::string& method, const Json& params = Json::object()) {
    const Json answer = Ask(method, params);
    return answer.contains("error") ? answer["error"]["data"]["name"].get<std::string>() : "";
  }

 private:
  sim::SimEnv& env_;
  std::unique_ptr<Node> node_;
  StartResult started_;
};

}  // namespace lockstep::node
