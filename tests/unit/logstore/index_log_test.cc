// Goal: an index whose log a power cut has damaged and that opens as something that never was: with writes that came
// after others which are missing.
#include <gtest/gtest.h>

#include "logstore/index.h"
#include "sim/env.h"

namespace lockstep::test {
namespace {

using logstore::HoleRecord;
using logstore::Index;

constexpr uint64_t kWrites = 3000;
constexpr uint64_t kLogBlock = 32 << 10;  // RocksDB divides its log into blocks of this size
constexpr uint64_t kRecordHeader = 7;     // of a record: checksum, length, type
constexpr uint64_t kRecordSize = 128;     // so that every block ends with a whole record
constexpr size_t kFiller = 57;

class IndexLog : public testing::Test {
 protected:
  std::unique_ptr<Index> Open(bool read_only = false) {
    const logstore::IndexOptions options{1 << 20, 8 << 20, &env_.background()};
    auto index = read_only ? Index::OpenReadOnly(env_.files(), "index", options, env_.log())
                           : Index::Open(env_.files(), "index", options, env_.log());
    EXPECT_TRUE(index.ok()) << index.status().ToString();
    return index.ok() ? std::move(*index) : nullptr;
  }
  static void Write(Index& index, uint64_t number) {
    Index::Batch batch;
    batch.PutHole({number, 1, number, 1});
    batch.PutPoint({}, std::string(kFiller, 'x'));
    ASSERT_TRUE(index.Write(batch).ok());
  }
  void SetUp() override {
    ASSERT_TRUE(env_.files().CreateDirectory("index").ok());
    const auto index = Open();
    ASSERT_TRUE(index);
    for (uint64_t i = 1; i <= kWrites; ++i) Write(*index, i);
    ASSERT_TRUE(index->Persist().ok());
  }
  std::string LogFile() {
    const auto names = env_.files().List("index");
    if (names.ok())
      for (const std::string& name : *names)
        if (name.ends_with(".log")) return "index/" + name;
    ADD_FAILURE() << "there is no log";
    return {};
  }
  // Where the first record at or behind `from` begins; both in one block of the log.
  uint64_t RecordAt(io::File& log, uint64_t from) {
    uint64_t at = from / kLogBlock * kLogBlock;
    std::array<std::byte, kRecordHeader> header;
    while (at < from) {
      EXPECT_TRUE(log.Read(at, header).ok());
      at += kRecordHeader + std::to_integer<uint64_t>(header[4]) + (std::to_integer<uint64_t>(header[5]) << 8);
    }
    return at;
  }
  // As a power cut may leave what had not been synced: zeroes in between, and what was written later.
  void Zero(uint64_t from, uint64_t end) {
    const auto log = env_.files().Open(LogFile(), io::FileSystem::Mode::kCreate);
    ASSERT_TRUE(log.ok());
    const auto size = (*log)->Size();
    ASSERT_TRUE(size.ok());
    ASSERT_LT(end, *size) << "nothing is left behind the gap";
    from = RecordAt(**log, from);
    ASSERT_LT(from, end);
    ASSERT_EQ(from % kRecordSize, 0u) << "the records are not what this test thinks they are";
    ASSERT_TRUE((*log)->Write(from, std::vector<std::byte>(end - from)).ok());
    ASSERT_TRUE((*log)->Sync().ok());
  }
  // How many of the writes are there: the first so many, and no others.
  static uint64_t Prefix(const Index& index) {
    const auto holes = index.Holes(1, 2 * kWrites);
    EXPECT_TRUE(holes.ok());
    uint64_t expected = 1;
    for (const HoleRecord& hole : *holes) EXPECT_EQ(hole.birth, expected++) << "a write is missing";
    return holes->size();
  }

  sim::SimEnv env_{1};
};

TEST_F(IndexLog, IsTakenUpToTheFirstRecordThatIsMissing) {
  Zero(kLogBlock + 8000, 2 * kLogBlock);
  {
    const auto index = Open(true);
    ASSERT_TRUE(index);
    const uint64_t there = Prefix(*index);
    EXPECT_GT(there, 100u);
    EXPECT_LT(there, kWrites);
  }
  uint64_t there = 0;
  {
    const auto index = Open();
    ASSERT_TRUE(index);
    there = Prefix(*index);
    EXPECT_GT(there, 100u);
    EXPECT_LT(there, kWrites);
    // It goes on from there.
    for (uint64_t i = 0; i < 10; ++i) Write(*index, ++there);
    ASSERT_TRUE(index->Persist().ok());
  }
  const auto index = Open();
  ASSERT_TRUE(index);
  EXPECT_EQ(Prefix(*index), there);
}
TEST_F(IndexLog, IsTakenUpToABlockThatIsMissing) {
  Zero(kLogBlock - 4000, 3 * kLogBlock);
  const auto index = Open();
  ASSERT_TRUE(index);
  EXPECT_GT(Prefix(*index), 100u);
}
TEST_F(IndexLog, IsTakenWholeWhenNothingIsMissing) {
  const auto index = Open();
  ASSERT_TRUE(index);
  EXPECT_EQ(Prefix(*index), kWrites);
}

}  // namespace
}  // namespace lockstep::test
