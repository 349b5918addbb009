// The HTTP engine without I/O, and the server on a simulated network and clock.
#include <gtest/gtest.h>

#include "sim/env.h"
#include "tests/unit/wbem/http_client.h"
#include "wbem/http_connection.h"
#include "wbem/http_server.h"

namespace lockstep::wbem {
namespace {

std::span<const std::byte> Bytes(std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); }
std::string Post(const std::string& body, const std::string& headers = "") {
  return "POST /cimom HTTP/1.1\r\nHost: h\r\n" + headers + "Content-Length: " + std::to_string(body.size())
      + "\r\n\r\n" + body;
}
size_t Count(std::string_view text, std::string_view part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Feeds everything in pieces of `piece` bytes and answers each request with its own body.
std::string Echo(HttpConnection& engine, std::string_view input, size_t piece) {
  std::string output;
  const auto answer = [&] {
    while (engine.HasRequest()) {
      HttpRequest request = engine.TakeRequest();
      engine.Answer({200, {}, request.method + ":" + request.body});
    }
    output += engine.TakeOutput();
  };
  for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
    engine.Feed(Bytes(input.substr(0, piece)));
    answer();
  }
  return output;
}

TEST(HttpEngine, AnswersPipelinedRequestsInOrderHoweverTheBytesAreSplit) {
  const std::string input = Post("one") + Post("") +
                            "M-POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n4\r\n "
                                "and\r\n0\r\n\r\n";
  for (const size_t piece : {1, 2, 7, 64, 10000}) {
    HttpConnection engine(HttpLimits{});
    EXPECT_EQ(Echo(engine, input, piece),
              "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: keep-alive\r\n\r\nPOST:one"
              "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nPOST:"
              "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: keep-alive\r\n\r\nM-POST:two and")
        << piece;
    EXPECT_FALSE(engine.closing());
    EXPECT_EQ(engine.buffered(), 0u);
  }
}

TEST(HttpEngine, ClosesAfterHttp10AndConnectionClose) {
  HttpConnection old(HttpLimits{});
  EXPECT_NE(Echo(old, "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", 99).find("Connection: close"),
      std::string::npos);
  EXPECT_TRUE(old.closing());
  HttpConnection kept(HttpLimits{});
  Echo(kept, "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 99);
  EXPECT_FALSE(kept.closing());
  HttpConnection asked(HttpLimits{});
  Echo(asked, Post("x", "Connection: close\r\n"), 99);
  EXPECT_TRUE(asked.closing());
}

TEST(HttpEngine, ContinuesOnceWhenAskedTo) {
  HttpConnection engine(HttpLimits{});
  engine.Feed(Bytes("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(engine.TakeOutput(), "HTTP/1.1 100 Continue\r\n\r\n");
  engine.Feed(Bytes("a"));
  EXPECT_EQ(engine.TakeOutput(), "");
  engine.Feed(Bytes("b"));
  EXPECT_EQ(engine.TakeRequest().body, "ab");
}

TEST(HttpEngine, RefusesWhatIsTooLargeOrMalformedWithAnEmptyBody) {
  const auto status = [](const std::string& input) {
    HttpConnection engine(HttpLimits{1024, 100});
    const std::string output = Echo(engine, input, 50);
    EXPECT_TRUE(engine.closing()) << output;
    EXPECT_NE(output.find("Content-Length: 0\r\n"), std::string::npos) << output;
    return output.substr(9, 3);
  };
  EXPECT_EQ(status(Post(std::string(101, 'x'))), "413");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n"), "413");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" + std::string(200, 'x')), "413");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nX: " + std::string(2000, 'x')), "431");
  EXPECT_EQ(status("nonsense\r\n\r\n"), "400");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), "400");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nExpect: magic\r\nContent-Length: 3\r\n\r\n"), "417");
}

// A server that echoes, and clients, on one simulated machine.
class Server : public testing::Test {
 protected:
  using Client = HttpTestClient;

