// The file that subscriptions are kept in: power is cut at every change that saving it makes.
#include <gtest/gtest.h>

#include "apps/node/cim.h"
#include "sim/crash_points.h"

namespace lockstep::node {
namespace {

constexpr char kDirectory[] = "/data";

std::string TextOf(uint32_t name) {
  wbem::Instance filter("CIM_IndicationFilter");
  filter.Add("Name", std::string(20'000, static_cast<char>('a' + name % 26)));
  return wbem::EncodeStored({{"interop", filter}});
}

void Prepare(sim::SimEnv& env) {
  ASSERT_TRUE(env.files().CreateDirectory(kDirectory).ok());
  ASSERT_TRUE(env.files().SyncDirectory("/").ok());
}

TEST(SubscriptionFile, HoldsTheOldTextOrTheNewAfterAPowerCutAtAnyMoment) {
  for (const uint64_t seed : {1, 2, 3}) {
    sim::CrashPoints points;
    points.seed = seed;
    const uint64_t changes = sim::ForEachCrashPoint(
        points,
        [](sim::SimEnv& env, sim::CrashPoint& point) {
          Prepare(env);
          SubscriptionFile file(env.files(), kDirectory);
          ASSERT_EQ(file.Load().status().code(), Code::kNotFound);
          ASSERT_TRUE(file.Save(TextOf(0)).ok());
          point.Arm();
          (void)file.Save(TextOf(1));
        },
        [](sim::SimEnv& env, bool completed) {
          SubscriptionFile file(env.files(), kDirectory);
          const Result<std::string> text = file.Load();
          ASSERT_TRUE(text.ok()) << text.status().message();
          EXPECT_TRUE(*text == TextOf(1) || (*text == TextOf(0) && !completed));
          EXPECT_TRUE(wbem::DecodeStored(*text).ok());
          EXPECT_TRUE(file.Save(TextOf(2)).ok());  // what the cut left behind is in nobody's way
          EXPECT_EQ(*file.Load(), TextOf(2));
        });
    EXPECT_GE(changes, 4u);
  }
}

TEST(SubscriptionFile, IsSetAsideWithoutBeingLost) {
  sim::SimEnv env(1);
  Prepare(env);
  SubscriptionFile file(env.files(), kDirectory);
  ASSERT_TRUE(file.Save("not what it should be").ok());
  const Result<std::string> aside = file.SetAside();
  ASSERT_TRUE(aside.ok());
  EXPECT_EQ(file.Load().status().code(), Code::kNotFound);
  EXPECT_TRUE(env.files().Stat(*aside).ok());
}

}  // namespace
}  // namespace lockstep::node
