// TLS streams over the simulated network: whatever the network does to the bytes, what arrives is what was sent, or an
// error.
#include <gtest/gtest.h>

#include <array>

#include "io/tls/tls.h"
#include "sim/env.h"

namespace lockstep::io {
namespace {

constexpr WallTime kNow{1'790'000'000'000'000};

KeyPair MakeIdentity(const std::string& name) {
  auto made = MakeSelfSigned({name, "127.0.0.1"}, kNow);
  EXPECT_TRUE(made.ok()) << made.status().message();
  return *std::move(made);
}

// One end of a connection that reads all the time.
struct End {
  std::unique_ptr<Stream> stream;
  std::array<std::byte, 1000> buffer;
  std::string received, sending;
  std::array<Buffer, 2> out{};
  Status read_status, write_status;
  bool ended = false, wrote = false;

  void Read() {
    stream->Read(buffer, [this](Result<size_t> n) {
      if (!n.ok()) read_status = n.status();
      if (!n.ok() || *n == 0) {
        ended = true;
        return;
      }
      received.append(reinterpret_cast<const char*>(buffer.data()), *n);
      Read();
    });
  }
  void Send(std::string text) {
    sending = std::move(text);
    wrote = false;
    const size_t half = sending.size() / 2;
    out = {Buffer{reinterpret_cast<std::byte*>(sending.data()), half},
           Buffer{reinterpret_cast<std::byte*>(sending.data()) + half, sending.size() - half}};
    stream->Write(out, [this](Status status) {
      wrote = true;
      write_status = std::move(status);
    });
  }
};

class Tls : public testing::Test {
 protected:
  Tls() : env_(7), identity_(MakeIdentity("server.test")) {}

  void MakeServer(const std::string& client_authorities = "") {
    auto made = TlsContext::ForServer({identity_, client_authorities});
    ASSERT_TRUE(made.ok()) << made.status().message();
    server_context_ = *std::move(made);
  }
  std::unique_ptr<TlsContext> Client(TlsClientOptions options) {
    auto made = TlsContext::ForClient(options);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return *std::move(made);
  }
  // A connection of which the server's end is encrypted; the client's is as it is.
  void Connect() {
    auto listening = env_.network().Listen(*Endpoint::Parse("tcp:127.0.0.1:0"), [this](std::unique_ptr<Stream> s) {
      auto wrapped = server_context_->Wrap(env_.loop(), std::move(s));
      server_tls_ = wrapped.get();
      server_.stream = std::move(wrapped);
    });
    ASSERT_TRUE(listening.ok());
    listener_ = *std::move(listening);
    env_.network().Connect(listener_->endpoint(),
                           [this](Result<std::unique_ptr<Stream>> s) { client_.stream = *std::move(s); });
    ASSERT_TRUE(env_.loop().RunUntil([this] { return client_.stream && server_.stream; }));
    server_.Read();
  }
  void Encrypt(const TlsContext& context) {
    auto wrapped = context.Wrap(env_.loop(), std::move(client_.stream));
    client_tls_ = wrapped.get();
    client_.stream = std::move(wrapped);
    client_.Read();
  }
  bool Until(const std::function<bool()>& condition) {
    return env_.loop().RunUntil(condition, std::chrono::seconds(60));
  }

  sim::SimEnv env_;
  KeyPair identity_;
  std::unique_ptr<TlsContext> server_context_;
  std::unique_ptr<Listener> listener_;
  End client_, server_;
  TlsStream* client_tls_ = nullptr;
  TlsStream* server_tls_ = nullptr;
};

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 31 + i / 997) % 26);
  return text;
}

