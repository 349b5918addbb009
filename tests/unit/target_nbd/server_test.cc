// The server over a simulated network that delivers bytes in pieces of any size, with volumes that can be made to fail
// or stand still. The client here is written against the protocol document and knows nothing of the engines.
#include "target/nbd/server.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/codec.h"
#include "block/filters/delay_volume.h"
#include "block/filters/error_volume.h"
#include "sim/env.h"
#include "tests/support/memory_pool.h"

namespace lockstep::nbd {
namespace {

using block::kBlockSize;
using Op = block::Request::Op;

constexpr uint64_t kSize = 64 << 20;

struct Reply {
  uint32_t error = 0;
  uint16_t type = 0;  // of a structured chunk; 0 for a simple reply
  std::string data;
};

// Speaks the protocol over one stream. Calls wait for their answer on the simulated loop.
class Client {
 public:
  Client(sim::SimEnv& env, const io::Endpoint& at) : env_(env) {
    env.network().Connect(at, [this](Result<std::unique_ptr<io::Stream>> stream) {
      if (stream.ok()) stream_ = std::move(stream).value();
      Receive();
    });
    env.loop().RunUntil([this] { return stream_ != nullptr; });
  }

  void Send(std::string bytes) {
    outgoing_ += bytes;
    Pump();
  }
  // Exactly n bytes; fewer when the server closed the connection.
  std::string Take(size_t n) {
    env_.loop().RunUntil([&] { return incoming_.size() >= n || closed_; });
    std::string taken = incoming_.substr(0, n);
    incoming_.erase(0, taken.size());
    return taken;
  }
  bool Closed() {
    env_.loop().RunUntil([this] { return closed_; });
    return closed_;
  }
  bool closed() const { return closed_; }
  void Reset() { stream_.reset(); }
  void StopReading() { reading_ = false; }

  void Go(const std::string& name, bool structured) {
    structured_ = structured;
    Take(18);
    std::string out;
    Encoder(out).Big(3u);
    if (structured) Encoder(out).Big(kOptionMagic).Big(8u).Big(0u);
    if (structured) {
      Encoder(out).Big(kOptionMagic).Big(10u).Big(static_cast<uint32_t>(8 + name.size() + 4 + 15));
      Encoder(out).Big(static_cast<uint32_t>(name.size()));
      out += name;
      Encoder(out).Big(1u).Big(15u);
      out += "base:allocation";
    }
    Encoder(out).Big(kOptionMagic).Big(7u).Big(static_cast<uint32_t>(6 + name.size()));
    Encoder(out).Big(static_cast<uint32_t>(name.size()));
    out += name;
    Encoder(out).Big<uint16_t>(0);
    Send(out);
    const int acks = structured ? 3 : 1;
    for (int seen = 0; seen < acks && !closed_;) seen += OptionReply() == 1;
  }

  void Request(uint16_t command, uint64_t cookie, uint64_t offset, uint32_t length, uint16_t flags = 0) {
    std::string out;
    Encoder(out).Big(kRequestMagic).Big(flags).Big(command).Big(cookie).Big(offset).Big(length);
    reads_[cookie] = command == 0 ? length : 0;
    Send(out);
  }
  void Write(uint64_t cookie, uint64_t offset, const std::string& data, uint16_t flags = 0) {
    Request(1, cookie, offset, static_cast<uint32_t>(data.size()), flags);
    Send(data);
  }
  // The next reply, whichever it is.
  std::pair<uint64_t, Reply> Next() {
    Reply reply;
    const std::string head = Take(16);
    if (head.size() < 16) return {0, {999, 0, ""}};
    Decoder in(head);
    const uint32_t magic = in.Big<uint32_t>();
    if (magic == kSimpleReplyMagic) {
      reply.error = in.Big<uint32_t>();
      const uint64_t cookie = in.Big<uint64_t>();
      if (reply.error == 0) reply.data = Take(reads_[cookie]);
      return {cookie, reply};
    }
    EXPECT_EQ(magic, kStructuredReplyMagic);
    EXPECT_EQ(in.Big<uint16_t>(), kChunkDone);
    reply.type = in.Big<uint16_t>();
    const uint64_t cookie = in.Big<uint64_t>();
    const std::string length = Take(4);
    reply.data = Take(Decoder(length).Big<uint32_t>());
    if (reply.type == 0x8001) reply.error = Decoder(reply.data).Big<uint32_t>();
    if (reply.type == 1) reply.data.erase(0, 8);
    return {cookie, reply};
  }
  Reply Do(uint16_t command, uint64_t offset, uint32_t length, uint16_t flags = 0) {
    Request(command, 77, offset, length, flags);
    return Next().second;
  }
  Reply DoWrite(uint64_t offset, const std::string& data, uint16_t flags = 0) {
    Write(78, offset, data, flags);
    return Next().second;
  }

