// The handshake engine, byte by byte against the protocol document. Big-endian bytes are written out with Encoder.
#include "target/nbd/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::nbd {
namespace {

using State = Handshake::State;

class Directory final : public ExportDirectory {
 public:
  std::optional<ExportInfo> Describe(std::string_view name) override {
    for (const ExportInfo& info : all)
      if (info.name == name || (name.empty() && &info == &all.front())) return info;
    return std::nullopt;
  }
  std::vector<ExportInfo> List() override { return all; }
  std::vector<ExportInfo> all = {{"alpha", "the first", 1 << 20, false}, {"beta", "", 4096, true}};
};

std::string Header(Option option, size_t length) {
  std::string bytes;
  Encoder(bytes).Big(kOptionMagic).Big(static_cast<uint32_t>(option)).Big(static_cast<uint32_t>(length));
  return bytes;
}
std::string Message(Option option, const std::string& data = {}) { return Header(option, data.size()) + data; }

std::string GoData(const std::string& name, const std::vector<Info>& wanted = {}) {
  std::string data;
  Encoder(data).Big(static_cast<uint32_t>(name.size()));
  data += name;
  Encoder(data).Big(static_cast<uint16_t>(wanted.size()));
  for (const Info info : wanted) Encoder(data).Big(static_cast<uint16_t>(info));
  return data;
}

std::string MetaData(const std::string& name, const std::vector<std::string>& queries) {
  std::string data;
  Encoder(data).Big(static_cast<uint32_t>(name.size()));
  data += name;
  Encoder(data).Big(static_cast<uint32_t>(queries.size()));
  for (const std::string& q : queries) {
    Encoder(data).Big(static_cast<uint32_t>(q.size()));
    data += q;
  }
  return data;
}

std::string ReplyBytes(Option option, OptionReply type, const std::string& data = {}) {
  std::string bytes;
  Encoder(bytes).Big(kOptionReplyMagic).Big(static_cast<uint32_t>(option)).Big(static_cast<uint32_t>(type));
  Encoder(bytes).Big(static_cast<uint32_t>(data.size()));
  return bytes + data;
}

// The reply's type of the first reply in `bytes`.
OptionReply TypeOf(const std::string& bytes) {
  Decoder in(bytes);
  in.Big<uint64_t>();
  in.Big<uint32_t>();
  return static_cast<OptionReply>(in.Big<uint32_t>());
}

class HandshakeTest : public testing::Test {
 protected:
  // Feeds all of it, as the server does; answers what came out.
  std::string Send(const std::string& bytes) {
    pending_ += bytes;
    std::string out = std::exchange(handshake_.output(), {});
    while (handshake_.state() == State::kNegotiating) {
      const size_t n = handshake_.Feed(std::as_bytes(std::span(pending_.data(), pending_.size())));
      out += std::exchange(handshake_.output(), {});
      pending_.erase(0, n);
      if (n == 0) break;
    }
    return out;
  }
  void Greet(uint32_t flags = kFlagFixedNewstyle | kFlagNoZeroes) {
    std::string bytes;
    Encoder(bytes).Big(flags);
    Send(bytes);
  }
  void GreetStructured() {
    Greet();
    ASSERT_EQ(Send(Message(Option::kStructuredReply)), ReplyBytes(Option::kStructuredReply, OptionReply::kAck));
  }

