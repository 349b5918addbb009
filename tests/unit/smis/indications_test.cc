// Indications of what really happens: control's changes, seen by a listener. The queries are those that clients of
// SMI-S and vendors' manuals use, as they write them.
#include <fmt/format.h>

#include "smis/indication_source.h"
#include "tests/unit/smis/fixture.h"
#include "tests/unit/wbem/fake_listener.h"
#include "wbem/indication_providers.h"

namespace lockstep::smis {
namespace {

using catalog::CopyState;
using wbem::FakeListener;

constexpr const char* kPairState =
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageSynchronized AND "
    "SourceInstance.CIM_StorageSynchronized::CopyState <> PreviousInstance.CIM_StorageSynchronized::CopyState";
constexpr const char* kPairSyncState =
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageSynchronized AND "
    "SourceInstance.CIM_StorageSynchronized::SyncState <> PreviousInstance.CIM_StorageSynchronized::SyncState";
constexpr const char* kGroupState =
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_GroupSynchronized AND "
    "SourceInstance.CIM_GroupSynchronized::CopyState <> PreviousInstance.CIM_GroupSynchronized::CopyState";
constexpr const char* kJobState =
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND "
    "SourceInstance.CIM_ConcreteJob::JobState <> PreviousInstance.CIM_ConcreteJob::JobState";
constexpr const char* kJobPercent =
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND "
    "SourceInstance.CIM_ConcreteJob::PercentComplete <> PreviousInstance.CIM_ConcreteJob::PercentComplete";
constexpr const char* kJobGood =
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND "
    "ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 17 AND "
    "ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 2";
constexpr const char* kJobBad =
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND "
    "ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 17 AND "
    "ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 6";

class IndicationsOfStorage : public SmisTest {
 protected:
  void SetUp() override {
    indications_ = true;
    SmisTest::SetUp();
    const Identity identity{"node-1", "host"};
    service_ = std::make_unique<wbem::IndicationService>(
        wbem::IndicationService::Surroundings{env_.loop(), env_.clock(), env_.random(), env_.log(), schema_,
                                              transport_, store_},
        kInterop, ServerOf(identity));
    const Status fixed = service_->AddFixedFilters(FixedFilters());
    ASSERT_TRUE(fixed.ok()) << fixed.message();
    ASSERT_TRUE(wbem::RegisterIndicationClasses(registry_, kInterop, *service_).ok());
    ASSERT_TRUE(service_->Load().ok());
    source_ = std::make_unique<IndicationSource>(env_.loop(), Surroundings{control(), env_.clock(), env_.log()},
                                                 identity, *service_, std::vector<uint32_t>{80});
    source_->Start();
    listener_ = std::make_unique<FakeListener>(env_, 0);
    Instance destination("CIM_ListenerDestinationCIMXML");
    destination_ = Create(destination.Add("Name", "d").Add("Destination", listener_->url()));
  }
  void TearDown() override {
    bool stopped = false;
    Spawn([](IndicationSource& source, bool& done) -> Task<void> {
      co_await source.Stop();
      done = true;
    }(*source_, stopped));
    EXPECT_TRUE(env_.loop().RunUntil([&] { return stopped; }));
    service_->Stop();
    listener_.reset();
  }

  ObjectPath Create(Instance instance) {
    wbem::OperationRequest request = Request(Operation::kCreateInstance, {kInterop, instance.class_name});
    const std::string what = instance.class_name;
    request.instance = std::move(instance);
    Kept kept;
    const wbem::CimStatus status = Perform(std::move(request), kept);
    EXPECT_TRUE(status.ok()) << what << ": " << status.message;
    return kept.paths.empty() ? ObjectPath() : kept.paths.front();
  }
  // Every indication says by IndicationFilterName which query it came through.
  void Want(const std::string& name, const std::string& query, const char* language = "DMTF:CQL") {
    Instance filter("CIM_IndicationFilter");
    filter.Add("Name", name).Add("Query", query).Add("QueryLanguage", language);
    filter.Add("SourceNamespaces", Value::Array(std::vector<std::string>{kStorage}));
    Subscribe(Create(std::move(filter)));
  }
  void Subscribe(const ObjectPath& filter) {
    Instance subscription("CIM_IndicationSubscription");
    Create(subscription.Add("Filter", Value(filter)).Add("Handler", Value(destination_)));
    env_.loop().RunReady();
  }
  std::vector<std::string> Bodies(const std::string& filter) const {
    std::vector<std::string> bodies;
    for (const FakeListener::Taken& one : listener_->taken)
      if (one.filter == filter) bodies.push_back(one.body);
    return bodies;
  }
  size_t Count(const std::string& filter) const { return Bodies(filter).size(); }
  void Settle() { env_.loop().RunFor(std::chrono::milliseconds(500)); }
  // The escaped text of a property of an embedded instance.
  static std::string Embedded(const std::string& name, const std::string& type, const std::string& value) {
    return fmt::format("NAME=&quot;{}&quot; TYPE=&quot;{}&quot;&gt;&lt;VALUE&gt;{}&lt;/VALUE&gt;", name, type, value);
  }

