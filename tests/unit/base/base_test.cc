// The smallest pieces: each is used by everything, so each says here what it promises.
#include <gtest/gtest.h>

#include "base/checksum.h"
#include "base/codec.h"
#include "base/status.h"
#include "base/task.h"
#include "base/units.h"
#include "base/uuid.h"

namespace lockstep {
namespace {

TEST(Checksum, MatchesTheVectorsOfRfc3720) {
  const std::string zeros(32, '\0'), ones(32, '\xff');
  EXPECT_EQ(Crc32c(std::as_bytes(std::span(zeros))), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::as_bytes(std::span(ones))), 0x62a8ab43u);
}

TEST(Checksum, ContinuesFromASeed) {
  const std::string text = "dependent writes";
  const auto all = std::as_bytes(std::span(text));
  EXPECT_EQ(Crc32c(all.subspan(5), Crc32c(all.first(5))), Crc32c(all));
}

TEST(Codec, RoundTripsAndTurnsBadAtTheEnd) {
  std::string out;
  Encoder(out).Little(uint32_t{7}).Big(uint16_t{0x1234}).String("abc");
  Decoder in(out);
  EXPECT_EQ(in.Little<uint32_t>(), 7u);
  EXPECT_EQ(in.Big<uint16_t>(), 0x1234u);
  EXPECT_EQ(in.String(10), "abc");
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.Little<uint64_t>(), 0u);
  EXPECT_FALSE(in.ok());
}

TEST(Codec, WritesSmallNumbersShortAndRefusesTooLongOnes) {
  for (const uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{300}, UINT64_MAX - 1, UINT64_MAX}) {
    std::string out;
    Encoder(out).Varint(v);
    EXPECT_EQ(out.size(), v < 128 ? 1u : v <= 300 ? 2u : 10u);
    Decoder in(out);
    EXPECT_EQ(in.Varint(), v);
    EXPECT_TRUE(in.ok() && in.remaining() == 0);
    Decoder cut(std::string_view(out).substr(0, out.size() - 1));
    EXPECT_EQ(cut.Varint(), 0u);
    EXPECT_FALSE(cut.ok());
  }
  const std::string beyond = std::string(9, '\xff') + '\x02', endless(20, '\xff');
  for (const std::string& bytes : {beyond, endless}) {
    Decoder in(bytes);
    EXPECT_EQ(in.Varint(), 0u);
    EXPECT_FALSE(in.ok());
  }
}

TEST(Codec, RefusesAStringLongerThanTheLimitOrTheInput) {
  std::string out;
  Encoder(out).String("0123456789");
  EXPECT_EQ(Decoder(out).String(5), "");
  Encoder(out = "").Little(uint32_t{0xffffffff});
  Decoder in(out);
  EXPECT_EQ(in.String(SIZE_MAX), "");
  EXPECT_FALSE(in.ok());
}

TEST(Units, ParsesLengthsOfTime) {
  EXPECT_EQ(*ParseSeconds("90"), 90u);
  EXPECT_EQ(*ParseSeconds("90s"), 90u);
  EXPECT_EQ(*ParseSeconds("30m"), 1800u);
  EXPECT_EQ(*ParseSeconds("24h"), 86'400u);
  EXPECT_EQ(*ParseSeconds("7d"), 604'800u);
  EXPECT_EQ(*ParseSeconds("2w"), 1'209'600u);
  for (const char* bad : {"", "h", "1.5h", "-1h", "1hh", "1 h", "1y", "99999999999999999999", "18446744073709551615w"})
    EXPECT_EQ(ParseSeconds(bad).status().code(), Code::kInvalidArgument) << bad;
  for (const char* same : {"90s", "30m", "36h", "1d", "2w", "0s"}) EXPECT_EQ(FormatSeconds(*ParseSeconds(same)), same);
}

TEST(Units, ParsesWhatPeopleWrite) {
  EXPECT_EQ(*ParseSize("4096"), 4096u);
  EXPECT_EQ(*ParseSize("64MiB"), 64 * kMiB);
  EXPECT_EQ(*ParseSize("10g"), 10 * kGiB);
  for (const char* bad : {"", "G", "1X", "1.5G", "99999999999999999999", "16777216T"})
    EXPECT_EQ(ParseSize(bad).status().code(), Code::kInvalidArgument) << bad;
  EXPECT_EQ(FormatSize(3 * kGiB / 2), "1.50 GiB");
  EXPECT_EQ(FormatSize(512), "512 B");
}

TEST(Uuid, RoundTripsAsText) {
  const Uuid id = *Uuid::Parse("01234567-89AB-cdef-0123-456789abcdef");
  EXPECT_EQ(id.ToString(), "01234567-89ab-cdef-0123-456789abcdef");
  for (const char* bad :
       {"", "01234567", "01234567-89ab-cdef-0123-456789abcdeg", "0123456789ab-cdef-0123-456789abcdef01"})
    EXPECT_FALSE(Uuid::Parse(bad).ok()) << bad;
}

TEST(Status, CarriesCodeSentenceAndContext) {
  const Status s = NoSpace("pool p1 is full").WithContext("write");
  EXPECT_EQ(s.ToString(), "no-space: write: pool p1 is full");
  EXPECT_TRUE(Status().WithContext("x").ok());
  EXPECT_EQ(FromErrno(ENOSPC, "x").code(), Code::kNoSpace);
}

Task<Result<int>> Half(int n) {
  if (n % 2 != 0) co_return InvalidArgument("odd");
  co_return n / 2;
}
Task<Result<int>> Quarter(int n) {
  LS_CO_ASSIGN_OR_RETURN(const int half, co_await Half(n));
  co_return co_await Half(half);
}

TEST(Task, PassesValuesAndErrorsUp) {
  std::vector<std::string> seen;
  for (int n : {8, 6, 5})
    Spawn(Quarter(n), [&](Result<int> r) { seen.push_back(r.ok() ? std::to_string(*r) : r.status().message()); });
  EXPECT_EQ(seen, (std::vector<std::string>{"2", "odd", "odd"}));
}

}  // namespace
}  // namespace lockstep
