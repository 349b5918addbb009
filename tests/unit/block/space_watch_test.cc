#include "block/space_watch.h"

#include <gtest/gtest.h>

namespace lockstep::block {
namespace {

TEST(SpaceWatch, SpeaksOnceForEachThresholdAndAgainAfterAFall) {
  SpaceWatch watch({95, 80});
  EXPECT_EQ(watch.Look(79, 100), std::nullopt);
  EXPECT_EQ(watch.Look(80, 100), 80u);
  EXPECT_EQ(watch.Look(85, 100), std::nullopt);
  EXPECT_EQ(watch.Look(79, 100), std::nullopt);
  EXPECT_EQ(watch.Look(80, 100), std::nullopt) << "it only hovers";
  EXPECT_EQ(watch.Look(99, 100), 95u);
  EXPECT_EQ(watch.Look(10, 100), std::nullopt);
  EXPECT_EQ(watch.Look(96, 100), 95u) << "the highest of several";
}

TEST(SpaceWatch, HasNothingToSayWithoutThresholdsOrSize) {
  EXPECT_EQ(SpaceWatch({}).Look(100, 100), std::nullopt);
  EXPECT_EQ(SpaceWatch({80}).Look(0, 0), std::nullopt);
}

}  // namespace
}  // namespace lockstep::block