  Directory directory_;
  Handshake handshake_{directory_};
  std::string pending_;
};

constexpr uint16_t kUsual = 1 | 4 | 8 | 32 | 64 | 256 | 2048;  // as the document numbers them

TEST_F(HandshakeTest, GreetsWithFixedNewstyle) {
  EXPECT_EQ(Send(""), std::string("NBDMAGICIHAVEOPT\x00\x03", 18));
}

TEST_F(HandshakeTest, RefusesClientsThatAreNotFixedNewstyleOrSetUnknownFlags) {
  for (const uint32_t flags : {0u, 2u, 7u, 0x80000001u}) {
    Handshake handshake(directory_);
    std::string bytes;
    Encoder(bytes).Big(flags);
    EXPECT_EQ(handshake.Feed(std::as_bytes(std::span(bytes.data(), bytes.size()))), 4u);
    EXPECT_EQ(handshake.state(), State::kClosed) << flags;
    EXPECT_FALSE(handshake.reason().empty());
  }
}

TEST_F(HandshakeTest, ExportNameAnswersWithoutAHeader) {
  Greet(kFlagFixedNewstyle);
  std::string expected;
  Encoder(expected).Big(uint64_t{1 << 20}).Big(kUsual);
  expected.append(124, '\0');
  EXPECT_EQ(Send(Message(Option::kExportName, "alpha")), expected);
  ASSERT_EQ(handshake_.state(), State::kTransmission);
  EXPECT_EQ(handshake_.session().info.name, "alpha");
  EXPECT_FALSE(handshake_.session().structured_replies);
}

TEST_F(HandshakeTest, ExportNameLeavesOutTheZeroesWhenAgreed) {
  Greet();
  std::string expected;
  Encoder(expected).Big(uint64_t{4096}).Big<uint16_t>(kUsual | 2);
  EXPECT_EQ(Send(Message(Option::kExportName, "beta")), expected);
}

TEST_F(HandshakeTest, ExportNameOfAnUnknownExportHangsUp) {
  Greet();
  EXPECT_EQ(Send(Message(Option::kExportName, "gamma")), "");
  EXPECT_EQ(handshake_.state(), State::kClosed);
  EXPECT_THAT(handshake_.reason(), testing::HasSubstr("gamma"));
}

TEST_F(HandshakeTest, AbortIsAcknowledgedAndCloses) {
  Greet();
  EXPECT_EQ(Send(Message(Option::kAbort)), ReplyBytes(Option::kAbort, OptionReply::kAck));
  EXPECT_EQ(handshake_.state(), State::kClosed);
  EXPECT_EQ(handshake_.reason(), "");
}

TEST_F(HandshakeTest, ListNamesEveryExport) {
  Greet();
  EXPECT_EQ(Send(Message(Option::kList)),
            ReplyBytes(Option::kList, OptionReply::kServer, std::string("\0\0\0\5alphathe first", 18)) +
                ReplyBytes(Option::kList, OptionReply::kServer, std::string("\0\0\0\4beta", 8)) +
                ReplyBytes(Option::kList, OptionReply::kAck));
  EXPECT_EQ(TypeOf(Send(Message(Option::kList, "x"))), OptionReply::kErrorInvalid);
  EXPECT_EQ(handshake_.state(), State::kNegotiating);
}

TEST_F(HandshakeTest, TlsAndUnknownOptionsAreUnsupportedAndTheHandshakeGoesOn) {
  Greet();
  EXPECT_EQ(TypeOf(Send(Message(Option::kStartTls))), OptionReply::kErrorUnsupported);
  EXPECT_EQ(TypeOf(Send(Message(static_cast<Option>(11)))), OptionReply::kErrorUnsupported);
  EXPECT_EQ(TypeOf(Send(Message(static_cast<Option>(0xffffffff), "data"))), OptionReply::kErrorUnsupported);
  EXPECT_EQ(TypeOf(Send(Message(Option::kList))), OptionReply::kServer);
}

TEST_F(HandshakeTest, InfoTellsWhatIsAskedForAndStays) {
  Greet();
  std::string geometry("\0\0", 2), sizes("\0\3", 2);
  Encoder(geometry).Big(uint64_t{1 << 20}).Big(kUsual);
  Encoder(sizes).Big(1u).Big(4096u).Big(32u << 20);
  const std::string asked = GoData("", {Info::kBlockSize, Info::kName, Info::kDescription, static_cast<Info>(99)});
  EXPECT_EQ(Send(Message(Option::kInfo, asked)),
            ReplyBytes(Option::kInfo, OptionReply::kInfo, std::string("\0\1alpha", 7)) +
                ReplyBytes(Option::kInfo, OptionReply::kInfo, std::string("\0\2the first", 11)) +
                ReplyBytes(Option::kInfo, OptionReply::kInfo, sizes) +
                ReplyBytes(Option::kInfo, OptionReply::kInfo, geometry) + ReplyBytes(Option::kInfo, OptionReply::kAck));
  EXPECT_EQ(handshake_.state(), State::kNegotiating);
}

TEST_F(HandshakeTest, GoEntersTransmission) {
  GreetStructured();
  std::string geometry("\0\0", 2);
  Encoder(geometry).Big(uint64_t{4096}).Big<uint16_t>(kUsual | 2 | 128);
  EXPECT_EQ(Send(Message(Option::kGo, GoData("beta"))),
            ReplyBytes(Option::kGo, OptionReply::kInfo, geometry) + ReplyBytes(Option::kGo, OptionReply::kAck));
  ASSERT_EQ(handshake_.state(), State::kTransmission);
  EXPECT_TRUE(handshake_.session().structured_replies);
  EXPECT_TRUE(handshake_.session().info.read_only);
}

TEST_F(HandshakeTest, WhatFollowsGoIsLeftForTransmission) {
  Greet();
  const std::string go = Message(Option::kGo, GoData("alpha"));
  pending_ = go + "requests";
  Send("");
  EXPECT_EQ(handshake_.state(), State::kTransmission);
  EXPECT_EQ(pending_, "requests");
}

TEST_F(HandshakeTest, GoToAnUnknownExportIsAnErrorAndTheHandshakeGoesOn) {
  Greet();
  EXPECT_EQ(TypeOf(Send(Message(Option::kGo, GoData("gamma")))), OptionReply::kErrorUnknown);
  EXPECT_EQ(TypeOf(Send(Message(Option::kGo, GoData("alpha")))), OptionReply::kInfo);
}

TEST_F(HandshakeTest, MalformedInfoAndGoAreInvalid) {
  Greet();
  const std::string good = GoData("alpha", {Info::kName});
  std::string name_too_long;
  Encoder(name_too_long).Big<uint32_t>(kMaxNameLength + 1);
  name_too_long += std::string(kMaxNameLength + 1, 'x') + std::string("\0\0", 2);
  for (const std::string& data : {std::string(), good.substr(0, 3), good.substr(0, 8), good.substr(0, good.size() - 1),
                                  good + "x", std::string("\xff\xff\xff\xff", 4) + good, name_too_long,
                                  GoData("alpha", std::vector<Info>(kMaxInfoRequests + 1, Info::kName))}) {
    EXPECT_EQ(TypeOf(Send(Message(Option::kGo, data))), OptionReply::kErrorInvalid) << data.size();
    ASSERT_EQ(handshake_.state(), State::kNegotiating);
  }
}

TEST_F(HandshakeTest, MetaContextsNeedStructuredReplies) {
  Greet();
  EXPECT_EQ(TypeOf(Send(Message(Option::kSetMetaContext, MetaData("alpha", {"base:allocation"})))),
            OptionReply::kErrorInvalid);
}

TEST_F(HandshakeTest, ListMetaContextNamesAllocation) {
  GreetStructured();
  const std::string listed =
      ReplyBytes(Option::kListMetaContext, OptionReply::kMetaContext, std::string("\0\0\0\0base:allocation", 19)) +
      ReplyBytes(Option::kListMetaContext, OptionReply::kAck);
  for (const std::vector<std::string>& queries :
       std::vector<std::vector<std::string>>{{}, {"base:"}, {"base:allocation"}, {"x:y", "base:allocation", "base:"}}) {
    EXPECT_EQ(Send(Message(Option::kListMetaContext, MetaData("alpha", queries))), listed);
  }
  EXPECT_EQ(Send(Message(Option::kListMetaContext, MetaData("alpha", {"qemu:"}))),
            ReplyBytes(Option::kListMetaContext, OptionReply::kAck));
  EXPECT_EQ(TypeOf(Send(Message(Option::kListMetaContext, MetaData("gamma", {})))), OptionReply::kErrorUnknown);
}

TEST_F(HandshakeTest, SetMetaContextSelectsAllocation) {
  GreetStructured();
  EXPECT_EQ(Send(Message(Option::kSetMetaContext, MetaData("alpha", {"base:allocation", "x:y"}))),
            ReplyBytes(Option::kSetMetaContext, OptionReply::kMetaContext, std::string("\0\0\0\1base:allocation", 19)) +
                ReplyBytes(Option::kSetMetaContext, OptionReply::kAck));
  Send(Message(Option::kGo, GoData("alpha")));
  EXPECT_TRUE(handshake_.session().allocation_context);
}

TEST_F(HandshakeTest, ASelectionIsForItsExportOnly) {
  GreetStructured();
  Send(Message(Option::kSetMetaContext, MetaData("alpha", {"base:allocation"})));
  Send(Message(Option::kGo, GoData("beta")));
  EXPECT_FALSE(handshake_.session().allocation_context);
}

TEST_F(HandshakeTest, AFailedSelectionDropsTheFormerOne) {
  GreetStructured();
  Send(Message(Option::kSetMetaContext, MetaData("alpha", {"base:allocation"})));
  EXPECT_EQ(TypeOf(Send(Message(Option::kSetMetaContext, "junk"))), OptionReply::kErrorInvalid);
  Send(Message(Option::kGo, GoData("alpha")));
  EXPECT_FALSE(handshake_.session().allocation_context);
}

TEST_F(HandshakeTest, MalformedMetaContextsAreRefused) {
  GreetStructured();
  const std::string good = MetaData("alpha", {"base:allocation"});
  for (const std::string& data : {std::string(), good.substr(0, 10), good.substr(0, good.size() - 1), good + "x"}) {
    EXPECT_EQ(TypeOf(Send(Message(Option::kSetMetaContext, data))), OptionReply::kErrorInvalid);
  }
  const std::vector<std::string> many(kMaxMetaQueries + 1, "x:y");
  EXPECT_EQ(TypeOf(Send(Message(Option::kSetMetaContext, MetaData("alpha", many)))), OptionReply::kErrorTooBig);
  EXPECT_EQ(handshake_.state(), State::kNegotiating);
}

TEST_F(HandshakeTest, AnOversizedOptionIsSkippedAndAnAbsurdOneHangsUp) {
  Greet();
  EXPECT_EQ(TypeOf(Send(Header(Option::kGo, kMaxOptionLength + 1))), OptionReply::kErrorTooBig);
  EXPECT_EQ(Send(std::string(kMaxOptionLength, 'x')), "");
  EXPECT_EQ(TypeOf(Send("x" + Message(Option::kList))), OptionReply::kServer);
  EXPECT_EQ(Send(Header(Option::kList, kMaxSkippedOption + 1)), "");
  EXPECT_EQ(handshake_.state(), State::kClosed);
}

TEST_F(HandshakeTest, AWrongOptionMagicHangsUp) {
  Greet();
  Send(std::string(16, 'x'));
  EXPECT_EQ(handshake_.state(), State::kClosed);
}

TEST_F(HandshakeTest, BytesMayComeOneByOne) {
  GreetStructured();
  std::string out;
  for (const char c : Message(Option::kList) + Message(Option::kGo, GoData("alpha"))) out += Send(std::string(1, c));
  EXPECT_EQ(TypeOf(out), OptionReply::kServer);
  EXPECT_EQ(handshake_.state(), State::kTransmission);
}

TEST_F(HandshakeTest, HandlesOneOptionAtATimeSoThatAnswersCannotPileUp) {
  Greet();
  const std::string two = Message(Option::kList) + Message(Option::kList);
  EXPECT_EQ(handshake_.Feed(std::as_bytes(std::span(two.data(), two.size()))), two.size() / 2);
}

}  // namespace
}  // namespace lockstep::nbd
