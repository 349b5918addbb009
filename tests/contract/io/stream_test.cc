// The contract of io/net.h, on every implementation: large transfers in pieces, half close, peers that go away.
#include <cstring>
#include <numeric>
#include <vector>

#include "sim/random.h"
#include "tests/contract/io/backends.h"

namespace lockstep::contract {
namespace {

using io::Endpoint;

std::vector<std::byte> Noise(size_t size) {
  sim::SimRandom random(size);
  std::vector<std::byte> bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random.Next64());
  return bytes;
}

// Reads a stream to its end, or to an error.
class Reader {
 public:
  void Start(io::Stream& stream, size_t piece) {
    stream_ = &stream;
    piece_.resize(piece);
    Next();
  }
  std::vector<std::byte> got;
  bool ended = false;
  Status error;

 private:
  void Next() {
    calling_ = true;
    stream_->Read(piece_, [this](Result<size_t> n) {
      EXPECT_FALSE(calling_) << "called back inside Read";
      ended = !n.ok() || *n == 0;
      error = n.status();
      if (ended) return;
      got.insert(got.end(), piece_.begin(), piece_.begin() + static_cast<ptrdiff_t>(*n));
      Next();
    });
    calling_ = false;
  }
  io::Stream* stream_ = nullptr;
  std::vector<std::byte> piece_;
  bool calling_ = false;
};

class StreamContract : public ContractTest {
 protected:
  io::Network& network() { return env().data_network(); }

  void TearDown() override {
    if (world_ == nullptr) return;
    OnLoop([&] {
      client_.reset();
      server_.reset();
      listener_.reset();
    });
  }
  // Connects client_ and server_ through `at`.
  void Join(const Endpoint& at) {
    OnLoop([&] {
      auto listener = network().Listen(at, [&](std::unique_ptr<io::Stream> s) { server_ = std::move(s); });
      ASSERT_TRUE(listener.ok()) << listener.status().ToString();
      listener_ = std::move(*listener);
      network().Connect(listener_->endpoint(), [&](Result<std::unique_ptr<io::Stream>> s) {
        ASSERT_TRUE(s.ok()) << s.status().ToString();
        client_ = std::move(*s);
      });
      EXPECT_EQ(client_, nullptr) << "called back inside Connect";
    });
    ASSERT_TRUE(WaitFor([&] { return client_ != nullptr && server_ != nullptr; }));
  }
  static Endpoint Tcp() { return {Endpoint::Kind::kTcp, "127.0.0.1", 0}; }
  Endpoint Unix() { return {Endpoint::Kind::kUnix, Path("s"), 0}; }

  // Sends `bytes` in buffers of `piece` and shuts down.
  void Send(io::Stream& stream, std::vector<std::byte>& bytes, size_t piece) {
    out_.clear();
    for (size_t at = 0; at < bytes.size(); at += piece)
      out_.push_back({bytes.data() + at, std::min(piece, bytes.size() - at)});
    stream.Write(out_, [&, this](Status status) {
      write_status_ = status;
      wrote_ = true;
      stream.ShutdownWrite();
    });
    EXPECT_FALSE(wrote_) << "called back inside Write";
  }
  Code ConnectCode(const Endpoint& to) {
    bool done = false;
    Code code = Code::kOk;
    OnLoop([&] {
      network().Connect(to, [&](Result<std::unique_ptr<io::Stream>> s) {
        code = s.status().code();
        done = true;
      });
    });
    EXPECT_TRUE(WaitFor([&] { return done; }));
    return code;
  }