 private:
  uint32_t OptionReply() {
    const std::string head = Take(20);
    if (head.size() < 20) return 0;
    Decoder in(head);
    EXPECT_EQ(in.Big<uint64_t>(), kOptionReplyMagic);
    in.Big<uint32_t>();
    const uint32_t type = in.Big<uint32_t>();
    Take(in.Big<uint32_t>());
    return type;
  }
  void Receive() {
    if (stream_ == nullptr || !reading_) return;
    stream_->Read(buffer_, [this](Result<size_t> n) {
      if (!n.ok() || *n == 0) {
        closed_ = true;
        return;
      }
      incoming_.append(reinterpret_cast<const char*>(buffer_), *n);
      Receive();
    });
  }
  void Pump() {
    if (writing_ || outgoing_.empty() || stream_ == nullptr) return;
    writing_ = true;
    sending_ = std::exchange(outgoing_, {});
    piece_ = {reinterpret_cast<std::byte*>(sending_.data()), sending_.size()};
    stream_->Write({&piece_, 1}, [this](Status) {
      writing_ = false;
      Pump();
    });
  }

  sim::SimEnv& env_;
  std::unique_ptr<io::Stream> stream_;
  std::byte buffer_[65536];
  std::string incoming_, outgoing_, sending_;
  io::Buffer piece_{nullptr, 0};
  std::map<uint64_t, uint32_t> reads_;
  bool writing_ = false, closed_ = false, reading_ = true, structured_ = false;
};

class NbdServerTest : public testing::Test {
 protected:
  void SetUp() override {
    storage_->now.volumes[id_].size = kSize;
    errors_ = std::make_shared<block::ErrorVolume>(*pool_.OpenVolume(id_), env_.loop());
    delays_ = std::make_shared<block::DelayVolume>(errors_, env_.loop());
    exports_.Set({"vol", "a volume", delays_, false});
    exports_.Set({"frozen", "", delays_, true});
    Start({});
  }
  void TearDown() override {
    if (server_ == nullptr) return;
    delays_->Release();
    bool stopped = false;
    Spawn([](Server& server, bool& done) -> Task<void> {
      co_await server.Stop();
      done = true;
    }(*server_, stopped));
    EXPECT_TRUE(env_.loop().RunUntil([&stopped] { return stopped; }));
  }
  void Start(Limits limits) {
    server_ = std::make_unique<Server>(
        Server::World{env_.loop(), env_.network(), env_.log(), exports_}, limits);
    const auto at = server_->Listen(*io::Endpoint::Parse("tcp:127.0.0.1:0"));
    ASSERT_TRUE(at.ok()) << at.status().ToString();
    endpoint_ = *at;
  }
  std::unique_ptr<Client> Connect(const std::string& name = "vol", bool structured = true) {
    auto client = std::make_unique<Client>(env_, endpoint_);
    client->Go(name, structured);
    return client;
  }
  static std::string Pattern(size_t size, uint64_t seed) {
    sim::SimRandom random(seed);
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random.Next64() | 1);
    return bytes;
  }

