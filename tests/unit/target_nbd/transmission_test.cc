// The transmission engine, byte by byte against the protocol document.
#include "target/nbd/transmission.h"

#include <gtest/gtest.h>

namespace lockstep::nbd {
namespace {

using Event = Transmission::Event;

constexpr uint64_t kExportSize = 64 << 20;
constexpr uint64_t kCookie = 0x0102030405060708;

std::string Wire(uint16_t command, uint64_t offset, uint32_t length, uint16_t flags = 0) {
  std::string bytes;
  Encoder(bytes).Big(kRequestMagic).Big(flags).Big(command).Big(kCookie).Big(offset).Big(length);
  return bytes;
}

Session MakeSession(bool structured, bool read_only = false) {
  return {{"alpha", "", kExportSize, read_only}, structured, structured};
}

struct Fed {
  Event event;
  size_t taken;
};
Fed Feed(Transmission& transmission, const std::string& bytes) {
  size_t taken = 0;
  const Event event = transmission.Feed(std::as_bytes(std::span(bytes.data(), bytes.size())), taken);
  return {event, taken};
}

// kNone: it is to be carried out.
Error Verdict(const std::string& wire, const Session& session = MakeSession(true)) {
  Transmission transmission(session);
  const Fed fed = Feed(transmission, wire);
  EXPECT_EQ(fed.taken, kRequestSize);
  if (fed.event == Event::kRequest) return Error::kNone;
  EXPECT_EQ(fed.event, Event::kRefused);
  return transmission.refusal();
}

std::string Text(const ReplyHeader& reply) {
  return {reinterpret_cast<const char*>(reply.bytes.data()), reply.size};
}

TEST(TransmissionTest, ReadsARequestHeader) {
  Transmission transmission(MakeSession(false));
  const std::string wire = Wire(1, 0x1122334455, 0x1000, 1);
  EXPECT_EQ(Feed(transmission, wire.substr(0, 27)).event, Event::kNeedMore);
  EXPECT_EQ(Feed(transmission, wire.substr(0, 27)).taken, 0u);
  Transmission large({{"x", "", uint64_t{1} << 50, false}, false, false});
  const Fed fed = Feed(large, wire + "payload");
  EXPECT_EQ(fed.event, Event::kRequest);
  EXPECT_EQ(fed.taken, 28u);
  EXPECT_EQ(large.request().command, Command::kWrite);
  EXPECT_EQ(large.request().flags, kCommandFua);
  EXPECT_EQ(large.request().cookie, kCookie);
  EXPECT_EQ(large.request().offset, 0x1122334455u);
  EXPECT_EQ(large.request().length, 0x1000u);
}

TEST(TransmissionTest, AcceptsEveryCommandWithItsFlags) {
  for (const uint16_t command : {0, 1, 3, 4, 6, 7}) {
    EXPECT_EQ(Verdict(Wire(command, 0, 4096)), Error::kNone) << command;
    EXPECT_EQ(Verdict(Wire(command, 0, 4096, 1)), Error::kNone) << command;
    EXPECT_EQ(Verdict(Wire(command, 0, 4096, 0x20)), Error::kInvalid) << command;
    EXPECT_EQ(Verdict(Wire(command, 0, 4096, 2)), command == 6 ? Error::kNone : Error::kInvalid) << command;
    EXPECT_EQ(Verdict(Wire(command, 0, 4096, 4)), command == 0 ? Error::kNone : Error::kInvalid) << command;
    EXPECT_EQ(Verdict(Wire(command, 0, 4096, 8)), command == 7 ? Error::kNone : Error::kInvalid) << command;
    EXPECT_EQ(Verdict(Wire(command, 0, 4096, 16)), command == 6 ? Error::kNone : Error::kInvalid) << command;
  }
  EXPECT_EQ(Verdict(Wire(0, 0, 4096, 4), MakeSession(false)), Error::kInvalid);
  EXPECT_EQ(Verdict(Wire(3, 0, 0)), Error::kNone);
}

TEST(TransmissionTest, RefusesUnknownCommands) {
  for (const uint16_t command : {5, 8, 9, 255, 65535}) EXPECT_EQ(Verdict(Wire(command, 0, 4096)), Error::kInvalid);
}

TEST(TransmissionTest, RefusesWhatIsBeyondTheEnd) {
  for (const uint16_t command : {0, 1, 4, 6, 7}) {
    const Error expected = command == 1 || command == 6 ? Error::kNoSpace : Error::kInvalid;
    EXPECT_EQ(Verdict(Wire(command, kExportSize - 512, 512)), Error::kNone) << command;
    EXPECT_EQ(Verdict(Wire(command, kExportSize - 512, 513)), expected) << command;
    EXPECT_EQ(Verdict(Wire(command, kExportSize, 1)), expected) << command;
    EXPECT_EQ(Verdict(Wire(command, UINT64_MAX, 2)), expected) << command;
  }
}

TEST(TransmissionTest, RefusesEmptyAndOversizedTransfers) {
  for (const uint16_t command : {0, 1, 4, 6, 7}) EXPECT_EQ(Verdict(Wire(command, 0, 0)), Error::kInvalid) << command;
  for (const uint16_t command : {0, 1}) {
    EXPECT_EQ(Verdict(Wire(command, 0, kMaximumPayload)), Error::kNone);
    EXPECT_EQ(Verdict(Wire(command, 0, kMaximumPayload + 1)), Error::kInvalid);
  }
  EXPECT_EQ(Verdict(Wire(4, 0, kMaximumPayload + 1)), Error::kNone);
  EXPECT_EQ(Verdict(Wire(6, 0, kMaximumPayload + 1)), Error::kNone);
}

TEST(TransmissionTest, AReadOnlyExportRefusesChanges) {
  for (const uint16_t command : {1, 4, 6}) {
    EXPECT_EQ(Verdict(Wire(command, 0, 4096), MakeSession(true, true)), Error::kPermission) << command;
  }
  for (const uint16_t command : {0, 3, 7}) {
    EXPECT_EQ(Verdict(Wire(command, 0, 4096), MakeSession(true, true)), Error::kNone) << command;
  }
}

TEST(TransmissionTest, BlockStatusNeedsItsContext) {
  EXPECT_EQ(Verdict(Wire(7, 0, 4096), {{"alpha", "", kExportSize, false}, true, false}), Error::kInvalid);
}

TEST(TransmissionTest, SkipsThePayloadOfARefusedWrite) {
  Transmission transmission(MakeSession(true));
  EXPECT_EQ(Feed(transmission, Wire(1, kExportSize, 100)).event, Event::kRefused);
  EXPECT_EQ(Feed(transmission, std::string(60, 'x')).taken, 60u);
  const Fed fed = Feed(transmission, std::string(40, 'x') + Wire(3, 0, 0));
  EXPECT_EQ(fed.event, Event::kRequest);
  EXPECT_EQ(fed.taken, 40 + kRequestSize);
  EXPECT_EQ(transmission.request().command, Command::kFlush);
}

TEST(TransmissionTest, SkipsNothingAfterOtherRefusals) {
  Transmission transmission(MakeSession(true));
  EXPECT_EQ(Feed(transmission, Wire(0, kExportSize, 100)).event, Event::kRefused);
  EXPECT_EQ(Feed(transmission, Wire(2, 0, 0)).event, Event::kDisconnect);
}

TEST(TransmissionTest, AWrongMagicBreaksTheStream) {
  Transmission transmission(MakeSession(true));
  EXPECT_EQ(Feed(transmission, std::string(28, 'x')).event, Event::kBroken);
}

TEST(TransmissionTest, WritesSimpleReplies) {
  const Transmission plain(MakeSession(false));
  const Transmission structured(MakeSession(true));
  RequestHeader request;
  request.cookie = kCookie;
  request.length = 4096;
  const std::string ok("\x67\x44\x66\x98\0\0\0\0\1\2\3\4\5\6\7\10", 16);
  EXPECT_EQ(Text(plain.ReadData(request)), ok);
  EXPECT_FALSE(plain.MaySendHole());
  EXPECT_EQ(Text(plain.Done(request, Error::kIo)), std::string("\x67\x44\x66\x98\0\0\0\5\1\2\3\4\5\6\7\10", 16));
  request.command = Command::kWrite;
  EXPECT_EQ(Text(structured.Done(request, Error::kNone)), ok);
  EXPECT_EQ(Text(structured.Done(request, Error::kNoSpace)),
            std::string("\x67\x44\x66\x98\0\0\0\x1c\1\2\3\4\5\6\7\10", 16));
}

TEST(TransmissionTest, WritesStructuredReplies) {
  const Transmission structured(MakeSession(true));
  RequestHeader request;
  request.cookie = kCookie;
  request.offset = 0x2000;
  request.length = 0x1000;
  const std::string magic("\x66\x8e\x33\xef\0\1", 6), cookie("\1\2\3\4\5\6\7\10", 8);
  EXPECT_EQ(Text(structured.ReadData(request)),
            magic + std::string("\0\1", 2) + cookie + std::string("\0\0\x10\x08\0\0\0\0\0\0\x20\0", 12));
  EXPECT_EQ(Text(structured.ReadHole(request)),
            magic + std::string("\0\2", 2) + cookie + std::string("\0\0\0\x0c\0\0\0\0\0\0\x20\0\0\0\x10\0", 16));
  EXPECT_EQ(Text(structured.Done(request, Error::kIo)),
            magic + std::string("\x80\1", 2) + cookie + std::string("\0\0\0\6\0\0\0\5\0\0", 10));
  request.command = Command::kBlockStatus;
  EXPECT_EQ(Text(structured.BlockStatus(request, 2)),
            magic + std::string("\0\5", 2) + cookie + std::string("\0\0\0\x14\0\0\0\1", 8));
}

TEST(TransmissionTest, MapsStatusToTheProtocolsErrors) {
  EXPECT_EQ(ToError(Status::Ok()), Error::kNone);
  EXPECT_EQ(ToError(NoSpace("x")), Error::kNoSpace);
  EXPECT_EQ(ToError(Corrupted("x")), Error::kIo);
  EXPECT_EQ(ToError(IoError("x")), Error::kIo);
  EXPECT_EQ(ToError(NotFound("x")), Error::kIo);
  EXPECT_EQ(ToError(InvalidArgument("x")), Error::kInvalid);
  EXPECT_EQ(ToError({Code::kPermissionDenied, "x"}), Error::kPermission);
}

}  // namespace
}  // namespace lockstep::nbd
