// The simulated loop: goal is that it obeys the contract of io/loop.h on one thread, that time moves only when nothing
// else can, and that its shuffling is legal and decided by the seed. Method: small programs of closures whose order of
// execution is written down and compared.
#include "sim/loop.h"

#include <gtest/gtest.h>

#include <string>

namespace lockstep::sim {
namespace {

class SimLoopTest : public testing::Test {
 protected:
  io::Closure Note(std::string what) {
    return [this, what] { order_ += what; };
  }
  SimClock clock_;
  SimLoop loop_{clock_, 1};
  std::string order_;
};

TEST_F(SimLoopTest, RunsPostedClosuresInOrderAndNeverInsideTheCall) {
  loop_.Post(Note("a"));
  loop_.Post([this] {
    loop_.Post(Note("d"));
    order_ += "b";
  });
  loop_.Post(Note("c"));
  EXPECT_EQ(order_, "");
  loop_.RunReady();
  EXPECT_EQ(order_, "abcd");
}

TEST_F(SimLoopTest, JumpsToTheNextTimerOnlyWhenNothingIsReady) {
  const io::Instant start = clock_.Now();
  loop_.After(std::chrono::seconds(20), Note("late"));
  loop_.After(std::chrono::seconds(10), [&] {
    EXPECT_EQ(clock_.Now() - start, std::chrono::seconds(10));
    order_ += "early ";
    loop_.Post(Note("posted "));
  });
  loop_.RunReady();
  EXPECT_EQ(order_, "");
  EXPECT_TRUE(loop_.RunUntilIdle());
  EXPECT_EQ(order_, "early posted late");
  EXPECT_EQ(clock_.Now() - start, std::chrono::seconds(20));
}

TEST_F(SimLoopTest, ForgetsACancelledTimer) {
  const io::TimerId timer = loop_.After(std::chrono::seconds(1), Note("never"));
  loop_.Cancel(timer);
  loop_.Cancel(timer);
  loop_.Cancel(io::TimerId::kNone);
  EXPECT_TRUE(loop_.RunUntilIdle());
  EXPECT_EQ(order_, "");
}

TEST_F(SimLoopTest, RunsBeforeWaitOnceAfterWhatIsReady) {
  loop_.Post([this] {
    loop_.BeforeWait(Note("collected "));
    order_ += "a ";
  });
  loop_.Post(Note("b "));
  loop_.After(std::chrono::seconds(1), Note("timer"));
  EXPECT_TRUE(loop_.RunUntilIdle());
  EXPECT_EQ(order_, "a b collected timer");
}

TEST_F(SimLoopTest, GivesUpOnTimersThatGoOnForEver) {
  std::function<void()> tick = [&] { loop_.After(std::chrono::seconds(1), [&] { tick(); }); };
  tick();
  EXPECT_FALSE(loop_.RunUntilIdle(std::chrono::seconds(30)));
  EXPECT_FALSE(loop_.RunUntil([] { return false; }, std::chrono::seconds(30)));
}

TEST_F(SimLoopTest, DropsWhatWaitsWhenTheNodeCrashes) {
  auto held = std::make_shared<int>(1);
  loop_.Post([held] {});
  loop_.After(std::chrono::seconds(1), [held] {});
  loop_.BeforeWait([held] {});
  loop_.DropAll();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(loop_.RunUntilIdle());
}

std::string ShuffledRun(uint64_t seed) {
  SimClock clock;
  SimLoop loop(clock, seed, SimLoop::Order::kShuffled);
  SimExecutor executor(loop);
  std::string order;
  for (char thread : {'A', 'B', 'C'})
    executor.Run([&loop, &order, thread] {
      for (char step : {'1', '2', '3'})
        loop.Post([&order, thread, step] { order += std::string{thread, step}; });
    });
  loop.RunUntilIdle();
  return order;
}

TEST(SimLoopShuffle, KeepsTheOrderOfEachSourceAndIsDecidedByTheSeed) {
  std::string first = ShuffledRun(0);
  bool differs = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::string order = ShuffledRun(seed);
    EXPECT_EQ(order, ShuffledRun(seed)) << "seed " << seed;
    EXPECT_EQ(order.size(), 18u);
    for (const char* thread : {"A", "B", "C"}) {
      EXPECT_LT(order.find(thread + std::string("1")), order.find(thread + std::string("2"))) << order;
      EXPECT_LT(order.find(thread + std::string("2")), order.find(thread + std::string("3"))) << order;
    }
    differs |= order != first;
  }
  EXPECT_TRUE(differs);
}

TEST_F(SimLoopTest, CarriesCoroutinesToTheExecutorAndBack) {
  SimExecutor executor(loop_);
  const io::Instant start = clock_.Now();
  Spawn([](SimLoop& loop, SimExecutor& pool, std::string& order) -> Task<void> {
    order += "start ";
    co_await loop.Sleep(std::chrono::seconds(5));
    auto work = [&order] { order += "work "; };
    co_await pool.Call(loop, work);
    order += "end";
  }(loop_, executor, order_));
  EXPECT_EQ(order_, "start ");
  EXPECT_TRUE(loop_.RunUntilIdle());
  EXPECT_EQ(order_, "start work end");
  EXPECT_EQ(clock_.Now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace lockstep::sim