  std::unique_ptr<io::Listener> listener_;
  std::unique_ptr<io::Stream> client_, server_;
  std::vector<io::Buffer> out_;
  bool wrote_ = false;
  Status write_status_;
};

TEST_P(StreamContract, CarriesALargeTransferInPiecesToTheEnd) {
  for (const Endpoint& at : {Tcp(), Unix()}) {
    SCOPED_TRACE(at.ToString());
    Join(at);
    std::vector<std::byte> bytes = Noise(9'000'001);
    Reader reader;
    wrote_ = false;
    OnLoop([&] {
      reader.Start(*server_, 100'000);
      Send(*client_, bytes, 3001);  // 2,999 buffers: more than one system call takes
    });
    ASSERT_TRUE(WaitFor([&] { return reader.ended && wrote_; }));
    EXPECT_TRUE(write_status_.ok() && reader.error.ok());
    EXPECT_TRUE(reader.got == bytes);
    OnLoop([&] {
      client_.reset();
      server_.reset();
      listener_.reset();
    });
  }
}

TEST_P(StreamContract, HoldsTheWriterBackUntilTheReaderReads) {
  Join(Tcp());
  std::vector<std::byte> bytes = Noise(32'000'000);
  Reader reader;
  bool echoed = false;
  std::byte ping{1}, pong{};
  const io::Buffer ping_buffer{&ping, 1};
  OnLoop([&] {
    Send(*client_, bytes, bytes.size());
    // A byte in the other direction shows that the loop has been round the network meanwhile.
    server_->Write({&ping_buffer, 1}, [](Status) {});
    client_->Read({&pong, 1}, [&](Result<size_t> n) { echoed = n.ok() && *n == 1; });
  });
  ASSERT_TRUE(WaitFor([&] { return echoed; }));
  EXPECT_FALSE(wrote_);
  OnLoop([&] { reader.Start(*server_, 1'000'000); });
  ASSERT_TRUE(WaitFor([&] { return reader.ended && wrote_; }));
  EXPECT_TRUE(reader.got == bytes);
}

TEST_P(StreamContract, AnswersAfterThePeerHasSentItsLast) {
  Join(Unix());
  std::vector<std::byte> question = Noise(10), answer = Noise(20);
  Reader at_server, at_client;
  OnLoop([&] {
    at_server.Start(*server_, 100);
    at_client.Start(*client_, 100);
    Send(*client_, question, 3);
  });
  ASSERT_TRUE(WaitFor([&] { return at_server.ended; }));
  EXPECT_TRUE(at_server.got == question);
  EXPECT_FALSE(at_client.ended);
  OnLoop([&] { wrote_ = false, Send(*server_, answer, 7); });
  ASSERT_TRUE(WaitFor([&] { return at_client.ended; }));
  EXPECT_TRUE(at_client.got == answer && at_client.error.ok());
}

TEST_P(StreamContract, SaysSoWhenThePeerHasGone) {
  Join(Tcp());
  Reader reader;
  bool failed = false;
  std::vector<std::byte> bytes = Noise(100'000);
  const io::Buffer buffer{bytes.data(), bytes.size()};
  std::function<void(Status)> again = [&](Status status) {
    failed = !status.ok();
    if (!failed) client_->Write({&buffer, 1}, [&](Status s) { again(s); });
  };
  OnLoop([&] {
    reader.Start(*client_, 100);
    server_.reset();
  });
  ASSERT_TRUE(WaitFor([&] { return reader.ended; }));
  OnLoop([&] { again({}); });
  EXPECT_TRUE(WaitFor([&] { return failed; }));
}

TEST_P(StreamContract, DropsCallbacksOfAStreamThatIsDestroyed) {
  Join(Tcp());
  std::byte byte;
  bool called = false, done = false;
  OnLoop([&] {
    client_->Read({&byte, 1}, [&](Result<size_t>) { called = true; });
    const io::Buffer buffer{&byte, 1};
    server_->Write({&buffer, 1}, [&](Status) { called = true; });
    client_.reset();
    server_.reset();
    env().data_loop().After(std::chrono::milliseconds(5), [&] { done = true; });
  });
  ASSERT_TRUE(WaitFor([&] { return done; }));
  EXPECT_FALSE(called);
}

TEST_P(StreamContract, LetsACallbackDestroyItsStream) {
  Join(Tcp());
  std::byte byte{7}, got{};
  const io::Buffer buffer{&byte, 1};
  OnLoop([&] {
    client_->Read({&got, 1}, [&](Result<size_t>) { client_.reset(); });
    server_->Write({&buffer, 1}, [&](Status) { server_.reset(); });
  });
  ASSERT_TRUE(WaitFor([&] { return client_ == nullptr && server_ == nullptr; }));
  EXPECT_EQ(got, byte);
}

TEST_P(StreamContract, ListensOnAnAddressOnce) {
  Join(Tcp());
  EXPECT_NE(listener_->endpoint().port, 0);
  EXPECT_FALSE(client_->peer().empty() || server_->peer().empty());
  const Endpoint taken = listener_->endpoint();
  OnLoop([&] {
    EXPECT_EQ(network().Listen(taken, [](std::unique_ptr<io::Stream>) {}).status().code(), Code::kInUse);
    listener_.reset();
    EXPECT_TRUE(network().Listen(taken, [](std::unique_ptr<io::Stream>) {}).ok());
  });
  EXPECT_EQ(ConnectCode(taken), Code::kUnavailable);
}

TEST_P(StreamContract, ListensOnAUnixSocketOnceAndLeavesNoFile) {
  EXPECT_EQ(ConnectCode(Unix()), Code::kUnavailable);
  Join(Unix());
  OnLoop([&] {
    EXPECT_EQ(network().Listen(Unix(), [](std::unique_ptr<io::Stream>) {}).status().code(), Code::kInUse);
    listener_.reset();
    listener_ = std::move(network().Listen(Unix(), [](std::unique_ptr<io::Stream>) {})).value();
    listener_.reset();
  });
  EXPECT_EQ(env().files().Stat(Path("s")).status().code(), Code::kNotFound);
}

LS_CONTRACT_ON_BOTH(StreamContract);

}  // namespace
}  // namespace lockstep::contract
