// The contract of io/loop.h, on every implementation: order, timers, cancelling, BeforeWait, coroutines, executor.
#include <atomic>
#include <string>
#include <vector>

#include "tests/contract/io/backends.h"

namespace lockstep::contract {
namespace {

using std::chrono::milliseconds;

class LoopContract : public ContractTest {
 protected:
  io::Loop& loop() { return env().data_loop(); }
};

TEST_P(LoopContract, RunsPostedClosuresInTheirOrder) {
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) loop().Post([&order, i] { order.push_back(i); });
  ASSERT_TRUE(WaitFor([&] { return order.size() == 1000; }));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST_P(LoopContract, NeverRunsAClosureInsidePost) {
  bool inside = false;
  int ran = 0;
  OnLoop([&] {
    EXPECT_TRUE(loop().IsCurrent());
    inside = true;
    loop().Post([&] {
      EXPECT_FALSE(inside);
      ++ran;
    });
    inside = false;
  });
  EXPECT_TRUE(WaitFor([&] { return ran == 1; }));
}

TEST_P(LoopContract, RunsTimersInTheOrderOfTheirTimeAndNotEarly) {
  std::string order;
  OnLoop([&] {
    const io::Instant start = env().clock().Now();
    auto note = [&, start](const char* name, int ms) {
      loop().After(milliseconds(ms), [&, start, name, ms] {
        EXPECT_GE(env().clock().Now() - start, milliseconds(ms));
        order += name;
      });
    };
    note("c", 20);
    note("a", 0);
    note("b", 10);
  });
  ASSERT_TRUE(WaitFor([&] { return order.size() == 3; }));
  EXPECT_EQ(order, "abc");
}

TEST_P(LoopContract, ForgetsCancelledTimersEvenWhenThereAreMany) {
  int ran = 0, cancelled_ran = 0;
  OnLoop([&] {
    std::vector<io::TimerId> timers;
    for (int i = 0; i < 1000; ++i) timers.push_back(loop().After(milliseconds(1), [&] { ++cancelled_ran; }));
    loop().After(milliseconds(2), [&] { ++ran; });
    for (io::TimerId timer : timers) loop().Cancel(timer);
    loop().Cancel(timers[0]);
    loop().Cancel(io::TimerId::kNone);
  });
  ASSERT_TRUE(WaitFor([&] { return ran == 1; }));
  EXPECT_EQ(cancelled_ran, 0);
}

TEST_P(LoopContract, CancelsATimerThatIsDueFromOneThatRunsFirst) {
  bool second_ran = false, end = false;
  OnLoop([&] {
    auto second = std::make_shared<io::TimerId>();
    loop().After(milliseconds(0), [&, second] { loop().Cancel(*second); });
    *second = loop().After(milliseconds(0), [&] { second_ran = true; });
    loop().After(milliseconds(2), [&] { end = true; });
  });
  ASSERT_TRUE(WaitFor([&] { return end; }));
  EXPECT_FALSE(second_ran);
}

TEST_P(LoopContract, RunsBeforeWaitOnceAfterTheClosuresThatAreReady) {
  std::string order;
  OnLoop([&] {
    // Posted from the loop, all four closures are ready together in the next round.
    loop().Post([&] {
      loop().BeforeWait([&] { order += "|"; });
      order += "a";
    });
    for (const char* name : {"b", "c", "d"}) loop().Post([&order, name] { order += name; });
  });
  ASSERT_TRUE(WaitFor([&] { return order.size() == 5; }));
  EXPECT_EQ(order, "abcd|");
}

Task<void> Journey(io::Env& env, std::atomic<int>& stage) {
  co_await env.data_loop().Switch();
  EXPECT_TRUE(env.data_loop().IsCurrent());
  const io::Instant start = env.clock().Now();
  co_await env.data_loop().Sleep(milliseconds(3));
  EXPECT_GE(env.clock().Now() - start, milliseconds(3));
  stage = 1;
  auto work = [&stage] { stage = 2; };
  co_await env.executor().Call(env.data_loop(), work);
  EXPECT_TRUE(env.data_loop().IsCurrent());
  EXPECT_EQ(stage, 2);
  co_await env.control_loop().Switch();
  EXPECT_TRUE(env.control_loop().IsCurrent());
  stage = 3;
}

TEST_P(LoopContract, CarriesACoroutineBetweenLoopsAndTheExecutor) {
  std::atomic<int> stage = 0;
  Spawn(Journey(env(), stage));
  EXPECT_TRUE(WaitFor([&] { return stage == 3; }));
}

TEST_P(LoopContract, TakesClosuresFromTheExecutorsThreadsInEachOnesOrder) {
  constexpr int kTasks = 8, kEach = 500;
  std::vector<int> next(kTasks, 0);
  int total = 0;
  for (int task = 0; task < kTasks; ++task)
    env().executor().Run([&, task] {
      for (int i = 0; i < kEach; ++i)
        loop().Post([&, task, i] {
          EXPECT_EQ(next[static_cast<size_t>(task)]++, i);
          ++total;
        });
    });
  EXPECT_TRUE(WaitFor([&] { return total == kTasks * kEach; }));
}

LS_CONTRACT_ON_BOTH(LoopContract);

}  // namespace
}  // namespace lockstep::contract
