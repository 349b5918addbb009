// Goal: a scrub is a job that can be followed, held and cancelled, and that tells what it found.

#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

using catalog::JobRecord;
using catalog::JobState;

class ScrubTest : public ControlTest {
 protected:
  std::shared_ptr<FragilePool> engine() { return node_->opener().at("/dev/p"); }
  JobId Start(uint64_t rate = 0) { return Must(Run(control().ScrubPool(pool_, rate))); }
  JobRecord End(JobId job) { return Must(Run(control().WaitForJob(job))); }
  // A scrub takes a second.
  void RunHalf() { env_.loop().RunFor(std::chrono::milliseconds(505)); }
};

TEST_F(ScrubTest, ASoundPoolIsScrubbedWithProgress) {
  uint64_t seen = 0;
  const JobId job = Start(12345);
  const uint64_t subscription = control().Subscribe([&](const ChangeEvent& event) {
    const auto* record = event.after ? std::get_if<JobRecord>(&*event.after) : nullptr;
    if (record != nullptr && record->id == job) ++seen;
  });
  RunHalf();
  const JobRecord half = *control().Job(job);
  EXPECT_EQ(half.state, JobState::kRunning);
  EXPECT_GE(half.percent, 45);
  EXPECT_LE(half.percent, 55);
  const JobRecord done = End(job);
  EXPECT_EQ(done.state, JobState::kCompleted);
  EXPECT_EQ(done.percent, 100);
  EXPECT_EQ(done.error, "");
  EXPECT_GT(seen, 50u) << "whoever watches sees it move";
  EXPECT_EQ(engine()->scrub_rate(), 12345u);
  EXPECT_EQ(engine()->scrubbed(), 100u);
  control().Unsubscribe(subscription);
}

TEST_F(ScrubTest, BadBlocksAreNamed) {
  const VolumeId volume = Volume("db");
  engine()->MakeBad({{volume, 7, 42, 4711}, {{}, 9, 43, 4712}, {{}, 0, 0, 4713}});
  const JobRecord done = End(Start());
  EXPECT_EQ(done.state, JobState::kException);
  EXPECT_EQ(done.error_code, Code::kCorrupted);
  EXPECT_EQ(done.percent, 100) << "it went on to the end";
  EXPECT_NE(done.error.find("3 bad blocks"), std::string::npos) << done.error;
  EXPECT_NE(done.error.find("block 42 of volume db at device block 4711"), std::string::npos) << done.error;
  EXPECT_NE(done.error.find("layer 9"), std::string::npos) << done.error;
  EXPECT_NE(done.error.find("the log at device block 4713"), std::string::npos) << done.error;
}

TEST_F(ScrubTest, OneAtATime) {
  const JobId job = Start();
  const auto second = Run(control().ScrubPool(pool_, 0));
  EXPECT_EQ(second.status().code(), Code::kInUse);
  EXPECT_EQ(End(job).state, JobState::kCompleted);
  EXPECT_EQ(End(Start()).state, JobState::kCompleted);
  EXPECT_EQ(Run(control().ScrubPool(PoolId{env_.random().NextUuid()}, 0)).status().code(), Code::kNotFound);
}

TEST_F(ScrubTest, SuspendedItGoesOnWhereItStood) {
  engine()->MakeBad({{{}, 9, 43, 4712}});
  const JobId job = Start();
  RunHalf();
  ASSERT_TRUE(Run(control().SuspendJob(job)).ok());
  env_.loop().RunFor(std::chrono::seconds(1));
  const uint64_t read = engine()->scrubbed();
  EXPECT_LT(read, 60u);
  EXPECT_EQ(control().Job(job)->state, JobState::kSuspended);
  EXPECT_EQ(Run(control().SuspendJob(job)).code(), Code::kInvalidState);
  EXPECT_EQ(Run(control().ScrubPool(pool_, 0)).status().code(), Code::kInUse);
  ASSERT_TRUE(Run(control().ResumeJob(job)).ok());
  const JobRecord done = End(job);
  EXPECT_EQ(done.error_code, Code::kCorrupted) << "what the first part found is not forgotten";
  EXPECT_EQ(engine()->scrubbed(), 100u);
}

TEST_F(ScrubTest, ResumedBeforeItHasStopped) {
  const JobId job = Start();
  RunHalf();
  ASSERT_TRUE(Run(control().SuspendJob(job)).ok());
  ASSERT_TRUE(Run(control().ResumeJob(job)).ok());
  EXPECT_EQ(End(job).state, JobState::kCompleted);
  EXPECT_EQ(engine()->scrubbed(), 100u);
}

