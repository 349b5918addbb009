// Who is let in, and HTTPS on the simulated network.
#include <gtest/gtest.h>

#include <optional>

#include "sim/await.h"
#include "tests/unit/wbem/http_client.h"
#include "wbem/gate.h"
#include "wbem/http_server.h"

namespace lockstep::wbem {
namespace {

using access::Role;

TEST(BasicCredentialsHeader, IsReadStrictly) {
  const auto credentials = ParseBasic("Basic YW5uYTpzZWNyZXQ6MQ==");
  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->user, "anna");
  EXPECT_EQ(credentials->password, "secret:1");
  EXPECT_TRUE(ParseBasic("basic  YW5uYTo= "));
  for (const char* header : {"", "Basic", "Basic ", "Bearer YW5uYTpz", "Basic YW5uYQ==", "Basic YW5uYTp", "Basic ====",
                             "Basic YW5uYTpz!A==", "BasicYW5uYTpz", "Basic AGFubmE6cw=="})
    EXPECT_FALSE(ParseBasic(header)) << header;
}

class GateTest : public testing::Test {
 protected:
  GateTest()
      : env_(5),
        users_({env_.files(), env_.executor(), env_.loop(), env_.random(), {4, 8, 1}}, "/data/users"),
        authenticator_({env_.executor(), env_.loop(), env_.clock(), env_.random(), env_.log()}, users_) {
    EXPECT_TRUE(env_.files().CreateDirectory("/data").ok());
    EXPECT_TRUE(Await(users_.Add("anna", Role::kOperator, "secret password")).ok());
  }
  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(env_, std::move(task));
  }
  // "user/role" or the status of the refusal.
  std::string Admit(std::optional<Role> anonymous, const std::string& authorization, HttpClient client) {
    const Gate gate(authenticator_, anonymous, "here");
    Admission admission = Await(gate.Admit(authorization, std::move(client)));
    if (admission.caller)
      return admission.caller->user + "/" + std::string(access::RoleName(admission.caller->role));
    EXPECT_TRUE(admission.refusal.body.empty());
    bool challenge = false;
    for (const auto& [name, value] : admission.refusal.headers) challenge |= name == "WWW-Authenticate";
    EXPECT_EQ(challenge, admission.refusal.status == 401);
    return std::to_string(admission.refusal.status);
  }

  static constexpr char kRight[] = "Basic YW5uYTpzZWNyZXQgcGFzc3dvcmQ=";
  static constexpr char kWrong[] = "Basic YW5uYTpzZWNyZXQgcGFzc3dvcmU=";
  const HttpClient near_{"tcp:127.0.0.1:1", false, ""}, far_{"tcp:192.0.2.1:1", false, ""};
  const HttpClient near_tls_{"tcp:127.0.0.1:1", true, ""}, far_tls_{"tcp:192.0.2.1:1", true, ""};
  sim::SimEnv env_;
  access::Users users_;
  access::Authenticator authenticator_;
};

TEST_F(GateTest, PasswordsCountOverTlsOnly) {
  EXPECT_EQ(Admit({}, kRight, far_tls_), "anna/operator");
  EXPECT_EQ(Admit({}, kRight, near_tls_), "anna/operator");
  EXPECT_EQ(Admit({}, kWrong, far_tls_), "401");
  EXPECT_EQ(Admit({}, "Negotiate abc", far_tls_), "401");
  EXPECT_EQ(Admit({}, "", far_tls_), "401");
  EXPECT_EQ(Admit({}, kRight, far_), "403");
  EXPECT_EQ(Admit({}, kRight, near_), "403");
}

TEST_F(GateTest, AnonymousCallersAreLocalAndHaveTheConfiguredRole) {
  EXPECT_EQ(Admit({}, "", near_), "403");
  EXPECT_EQ(Admit(Role::kMonitor, "", near_), "/monitor");
  EXPECT_EQ(Admit(Role::kMonitor, "", near_tls_), "/monitor");
  EXPECT_EQ(Admit(Role::kAdministrator, kRight, near_), "/administrator");
  EXPECT_EQ(Admit(Role::kAdministrator, "", far_), "403");
  EXPECT_EQ(Admit(Role::kAdministrator, "", far_tls_), "401");
  // Who says who he is, is that, also where saying nothing would give more.
  EXPECT_EQ(Admit(Role::kAdministrator, kRight, near_tls_), "anna/operator");
  EXPECT_EQ(Admit(Role::kAdministrator, kWrong, near_tls_), "401");
}