  Server() : env_(1) {
    options_.connections_max = 4;
    options_.limits.body_bytes_max = 1 << 20;
  }
  ~Server() override {
    clients_.clear();
    if (server_) {
      bool stopped = false;
      Spawn([](HttpServer& s, bool& done) -> Task<void> {
        co_await s.Stop();
        done = true;
      }(*server_, stopped));
      EXPECT_TRUE(env_.loop().RunUntil([&] { return stopped; }));
    }
  }
  void Start() {
    server_ = std::make_unique<HttpServer>(env_.loop(), env_.network(), env_.log(), options_,
                                           [this](HttpRequest request, std::string, HttpStream& stream) {
                                             return Handle(std::move(request), &stream);
                                           });
    const auto at = server_->Listen(*io::Endpoint::Parse("tcp:127.0.0.1:0"));
    ASSERT_TRUE(at.ok());
    address_ = *at;
  }
  Task<HttpReply> Handle(HttpRequest request, HttpStream* stream) {
    if (request.target == "/slow") co_await env_.loop().Sleep(std::chrono::seconds(300));
    if (request.target.starts_with("/pieces")) {
      HttpReply reply = co_await Pieces(stream);
      reply.broken = request.target.ends_with("broken");
      co_return reply;
    }
    co_return HttpReply{200, {}, request.target == "/big" ? std::string(3 << 20, 'b') : request.body};
  }
  // A hundred pieces of 20 kB each, and an end with trailers.
  Task<HttpReply> Pieces(HttpStream* stream) {
    HttpReply reply;
    reply.headers.emplace_back("X-Kind", "pieces");
    for (pieces_ = 0; pieces_ < 100; ++pieces_) {
      reply.body.assign(20'000, static_cast<char>('a' + pieces_ % 26));
      Task<bool> send = stream->Send(reply);
      const bool sent = co_await std::move(send);
      if (!sent) break;
    }
    ++ended_;
    reply.body = "end";
    reply.trailers.emplace_back("CIMStatusCode", "4");
    co_return reply;
  }
  // The body of a chunked reply; what is wrong with it instead, if something is.
  static std::string Dechunked(std::string_view reply, std::string& trailers) {
    std::string body;
    const size_t head = reply.find("\r\n\r\n");
    const bool chunked = reply.substr(0, head).find("Transfer-Encoding: chunked") != reply.npos;
    if (head == reply.npos || !chunked) return "no chunks";
    for (reply.remove_prefix(head + 4);;) {
      const size_t line = reply.find("\r\n");
      if (line == reply.npos) return "no end";
      const size_t size = std::stoul(std::string(reply.substr(0, line)), nullptr, 16);
      reply.remove_prefix(line + 2);
      if (size == 0) break;
      if (reply.size() < size + 2 || reply.substr(size, 2) != "\r\n") return "a short chunk";
      body += reply.substr(0, size);
      reply.remove_prefix(size + 2);
    }
    trailers = reply;
    return body;
  }
  Client& Connect(bool read = true) {
    Client& client = *clients_.emplace_back(std::make_unique<Client>());
    env_.network().Connect(address_, [&](Result<std::unique_ptr<io::Stream>> s) { client.stream = *std::move(s); });
    env_.loop().RunUntil([&] { return client.stream != nullptr; });
    if (read) client.Read();
    return client;
  }

  int pieces_ = 0, ended_ = 0;
  sim::SimEnv env_;
  HttpServerOptions options_;
  io::Endpoint address_;
  std::unique_ptr<HttpServer> server_;
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(Server, ListensBeyondLoopbackOnlyWhenAllowed) {
  Start();
  EXPECT_FALSE(server_->Listen(*io::Endpoint::Parse("tcp:192.0.2.1:5988")).ok());
}

TEST_F(Server, ServesManyRequestsOnOneConnection) {
  Start();
  Client& client = Connect();
  std::string pipeline;
  for (int i = 0; i < 1000; ++i) pipeline += Post("request");
  client.Send(pipeline);
  EXPECT_TRUE(env_.loop().RunUntil([&] { return Count(client.received, "\r\n\r\nrequest") == 1000; }));
}

TEST_F(Server, LargeRepliesArriveWhole) {
  Start();
  Client& client = Connect();
  client.Send("POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(env_.loop().RunUntil([&] { return client.received.size() > (3u << 20); }));
}

TEST_F(Server, PiecesGoChunkedAndTheConnectionStays) {
  Start();
  Client& client = Connect();
  client.Send("POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" + Post("next"));
  ASSERT_TRUE(env_.loop().RunUntil([&] { return client.received.ends_with("\r\n\r\nnext"); }));
  EXPECT_NE(client.received.find("X-Kind: pieces\r\n"), std::string::npos);
  std::string trailers;
  const std::string body = Dechunked(client.received, trailers);
  EXPECT_EQ(body.size(), 2'000'003u) << body.substr(0, 100);
  EXPECT_TRUE(body.ends_with("vvvend"));
  EXPECT_TRUE(trailers.starts_with("CIMStatusCode: 4\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n"))
      << trailers.substr(0, 100);
}

TEST_F(Server, PiecesForHttp10EndWithTheConnection) {
  Start();
  Client& client = Connect();
  client.Send("POST /pieces HTTP/1.0\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(env_.loop().RunUntil([&] { return client.ended; }));
  EXPECT_EQ(client.received.find("chunked"), std::string::npos);
  EXPECT_NE(client.received.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(client.received.size() - client.received.find("\r\n\r\n") - 4, 2'000'003u);
}

TEST_F(Server, ABrokenReplyHasNoEnd) {
  Start();
  Client& client = Connect();
  client.Send("POST /pieces/broken HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(env_.loop().RunUntil([&] { return client.ended; }));
  std::string trailers;
  EXPECT_EQ(Dechunked(client.received, trailers), "no end");
}

TEST_F(Server, AClientThatDoesNotReadHoldsItsReplyBackAndIsDropped) {
  Start();
  Client& unreading = Connect(false);
  unreading.Send("POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  env_.loop().RunFor(std::chrono::seconds(10));
  EXPECT_LT(pieces_, 60);  // what the network itself holds
  EXPECT_EQ(ended_, 0);
  env_.loop().RunFor(std::chrono::seconds(60));
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(Server, StopEndsAReplyThatIsBeingSent) {
  Start();
  Client& unreading = Connect(false);
  unreading.Send("POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  env_.loop().RunFor(std::chrono::seconds(1));
  EXPECT_EQ(ended_, 0);
  bool stopped = false;
  Spawn([](HttpServer& s, bool& done) -> Task<void> {
    co_await s.Stop();
    done = true;
  }(*server_, stopped));
  EXPECT_TRUE(env_.loop().RunUntil([&] { return stopped; }));
  EXPECT_EQ(ended_, 1);
}

TEST_F(Server, DropsIdleSlowAndUnreadingClients) {
  Start();
  Client& idle = Connect();
  Client& slow = Connect();
  Client& unreading = Connect(false);
  slow.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  unreading.Send("POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(env_.loop().RunUntil([&] { return slow.ended; }, std::chrono::seconds(40)));
  EXPECT_EQ(slow.received.substr(0, 12), "HTTP/1.1 408");
  EXPECT_FALSE(idle.ended);
  EXPECT_TRUE(env_.loop().RunUntil([&] { return server_->connections() == 0; }, std::chrono::seconds(200)));
  EXPECT_TRUE(env_.loop().RunUntil([&] { return idle.ended; }));
}

TEST_F(Server, RefusesMoreConnectionsThanAllowedAndServesTheOthers) {
  Start();
  for (int i = 0; i < 4; ++i) Connect();
  Client& fifth = Connect();
  EXPECT_TRUE(env_.loop().RunUntil([&] { return fifth.ended; }));
  EXPECT_EQ(fifth.received.substr(0, 12), "HTTP/1.1 503");
  clients_[0]->Send(Post("still here"));
  EXPECT_TRUE(env_.loop().RunUntil([&] { return clients_[0]->received.ends_with("still here"); }));
}

TEST_F(Server, BoundsWhatAllClientsTogetherHaveBuffered) {
  options_.buffered_bytes_max = 1000;
  Start();
  Client& first = Connect();
  Client& second = Connect();
  const std::string part = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n" + std::string(800, 'x');
  first.Send(part);
  env_.loop().RunReady();
  second.Send(part);
  EXPECT_TRUE(env_.loop().RunUntil([&] { return second.ended; }, std::chrono::seconds(10)));
  EXPECT_EQ(second.received.substr(0, 12), "HTTP/1.1 503");
  first.Send(std::string(100, 'x'));
  EXPECT_TRUE(env_.loop().RunUntil([&] { return first.received.size() > 900; })) << first.received.substr(0, 200);
}

TEST_F(Server, AnOversizedBodyIsRefusedBeforeItIsRead) {
  Start();
  Client& client = Connect();
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n\r\n" + std::string(100000, 'x'));
  EXPECT_TRUE(env_.loop().RunUntil([&] { return client.ended; }));
  EXPECT_EQ(client.received.substr(0, 12), "HTTP/1.1 413");
}

TEST_F(Server, StopWaitsForAHandlerWhoseClientHasGone) {
  Start();
  Client& client = Connect();
  client.Send("POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  env_.loop().RunReady();
  client.stream.reset();
  bool stopped = false;
  Spawn([](HttpServer& s, bool& done) -> Task<void> {
    co_await s.Stop();
    done = true;
  }(*server_, stopped));
  EXPECT_FALSE(stopped);
  EXPECT_TRUE(env_.loop().RunUntil([&] { return stopped; }));
}

}  // namespace
}  // namespace lockstep::wbem
