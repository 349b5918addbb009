// Goal: pools are deleted when nothing is lost by it, and made of the devices that are offered, whole or not at all.

#include "sim/crash_points.h"
#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

constexpr uint64_t kDisk = 64 * kMiB;

class PoolsTest : public ControlTest {
 protected:
  void SetUp() override {
    for (const char* path : {"/dev/b", "/dev/c"}) {
      env_.AddDisk(path, kDisk);
      devices_.push_back(path);
    }
    ControlTest::SetUp();
  }
  Status Delete(PoolId pool) { return Run(control().DeletePool(pool)); }
  Result<PoolId> Shape(ShapePoolRequest request) { return Run(control().ShapePool(std::move(request))); }
  std::vector<std::string> Free() {
    std::vector<std::string> paths;
    for (const FreeDevice& device : control().FreeDevices()) paths.push_back(device.path);
    return paths;
  }
  std::vector<std::string> PathsOfPool(PoolId pool) { return PathsOf(control().Pool(pool)->record); }
  void ExpectRefused(const Status& status, const char* because) {
    EXPECT_EQ(status.code(), Code::kInUse);
    EXPECT_NE(status.message().find(because), std::string::npos) << status.message();
    EXPECT_TRUE(control().PoolState(pool_).ok()) << "and it goes on";
  }
};

TEST_F(PoolsTest, AnEmptyPoolIsDeletedForGood) {
  EXPECT_TRUE(Delete(pool_).ok());
  EXPECT_FALSE(media_.contains("/dev/p"));
  EXPECT_TRUE(control().Pools().empty());
  EXPECT_EQ(Delete(pool_).code(), Code::kNotFound);
  EXPECT_TRUE(Run(control().CreatePool({"p", "/dev/p", kMiB})).ok()) << "name and device are free";
  Restart();
  EXPECT_EQ(control().Pools().size(), 1u);
}

TEST_F(PoolsTest, APoolWithSomethingOnItIsKeptAndTheSentenceSaysWhat) {
  const VolumeId a = Volume("a");
  ExpectRefused(Delete(pool_), "1 volume (a)");
  const ExportId exported = Must(Run(control().CreateExport({a, "x", false})));
  Volume("b");
  ExpectRefused(Delete(pool_), "1 export (x), 2 volumes");
  ASSERT_TRUE(Run(control().DeleteExport(exported, false)).ok());
  CreateAspectRequest aspect;
  aspect.name = "noon";
  aspect.source_element = a;
  const AspectId taken = Must(Run(control().CreateAspect(aspect)));
  for (const char* name : {"a", "b"})
    ASSERT_TRUE(Run(control().DeleteVolume(control().VolumeByName(name)->record.id)).ok());
  ExpectRefused(Delete(pool_), "1 point (of aspect noon)");
  ASSERT_TRUE(Run(control().DeleteAspect(taken)).ok());
  const JobId job = Must(Run(control().ScrubPool(pool_, 0)));
  ExpectRefused(Delete(pool_), "job ");
  Must(Run(control().WaitForJob(job)));
  EXPECT_TRUE(Delete(pool_).ok());
}

TEST_F(PoolsTest, VolumesThatTheCatalogDoesNotKnowAreNotLost) {
  const std::shared_ptr<FragilePool> engine = node_->opener().at("/dev/p");
  block::Transaction transaction;
  transaction.id = block::TransactionId{env_.random().NextUuid()};
  transaction.changes.push_back(block::CreateVolume{VolumeId{env_.random().NextUuid()}, kMiB});
  ASSERT_TRUE(Run(engine->Apply(std::move(transaction))).ok());
  ExpectRefused(Delete(pool_), "does not know");
  EXPECT_TRUE(media_.contains("/dev/p"));
}

TEST_F(PoolsTest, APoolThatIsBeingReadIsKept) {
  std::shared_ptr<FragilePool> reader = node_->opener().at("/dev/p");
  ExpectRefused(Delete(pool_), "try again");
  reader.reset();
  EXPECT_TRUE(Delete(pool_).ok());
}

TEST_F(PoolsTest, APoolThatDoesNotOpenIsForgottenAndItsDeviceKept) {
  const auto stored = media_.extract("/dev/p");
  Restart();
  ASSERT_FALSE(control().PoolState(pool_).ok());
  EXPECT_TRUE(Delete(pool_).ok());
  EXPECT_TRUE(control().Pools().empty());
  media_["/dev/p"] = stored.mapped();
  EXPECT_TRUE(Run(control().AddPool("again", "/dev/p")).ok());
}

TEST_F(PoolsTest, PoolsAreMadeOfFreeDevices) {
  EXPECT_EQ(Free(), (std::vector<std::string>{"/dev/b", "/dev/c"}));
  const PoolId made = Must(Shape({{}, "q", {"/dev/b", "/dev/c"}, {}}));
  EXPECT_EQ(PathsOfPool(made), (std::vector<std::string>{"/dev/b", "/dev/c"}));
  EXPECT_EQ(control().Pool(made)->devices.size(), 2u);
  EXPECT_TRUE(Free().empty());
  ASSERT_TRUE(Delete(made).ok());
  EXPECT_EQ(Free(), (std::vector<std::string>{"/dev/b", "/dev/c"}));
  const PoolId generated = Must(Shape({{}, "", {"/dev/c"}, {}}));
  EXPECT_EQ(control().Pool(generated)->record.name, "pool_1");
  const PoolId same = Must(Shape({generated, "larger", {"/dev/b"}, {}}));
  EXPECT_EQ(same, generated);
  EXPECT_EQ(control().Pool(same)->record.name, "larger");
  EXPECT_EQ(PathsOfPool(same), (std::vector<std::string>{"/dev/c", "/dev/b"}));
}