TEST_F(GateTest, ACertificateNamesAUserOrNobody) {
  HttpClient client = far_tls_;
  client.certificate_name = "anna";
  EXPECT_EQ(Admit({}, "", client), "anna/operator");
  client.certificate_name = "bert";
  EXPECT_EQ(Admit({}, "", client), "401");
  EXPECT_EQ(Admit({}, kRight, client), "anna/operator");
}

TEST_F(GateTest, WhoGuessesIsHeldBack) {
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Admit({}, kWrong, far_tls_), "401");
  EXPECT_EQ(Admit({}, kWrong, far_tls_), "429");
  EXPECT_EQ(Admit({}, kRight, far_tls_), "429");
}

// An HTTP server with TLS, and a client.
class HttpsServer : public testing::Test {
 protected:
  HttpsServer() : env_(9) {
    auto identity = io::MakeSelfSigned({"server.test"}, io::WallTime{1'790'000'000'000'000});
    EXPECT_TRUE(identity.ok());
    server_tls_ = *io::TlsContext::ForServer({*identity, ""});
    client_tls_ = *io::TlsContext::ForClient({identity->certificate, "server.test", {}});
    server_ = std::make_unique<HttpServer>(env_.loop(), env_.network(), env_.log(), HttpServerOptions{},
                                           [](HttpRequest request, std::string, HttpStream& stream) {
                                             return Echo(std::move(request), stream.client().encrypted);
                                           });
    address_ = *server_->Listen(*io::Endpoint::Parse("tcp:192.0.2.1:5989"), server_tls_.get());
    EXPECT_FALSE(server_->Listen(*io::Endpoint::Parse("tcp:192.0.2.1:5988")).ok());
  }
  ~HttpsServer() override {
    client_.stream.reset();
    bool stopped = false;
    Spawn([](HttpServer& s, bool& done) -> Task<void> {
      co_await s.Stop();
      done = true;
    }(*server_, stopped));
    EXPECT_TRUE(env_.loop().RunUntil([&] { return stopped; }));
  }
  static Task<HttpReply> Echo(HttpRequest request, bool encrypted) {
    co_return HttpReply{200, {}, (encrypted ? "encrypted " : "plain ") + request.body};
  }
  void Connect(bool encrypt) {
    env_.network().Connect(address_, [&](Result<std::unique_ptr<io::Stream>> s) { client_.stream = *std::move(s); });
    env_.loop().RunUntil([&] { return client_.stream != nullptr; });
    if (encrypt) client_.stream = client_tls_->Wrap(env_.loop(), std::move(client_.stream));
    client_.Read();
  }
  sim::SimEnv env_;
  std::unique_ptr<io::TlsContext> server_tls_, client_tls_;
  std::unique_ptr<HttpServer> server_;
  io::Endpoint address_;
  HttpTestClient client_;
};

TEST_F(HttpsServer, ServesRequests) {
  Connect(true);
  const std::string body(500'000, 'x');
  client_.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n" + body);
  EXPECT_TRUE(env_.loop().RunUntil([&] { return client_.received.ends_with("\r\n\r\nencrypted " + body); }));
}

TEST_F(HttpsServer, ClosesConnectionsThatAreNoTls) {
  Connect(false);
  client_.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(env_.loop().RunUntil([&] { return client_.ended; }));
  EXPECT_EQ(client_.received.find("HTTP"), std::string::npos);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(HttpsServer, DropsAHandshakeThatDoesNotEnd) {
  Connect(false);
  client_.Send(std::string("\x16\x03\x01", 3));
  EXPECT_TRUE(env_.loop().RunUntil([&] { return client_.ended; }, std::chrono::seconds(21)));
  EXPECT_EQ(server_->connections(), 0u);
}

}  // namespace
}  // namespace lockstep::wbem