  static constexpr uint64_t kSeed = 7;
  sim::SimEnv env_{kSeed};
  block::VolumeId id_{{{1}}};
  std::shared_ptr<test::MemoryStorage> storage_ = std::make_shared<test::MemoryStorage>();
  test::MemoryPool pool_{storage_, env_.loop()};
  std::shared_ptr<block::ErrorVolume> errors_;
  std::shared_ptr<block::DelayVolume> delays_;
  ExportMap exports_;
  std::unique_ptr<Server> server_;
  io::Endpoint endpoint_;
};

TEST_F(NbdServerTest, ReadsWhatWasWrittenInAnySizeAndPlace) {
  for (const bool structured : {false, true}) {
    const auto client = Connect("vol", structured);
    for (const size_t size : {1ul, 511ul, 4096ul, 4097ul, 32768ul, 40960ul, 131072ul, 1000001ul, 32ul << 20}) {
      for (const uint64_t offset : {0ul, 4096ul, 12345ul}) {
        const std::string data = Pattern(size, size + offset);
        ASSERT_EQ(client->DoWrite(offset, data).error, 0u) << size << " at " << offset;
        const Reply read = client->Do(0, offset, static_cast<uint32_t>(size));
        ASSERT_EQ(read.error, 0u);
        ASSERT_TRUE(read.data == data) << size << " at " << offset;
      }
    }
    client->Request(2, 0, 0, 0);
    EXPECT_TRUE(client->Closed());
  }
}

TEST_F(NbdServerTest, AnswersManyRequestsInFlight) {
  const auto client = Connect();
  constexpr uint64_t kCount = 2000;
  for (uint64_t i = 0; i < kCount; ++i) client->Write(i, i * kBlockSize, Pattern(kBlockSize, i));
  std::set<uint64_t> answered;
  for (uint64_t i = 0; i < kCount; ++i) {
    const auto [cookie, reply] = client->Next();
    ASSERT_EQ(reply.error, 0u);
    ASSERT_TRUE(answered.insert(cookie).second) << "answered twice: " << cookie;
  }
  for (uint64_t i = 0; i < kCount; ++i) client->Request(0, i, i * kBlockSize, kBlockSize);
  for (uint64_t i = 0; i < kCount; ++i) {
    const auto [cookie, reply] = client->Next();
    ASSERT_TRUE(reply.data == Pattern(kBlockSize, cookie)) << cookie;
  }
}

TEST_F(NbdServerTest, ZeroesComeAsAHoleWhenTheClientUnderstandsThem) {
  EXPECT_EQ(Connect("vol", true)->Do(0, 0, 8192).type, 2);
  EXPECT_EQ(Connect("vol", false)->Do(0, 0, 8192).data, std::string(8192, '\0'));
}

TEST_F(NbdServerTest, TrimAndWriteZeroesClear) {
  const auto client = Connect("vol", false);
  ASSERT_EQ(client->DoWrite(0, Pattern(5 * kBlockSize, 1)).error, 0u);
  ASSERT_EQ(client->Do(4, kBlockSize, kBlockSize).error, 0u);
  ASSERT_EQ(client->Do(6, 3 * kBlockSize + 10, 100, kCommandNoHole | kCommandFastZero).error, 0u);
  std::string expected = Pattern(5 * kBlockSize, 1);
  std::fill_n(expected.begin() + kBlockSize, kBlockSize, '\0');
  std::fill_n(expected.begin() + 3 * kBlockSize + 10, 100, '\0');
  EXPECT_TRUE(client->Do(0, 0, 5 * kBlockSize).data == expected);
  EXPECT_EQ(client->Do(4, 0, kSize).error, 0u);
  EXPECT_EQ(client->Do(0, 0, 5 * kBlockSize).data, std::string(5 * kBlockSize, '\0'));
}

TEST_F(NbdServerTest, BlockStatusTellsDataFromHoles) {
  const auto client = Connect();
  ASSERT_EQ(client->DoWrite(kBlockSize, Pattern(kBlockSize, 1)).error, 0u);
  std::string expected;
  Encoder(expected).Big(1u).Big(4096u).Big(3u).Big(4096u).Big(0u).Big(8192u).Big(3u);
  EXPECT_EQ(client->Do(7, 0, 4 * kBlockSize).data, expected);
  EXPECT_EQ(client->Do(7, 0, 4 * kBlockSize, kCommandReqOne).data, expected.substr(0, 12));
  EXPECT_EQ(Connect("vol", false)->Do(7, 0, 4096).error, 22u);
}

TEST_F(NbdServerTest, RefusedWritesLeaveTheStreamInStep) {
  const auto client = Connect();
  EXPECT_EQ(client->DoWrite(kSize, Pattern(100000, 1)).error, 28u);
  EXPECT_EQ(client->DoWrite(kSize - 1, "xy").error, 28u);
  EXPECT_EQ(client->Do(0, kSize, 1).error, 22u);
  EXPECT_EQ(client->DoWrite(0, Pattern((32 << 20) + 1, 1)).error, 22u);
  EXPECT_EQ(client->Do(99, 0, 1).error, 22u);
  EXPECT_EQ(client->DoWrite(0, "hello").error, 0u);
  EXPECT_EQ(client->Do(0, 0, 5).data, "hello");
}

TEST_F(NbdServerTest, AReadOnlyExportIsReadOnly) {
  const auto client = Connect("frozen");
  EXPECT_EQ(client->DoWrite(0, Pattern(kBlockSize, 1)).error, 1u);
  EXPECT_EQ(client->Do(4, 0, kBlockSize).error, 1u);
  EXPECT_EQ(client->Do(3, 0, 0).error, 0u);
  EXPECT_EQ(client->Do(0, 0, kBlockSize).type, 2);
}

TEST_F(NbdServerTest, ErrorsOfTheVolumeReachTheClientAndNothingElseStops) {
  const auto client = Connect();
  for (const auto& [status, error] : {std::pair{NoSpace("full"), 28u}, {Corrupted("bad block"), 5u},
                                      {IoError("disk"), 5u}, {NotFound("deleted"), 5u}}) {
    block::ErrorVolume::Fault fault;
    fault.count = 2;
    fault.status = status;
    errors_->Add(fault);
    EXPECT_EQ(client->DoWrite(0, Pattern(kBlockSize, 1)).error, error);
    EXPECT_EQ(client->Do(0, 0, kBlockSize).error, error);
    EXPECT_EQ(client->DoWrite(0, Pattern(kBlockSize, 2)).error, 0u);
  }
}

TEST_F(NbdServerTest, TwoConnectionsSeeEachOthersWrites) {
  const auto one = Connect(), other = Connect();
  EXPECT_EQ(server_->Connections("vol"), 2u);
  EXPECT_EQ(server_->Peers("vol").size(), 2u);
  EXPECT_EQ(server_->Connections("frozen"), 0u);
  ASSERT_EQ(one->DoWrite(100, "from one").error, 0u);
  EXPECT_EQ(other->Do(0, 100, 8).data, "from one");
  // Parts of one block from both at once: neither undoes the other.
  one->Write(1, 0, std::string(50, 'a'));
  other->Write(1, 50, std::string(50, 'b'));
  EXPECT_EQ(one->Next().second.error, 0u);
  EXPECT_EQ(other->Next().second.error, 0u);
  EXPECT_EQ(one->Do(0, 0, 100).data, std::string(50, 'a') + std::string(50, 'b'));
}

TEST_F(NbdServerTest, GoodbyeAnswersWhatIsInFlightAndCloses) {
  const auto client = Connect();
  client->Write(1, 0, Pattern(kBlockSize, 1));
  client->Request(2, 0, 0, 0);
  EXPECT_EQ(client->Next().first, 1u);
  EXPECT_TRUE(client->Closed());
  env_.loop().RunUntilIdle();
  EXPECT_EQ(server_->Connections("vol"), 0u);
}

TEST_F(NbdServerTest, DisconnectWaitsForWhatTheVolumeHas) {
  const auto client = Connect();
  const auto bystander = Connect("frozen");
  delays_->Hold({Op::kWrite});
  client->Write(1, 0, Pattern(kBlockSize, 1));
  ASSERT_TRUE(env_.loop().RunUntil([this] { return delays_->held() == 1; }));
  bool done = false;
  Spawn([](Server& server, bool& finished) -> Task<void> {
    co_await server.Disconnect("vol");
    finished = true;
  }(*server_, done));
  env_.loop().RunFor(std::chrono::minutes(1));
  EXPECT_FALSE(done);
  EXPECT_EQ(server_->Connections("vol"), 1u);
  delays_->Release();
  ASSERT_TRUE(env_.loop().RunUntil([&done] { return done; }));
  EXPECT_EQ(server_->Connections("vol"), 0u);
  EXPECT_TRUE(client->Closed());
  EXPECT_EQ(bystander->Do(3, 0, 0).error, 0u);
}

TEST_F(NbdServerTest, AClientThatVanishesLeavesNothingBehind) {
  auto client = Connect();
  delays_->Hold(block::OpSet::All());
  client->Write(1, 0, Pattern(kBlockSize, 1));
  client->Request(0, 2, 0, 1 << 20);
  client->Request(1, 3, 0, 1 << 20);  // its payload never comes
  client->Send(std::string(1000, 'x'));
  ASSERT_TRUE(env_.loop().RunUntil([this] { return delays_->held() == 2; }));
  client.reset();
  env_.loop().RunFor(std::chrono::minutes(1));
  EXPECT_EQ(server_->Connections("vol"), 1u);
  delays_->Release();
  env_.loop().RunUntilIdle();
  EXPECT_EQ(server_->Connections("vol"), 0u);
}

TEST_F(NbdServerTest, ACutNetworkEndsEveryConnection) {
  const auto one = Connect(), other = Connect();
  one->Write(1, 0, Pattern(1 << 20, 1));
  env_.network().CutAll();
  env_.loop().RunUntilIdle();
  EXPECT_EQ(server_->Connections("vol"), 0u);
}

TEST_F(NbdServerTest, AHandshakeThatTakesTooLongIsEnded) {
  Client client(env_, endpoint_);
  client.Take(18);
  client.Send(std::string("\0\0\0\3IHAVEO", 10));
  env_.loop().RunFor(std::chrono::seconds(29));
  EXPECT_FALSE(client.closed());
  env_.loop().RunFor(std::chrono::seconds(2));
  EXPECT_TRUE(client.closed());
}

TEST_F(NbdServerTest, AnIdleConnectionStays) {
  const auto client = Connect();
  env_.loop().RunFor(std::chrono::hours(24));
  EXPECT_EQ(client->Do(3, 0, 0).error, 0u);
}

TEST_F(NbdServerTest, MoreRequestsThanAllowedStayInTheSocket) {
  TearDown();
  Limits limits;
  limits.requests_in_flight = 8;
  Start(limits);
  const auto client = Connect();
  delays_->Hold({Op::kRead});
  for (uint64_t i = 0; i < 100; ++i) client->Request(0, i, i * kBlockSize, kBlockSize);
  env_.loop().RunFor(std::chrono::seconds(1));
  EXPECT_EQ(delays_->held(), 8u);
  delays_->Release();
  std::set<uint64_t> answered;
  for (uint64_t i = 0; i < 100; ++i) answered.insert(client->Next().first);
  EXPECT_EQ(answered.size(), 100u);
}

TEST_F(NbdServerTest, AClientThatReadsNoRepliesIsNotServedEndlessly) {
  TearDown();
  Limits limits;
  limits.bytes_in_flight = 1 << 20;
  Start(limits);
  const auto client = Connect("vol", false);
  client->StopReading();
  for (uint64_t i = 0; i < 1000; ++i) client->Request(0, i, 0, 1 << 20);
  env_.loop().RunFor(std::chrono::seconds(1));
  bool stopped = false;
  Spawn([](Server& server, bool& done) -> Task<void> {
    co_await server.Stop();
    done = true;
  }(*server_, stopped));
  // Its replies cannot be sent; it is given the drain timeout and no more.
  env_.loop().RunFor(std::chrono::seconds(6));
  EXPECT_TRUE(stopped);
}

TEST_F(NbdServerTest, NonsenseEndsTheConnectionAndNoOther) {
  const auto good = Connect(), bad = Connect();
  bad->Send(std::string(28, 'x'));
  EXPECT_TRUE(bad->Closed());
  EXPECT_EQ(good->Do(3, 0, 0).error, 0u);
  Client worse(env_, endpoint_);
  worse.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(worse.Closed());
}

TEST_F(NbdServerTest, StopsListeningAndEndsAllWhenStopped) {
  const auto client = Connect();
  TearDown();
  EXPECT_TRUE(client->Closed());
  bool refused = false;
  env_.network().Connect(endpoint_, [&refused](auto stream) { refused = !stream.ok(); });
  env_.loop().RunUntilIdle();
  EXPECT_TRUE(refused);
}

TEST_F(NbdServerTest, MayBeDestroyedAtOnceInACrash) {
  const auto client = Connect();
  delays_->Hold({Op::kWrite});
  client->Write(1, 0, Pattern(kBlockSize, 1));
  ASSERT_TRUE(env_.loop().RunUntil([this] { return delays_->held() == 1; }));
  server_.reset();
  EXPECT_TRUE(client->Closed());
}

}  // namespace
}  // namespace lockstep::nbd
