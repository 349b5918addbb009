// A listener of indications on a simulated network, of any manners, and a store in memory.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "io/tls/tls.h"
#include "sim/env.h"
#include "wbem/http_connection.h"
#include "wbem/indication_store.h"

namespace lockstep::wbem {

inline std::string_view Part(std::string_view text, std::string_view before, std::string_view after) {
  const size_t from = text.find(before);
  if (from == text.npos) return {};
  const size_t begin = from + before.size();
  return text.substr(begin, text.find(after, begin) - begin);
}

class MemoryStore final : public IndicationStore {
 public:
  Result<std::string> Load() override {
    return text ? Result<std::string>(*text) : Result<std::string>(NotFound("nothing yet"));
  }
  Status Save(std::string_view now) override {
    if (!fails.ok()) return fails;
    text = std::string(now);
    return {};
  }
  Result<std::string> SetAside() override {
    text.reset();
    return std::string("elsewhere");
  }
  std::optional<std::string> text;
  Status fails;
};

// A listener that takes ExportIndication and answers as it is told to.
class FakeListener {
 public:
  enum class Manner {
    kKeeps,          // HTTP/1.1, as many as are sent
    kCloses,         // says Connection: close, and does
    kHttp10,         // as pywbem's: HTTP/1.0, and closes
    kClosesSilently, // says keep-alive, and closes after each answer
    kSilent,         // takes and never answers
    kDrops,          // closes at once, without reading
    kNonsense,       // answers with something else
    kBusy,           // CIM error 1
    kRefuses,        // CIM error 4
    kUnavailable,    // HTTP 503
    kForgets,        // keeps, and throws away what comes together with the first of several requests
  };
  struct Taken {
    std::string body;
    std::string number, context, filter;
    size_t connection = 0;
    io::Instant when;
  };

  FakeListener(sim::SimEnv& env, uint16_t port) : env_(env) {
    Listen(port);
  }
  void Listen(uint16_t port) {
    auto listening = env_.network().Listen({io::Endpoint::Kind::kTcp, "127.0.0.1", port},
                                           [this](std::unique_ptr<io::Stream> stream) { Accept(std::move(stream)); });
    EXPECT_TRUE(listening.ok()) << listening.status().message();
    if (!listening.ok()) return;
    listener_ = *std::move(listening);
    endpoint_ = listener_->endpoint();
  }
  void StopListening() {
    listener_.reset();
    clients_.clear();
  }
  std::string url() const { return fmt::format("{}://127.0.0.1:{}/events", tls ? "https" : "http", endpoint_.port); }
  uint16_t port() const { return endpoint_.port; }
  // The numbers in the order in which they came.
  std::string Numbers() const {
    std::string all;
    for (const Taken& one : taken) all += (all.empty() ? "" : " ") + one.number;
    return all;
  }

  Manner manner = Manner::kKeeps;
  const io::TlsContext* tls = nullptr;  // HTTPS
  io::Duration delay{};  // before each answer
  std::vector<Taken> taken;
  size_t connections = 0;
  std::string peer_name;    // whom the last connection with TLS that sent something showed itself as
  size_t most_at_once = 0;  // requests that had come before the first of them was answered

 private:
  struct Client {
    std::unique_ptr<io::Stream> stream;
    const io::TlsStream* secure = nullptr;  // the stream, with TLS
    HttpConnection engine{HttpLimits{}};
    std::array<std::byte, 8192> input;
    std::string output, sending;  // what is still to be written, what is being
    io::Buffer buffer{};
    size_t id = 0, unanswered = 0;
    bool answering = false;
  };

