// Goal: a full copy is a job that can be followed, held, cancelled, that survives a restart and tells how it ended.

#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

using catalog::JobRecord;
using catalog::JobState;

class JobsTest : public ControlTest {
 protected:
  static constexpr uint64_t kSize = 64 * kMiB;  // 16 pieces

  void SetUp() override {
    ControlTest::SetUp();
    source_ = Volume("a", kSize);
    Write(source_, '1');
  }
  JobState StateOfJob(JobId id) {
    const Result<JobRecord> job = control().Job(id);
    return job.ok() ? job->state : JobState::kNew;
  }
  // Lets the copy run for about half of its pieces, each of which takes 10 ms and rests as long.
  void RunHalf() { env_.loop().RunFor(std::chrono::milliseconds(165)); }
  uint64_t Pieces() { return node_->opener().at("/dev/p")->pieces(); }
  // Bytes that the target holds for itself.
  uint64_t Used(VolumeId id) { return node_->opener().at("/dev/p")->Find(id)->used; }

  VolumeId source_;
};

TEST_F(JobsTest, AFullCopyIsAJobWithProgress) {
  const ReplicaResult made = Must(FullClone(source_));
  ASSERT_TRUE(made.job);
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kUnsynchronized);
  EXPECT_EQ(Read(made.target_element), '1') << "usable at once";
  EXPECT_EQ(control().Relationship(made.synchronization)->job, made.job);
  RunHalf();
  const JobRecord half = *control().Job(*made.job);
  EXPECT_EQ(half.state, JobState::kRunning);
  EXPECT_GT(half.percent, 20);
  EXPECT_LT(half.percent, 80);
  EXPECT_EQ(half.volumes, std::vector<VolumeId>{made.target_element});
  const JobRecord done = Must(Run(control().WaitForJob(*made.job)));
  EXPECT_EQ(done.state, JobState::kCompleted);
  EXPECT_EQ(done.percent, 100);
  EXPECT_EQ(done.error_code, Code::kOk);
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kSynchronized);
  EXPECT_EQ(Used(made.target_element), block::kBlockSize) << "what the source held is the target's own now";
}

TEST_F(JobsTest, WaitingForUnsynchronizedAnswersWithoutAJob) {
  const ReplicaResult made = Must(FullClone(source_, CopyState::kUnsynchronized));
  EXPECT_FALSE(made.job);
  EXPECT_EQ(control().Jobs().size(), 1u) << "the copy is a job all the same";
}

TEST_F(JobsTest, OneJobForAGroup) {
  const VolumeId b = Volume("b", kSize);
  CreateGroupReplicaRequest request;
  request.options.settings.desired_copy_methodology = catalog::CopyMethodology::kFullCopy;
  const GroupReplicaResult made = Must(ReplicateGroup(SyncType::kClone, Group("g", {source_, b}), request));
  ASSERT_TRUE(made.job);
  EXPECT_EQ(control().GroupRelationship(made.synchronization)->state, CopyState::kUnsynchronized);
  EXPECT_EQ(Must(Run(control().WaitForJob(*made.job))).state, JobState::kCompleted);
  EXPECT_EQ(control().GroupRelationship(made.synchronization)->state, CopyState::kSynchronized);
  EXPECT_EQ(control().Jobs().size(), 1u);
}

TEST_F(JobsTest, ACopyGoesOnWhereItWasHeld) {
  const ReplicaResult made = Must(FullClone(source_));
  RunHalf();
  ASSERT_TRUE(Run(control().SuspendJob(*made.job)).ok());
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kSuspended);
  EXPECT_EQ(StateOfJob(*made.job), JobState::kSuspended);
  env_.loop().RunFor(std::chrono::seconds(1));
  const uint64_t pieces = Pieces();
  env_.loop().RunFor(std::chrono::seconds(1));
  EXPECT_EQ(Pieces(), pieces) << "nothing is copied while it is held";
  EXPECT_EQ(Run(control().SuspendJob(*made.job)).code(), Code::kOk) << "already so";
  const ModifyResult resumed = Must(Modify(made.synchronization, Operation::kResume));
  EXPECT_EQ(resumed.job, made.job);
  EXPECT_EQ(Must(Run(control().WaitForJob(*made.job))).state, JobState::kCompleted);
}

TEST_F(JobsTest, ACancelledCopyIsAbortedAndResyncStartsAgain) {
  const ReplicaResult made = Must(FullClone(source_));
  RunHalf();
  ASSERT_TRUE(Run(control().CancelJob(*made.job)).ok());
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kAborted);
  EXPECT_EQ(StateOfJob(*made.job), JobState::kTerminated);
  EXPECT_EQ(Run(control().CancelJob(*made.job)).code(), Code::kInvalidState);
  EXPECT_EQ(Run(control().ResumeJob(*made.job)).code(), Code::kInvalidState);
  Write(source_, '2');
  const ModifyResult again = Must(Modify(made.synchronization, Operation::kResyncReplica));
  ASSERT_TRUE(again.job);
  EXPECT_NE(again.job, made.job);
  EXPECT_EQ(Must(Run(control().WaitForJob(*again.job))).state, JobState::kCompleted);
  EXPECT_EQ(Read(made.target_element), '2');
}

