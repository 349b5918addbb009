// Goal: a pool's paths in the catalog are its devices, whatever fails; a removal is a job like any other.

#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

using catalog::JobRecord;
using catalog::JobState;

class DevicesTest : public ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    env_.AddDisk("/dev/q", 64 * kMiB);
    engine()->SetDevices({{DeviceNumbered(1), "/dev/p", 1024 * kMiB, 0, 0, false}});
  }
  static block::DeviceId DeviceNumbered(uint8_t n) {
    block::DeviceId id;
    id.uuid.bytes[15] = n;
    return id;
  }
  std::shared_ptr<FragilePool> engine() { return node_->opener().at("/dev/p"); }
  std::vector<std::string> Paths() { return PathsOf(control().Pool(pool_)->record); }
  void AddSecond() { ASSERT_TRUE(Run(control().AddDevice(pool_, "/dev/q", 0)).ok()); }
  JobId Remove(const std::string& device) { return Must(Run(control().RemoveDevice(pool_, device))); }
  JobRecord End(JobId job) { return Must(Run(control().WaitForJob(job))); }
  // A removal takes a second.
  void RunHalf() { env_.loop().RunFor(std::chrono::milliseconds(505)); }
};

TEST_F(DevicesTest, APathIsAddedWithItsDeviceAndTakenBackWhenThatFails) {
  engine()->FailDevices(InUse("no"));
  EXPECT_EQ(Run(control().AddDevice(pool_, "/dev/q", 0)).status().code(), Code::kInUse);
  EXPECT_EQ(Paths(), std::vector<std::string>{"/dev/p"});
  engine()->FailDevices(IoError("who knows"));
  EXPECT_EQ(Run(control().AddDevice(pool_, "/dev/q", 0)).status().code(), Code::kIoError);
  EXPECT_EQ(Paths(), (std::vector<std::string>{"/dev/p", "/dev/q"})) << "it may have become one";
  EXPECT_EQ(Run(control().AddDevice(pool_, "/dev/q", 0)).status().code(), Code::kAlreadyExists);
  EXPECT_EQ(Run(control().AddDevice(pool_, "/dev/none", 0)).status().code(), Code::kNotFound);
  EXPECT_EQ(Run(control().AddDevice(pool_, "/dev/a\n/dev/b", 0)).status().code(), Code::kInvalidArgument);
}

TEST_F(DevicesTest, ARemovalIsAJobWithProgressAndThePathGoesWithIt) {
  AddSecond();
  EXPECT_EQ(control().Pool(pool_)->devices.size(), 2u);
  EXPECT_EQ(Run(control().RemoveDevice(pool_, "/dev/none")).status().code(), Code::kNotFound);
  const JobId job = Remove("/dev/q");
  EXPECT_EQ(Run(control().RemoveDevice(pool_, "/dev/p")).status().code(), Code::kInUse);
  EXPECT_EQ(Run(control().ExportPool(pool_, "")).status().code(), Code::kInUse);
  RunHalf();
  EXPECT_NEAR(control().Job(job)->percent, 50, 5);
  const JobRecord done = End(job);
  EXPECT_EQ(done.state, JobState::kCompleted);
  EXPECT_EQ(done.percent, 100);
  EXPECT_EQ(Paths(), std::vector<std::string>{"/dev/p"});
  EXPECT_EQ(Run(control().RemoveDevice(pool_, "/dev/p")).status().code(), Code::kInvalidState);
}

TEST_F(DevicesTest, ARemovalThatFailsKeepsThePathAndSaysWhy) {
  AddSecond();
  engine()->FailDevices(NoSpace("it is too full"));
  const JobRecord failed = End(Remove(DeviceNumbered(2).ToString()));
  EXPECT_EQ(failed.state, JobState::kException);
  EXPECT_EQ(failed.error_code, Code::kNoSpace);
  EXPECT_NE(failed.error.find("/dev/q"), std::string::npos) << failed.error;
  EXPECT_EQ(Paths(), (std::vector<std::string>{"/dev/p", "/dev/q"}));
}

TEST_F(DevicesTest, ARemovalIsSuspendedGoneOnWithAndCancelled) {
  AddSecond();
  const JobId job = Remove("/dev/q");
  RunHalf();
  ASSERT_TRUE(Run(control().SuspendJob(job)).ok());
  env_.loop().RunFor(std::chrono::seconds(2));
  EXPECT_EQ(control().Job(job)->state, JobState::kSuspended);
  EXPECT_TRUE(control().Pool(pool_)->devices.at(1).draining);
  ASSERT_TRUE(Run(control().ResumeJob(job)).ok());
  env_.loop().RunFor(std::chrono::milliseconds(100));
  ASSERT_TRUE(Run(control().CancelJob(job)).ok());
  env_.loop().RunFor(std::chrono::seconds(2));
  EXPECT_EQ(control().Job(job)->state, JobState::kTerminated);
  EXPECT_EQ(Paths(), (std::vector<std::string>{"/dev/p", "/dev/q"}));
  EXPECT_FALSE(engine()->Devices().at(1).draining);
  EXPECT_EQ(End(Remove("/dev/q")).state, JobState::kCompleted);
}

TEST_F(DevicesTest, MakingAVolumeSmallerIsConfirmed) {
  const VolumeId a = Volume("a", 4 * kMiB);
  const Status asked = Run(control().ResizeVolume(a, 2 * kMiB));
  EXPECT_EQ(asked.code(), Code::kInvalidState);
  EXPECT_NE(asked.message().find("--discard-data"), std::string::npos) << asked.message();
  ASSERT_TRUE(Run(control().ResizeVolume(a, 2 * kMiB, true)).ok());
  EXPECT_EQ(control().Volume(a)->record.size, 2 * kMiB);
}

}  // namespace
}  // namespace lockstep::control