  void Accept(std::unique_ptr<io::Stream> stream) {
    ++connections;
    if (manner == Manner::kDrops) return;
    auto client = std::make_shared<Client>();
    client->stream = std::move(stream);
    if (tls != nullptr) {
      auto secure = tls->Wrap(env_.loop(), std::move(client->stream));
      client->secure = secure.get();
      client->stream = std::move(secure);
    }
    client->id = connections;
    clients_.push_back(client);
    Read(*client);
  }
  void Read(Client& client) {
    client.stream->Read(client.input, [this, &client](Result<size_t> n) {
      if (!n.ok() || *n == 0) return Forget(client);
      if (client.secure != nullptr) peer_name = client.secure->peer_name();
      client.unanswered += CountRequests(std::string_view(reinterpret_cast<const char*>(client.input.data()), *n));
      most_at_once = std::max(most_at_once, client.unanswered);
      client.engine.Feed(std::span(client.input).first(*n));
      if (!Serve(client)) return;
      Read(client);
    });
  }
  static void Forget(HttpConnection& engine) {
    while (engine.HasRequest()) {
      (void)engine.TakeRequest();
      engine.Answer({});
      (void)engine.TakeOutput();
    }
  }
  static size_t CountRequests(std::string_view text) {
    size_t count = 0;
    for (size_t at = text.find("POST "); at != text.npos; at = text.find("POST ", at + 1)) ++count;
    return count;
  }
  void Forget(Client& client) {
    // Not while its own stream is calling back.
    env_.loop().Post([this, &client] { std::erase_if(clients_, [&](const auto& c) { return c.get() == &client; }); });
  }
  bool Serve(Client& client) {
    while (client.engine.HasRequest() && !client.answering) {
      const HttpRequest request = client.engine.TakeRequest();
      if (manner == Manner::kSilent) {
        client.answering = true;
        return true;
      }
      Take(request, client.id);
      if (delay > io::Duration(0)) {
        client.answering = true;
        env_.loop().After(delay, [this, weak = WeakOf(client)] {
          const auto still = weak.lock();
          if (!still) return;
          still->answering = false;
          if (Answer(*still)) Serve(*still);
        });
        return true;
      }
      if (!Answer(client)) return false;
      if (manner == Manner::kForgets) Forget(client.engine);
    }
    return true;
  }
  std::weak_ptr<Client> WeakOf(Client& client) {
    for (const auto& c : clients_)
      if (c.get() == &client) return c;
    return {};
  }
  void Take(const HttpRequest& request, size_t connection) {
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/events");
    const std::string* method = request.Find("CIMExportMethod");
    EXPECT_TRUE(method && *method == "ExportIndication");
    const bool accepted = manner != Manner::kBusy && manner != Manner::kUnavailable && manner != Manner::kRefuses &&
                          manner != Manner::kNonsense;
    if (!accepted) return;
    const auto value = [&](std::string_view name, std::string_view type) {
      return std::string(Part(request.body, fmt::format("NAME=\"{}\" TYPE=\"{}\"><VALUE>", name, type), "</VALUE>"));
    };
    taken.push_back({request.body, value("SequenceNumber", "sint64"), value("SequenceContext", "string"),
                     value("IndicationFilterName", "string"), connection, env_.clock().Now()});
  }
  // False: the connection has gone.
  bool Answer(Client& client) {
    const std::string error = manner == Manner::kBusy      ? "<ERROR CODE=\"1\" DESCRIPTION=\"full\"></ERROR>"
                              : manner == Manner::kRefuses ? "<ERROR CODE=\"4\"></ERROR>"
                                                           : "<IRETURNVALUE></IRETURNVALUE>";
    HttpReply reply{200, {{"CIMExport", "MethodResponse"}}, "<CIM><MESSAGE>" + error + "</MESSAGE></CIM>"};
    if (manner == Manner::kUnavailable) reply = {503, {}, ""};
    client.engine.Answer(std::move(reply));
    client.unanswered -= client.unanswered > 0 ? 1 : 0;
    std::string text = client.engine.TakeOutput();
    if (manner == Manner::kNonsense) text = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
    const auto replace = [&text](std::string_view from, std::string_view to) {
      const size_t at = text.find(from);
      if (at != text.npos) text.replace(at, from.size(), to);
    };
    if (manner == Manner::kCloses || manner == Manner::kHttp10) replace("keep-alive", "close");
    if (manner == Manner::kHttp10) replace("HTTP/1.1", "HTTP/1.0");
    const bool closes = manner == Manner::kCloses || manner == Manner::kHttp10 || manner == Manner::kClosesSilently;
    client.output += text;
    if (client.sending.empty()) Write(client, closes);
    return !closes;
  }
  void Write(Client& client, bool close) {
    client.sending = std::exchange(client.output, "");
    client.buffer = {reinterpret_cast<std::byte*>(client.sending.data()), client.sending.size()};
    client.stream->Write({&client.buffer, 1}, [this, &client, close](const Status& status) {
      client.sending.clear();
      if (close || !status.ok()) return Forget(client);
      if (!client.output.empty()) Write(client, false);
    });
  }

  sim::SimEnv& env_;
  io::Endpoint endpoint_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::shared_ptr<Client>> clients_;
};

}  // namespace lockstep::wbem