TEST_F(JobsTest, OperationsOnARunningCopyFollowTheTable) {
  const ReplicaResult made = Must(FullClone(source_));
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kDetach), Code::kInvalidState) << "incomplete: needs Force";
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kRestoreFromReplica), Code::kInvalidState);
  const ModifyReplicaRequest wait{Operation::kActivate, made.synchronization, {}, {}, false, CopyState::kSynchronized};
  EXPECT_EQ(Must(Run(control().ModifyReplica(wait))).job, made.job) << "a no-op whose state is still to come";
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kDetach, true), Code::kOk);
  const JobRecord job = *control().Job(*made.job);
  EXPECT_EQ(job.state, JobState::kException);
  EXPECT_NE(job.error_code, Code::kOk);
  EXPECT_FALSE(job.error.empty());
  EXPECT_EQ(Read(made.target_element), '1');
}

TEST_F(JobsTest, AJobSurvivesARestartAndItsCopyIsNotRepeated) {
  const VolumeId big = Volume("big", 1024 * kMiB);  // 256 pieces: progress is stored every 64
  const ReplicaResult made = Must(FullClone(big));
  ASSERT_TRUE(env_.loop().RunUntil([&] { return Pieces() > 100; }));
  Restart();
  EXPECT_EQ(StateOfJob(*made.job), JobState::kRunning);
  EXPECT_GE(control().Relationship(made.synchronization)->record.copied, 256 * kMiB);
  EXPECT_EQ(Must(Run(control().WaitForJob(*made.job))).state, JobState::kCompleted);
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kSynchronized);
  EXPECT_LE(Pieces(), 192u) << "what was stored as copied was copied again";
}

TEST_F(JobsTest, ASuspendedJobStaysSuspendedOverARestart) {
  const ReplicaResult made = Must(FullClone(source_));
  ASSERT_TRUE(Run(control().SuspendJob(*made.job)).ok());
  Restart();
  env_.loop().RunFor(std::chrono::seconds(1));
  EXPECT_EQ(StateOfJob(*made.job), JobState::kSuspended);
  ASSERT_TRUE(Run(control().ResumeJob(*made.job)).ok());
  EXPECT_EQ(Must(Run(control().WaitForJob(*made.job))).state, JobState::kCompleted);
}

TEST_F(JobsTest, ACopyThatFailsBreaksTheRelationshipAndSaysWhy) {
  const ReplicaResult made = Must(FullClone(source_));
  node_->opener().at("/dev/p")->FailCopies(NoSpace("the pool is full"));
  const JobRecord job = Must(Run(control().WaitForJob(*made.job)));
  EXPECT_EQ(job.state, JobState::kException);
  EXPECT_EQ(job.error_code, Code::kNoSpace);
  EXPECT_NE(job.error.find("the pool is full"), std::string::npos);
  EXPECT_EQ(StateOf(made.synchronization), CopyState::kBroken);
  node_->opener().at("/dev/p")->FailCopies(Status::Ok());
  const ModifyResult again = Must(Modify(made.synchronization, Operation::kResyncReplica));
  EXPECT_EQ(Must(Run(control().WaitForJob(*again.job))).state, JobState::kCompleted);
}

TEST_F(JobsTest, UrgentCopiesComeFirst) {
  const ReplicaResult slow = Must(FullClone(source_));
  const ReplicaResult urgent = Must(FullClone(source_));
  ASSERT_TRUE(Run(control().SetCopyPriority(urgent.synchronization, catalog::CopyPriority::kUrgent)).ok());
  Must(Run(control().WaitForJob(*urgent.job)));
  EXPECT_EQ(StateOf(slow.synchronization), CopyState::kUnsynchronized);
  EXPECT_EQ(Must(Run(control().WaitForJob(*slow.job))).state, JobState::kCompleted);
  const auto bad = static_cast<catalog::CopyPriority>(9);
  EXPECT_EQ(Run(control().SetCopyPriority(slow.synchronization, bad)).code(), Code::kInvalidArgument);
}

TEST_F(JobsTest, AJobThatHasEndedIsKeptForItsRetention) {
  const ReplicaResult made = Must(FullClone(source_));
  EXPECT_EQ(Run(control().DeleteJob(*made.job)).code(), Code::kInUse);
  Must(Run(control().WaitForJob(*made.job)));
  env_.loop().RunFor(std::chrono::minutes(4));
  EXPECT_TRUE(control().Job(*made.job).ok());
  env_.loop().RunFor(std::chrono::minutes(2));
  EXPECT_FALSE(control().Job(*made.job).ok());
}

TEST_F(JobsTest, AJobIsKeptUntilItIsDeletedWhenItsOwnerSaysSo) {
  const ReplicaResult made = Must(FullClone(source_));
  ASSERT_TRUE(Run(control().SetJobRetention(*made.job, false, 1)).ok());
  Must(Run(control().WaitForJob(*made.job)));
  env_.loop().RunFor(std::chrono::hours(3));
  ASSERT_TRUE(control().Job(*made.job).ok());
  EXPECT_TRUE(Run(control().DeleteJob(*made.job)).ok());
  EXPECT_EQ(Run(control().DeleteJob(*made.job)).code(), Code::kNotFound);
}

TEST_F(JobsTest, AFullCopySnapshotPassesThroughTheSameStates) {
  ReplicaOptions options;
  options.settings.desired_copy_methodology = catalog::CopyMethodology::kFullCopy;
  const ReplicaResult made = Must(Replicate(SyncType::kSnapshot, source_, options));
  ASSERT_TRUE(made.job);
  ASSERT_EQ(CodeOf(made.synchronization, Operation::kAbort), Code::kOk);
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kResyncReplica), Code::kOk);
  EXPECT_EQ(CodeOf(made.synchronization, Operation::kReturnToResourcePool), Code::kOk);
  EXPECT_EQ(VolumesInEngine(), 1u);
}

}  // namespace
}  // namespace lockstep::control