TEST_F(Tls, WhatIsSentArrivesInBothDirections) {
  MakeServer();
  Connect();
  const auto context = Client({identity_.certificate, "server.test", {}});
  Encrypt(*context);
  const std::string large = Pattern(3'000'000);
  client_.Send(large);
  ASSERT_TRUE(Until([&] { return server_.received.size() == large.size(); })) << server_.read_status.ToString();
  EXPECT_EQ(server_.received, large);
  EXPECT_TRUE(client_.wrote && client_.write_status.ok());
  server_.Send("thanks");
  client_.Send("and on");
  ASSERT_TRUE(Until([&] { return client_.received == "thanks" && server_.received.ends_with("and on"); }));
  EXPECT_TRUE(server_tls_->established() && client_tls_->established());
  EXPECT_EQ(server_tls_->protocol(), "TLSv1.3");
  EXPECT_EQ(server_tls_->peer_name(), "");
}

TEST_F(Tls, AFarewellIsAnEndAndALostConnectionIsNone) {
  MakeServer();
  Connect();
  const auto context = Client({});
  Encrypt(*context);
  client_.Send("hello");
  ASSERT_TRUE(Until([&] { return server_.received == "hello" && client_.wrote; }));
  client_.stream->ShutdownWrite();
  ASSERT_TRUE(Until([&] { return server_.ended; }));
  EXPECT_TRUE(server_.read_status.ok()) << server_.read_status.ToString();
  server_.Send("still here");
  ASSERT_TRUE(Until([&] { return client_.received == "still here"; }));
  server_.stream.reset();
  ASSERT_TRUE(Until([&] { return client_.ended; }));
  EXPECT_EQ(client_.read_status.code(), Code::kUnavailable) << client_.read_status.ToString();
}

TEST_F(Tls, WhatIsNoTlsIsAnError) {
  for (const std::string& sent : {std::string("POST /cimom HTTP/1.1\r\nHost: h\r\n\r\n"), std::string(200, '\0'),
                                  Pattern(70'000), std::string("\x16\x03\x01\x40\x00", 5) + std::string(20'000, 'x')}) {
    server_ = End();
    client_ = End();
    MakeServer();
    Connect();
    client_.Read();
    client_.Send(sent);
    ASSERT_TRUE(Until([&] { return server_.ended; }));
    EXPECT_EQ(server_.read_status.code(), Code::kProtocol) << server_.read_status.ToString();
    EXPECT_FALSE(server_tls_->established());
    EXPECT_EQ(server_.received, "");
    server_.stream.reset();
    client_.stream.reset();
    listener_.reset();
  }
}

TEST_F(Tls, AHalfHandshakeWaitsAndItsEndIsAnError) {
  MakeServer();
  Connect();
  client_.Send(std::string("\x16\x03\x01", 3));  // the beginning of a record
  env_.loop().RunFor(std::chrono::seconds(100));
  EXPECT_FALSE(server_.ended);
  client_.stream.reset();
  ASSERT_TRUE(Until([&] { return server_.ended; }));
  EXPECT_EQ(server_.read_status.code(), Code::kUnavailable) << server_.read_status.ToString();
}

// Lets through what it is given, but for one byte.
class Changing final : public Stream {
 public:
  Changing(std::unique_ptr<Stream> inner, size_t at) : inner_(std::move(inner)), at_(at) {}
  void Read(std::span<std::byte> to, ReadDone done) override { inner_->Read(to, std::move(done)); }
  void Write(std::span<const Buffer> from, WriteDone done) override {
    for (const Buffer& piece : from) {
      if (at_ >= written_ && at_ < written_ + piece.size) piece.data[at_ - written_] ^= std::byte{1};
      written_ += piece.size;
    }
    inner_->Write(from, std::move(done));
  }
  void ShutdownWrite() override { inner_->ShutdownWrite(); }
  std::string peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<Stream> inner_;
  const size_t at_;
  size_t written_ = 0;
};

// Wherever a byte of the client's is changed, nothing wrong arrives: the handshake fails, or the record does, or (a
// length was changed) both wait for what never comes.
TEST_F(Tls, AChangedByteNeverArrives) {
  const std::string text = Pattern(2000);
  size_t refused = 0;
  for (size_t at = 0; at < 2500; at += 13) {
    server_ = End();
    client_ = End();
    MakeServer();
    Connect();
    client_.stream = std::make_unique<Changing>(std::move(client_.stream), at);
    const auto context = Client({});
    Encrypt(*context);
    client_.Send(text);
    Until([&] { return server_.ended || client_.ended || server_.received.size() == text.size(); });
    EXPECT_TRUE(text.starts_with(server_.received)) << at;
    refused += server_.received != text;
    client_.stream.reset();
    server_.stream.reset();
    listener_.reset();
  }
  EXPECT_GT(refused, 150u);
}