TEST_F(PoolsTest, OtherDevicesAreRefusedAndNothingChanges) {
  const auto code = [&](ShapePoolRequest request) { return Shape(std::move(request)).status().code(); };
  EXPECT_EQ(code({{}, "q", {}, {}}), Code::kInvalidArgument);
  EXPECT_EQ(code({{}, "q", {"/dev/sda"}, {}}), Code::kInvalidArgument) << "not offered";
  EXPECT_EQ(code({{}, "q", {"/dev/b", "/dev/b"}, {}}), Code::kInvalidArgument);
  EXPECT_EQ(code({{}, "q", {"/dev/p"}, {}}), Code::kInUse);
  EXPECT_EQ(code({{}, "p", {"/dev/b"}, {}}), Code::kAlreadyExists);
  EXPECT_EQ(code({{}, "q", {"/dev/b"}, kDisk + 1}), Code::kTooLarge);
  EXPECT_EQ(code({pool_, "", {}, {}}), Code::kInvalidArgument) << "no change";
  EXPECT_EQ(code({PoolId{env_.random().NextUuid()}, "", {"/dev/b"}, {}}), Code::kNotFound);
  EXPECT_EQ(control().SizesWith(pool_, {"/dev/b"})->most, 1024 * kMiB + kDisk);
  EXPECT_EQ(control().Pools().size(), 1u);
  EXPECT_EQ(Free().size(), 2u);
  devices_.clear();
  Restart();
  EXPECT_EQ(code({{}, "q", {"/dev/b"}, {}}), Code::kNotSupported);
}

TEST_F(PoolsTest, ADeviceThatHoldsSomethingIsNotFree) {
  media_["/dev/b"] = std::make_shared<test::MemoryStorage>();
  Run([](Control& one) -> Task<int> {
    co_await one.LookForDevices();
    co_return 0;
  }(control()));
  EXPECT_EQ(Free(), std::vector<std::string>{"/dev/c"});
}

TEST_F(PoolsTest, ADeviceThatHasGoneLeavesTheOthersFree) {
  env_.RenameDisk("/dev/c", "/dev/moved");
  EXPECT_EQ(Shape({pool_, "other", {"/dev/c"}, {}}).status().code(), Code::kNotFound);
  EXPECT_EQ(PathsOfPool(pool_), std::vector<std::string>{"/dev/p"});
  EXPECT_EQ(control().Pool(pool_)->record.name, "p");
  EXPECT_EQ(Shape({{}, "q", {"/dev/b", "/dev/c"}, {}}).status().code(), Code::kNotFound);
  EXPECT_EQ(control().Pools().size(), 1u);
  EXPECT_EQ(Free(), std::vector<std::string>{"/dev/b"});
  EXPECT_TRUE(Shape({{}, "q", {"/dev/b"}, {}}).ok());
  Restart();
  EXPECT_EQ(control().Pools().size(), 2u);
}

TEST_F(PoolsTest, ADeviceThatIsRemovedFromAPoolIsFreeAgain) {
  ASSERT_TRUE(Shape({pool_, "", {"/dev/b"}, {}}).ok());
  EXPECT_EQ(Free(), std::vector<std::string>{"/dev/c"});
  const std::shared_ptr<FragilePool> engine = node_->opener().at("/dev/p");
  std::vector<block::DeviceInfo> devices = engine->Devices();
  block::DeviceInfo first;
  first.path = "/dev/p";
  devices.insert(devices.begin(), first);
  engine->SetDevices(devices);
  const JobId job = Must(Run(control().RemoveDevice(pool_, "/dev/b")));
  ExpectRefused(Delete(pool_), "removing /dev/b");
  Must(Run(control().WaitForJob(job)));
  env_.loop().RunFor(std::chrono::seconds(1));
  EXPECT_EQ(Free(), (std::vector<std::string>{"/dev/b", "/dev/c"}));
}

// A pool of several devices is there with all of them, or all of them are free.
TEST(PoolsCrashTest, APoolOfSeveralDevicesIsMadeWholeOrNotAtAll) {
  Media media;
  bool answered_ok = false;
  const std::vector<std::string> devices = {"/dev/b", "/dev/c"};
  sim::ForEachCrashPoint(
      {},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        media.clear();
        for (const std::string& path : devices) env.AddDisk(path, kDisk);
        Node node(env, media, {}, devices);
        ASSERT_TRUE(node.started());
        point.Arm();
        answered_ok = node.Run(node->ShapePool({{}, "q", devices, {}})).ok();
      },
      [&](sim::SimEnv& env, bool completed) {
        Node node(env, media, {}, devices);
        ASSERT_TRUE(node.started()) << node.start().ToString();
        const std::vector<PoolView> pools = node->Pools();
        EXPECT_TRUE(answered_ok || !completed);
        EXPECT_TRUE(!answered_ok || pools.size() == 1);
        EXPECT_EQ(node->FreeDevices().size(), pools.empty() ? 2u : 0u);
        if (pools.empty()) {
          EXPECT_TRUE(node.Run(node->ShapePool({{}, "q", devices, {}})).ok()) << "tried again";
        } else {
          EXPECT_EQ(PathsOf(pools.front().record), devices);
        }
      });
}

}  // namespace
}  // namespace lockstep::control
