// Live bits of segments and the cache of decoded records.
#include "logstore/live_bits.h"

#include <gtest/gtest.h>


namespace lockstep::logstore {
namespace {

Superblock Geometry() {
  Superblock s;
  s.segment_size = 256 << 10;  // 64 blocks: one word
  s.segment_count = 16;
  return s;
}

TEST(LiveBits, FollowWhatIsBornAndDies) {
  const Superblock s = Geometry();
  LiveBits bits(s);
  bits.Begin(3);
  LiveChanges first;
  first.Born(s, s.first_block(3) + 5, 10);
  first.Born(s, s.first_block(3) + 63, 11);
  first.Born(s, s.first_block(4), 12);  // of a segment that is not followed
  bits.Apply(first);
  EXPECT_EQ(bits.Find(3), std::vector<uint64_t>{uint64_t{1} << 5 | uint64_t{1} << 63});
  EXPECT_TRUE(bits.Find(4).empty());
  EXPECT_EQ(first.counts().at(3).blocks, 2);
  EXPECT_EQ(first.counts().at(3).youngest, 11u);

  LiveChanges second;
  second.Died(s, s.first_block(3) + 5);
  second.Born(s, s.first_block(3) + 6, 20);
  second.Died(s, s.first_block(3) + 6);  // written and replaced within one fold
  bits.Apply(second);
  EXPECT_EQ(bits.Find(3), std::vector<uint64_t>{uint64_t{1} << 63});
  EXPECT_EQ(second.counts().at(3).blocks, -1);
}

TEST(LiveBits, AUseBeginsWithNothing) {
  const Superblock s = Geometry();
  LiveBits bits(s);
  bits.Begin(0);
  LiveChanges changes;
  changes.Born(s, s.first_block(0), 1);
  bits.Apply(changes);
  bits.Begin(0);
  EXPECT_EQ(bits.Find(0), std::vector<uint64_t>{0});
  bits.Forget(0);
  EXPECT_TRUE(bits.Find(0).empty());
}

TEST(LiveBits, KeepToTheirBudget) {
  LiveBits bits(Geometry(), 2 * sizeof(uint64_t));
  for (const uint32_t segment : {0, 1, 2}) bits.Begin(segment);
  EXPECT_FALSE(bits.Find(1).empty());
  EXPECT_TRUE(bits.Find(2).empty());
  bits.Forget(0);
  bits.Begin(2);
  EXPECT_FALSE(bits.Find(2).empty());
}

}  // namespace
}  // namespace lockstep::logstore