TEST_F(Tls, TheClientRefusesACertificateOfAnotherNameOrAuthority) {
  for (const TlsClientOptions& options :
       {TlsClientOptions{identity_.certificate, "other.test", {}},
        TlsClientOptions{MakeIdentity("server.test").certificate, "server.test", {}},
        TlsClientOptions{identity_.certificate, "192.0.2.1", {}}}) {
    server_ = End();
    client_ = End();
    MakeServer();
    Connect();
    const auto context = Client(options);
    Encrypt(*context);
    client_.Send("secret");
    ASSERT_TRUE(Until([&] { return client_.ended && server_.ended; }));
    EXPECT_EQ(client_.read_status.code(), Code::kProtocol);
    EXPECT_EQ(server_.received, "");
    client_.stream.reset();
    server_.stream.reset();
    listener_.reset();
  }
}

TEST_F(Tls, AClientIsKnownByAVerifiedCertificateOnly) {
  const KeyPair anna = MakeIdentity("anna"), stranger = MakeIdentity("anna");
  struct Case {
    KeyPair shown;
    std::string name;
    bool served;
  };
  for (const Case& one : {Case{anna, "anna", true}, Case{{}, "", true}, Case{stranger, "", false}}) {
    server_ = End();
    client_ = End();
    MakeServer(anna.certificate);
    Connect();
    const auto context = Client({{}, {}, one.shown});
    Encrypt(*context);
    client_.Send("who am I");
    ASSERT_TRUE(Until([&] { return server_.ended || server_.received == "who am I"; }));
    EXPECT_EQ(server_.received == "who am I", one.served);
    if (one.served) {
      EXPECT_EQ(server_tls_->peer_name(), one.name);
    }
    client_.stream.reset();
    server_.stream.reset();
    listener_.reset();
  }
}

TEST_F(Tls, AContextThatBecomesAnotherLeavesItsConnectionsAsTheyAre) {
  MakeServer();
  Connect();
  const auto first = Client({});
  Encrypt(*first);
  client_.Send("before");
  ASSERT_TRUE(Until([&] { return server_.received == "before"; }));
  const KeyPair renewed = MakeIdentity("renewed");
  server_context_->Become(*TlsContext::ForServer({renewed, ""}));
  client_.Send(", and after");
  ASSERT_TRUE(Until([&] { return server_.received == "before, and after"; }));
  client_.stream.reset();
  server_.stream.reset();
  listener_.reset();
  Connect();
  const auto second = Client({renewed.certificate, "renewed", {}});
  Encrypt(*second);
  client_.Send("hello");
  EXPECT_TRUE(Until([&] { return server_.received.ends_with("hello"); }));
}

TEST(TlsContext, RefusesWhatIsNoIdentity) {
  const KeyPair one = MakeIdentity("one"), other = MakeIdentity("other");
  EXPECT_FALSE(TlsContext::ForServer({{one.certificate, other.key}, ""}).ok());
  EXPECT_FALSE(TlsContext::ForServer({{one.key, one.key}, ""}).ok());
  EXPECT_FALSE(TlsContext::ForServer({{"", ""}, ""}).ok());
  EXPECT_FALSE(TlsContext::ForServer({one, "no certificate"}).ok());
  EXPECT_TRUE(TlsContext::ForServer({one, other.certificate}).ok());
}

TEST(Certificate, HasAFingerprintOfItsOwn) {
  const auto one = Fingerprint(MakeIdentity("one").certificate), other = Fingerprint(MakeIdentity("one").certificate);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ(one->size(), 32u * 3 - 1);
  EXPECT_NE(*one, *other);
  EXPECT_FALSE(Fingerprint("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").ok());
}

}  // namespace
}  // namespace lockstep::io
