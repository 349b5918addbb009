// The caches of decoded records and shortcuts, and what may be put into them.
#include "logstore/record_cache.h"

#include <gtest/gtest.h>

#include "logstore/block_map.h"
#include "logstore/shortcut_cache.h"
#include "sim/env.h"

namespace lockstep::logstore {
namespace {

TEST(RecordCache, KeepsOneRecordInAPlaceAndForgetsIt) {
  RecordCache cache(1);  // one place for all
  ChunkVersions versions = {};
  versions[7] = {42, 1000, 0xabcd};
  EXPECT_EQ(cache.Find({1, 2}), nullptr);
  cache.Put({1, 2}, versions);
  ASSERT_NE(cache.Find({1, 2}), nullptr);
  EXPECT_EQ((*cache.Find({1, 2}))[7], versions[7]);
  cache.Forget({1, 3});
  EXPECT_NE(cache.Find({1, 2}), nullptr);
  versions[7].birth = 43;
  cache.Put({1, 3}, versions);
  EXPECT_EQ(cache.Find({1, 2}), nullptr);
  ASSERT_NE(cache.Find({1, 3}), nullptr);
  EXPECT_EQ((*cache.Find({1, 3}))[7].birth, 43u);
}

TEST(RecordCache, KnowsWhereThereIsNoRecordAndWhenThereIsOneAgain) {
  RecordCache cache(1);
  ChunkVersions versions = {};
  versions[7] = {42, 1000, 0xabcd};
  cache.Put({1, 2}, versions);
  cache.Put({1, 3}, {});  // takes no record's place
  ASSERT_NE(cache.Find({1, 2}), nullptr);
  ASSERT_NE(cache.Find({1, 3}), nullptr);
  EXPECT_EQ(*cache.Find({1, 3}), ChunkVersions());
  cache.Put({1, 3}, versions);
  EXPECT_EQ((*cache.Find({1, 3}))[7], versions[7]);
  cache.Put({1, 3}, {});
  EXPECT_EQ(*cache.Find({1, 3}), ChunkVersions());
  cache.Forget({1, 3});
  EXPECT_EQ(cache.Find({1, 3}), nullptr);
}

// An executor has read a record; before the loop hears of it, a fold writes another one.
TEST(BlockMap, LearnsNoRecordThatMayHaveChangedSinceItWasRead) {
  sim::SimEnv env(1);
  ASSERT_TRUE(env.files().CreateDirectory("index").ok());
  BlockMap map(*Index::Open(env.files(), "index", {1 << 20, 8 << 20, &env.background()}, env.log()), 1 << 20);
  const ChunkKey key{1, 2};
  const auto write = [&](SequenceNumber birth) {
    ChunkVersions versions = {};
    versions[7] = {birth, 1000, 0xabcd};
    Index::Batch batch;
    batch.PutChunk(key, versions);
    ASSERT_TRUE(map.index().Write(batch).ok());
  };
  const auto birth = [&] {
    ChunkVersions found = {};
    EXPECT_TRUE(map.ResolveOwn(key.layer, key.chunk, 1u << 7, Index::Tier::kMemory, found).ok());
    return found[7].birth;
  };
  write(42);
  const uint64_t since = map.reading_since();
  ChunkVersions read;
  ASSERT_TRUE(map.index().LookupRecord(key, Index::Tier::kDisk, read).ok());
  write(43);
  map.Learn(since, key, read);  // the fold has not ended, so its overlay is in front
  EXPECT_EQ(birth(), 42u) << "it was learned";
  map.Forget({key});
  EXPECT_EQ(birth(), 43u);
  write(44);
  map.Forget({key});
  map.Learn(since, key, read);
  EXPECT_EQ(birth(), 44u);
}

TEST(ShortcutCache, AnswersWhatWasPutOrNothing) {
  ShortcutCache cache(1);
  Shortcut simple = {}, rich = {}, found;
  simple[0] = simple[9] = {3, 17};
  simple[1] = {4, 17};
  simple[15] = {3, 18};
  for (uint32_t i = 0; i < 4; ++i) rich[i] = {3, 100 + i};
  EXPECT_FALSE(cache.Find({7, 1}, found));
  cache.Put({7, 1}, simple);
  ASSERT_TRUE(cache.Find({7, 1}, found));
  EXPECT_EQ(found, simple);
  EXPECT_FALSE(cache.Find({7, 2}, found));
  cache.Put({7, 2}, rich);  // too much for it
  EXPECT_FALSE(cache.Find({7, 2}, found));
  cache.Put({7, 2}, {});
  ASSERT_TRUE(cache.Find({7, 2}, found));
  EXPECT_EQ(found, Shortcut());
}

}  // namespace
}  // namespace lockstep::logstore