  wbem::PlainTransport transport_{env_.network()};
  wbem::MemoryStore store_;
  std::unique_ptr<wbem::IndicationService> service_;
  std::unique_ptr<IndicationSource> source_;
  std::unique_ptr<FakeListener> listener_;
  ObjectPath destination_;
};

TEST_F(IndicationsOfStorage, VolumesComeAndGoAndChangeTheirSize) {
  Want("born", "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StorageVolume");
  Want("gone", "SELECT * FROM CIM_InstDeletion WHERE SourceInstance ISA CIM_StorageVolume", "WQL");
  Want("sized", "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageVolume AND "
                "SourceInstance.CIM_StorageVolume::NumberOfBlocks <> "
                "PreviousInstance.CIM_StorageVolume::NumberOfBlocks");
  const catalog::VolumeId id = Volume("v");
  const ObjectPath path = PathOf(id);
  Settle();
  ASSERT_EQ(Count("born"), 1u);
  EXPECT_NE(Bodies("born")[0].find(Embedded("ElementName", "string", "v")), std::string::npos);
  EXPECT_NE(Bodies("born")[0].find("CLASSNAME=&quot;Lockstep_StorageVolume&quot;"), std::string::npos);
  ASSERT_TRUE(Run(control().RenameVolume(id, "w")).ok());
  Settle();
  EXPECT_EQ(Count("sized"), 0u);
  ASSERT_TRUE(Run(control().ResizeVolume(id, 2 * control::kMiB)).ok());
  Settle();
  ASSERT_EQ(Count("sized"), 1u);
  EXPECT_NE(Bodies("sized")[0].find(Embedded("NumberOfBlocks", "uint64", "512")), std::string::npos);
  EXPECT_NE(Bodies("sized")[0].find(Embedded("NumberOfBlocks", "uint64", "256")), std::string::npos);
  EXPECT_NE(Bodies("sized")[0].find("<VALUE.ARRAY><VALUE>NumberOfBlocks</VALUE><VALUE>ConsumableBlocks</VALUE>"),
            std::string::npos);
  ASSERT_TRUE(Run(control().DeleteVolume(id)).ok());
  Settle();
  ASSERT_EQ(Count("gone"), 1u);
  EXPECT_NE(Bodies("gone")[0].find(Embedded("DeviceID", "string", id.ToString())), std::string::npos);
  EXPECT_EQ(listener_->taken.size(), 3u);
}

TEST_F(IndicationsOfStorage, PairsAreToldOfInEveryWayThatClientsAsk) {
  Want("born", "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StorageSynchronized");
  Want("gone", "SELECT * FROM CIM_InstDeletion WHERE SourceInstance ISA CIM_StorageSynchronized");
  Want("state", kPairState);
  Want("sync", kPairSyncState);
  const auto made = Must(FullClone(Volume("v", 64 * control::kMiB)));
  Settle();
  ASSERT_EQ(Count("born"), 1u);
  EXPECT_NE(Bodies("born")[0].find("PROPERTY.REFERENCE NAME=&quot;SystemElement&quot;"), std::string::npos);
  ASSERT_TRUE(made.job);
  ASSERT_TRUE(Run(control().WaitForJob(*made.job)).ok());
  Settle();
  ASSERT_EQ(Count("state"), 1u);
  EXPECT_EQ(Count("sync"), 1u);
  EXPECT_NE(Bodies("state")[0].find(Embedded("CopyState", "uint16", "4")), std::string::npos);
  EXPECT_NE(Bodies("state")[0].find(Embedded("CopyState", "uint16", "3")), std::string::npos);
  const auto pairs = control().Relationships();
  ASSERT_EQ(pairs.size(), 1u);
  ASSERT_TRUE(control::ControlTest::Modify(pairs[0].record.id, catalog::Operation::kDetach).ok());
  Settle();
  EXPECT_EQ(Count("gone"), 1u);
}

TEST_F(IndicationsOfStorage, AJobThatEndsReachesTheListenerWithinAHundredMilliseconds) {
  Want("born", "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ConcreteJob");
  Want("state", kJobState);
  Want("percent", kJobPercent);
  Want("good", kJobGood);
  Want("bad", kJobBad);
  const auto made = Must(FullClone(Volume("v", 1024 * control::kMiB / 2)));
  ASSERT_TRUE(made.job);
  ASSERT_TRUE(Run(control().WaitForJob(*made.job)).ok());
  const io::Instant ended = env_.clock().Now();
  ASSERT_TRUE(env_.loop().RunUntil([&] { return Count("good") == 1; }, std::chrono::milliseconds(100)));
  for (const FakeListener::Taken& one : listener_->taken)
    EXPECT_TRUE(one.filter != "good" || one.when - ended < std::chrono::milliseconds(100));
  Settle();
  EXPECT_EQ(Count("born"), 1u);
  EXPECT_EQ(Count("good"), 1u);
  EXPECT_EQ(Count("bad"), 0u);
  ASSERT_GE(Count("state"), 1u);
  EXPECT_NE(Bodies("state").back().find(Embedded("JobState", "uint16", "7")), std::string::npos);
  EXPECT_GE(Count("percent"), 2u);  // on the way, and at the end
}

TEST_F(IndicationsOfStorage, ACopyThatBreaksFailsItsJobAndAlertsSomebody) {
  Want("good", kJobGood);
  Want("bad", kJobBad);
  Want("alert", "SELECT * FROM CIM_AlertIndication WHERE PerceivedSeverity >= 4");
  const catalog::VolumeId volume = Volume("v", 64 * control::kMiB);
  node_->opener().at("/dev/p")->FailCopies(IoError("the disk is scratched"));
  const auto made = Must(FullClone(volume));
  ASSERT_TRUE(made.job);
  ASSERT_TRUE(Run(control().WaitForJob(*made.job)).ok());
  Settle();
  EXPECT_EQ(Count("good"), 0u);
  EXPECT_EQ(Count("bad"), 1u);
  ASSERT_EQ(Count("alert"), 2u);
  const std::string both = Bodies("alert")[0] + Bodies("alert")[1];
  EXPECT_NE(both.find("<VALUE>LOCKSTEP5</VALUE>"), std::string::npos) << both;
  EXPECT_NE(both.find("<VALUE>LOCKSTEP7</VALUE>"), std::string::npos) << both;
  EXPECT_NE(both.find("the disk is scratched"), std::string::npos) << both;
}

TEST_F(IndicationsOfStorage, GroupsAndTheirPairsAreToldOf) {
  Want("group", "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ReplicationGroup");
  Want("no group", "SELECT * FROM CIM_InstDeletion WHERE SourceInstance ISA CIM_ReplicationGroup");
  Want("born", "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_GroupSynchronized");
  Want("gone", "SELECT * FROM CIM_InstDeletion WHERE SourceInstance ISA CIM_GroupSynchronized");
  Want("state", kGroupState);
  const catalog::GroupId group = Group("g", {Volume("a", 8 * control::kMiB), Volume("b", 8 * control::kMiB)});
  Settle();
  EXPECT_EQ(Count("group"), 1u);
  control::CreateGroupReplicaRequest request;
  request.options.settings.desired_copy_methodology = catalog::CopyMethodology::kFullCopy;
  const auto made = Must(ReplicateGroup(catalog::SyncType::kClone, group, request));
  ASSERT_TRUE(made.job);
  ASSERT_TRUE(Run(control().WaitForJob(*made.job)).ok());
  Settle();
  EXPECT_EQ(Count("group"), 2u);  // the target group was made for it
  EXPECT_EQ(Count("born"), 1u);
  // Unsynchronized, Mixed while one of the two is complete, Synchronized.
  const std::vector<std::string> states = Bodies("state");
  ASSERT_GE(states.size(), 1u);
  EXPECT_NE(states.back().find(Embedded("CopyState", "uint16", "4")), std::string::npos);
  const auto relations = control().GroupRelationships();
  ASSERT_EQ(relations.size(), 1u);
  ASSERT_TRUE(control::ControlTest::Modify(relations[0].record.id, catalog::Operation::kDetach).ok());
  Settle();
  EXPECT_EQ(Count("gone"), 1u);
  ASSERT_TRUE(Run(control().DeleteGroup(group, true)).ok());
  Settle();
  EXPECT_EQ(Count("no group"), 1u);
}

TEST_F(IndicationsOfStorage, PoolsAreToldOfAndAlertsComeWhenTheyFillOrFail) {
  Want("born", "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StoragePool");
  Want("space", "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StoragePool AND "
                "SourceInstance.CIM_StoragePool::RemainingManagedSpace <> "
                "PreviousInstance.CIM_StoragePool::RemainingManagedSpace");
  Want("status", "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageVolume AND "
                 "SourceInstance.CIM_StorageVolume::OperationalStatus <> "
                 "PreviousInstance.CIM_StorageVolume::OperationalStatus");
  Want("alert", "SELECT Message, MessageID, AlertingManagedElement FROM CIM_AlertIndication");
  Must(Run(control().CreatePool({"q", "/dev/q", 1024 * control::kMiB})));
  const catalog::VolumeId volume = Volume("v", 64 * control::kMiB);
  Write(volume, 'x');
  env_.loop().RunFor(std::chrono::seconds(7));
  EXPECT_EQ(Count("born"), 1u);
  EXPECT_GE(Count("space"), 1u);
  EXPECT_EQ(Count("alert"), 0u);
  // A transaction that the device does not take: the pool is not usable any more.
  env_.faults().FailAt(1, sim::Only(sim::IoKind::kDiskFlush));
  EXPECT_FALSE(Run(control().ResizeVolume(volume, 128 * control::kMiB)).ok());
  env_.loop().RunFor(std::chrono::seconds(2));
  EXPECT_EQ(Count("status"), 1u);
  ASSERT_EQ(Count("alert"), 1u);
  EXPECT_NE(Bodies("alert")[0].find("<VALUE>LOCKSTEP1</VALUE>"), std::string::npos);
  EXPECT_NE(Bodies("alert")[0].find("pool p is not available"), std::string::npos);
}

TEST_F(IndicationsOfStorage, ABlockThatIsFoundBadIsAnAlert) {
  Want("alert", "SELECT * FROM CIM_AlertIndication WHERE ProbableCause = 10");
  const catalog::VolumeId volume = Volume("v");
  block::BadBlock bad;
  bad.volume = volume;
  node_->opener().bad_block(pool_, bad);
  Settle();
  ASSERT_EQ(Count("alert"), 1u);
  EXPECT_NE(Bodies("alert")[0].find("does not match its checksum"), std::string::npos);
}

TEST_F(IndicationsOfStorage, TheFiltersThatAreAlwaysThereWork) {
  size_t fixed = 0;
  for (const Instance& filter : Enumerate("CIM_IndicationFilter", kInterop)) {
    EXPECT_EQ(Delete(filter.path), CimCode::kNotSupported);
    Subscribe(filter.path);
    ++fixed;
  }
  EXPECT_EQ(fixed, FixedFilters().size());
  const auto made = Must(FullClone(Volume("v", 64 * control::kMiB)));
  ASSERT_TRUE(Run(control().WaitForJob(*made.job)).ok());
  Settle();
  for (const char* name : {"StorageVolumeCreation", "StorageSynchronizedCreation", "StorageSynchronizedCopyState",
                           "ConcreteJobCreation", "JobState", "JobPercentComplete", "JobSucceeded", "Alerts"})
    EXPECT_GE(Count(std::string("Lockstep:") + name), 1u) << name;
  EXPECT_EQ(Count("Lockstep:JobFailed"), 0u);
  // All numbers of the one sequence came.
  for (size_t i = 0; i < listener_->taken.size(); ++i) EXPECT_EQ(listener_->taken[i].number, std::to_string(i));
}

TEST_F(IndicationsOfStorage, TheServiceIsFoundFromTheSystemAndFromItsProfile) {
  const auto services = Associated(Only("CIM_ComputerSystem"), "CIM_HostedService", "CIM_IndicationService");
  ASSERT_EQ(services.size(), 1u);
  EXPECT_EQ(services[0].ns, kInterop);
  EXPECT_EQ(Associated(services[0], "CIM_HostedService", "CIM_ComputerSystem").size(), 1u);
  const auto profiles = Associated(services[0], "CIM_ElementConformsToProfile", "CIM_RegisteredProfile");
  ASSERT_EQ(profiles.size(), 1u);
  EXPECT_EQ(*Get(profiles[0])["RegisteredName"].AsString(), "Indication");
  EXPECT_EQ(*Get(services[0])["SystemName"].AsString(), "node-1");
}

TEST_F(IndicationsOfStorage, WithoutSubscribersNothingIsMade) {
  const uint64_t before = env_.loop().closures_run();
  Volume("v");
  EXPECT_FALSE(service_->Wants(kStorage, "CIM_InstCreation", kVolumeClass));
  env_.loop().RunFor(std::chrono::minutes(1));
  EXPECT_LT(env_.loop().closures_run() - before, 50u);
  EXPECT_EQ(listener_->connections, 0u);
}

}  // namespace
}  // namespace lockstep::smis