TEST_F(ScrubTest, CancelledItStops) {
  const JobId job = Start();
  RunHalf();
  ASSERT_TRUE(Run(control().CancelJob(job)).ok());
  EXPECT_EQ(End(job).state, JobState::kTerminated);
  env_.loop().RunFor(std::chrono::seconds(1));
  EXPECT_LT(engine()->scrubbed(), 60u);
  EXPECT_EQ(control().Job(job)->state, JobState::kTerminated);
  const JobId held = Start();
  ASSERT_TRUE(Run(control().SuspendJob(held)).ok());
  env_.loop().RunFor(std::chrono::milliseconds(50));
  ASSERT_TRUE(Run(control().CancelJob(held)).ok());
  EXPECT_EQ(End(Start()).state, JobState::kCompleted);
}

TEST_F(ScrubTest, OneThatCannotGoOnSaysWhy) {
  engine()->FailScrub(IoError("the index is gone"));
  const JobRecord done = End(Start());
  EXPECT_EQ(done.state, JobState::kException);
  EXPECT_EQ(done.error_code, Code::kIoError);
  EXPECT_NE(done.error.find("the index is gone"), std::string::npos);
}

TEST_F(ScrubTest, ARestartGoesOnWithItWhereItStood) {
  engine()->MakeBad({{{}, 9, 43, 4712}});
  const JobId job = Start(777);
  env_.loop().RunFor(std::chrono::milliseconds(605));
  EXPECT_NE(control().Job(job)->error.find("block 43 of layer 9"), std::string::npos) << "told as soon as it is found";
  EXPECT_EQ(control().Job(job)->error_code, Code::kOk);
  Restart();
  EXPECT_EQ(control().Job(job)->state, JobState::kRunning);
  EXPECT_EQ(Run(control().ScrubPool(pool_, 0)).status().code(), Code::kInUse);
  const JobRecord done = End(job);
  EXPECT_EQ(done.error_code, Code::kCorrupted) << "what was found before is not forgotten";
  EXPECT_NE(done.error.find("has 1 bad block: block 43 of layer 9"), std::string::npos) << done.error;
  EXPECT_LT(engine()->scrubbed(), 45u) << "only what was left";
  EXPECT_EQ(engine()->scrub_rate(), 777u);
}

TEST_F(ScrubTest, APowerCutAtAnyMomentLosesLittleOfIt) {
  const JobId job = Start();
  uint64_t all = 0;
  for (int life = 0; life < 5; ++life) {
    env_.loop().RunFor(std::chrono::milliseconds(155));
    all += engine()->scrubbed();
    env_.faults().CutPowerNow();
    Restart();
  }
  EXPECT_EQ(End(job).state, JobState::kCompleted);
  all += engine()->scrubbed();
  EXPECT_GE(all, 100u);
  EXPECT_LE(all, 110u) << "a position or two for each life";
}

TEST_F(ScrubTest, ASuspendedOneStaysSoOverARestart) {
  const JobId job = Start();
  RunHalf();
  ASSERT_TRUE(Run(control().SuspendJob(job)).ok());
  env_.loop().RunFor(std::chrono::milliseconds(50));
  Restart();
  env_.loop().RunFor(std::chrono::seconds(2));
  EXPECT_EQ(control().Job(job)->state, JobState::kSuspended);
  EXPECT_EQ(engine()->scrubbed(), 0u);
  ASSERT_TRUE(Run(control().ResumeJob(job)).ok());
  EXPECT_EQ(End(job).state, JobState::kCompleted);
  EXPECT_LT(engine()->scrubbed(), 55u);
}

TEST_F(ScrubTest, ThePoolSaysWhenItWasScrubbedLast) {
  EXPECT_EQ(control().Pools()[0].record.last_scrub, io::WallTime());
  EXPECT_EQ(control().Pools()[0].next_scrub, io::WallTime()) << "nothing is scheduled";
  engine()->MakeBad({{{}, 9, 43, 4712}});
  End(Start());
  const io::WallTime ended = env_.clock().Wall();
  Restart();
  EXPECT_EQ(control().Pools()[0].record.last_scrub, ended);
  EXPECT_EQ(control().Pools()[0].record.last_scrub_bad, 1u);
  // One that fails or is cancelled is none.
  engine()->FailScrub(IoError("the index is gone"));
  End(Start());
  EXPECT_EQ(control().Pools()[0].record.last_scrub, ended);
}

