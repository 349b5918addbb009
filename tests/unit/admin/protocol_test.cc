// The local management protocol without a node behind it: framing, requests, parameters and words. What the methods do
// is tested with a whole node (tests/scenario/node).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lines.h"
#include "admin/message.h"
#include "admin/moment.h"
#include "admin/methods.h"
#include "admin/render.h"
#include "admin/words.h"

namespace lockstep::admin {
namespace {

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

std::vector<std::string> Drain(LineSplitter& lines) {
  std::vector<std::string> all;
  while (auto line = lines.Next()) all.push_back(*line);
  return all;
}

TEST(Lines, AreFoundWhereverTheStreamIsCut) {
  const std::string stream = "{\"a\":1}\n\r\n{\"b\":2}\r\n";
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    LineSplitter lines;
    ASSERT_TRUE(lines.Feed(Bytes(stream).first(cut)).ok());
    ASSERT_TRUE(lines.Feed(Bytes(stream).subspan(cut)).ok());
    EXPECT_EQ(Drain(lines), (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"})) << "cut at " << cut;
  }
}

TEST(Lines, UnfinishedOneIsKeptBack) {
  LineSplitter lines;
  ASSERT_TRUE(lines.Feed(Bytes("{\"a\"")).ok());
  EXPECT_EQ(lines.Next(), std::nullopt);
}

TEST(Lines, TooLongAOneEndsTheStreamButNotWhatCameBefore) {
  LineSplitter lines;
  ASSERT_TRUE(lines.Feed(Bytes("first\n")).ok());
  EXPECT_EQ(lines.Feed(Bytes(std::string(LineSplitter::kLineMax + 1, 'x'))).code(), Code::kTooLarge);
  EXPECT_EQ(lines.Feed(Bytes("second\n")).code(), Code::kTooLarge);
  EXPECT_EQ(Drain(lines), std::vector<std::string>{"first"});
}

TEST(Lines, FullWhenManyWait) {
  LineSplitter lines;
  for (size_t i = 0; i < LineSplitter::kLinesMax; ++i) ASSERT_TRUE(lines.Feed(Bytes("x\n")).ok());
  EXPECT_TRUE(lines.Full());
  lines.Next();
  EXPECT_FALSE(lines.Full());
}

int CodeOf(std::string_view line) {
  const ParsedRequest parsed = ParseRequest(line);
  return parsed.malformed ? parsed.malformed->code : 0;
}

TEST(Requests, AreReadWithTheirIdAndParameters) {
  const auto parsed = ParseRequest(R"({"jsonrpc":"2.0","id":"a7","method":"volume.show","params":{"volume":"db"}})");
  ASSERT_TRUE(parsed.request);
  EXPECT_EQ(parsed.request->method, "volume.show");
  EXPECT_EQ(*parsed.request->id, Json("a7"));
  EXPECT_EQ(*parsed.request->params, Json({{"volume", "db"}}));
}

TEST(Requests, WithoutParametersHaveNone) {
  const auto parsed = ParseRequest(R"({"jsonrpc":"2.0","id":1,"method":"node.ping"})");
  ASSERT_TRUE(parsed.request);
  EXPECT_TRUE(parsed.request->params->is_object() && parsed.request->params->empty());
}

TEST(Requests, NonsenseIsRefusedWithTheCodeOfTheStandard) {
  EXPECT_EQ(CodeOf("not json"), -32700);
  EXPECT_EQ(CodeOf("{\"a\":"), -32700);
  EXPECT_EQ(CodeOf("[]"), -32600);
  EXPECT_EQ(CodeOf("7"), -32600);
  EXPECT_EQ(CodeOf(R"({"id":1,"method":"x"})"), -32600);
  EXPECT_EQ(CodeOf(R"({"jsonrpc":"2.0","id":1})"), -32600);
  EXPECT_EQ(CodeOf(R"({"jsonrpc":"2.0","id":{},"method":"x"})"), -32600);
  EXPECT_EQ(CodeOf(R"({"jsonrpc":"2.0","id":1,"method":"x","params":[1]})"), -32600);
}

TEST(Requests, DeepNestingIsRefusedBeforeItIsBuilt) {
  EXPECT_EQ(CodeOf(std::string(100'000, '[')), -32700);
  EXPECT_EQ(CodeOf(R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"[[[[[[[[[[[[[[[[[[[[[[[["}})"), 0);
}

TEST(Answers, CarryTheNameOfTheError) {
  const Json error = Json::parse(ErrorLine(7, NotFound("there is no volume \"x\"")));
  EXPECT_EQ(error["id"], 7);
  EXPECT_EQ(error["error"]["data"]["name"], "not-found");
  EXPECT_EQ(error["error"]["message"], "there is no volume \"x\"");
  EXPECT_LE(error["error"]["code"].get<int>(), -32000);
}

TEST(Answers, WithBytesThatAreNoTextAreStillJson) {
  EXPECT_TRUE(Json::parse(ErrorLine(1, NotFound("no volume \"\xff\xfe\""))).is_object());
}

TEST(Parameters, OfEveryTypeAreRead) {
  const Json params = {{"name", "db"}, {"size", "10G"}, {"bytes", 4096u}, {"force", true}, {"members", {"a", "b"}}};
  Fields fields(params);
  EXPECT_EQ(fields.String("name"), "db");
  EXPECT_EQ(fields.Size("size", true), uint64_t{10} << 30);
  EXPECT_EQ(fields.Size("bytes", true), 4096u);
  EXPECT_TRUE(fields.Bool("force", false));
  EXPECT_EQ(fields.Strings("members"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(fields.OptionalString("absent"), std::nullopt);
  EXPECT_TRUE(fields.Finish().ok());
}

Status FinishOf(const Json& params, void (*read)(Fields&)) {
  Fields fields(params);
  read(fields);
  return fields.Finish();
}

TEST(Parameters, ThatAreWrongAreNamed) {
  const auto message = [](const Json& params, void (*read)(Fields&)) { return FinishOf(params, read).message(); };
  EXPECT_EQ(message(Json::object(), [](Fields& f) { f.String("name"); }), "parameter \"name\" is missing");
  EXPECT_EQ(message({{"name", 7}}, [](Fields& f) { f.String("name"); }),
            "parameter \"name\" must be a string, not empty");
  EXPECT_EQ(message({{"force", "yes"}}, [](Fields& f) { f.Bool("force", false); }),
            "parameter \"force\" must be true or false");
  EXPECT_EQ(message({{"count", -1}}, [](Fields& f) { f.Number("count", 0); }),
            "parameter \"count\" must be a whole number, 0 or more");
  EXPECT_EQ(message({{"members", {1}}}, [](Fields& f) { f.Strings("members"); }),
            "parameter \"members\" must be a list of strings");
  EXPECT_EQ(message({{"size", "10X"}}, [](Fields& f) { f.Size("size", true); }),
            "parameter \"size\" must be bytes, as a number or as text like \"10GiB\"");
}

TEST(Parameters, ThatNobodyKnowsAreRefused) {
  const Status status = FinishOf({{"name", "a"}, {"nmae", "b"}}, [](Fields& f) { f.String("name"); });
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.message(), "there is no parameter \"nmae\"; there are: name");
}

TEST(Words, OfTheSchemaAreReadInEverySpelling) {
  for (const char* word : {"Resync Replica", "resync-replica", "RESYNC_REPLICA", "resyncreplica"}) {
    const auto operation = ParseOperation(word);
    ASSERT_TRUE(operation.ok()) << word;
    EXPECT_EQ(*operation, catalog::Operation::kResyncReplica);
  }
  EXPECT_EQ(*ParseOperation("return-to-resource-pool"), catalog::Operation::kReturnToResourcePool);
  EXPECT_EQ(*ParseSyncType("snapshot"), catalog::SyncType::kSnapshot);
}

TEST(Words, ThatAreNoneListTheOnesThatAre) {
  const auto mode = ParseMode("sometimes");
  EXPECT_EQ(mode.status().code(), Code::kInvalidArgument);
  EXPECT_NE(mode.status().message().find("Synchronous, Asynchronous, Adaptive"), std::string::npos);
}

TEST(Times, AreIso8601InUtc) {
  EXPECT_EQ(TimeJson(io::WallTime{0}), Json(nullptr));
  EXPECT_EQ(TimeJson(io::WallTime{1'795'215'720'000'001}), Json("2026-11-20T23:02:00.000001Z"));
}

TEST(Methods, HaveNamesOfTheirOwn) {
  const std::vector<std::string_view> names = MethodNames();
  EXPECT_GT(names.size(), 40u);
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  for (const std::string_view name : names) EXPECT_NE(FindMethod(name), nullptr);
  EXPECT_EQ(FindMethod("volume.explode"), nullptr);
}

TEST(Moments, AreReadAsPeopleWriteThem) {
  EXPECT_EQ(ParseMoment("@1234")->position, 1234u);
  EXPECT_EQ(ParseMoment("-10m")->seconds_ago, 600u);
  EXPECT_EQ(ParseMoment("-45")->seconds_ago, 45u);
  constexpr int64_t kNoon = 1'795'262'400ll * 1'000'000;  // 2026-11-21 12:00:00 UTC
  for (const char* text :
       {"2026-11-21 12:00:00", "2026-11-21T12:00:00Z", "2026-11-21 12:00", "2026-11-21T12:00:00.000"})
    EXPECT_EQ(ParseMoment(text)->time->us, kNoon) << text;
  EXPECT_EQ(ParseMoment("2026-11-21T12:00:00.25Z")->time->us, kNoon + 250'000);
  EXPECT_EQ(ParseMoment("2026-11-21")->time->us, kNoon - 43'200ll * 1'000'000);
  for (const char* bad : {"", "@", "@x", "@-1", "@1x", "-", "-x", "noon", "2026-13-01", "2026-02-30",
                          "2026-11-21 24:00", "2026-11-21 12", "2026-11-21 12:60", "2026-11-21 12:00:00.",
                          "2026-11-21 12:00:00 CET", "1969-12-31 00:00", "26-11-21"})
    EXPECT_EQ(ParseMoment(bad).status().code(), Code::kInvalidArgument) << bad;
}

}  // namespace
}  // namespace lockstep::admin
