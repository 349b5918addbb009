// The cache of decoded records.
#include "logstore/record_cache.h"

#include <gtest/gtest.h>

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
  cache.Put({1, 3}, {});
  EXPECT_EQ(cache.Find({1, 2}), nullptr);
  ASSERT_NE(cache.Find({1, 3}), nullptr);  // that there is no record is known too
  cache.Forget({1, 3});
  EXPECT_EQ(cache.Find({1, 3}), nullptr);
}

}  // namespace
}  // namespace lockstep::logstore