TEST_F(ScrubTest, ABadBlockThatAnybodyMeetsIsNotedAndTold) {
  const VolumeId volume = Volume("db");
  std::string told;
  const uint64_t subscription = control().Subscribe([&](const ChangeEvent& event) {
    const auto* pool = event.after ? std::get_if<catalog::PoolRecord>(&*event.after) : nullptr;
    if (pool != nullptr) told = pool->last_bad;
  });
  node_->opener().bad_block(pool_, {volume, 7, 42, 4711});
  env_.loop().RunFor(std::chrono::milliseconds(10));
  EXPECT_EQ(told, "block 42 of volume db at device block 4711");
  control().Unsubscribe(subscription);
  Restart();
  EXPECT_EQ(control().Pools()[0].record.last_bad, told);
  EXPECT_NE(control().Pools()[0].record.last_bad_at, io::WallTime());
}

class ScheduledScrubTest : public ScrubTest {
 protected:
  static constexpr int64_t kDay = 24 * 3600;
  ScheduledScrubTest() { scrubs_ = {30 * kDay, 4711}; }
  void RunDays(int64_t days) { env_.loop().RunFor(std::chrono::seconds(days * kDay)); }
};

TEST_F(ScheduledScrubTest, ScrubsBeginByThemselvesWhenTheyAreDue) {
  RunDays(29);
  EXPECT_EQ(engine()->scrubbed(), 0u);
  RunDays(2);
  EXPECT_EQ(engine()->scrubbed(), 100u);
  EXPECT_EQ(engine()->scrub_rate(), 4711u);
  const catalog::PoolRecord first = control().Pools()[0].record;
  EXPECT_NE(first.last_scrub, io::WallTime());
  EXPECT_EQ(control().Pools()[0].next_scrub.us - first.last_scrub.us, 30 * kDay * 1000000);
  RunDays(28);
  EXPECT_EQ(engine()->scrubbed(), 100u);
  RunDays(3);
  EXPECT_EQ(engine()->scrubbed(), 200u);
}

TEST_F(ScheduledScrubTest, OneThatWasDueWhileNothingRanBeginsAtTheStart) {
  const io::WallTime made = control().Pools()[0].record.created;
  node_.reset();
  env_.Crash();
  RunDays(100);
  node_ = std::make_unique<Node>(env_, media_, scrubs_);
  ASSERT_TRUE(node_->started());
  env_.loop().RunFor(std::chrono::seconds(5));
  EXPECT_EQ(engine()->scrubbed(), 100u);
  EXPECT_GT(control().Pools()[0].record.last_scrub.us - made.us, 100 * kDay * 1000000);
}

TEST_F(ScheduledScrubTest, OneByHandCountsAndOneThatIsCancelledIsNotBegunAgainAtOnce) {
  RunDays(20);
  End(Start());
  RunDays(20);
  EXPECT_EQ(engine()->scrubbed(), 100u) << "ten days too early";
  RunDays(9);
  env_.loop().RunFor(std::chrono::seconds(kDay + 5));
  EXPECT_EQ(engine()->scrubbed(), 200u);
  const JobId job = Start();
  RunHalf();
  ASSERT_TRUE(Run(control().CancelJob(job)).ok());
  const uint64_t read = engine()->scrubbed();
  RunDays(29);
  EXPECT_LE(engine()->scrubbed(), read + 1);
  RunDays(2);
  EXPECT_GE(engine()->scrubbed(), read + 100);
}

TEST_F(ScheduledScrubTest, OneThatCannotReadIsTriedAgainNextTime) {
  engine()->FailScrub(IoError("the index is gone"));
  RunDays(31);
  EXPECT_EQ(control().Pools()[0].record.last_scrub, io::WallTime());
  engine()->FailScrub(Status());
  RunDays(31);
  EXPECT_EQ(engine()->scrubbed(), 100u);
}

TEST_F(ScrubTest, AStopDoesNotWaitForIt) {
  const JobId job = Start();
  RunHalf();
  const std::shared_ptr<FragilePool> pool = engine();
  const io::Instant begin = env_.clock().Now();
  node_->Stop();
  EXPECT_LT(env_.clock().Now() - begin, std::chrono::milliseconds(100));
  EXPECT_LT(pool->scrubbed(), 60u);
  EXPECT_FALSE(job.IsNil());
}

TEST_F(ScrubTest, ACheckAnswersWhatTheEngineCounted) {
  Write(Volume("a"), '1');
  const block::CheckReport report = Must(Run(control().CheckPool(pool_)));
  EXPECT_EQ(report.current, 1u);
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(Run(control().CheckPool(PoolId{env_.random().NextUuid()})).status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace lockstep::control
