// Subscriptions and delivery: the service on a simulated network and clock, with listeners of every kind.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "sim/env.h"
#include "tests/unit/wbem/fake_listener.h"
#include "wbem/core.h"
#include "wbem/indication_providers.h"
#include "wbem/listener_tls.h"

namespace lockstep::wbem {
namespace {

constexpr const char* kInteropSpace = "interop";
constexpr const char* kThings = "root/things";
constexpr const char* kThingMof = R"mof(
class Test_Thing : CIM_ManagedElement {
   [Key, Override ( "InstanceID" )] string InstanceID;
   uint16 State;
   uint16 OperationalStatus[];
};
class Test_Tool : Test_Thing { string Maker; };
)mof";

MofText SchemaFile(const std::string& name) {
  std::ifstream file(std::string(LOCKSTEP_SOURCE_DIR "/schema/") + name);
  return {name, std::string(std::istreambuf_iterator<char>(file), {})};
}

class Indications : public testing::Test {
 protected:
  using Manner = FakeListener::Manner;

  Indications() : env_(7) {
    const MofText common[] = {SchemaFile("qualifiers.mof"), SchemaFile("core.mof"), SchemaFile("event.mof"),
                              SchemaFile("interop.mof")};
    EXPECT_TRUE(schema_.Load(kInteropSpace, common).ok());
    const MofText things[] = {common[0], common[1], common[2], {"things.mof", kThingMof}};
    const Status loaded = schema_.Load(kThings, things);
    EXPECT_TRUE(loaded.ok()) << loaded.message();
  }
  void SetUp() override { Start(); }
  void TearDown() override { Stop(); }

  void Start() {
    identity_ = {"CIM_ComputerSystem", "host", "Test:host", "Test", "Test version 1.0.0"};
    service_ = std::make_unique<IndicationService>(
        IndicationService::Surroundings{env_.loop(), env_.clock(), env_.random(), env_.log(), schema_, transport_,
                                        store_},
        kInteropSpace, identity_, options_);
    const Status loaded = service_->Load();
    EXPECT_TRUE(loaded.ok()) << loaded.message();
    registry_ = std::make_unique<ProviderRegistry>(schema_);
    const Status added = RegisterIndicationClasses(*registry_, kInteropSpace, *service_);
    EXPECT_TRUE(added.ok()) << added.message();
    core_ = std::make_unique<OperationCore>(*registry_);
  }
  void Stop() {
    if (service_) service_->Stop();
    core_.reset();
    registry_.reset();
    service_.reset();
  }
  void Restart() {
    Stop();
    Start();
  }

  struct Got final : Reply {
    void PutClass(const ClassDecl&, const std::string&) override {}
    void PutClassName(const ClassDecl&, const std::string&) override {}
    void PutInstance(const InstanceView& view) override {
      Instance instance(view.cls.name);
      for (size_t i = 0; i < view.values.size(); ++i)
        if (view.values[i]) instance.Add(view.cls.properties[i]->name, *view.values[i]);
      instance.path = view.path;
      instances.push_back(std::move(instance));
    }
    void PutPath(const ObjectPath& path) override { paths.push_back(path); }
    void PutValue(const PropertyDecl&, const Value&) override {}
    void PutMethodResult(const MethodDecl&, const Value&, std::span<const Property>) override {}
    std::vector<Instance> instances;
    std::vector<ObjectPath> paths;
    CimStatus status;
  };
  Got Do(Operation operation, const ObjectPath& target, Instance instance = {}) {
    OperationRequest request = RequestFor(operation);
    request.ns = target.ns;
    request.target = target;
    request.instance = std::move(instance);
    Got got;
    bool done = false;
    Spawn(core_->Perform(std::move(request), {"tester", "nowhere"}, got), [&](CimStatus status) {
      got.status = std::move(status);
      done = true;
    });
    EXPECT_TRUE(done);
    return got;
  }
  // Path of what was created, or an empty one.
  Got TryCreate(Instance instance, const std::string& ns = kInteropSpace) {
    const ObjectPath target(ns, instance.class_name);
    return Do(Operation::kCreateInstance, target, std::move(instance));
  }
  ObjectPath Create(Instance instance, const std::string& ns = kInteropSpace) {
    const std::string what = instance.class_name;
    Got got = TryCreate(std::move(instance), ns);
    EXPECT_TRUE(got.status.ok()) << what << ": " << got.status.message;
    return got.paths.empty() ? ObjectPath() : got.paths.front();
  }
  static Instance FilterOf(const std::string& query, const std::string& name = "f") {
    Instance filter("CIM_IndicationFilter");
    filter.Add("Name", name).Add("Query", query).Add("QueryLanguage", "DMTF:CQL");
    return filter.Add("SourceNamespaces", Value::Array(std::vector<std::string>{kThings}));
  }
  static Instance DestinationOf(const std::string& url, const std::string& name = "d") {
    return Instance("CIM_ListenerDestinationCIMXML").Add("Name", name).Add("Destination", url);
  }
  static Instance SubscriptionOf(const ObjectPath& filter, const ObjectPath& destination) {
    return Instance("CIM_IndicationSubscription").Add("Filter", Value(filter)).Add("Handler", Value(destination));
  }
  static constexpr const char* kAnyCreation = "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA Test_Thing";
  // A subscription of the listener to everything that comes into being.
  ObjectPath Subscribe(FakeListener& listener, const std::string& query = kAnyCreation) {
    const std::string name = fmt::format("{}", names_++);
    destination_ = Create(DestinationOf(listener.url(), "d" + name));
    return Create(SubscriptionOf(Create(FilterOf(query, "f" + name)), destination_));
  }

  static Instance Thing(const std::string& id, uint16_t state, const std::string& cls = "Test_Thing") {
    Instance thing(cls);
    return thing.Add("InstanceID", id).Add("State", state).Add("OperationalStatus",
                                                               Value::Array(std::vector<uint16_t>{2, 17}));
  }
  void Born(const std::string& id, uint16_t state = 1) {
    service_->Publish(kThings, Instance("CIM_InstCreation").Add("SourceInstance", Value(Thing(id, state))));
  }
  void BornMany(int count) {
    for (int i = 0; i < count; ++i) Born(fmt::format("t{}", i));
  }
  bool RunUntilTaken(const FakeListener& listener, size_t count, io::Duration limit = std::chrono::minutes(30)) {
    return env_.loop().RunUntil([&] { return listener.taken.size() >= count; }, limit);
  }
  static std::string UpTo(size_t count) {
    std::string all;
    for (size_t i = 0; i < count; ++i) all += (i == 0 ? "" : " ") + std::to_string(i);
    return all;
  }

  sim::SimEnv env_;
  Schema schema_;
  PlainTransport plain_{env_.network()};
  TlsTransport transport_{env_.loop(), plain_};
  MemoryStore store_;
  IndicationOptions options_;
  ServerIdentity identity_;
  std::unique_ptr<IndicationService> service_;
  std::unique_ptr<ProviderRegistry> registry_;
  std::unique_ptr<OperationCore> core_;
  ObjectPath destination_;
  int names_ = 0;
};

TEST_F(Indications, AnEventReachesTheListenerAtOnceAndComplete) {
  FakeListener listener(env_, 0);
  Subscribe(listener);
  const io::Instant before = env_.clock().Now();
  Born("<one> & \"only\"", 3);
  ASSERT_TRUE(RunUntilTaken(listener, 1));
  const FakeListener::Taken& got = listener.taken.front();
  EXPECT_LT(got.when - before, std::chrono::milliseconds(100));
  EXPECT_EQ(got.number, "0");
  EXPECT_EQ(got.filter, "f0");
  EXPECT_FALSE(got.context.empty());
  EXPECT_TRUE(got.body.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\" ?>")) << got.body;
  EXPECT_NE(got.body.find("<EXPPARAMVALUE NAME=\"NewIndication\"><INSTANCE CLASSNAME=\"CIM_InstCreation\">"),
            std::string::npos);
  EXPECT_NE(got.body.find("EmbeddedObject=\"object\"><VALUE>&lt;INSTANCE CLASSNAME=&quot;Test_Thing&quot;&gt;"),
            std::string::npos) << got.body;
  EXPECT_NE(got.body.find("&lt;VALUE&gt;&amp;lt;one&amp;gt; &amp;amp; "), std::string::npos) << got.body;
  EXPECT_NE(got.body.find("TYPE=&quot;uint16&quot;&gt;&lt;VALUE&gt;3&lt;"), std::string::npos) << got.body;
  EXPECT_NE(got.body.find("NAME=\"IndicationTime\" TYPE=\"datetime\""), std::string::npos);
}

TEST_F(Indications, OnlyWhatTheFilterWantsIsSent) {
  FakeListener listener(env_, 0);
  Subscribe(listener, "SELECT SourceInstance FROM CIM_InstModification WHERE SourceInstance ISA Test_Tool AND "
                      "SourceInstance.Test_Tool::State <> PreviousInstance.Test_Tool::State");
  const auto change = [&](const char* cls, uint16_t from, uint16_t to) {
    Instance modification("CIM_InstModification");
    modification.Add("SourceInstance", Value(Thing("x", to, cls)));
    modification.Add("PreviousInstance", Value(Thing("x", from, cls)));
    service_->Publish(kThings, std::move(modification));
  };
  EXPECT_TRUE(service_->Wants(kThings, "CIM_InstModification", "Test_Tool"));
  EXPECT_FALSE(service_->Wants(kThings, "CIM_InstModification", "Test_Thing"));
  EXPECT_FALSE(service_->Wants(kThings, "CIM_InstCreation", "Test_Tool"));
  EXPECT_FALSE(service_->Wants(kInteropSpace, "CIM_InstModification", "Test_Tool"));
  change("Test_Tool", 1, 1);
  change("Test_Thing", 1, 2);
  Born("y");
  change("Test_Tool", 1, 2);
  change("Test_Tool", 2, 3);
  ASSERT_TRUE(RunUntilTaken(listener, 2));
  env_.loop().RunFor(std::chrono::seconds(5));
  EXPECT_EQ(listener.Numbers(), "0 1");
  EXPECT_NE(listener.taken[0].body.find("NAME=\"SourceInstance\""), std::string::npos);
  EXPECT_EQ(listener.taken[0].body.find("NAME=\"PreviousInstance\""), std::string::npos);
}

TEST_F(Indications, AnyElementOfAnArrayCanBeAskedFor) {
  FakeListener listener(env_, 0);
  Subscribe(listener, "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA Test_Thing AND "
                      "ANY SourceInstance.Test_Thing::OperationalStatus[*] = 17 AND "
                      "ANY SourceInstance.Test_Thing::OperationalStatus[*] = 2");
  Subscribe(listener, "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA Test_Thing AND "
                      "ANY SourceInstance.Test_Thing::OperationalStatus[*] = 6");
  Born("x");
  ASSERT_TRUE(RunUntilTaken(listener, 1));
  env_.loop().RunFor(std::chrono::seconds(5));
  ASSERT_EQ(listener.taken.size(), 1u);
  EXPECT_EQ(listener.taken[0].filter, "f0");
}

TEST_F(Indications, NothingIsLostWhateverAListenerDoesWithItsConnections) {
  const std::pair<Manner, const char*> manners[] = {{Manner::kKeeps, "keeps"},
                                                    {Manner::kCloses, "closes"},
                                                    {Manner::kHttp10, "HTTP/1.0"},
                                                    {Manner::kClosesSilently, "closes silently"}};
  for (const auto& [manner, name] : manners) {
    SCOPED_TRACE(name);
    FakeListener listener(env_, 0);
    listener.manner = manner;
    const ObjectPath subscription = Subscribe(listener);
    const io::Instant before = env_.clock().Now();
    BornMany(200);
    ASSERT_TRUE(env_.loop().RunUntil([&] { return service_->CountsOf(destination_).delivered == 200; }));
    EXPECT_LT(env_.clock().Now() - before, std::chrono::seconds(5));  // no attempt had to wait
    EXPECT_EQ(service_->CountsOf(destination_).lost, 0u);
    EXPECT_EQ(service_->queued(), 0u);
    // Numbers may come twice, never out of order, and none is missing.
    int64_t last = -1;
    for (const auto& one : listener.taken) {
      const int64_t number = std::stoll(one.number);
      EXPECT_LE(number, last + 1);
      last = std::max(last, number);
    }
    EXPECT_EQ(last, 199);
    if (manner == Manner::kKeeps) {
      EXPECT_EQ(listener.Numbers(), UpTo(200));
      EXPECT_EQ(listener.connections, 1u);
      EXPECT_GT(listener.most_at_once, 4u);
    } else {
      EXPECT_GE(listener.connections, 190u);
      EXPECT_LE(listener.taken.size(), 210u);  // hardly any is sent twice
    }
    EXPECT_TRUE(Do(Operation::kDeleteInstance, subscription).status.ok());
  }
}

TEST_F(Indications, ListenersThatShowATrustedCertificateAreReachedOverHttps) {
  const io::KeyPair own = *io::MakeSelfSigned({"127.0.0.1"}, env_.clock().Wall());
  const io::KeyPair of_another_host = *io::MakeSelfSigned({"192.0.2.7"}, env_.clock().Wall());
  const io::KeyPair of_nobody = *io::MakeSelfSigned({"127.0.0.1"}, env_.clock().Wall());
  EXPECT_FALSE(transport_.Trust("no certificate").ok());
  ASSERT_TRUE(transport_.Trust(own.certificate + of_another_host.certificate).ok());
  for (const auto& [identity, trusted] : {std::pair(&own, true), {&of_another_host, false}, {&of_nobody, false}}) {
    const auto context = *io::TlsContext::ForServer({*identity, ""});
    FakeListener listener(env_, 0);
    listener.tls = context.get();
    const ObjectPath subscription = Subscribe(listener);
    BornMany(50);
    EXPECT_EQ(RunUntilTaken(listener, 50, std::chrono::minutes(5)), trusted);
    EXPECT_EQ(listener.Numbers(), trusted ? UpTo(50) : "");
    if (trusted) {
      EXPECT_EQ(listener.connections, 1u);
    }
    EXPECT_TRUE(Do(Operation::kDeleteInstance, subscription).status.ok());
  }
}

TEST_F(Indications, WeShowWhoWeAreToListenersThatAsk) {
  const io::KeyPair own = *io::MakeSelfSigned({"127.0.0.1"}, env_.clock().Wall());
  const io::KeyPair node = *io::MakeSelfSigned({"node.example.org"}, env_.clock().Wall());
  const auto asks = *io::TlsContext::ForServer({own, node.certificate});
  for (const io::KeyPair& identity : {io::KeyPair(), node}) {
    ASSERT_TRUE(transport_.Trust(own.certificate, identity).ok());
    FakeListener listener(env_, 0);
    listener.tls = asks.get();
    const ObjectPath subscription = Subscribe(listener);
    Born("x");
    EXPECT_TRUE(RunUntilTaken(listener, 1));
    EXPECT_EQ(listener.peer_name, identity.key.empty() ? "" : "node.example.org");
    EXPECT_TRUE(Do(Operation::kDeleteInstance, subscription).status.ok());
  }
  EXPECT_FALSE(transport_.Trust(own.certificate, {own.certificate, node.key}).ok());
}

TEST_F(Indications, NobodyIsTrustedWhenADestinationOutlivesTheTrust) {
  const io::KeyPair own = *io::MakeSelfSigned({"127.0.0.1"}, env_.clock().Wall());
  const auto context = *io::TlsContext::ForServer({own, ""});
  FakeListener listener(env_, 0);
  listener.tls = context.get();
  ASSERT_TRUE(transport_.Trust(own.certificate).ok());
  Subscribe(listener);
  Stop();
  ASSERT_TRUE(transport_.Trust("").ok());
  Start();
  Born("x");
  env_.loop().RunFor(std::chrono::minutes(5));
  EXPECT_EQ(listener.connections, 0u);
  EXPECT_EQ(service_->CountsOf(destination_).lost, 1u);
}

TEST_F(Indications, AConnectionThatStaysIsUsedAgainAndGivenUpWhenNothingHappens) {
  FakeListener listener(env_, 0);
  Subscribe(listener);
  Born("a");
  ASSERT_TRUE(RunUntilTaken(listener, 1));
  env_.loop().RunFor(std::chrono::seconds(20));
  Born("b");
  ASSERT_TRUE(RunUntilTaken(listener, 2));
  EXPECT_EQ(listener.connections, 1u);
  env_.loop().RunFor(std::chrono::minutes(5));
  Born("c");
  ASSERT_TRUE(RunUntilTaken(listener, 3));
  EXPECT_EQ(listener.connections, 2u);
}

TEST_F(Indications, AConnectionThatIsCutIsReplacedAtOnce) {
  FakeListener listener(env_, 0);
  listener.delay = std::chrono::milliseconds(1);
  Subscribe(listener);
  BornMany(100);
  ASSERT_TRUE(RunUntilTaken(listener, 50));
  env_.network().CutAll();
  const io::Instant cut = env_.clock().Now();
  ASSERT_TRUE(env_.loop().RunUntil([&] { return service_->CountsOf(destination_).delivered == 100; }));
  EXPECT_LT(env_.clock().Now() - cut, std::chrono::seconds(2));
  EXPECT_EQ(service_->CountsOf(destination_).lost, 0u);
}

TEST_F(Indications, AListenerThatForgetsWhatIsSentTogetherGetsThemOneByOne) {
  FakeListener listener(env_, 0);
  listener.manner = Manner::kForgets;
  Subscribe(listener);
  BornMany(100);
  ASSERT_TRUE(env_.loop().RunUntil([&] { return service_->CountsOf(destination_).delivered == 100; },
                                   std::chrono::minutes(2)));
  EXPECT_EQ(service_->CountsOf(destination_).lost, 0u);
}

TEST_F(Indications, AListenerThatComesBackInTimeMissesNothing) {
  FakeListener listener(env_, 0);
  const uint16_t port = listener.port();
  Subscribe(listener);
  listener.StopListening();
  BornMany(5);
  env_.loop().RunFor(std::chrono::seconds(50));
  EXPECT_TRUE(listener.taken.empty());
  listener.Listen(port);
  ASSERT_TRUE(RunUntilTaken(listener, 5, std::chrono::seconds(60)));
  EXPECT_EQ(listener.Numbers(), UpTo(5));
}

TEST_F(Indications, WhatNobodyTakesIsDroppedAfterTheRetriesAndTheNumbersSayIt) {
  for (const Manner manner : {Manner::kDrops, Manner::kSilent, Manner::kNonsense, Manner::kBusy,
                              Manner::kUnavailable}) {
    SCOPED_TRACE(static_cast<int>(manner));
    FakeListener listener(env_, 0);
    listener.manner = manner;
    const ObjectPath subscription = Subscribe(listener);
    BornMany(3);
    // One attempt and three more, each up to 30 s, with 30 s between them.
    env_.loop().RunFor(std::chrono::minutes(5));
    EXPECT_EQ(service_->CountsOf(destination_).lost, 3u);
    EXPECT_EQ(service_->queued(), 0u);
    EXPECT_LE(listener.connections, 6u);
    listener.manner = Manner::kKeeps;
    Born("later");
    ASSERT_TRUE(RunUntilTaken(listener, 1));
    EXPECT_EQ(listener.Numbers(), "3");
    EXPECT_TRUE(Do(Operation::kDeleteInstance, subscription).status.ok());
  }
}

TEST_F(Indications, AnIndicationThatAListenerCallsWrongIsDroppedAlone) {
  FakeListener listener(env_, 0);
  listener.manner = Manner::kRefuses;
  Subscribe(listener);
  BornMany(2);
  ASSERT_TRUE(env_.loop().RunUntil([&] { return service_->CountsOf(destination_).refused == 2; },
                                   std::chrono::seconds(5)));
  listener.manner = Manner::kKeeps;
  Born("right");
  ASSERT_TRUE(RunUntilTaken(listener, 1, std::chrono::seconds(5)));
  EXPECT_EQ(listener.Numbers(), "2");
}

TEST_F(Indications, ADeadListenerHoldsBoundedMemoryAndGetsTheNewest) {
  Stop();
  options_.delivery.queued_max = 100;
  options_.delivery.queued_bytes_max = 1 << 20;
  Start();
  FakeListener listener(env_, 0);
  listener.manner = Manner::kSilent;
  Subscribe(listener);
  BornMany(1000);
  EXPECT_LE(service_->queued(), 101u);
  EXPECT_GE(service_->CountsOf(destination_).lost, 899u);
  env_.loop().RunFor(std::chrono::seconds(1));
  listener.manner = Manner::kKeeps;
  ASSERT_TRUE(env_.loop().RunUntil([&] { return service_->queued() == 0; }));
  EXPECT_EQ(listener.taken.back().number, "999");
  EXPECT_EQ(service_->CountsOf(destination_).delivered + service_->CountsOf(destination_).lost, 1000u);
}

TEST_F(Indications, ASlowListenerDoesNotHoldUpAnother) {
  FakeListener slow(env_, 0), quick(env_, 0);
  slow.manner = Manner::kSilent;
  Subscribe(slow);
  Subscribe(quick);
  BornMany(500);
  ASSERT_TRUE(RunUntilTaken(quick, 500, std::chrono::seconds(1)));
  EXPECT_TRUE(slow.taken.empty());
}

TEST_F(Indications, SubscriptionsSurviveARestartAndSequencesBeginAnew) {
  FakeListener listener(env_, 0);
  const ObjectPath subscription = Subscribe(listener);
  Born("before");
  ASSERT_TRUE(RunUntilTaken(listener, 1));
  const std::string text = *store_.text;
  Restart();
  const Got got = Do(Operation::kGetInstance, subscription);
  ASSERT_TRUE(got.status.ok()) << got.status.message;
  Born("after");
  ASSERT_TRUE(RunUntilTaken(listener, 2));
  EXPECT_EQ(listener.Numbers(), "0 0");
  EXPECT_NE(listener.taken[0].context, listener.taken[1].context);
  EXPECT_TRUE(Do(Operation::kDeleteInstance, subscription).status.ok());
  EXPECT_NE(*store_.text, text);
  Restart();
  EXPECT_EQ(Do(Operation::kGetInstance, subscription).status.code, CimCode::kNotFound);
  EXPECT_EQ(Do(Operation::kEnumerateInstances, {kInteropSpace, "CIM_IndicationFilter"}).instances.size(), 1u);
  Born("unheard");
  env_.loop().RunFor(std::chrono::seconds(5));
  EXPECT_EQ(listener.taken.size(), 2u);
}

TEST_F(Indications, ADamagedListIsSetAsideAndTheServiceStarts) {
  FakeListener listener(env_, 0);
  Subscribe(listener);
  for (size_t at = 0; at < store_.text->size(); at += 97) {
    MemoryStore kept = store_;
    (*store_.text)[at] ^= 4;
    Restart();
    EXPECT_EQ(store_.text, std::nullopt) << at;
    EXPECT_TRUE(Do(Operation::kEnumerateInstances, {kInteropSpace, "CIM_IndicationFilter"}).instances.empty()) << at;
    store_.text = kept.text;
  }
  Restart();
  EXPECT_EQ(Do(Operation::kEnumerateInstances, {kInteropSpace, "CIM_IndicationFilter"}).instances.size(), 1u);
}

TEST_F(Indications, WhatCannotBeSavedIsNotThere) {
  FakeListener listener(env_, 0);
  store_.fails = NoSpace("the disk is full");
  EXPECT_EQ(TryCreate(FilterOf(kAnyCreation)).status.code, CimCode::kFailed);
  EXPECT_EQ(TryCreate(DestinationOf(listener.url())).status.code, CimCode::kFailed);
  store_.fails = {};
  const ObjectPath filter = Create(FilterOf(kAnyCreation)), destination = Create(DestinationOf(listener.url()));
  store_.fails = NoSpace("the disk is full");
  EXPECT_EQ(TryCreate(SubscriptionOf(filter, destination)).status.code, CimCode::kFailed);
  EXPECT_EQ(Do(Operation::kDeleteInstance, filter).status.code, CimCode::kFailed);
  EXPECT_FALSE(service_->Wants(kThings, "CIM_InstCreation", "Test_Thing"));
  EXPECT_TRUE(Do(Operation::kGetInstance, filter).status.ok());
  store_.fails = {};
  const ObjectPath subscription = Create(SubscriptionOf(filter, destination));
  store_.fails = NoSpace("the disk is full");
  EXPECT_EQ(Do(Operation::kDeleteInstance, subscription).status.code, CimCode::kFailed);
  store_.fails = {};
  Born("x");
  EXPECT_TRUE(RunUntilTaken(listener, 1));
}

TEST_F(Indications, WhatMakesNoSenseIsRefused) {
  const auto code = [&](Instance instance) { return TryCreate(std::move(instance)).status.code; };
  EXPECT_EQ(code(FilterOf("SELECT * FROM")), CimCode::kInvalidParameter);
  EXPECT_EQ(code(FilterOf("SELECT * FROM Test_Thing")), CimCode::kInvalidParameter);
  EXPECT_EQ(code(FilterOf("SELECT * FROM CIM_Nothing")), CimCode::kInvalidParameter);
  EXPECT_EQ(code(FilterOf("SELECT * FROM CIM_InstCreation WHERE Nothing = 3")), CimCode::kInvalidParameter);
  Instance filter = FilterOf(kAnyCreation);
  filter.Set("QueryLanguage", "SPARQL");
  EXPECT_EQ(code(filter), CimCode::kInvalidParameter);
  filter = FilterOf(kAnyCreation);
  filter.Set("SourceNamespaces", Value::Array(std::vector<std::string>{"root/nowhere"}));
  EXPECT_EQ(code(filter), CimCode::kInvalidParameter);
  filter = FilterOf(kAnyCreation);
  filter.Set("CreationClassName", "Other_Class");
  EXPECT_EQ(code(filter), CimCode::kInvalidParameter);
  for (const char* url : {"", "nothing", "ftp://127.0.0.1/", "http://", "http://u:p@127.0.0.1/", "http://127.0.0.1:0/",
                          "http://127.0.0.1:66000/", "http://127.0.0.1:x/", "http://a b/", "http://[::1/"})
    EXPECT_EQ(code(DestinationOf(url)), CimCode::kInvalidParameter) << url;
  EXPECT_EQ(code(DestinationOf("https://127.0.0.1/")), CimCode::kNotSupported);
  EXPECT_EQ(code(DestinationOf("http://listener.example/")), CimCode::kNotSupported);
  Create(FilterOf(kAnyCreation, "same"));
  EXPECT_EQ(code(FilterOf(kAnyCreation, "same")), CimCode::kAlreadyExists);
}

TEST_F(Indications, SubscriptionsNeedBothEndsAndHoldThem) {
  FakeListener listener(env_, 0);
  const ObjectPath filter = Create(FilterOf(kAnyCreation)), destination = Create(DestinationOf(listener.url()));
  ObjectPath nobody = destination;
  nobody.SetKey("Name", Value("nobody"));
  EXPECT_EQ(TryCreate(SubscriptionOf(filter, nobody)).status.code, CimCode::kInvalidParameter);
  Instance odd = SubscriptionOf(filter, destination);
  EXPECT_EQ(TryCreate(odd.Set("RepeatNotificationPolicy", uint16_t{4})).status.code, CimCode::kInvalidParameter);
  odd = SubscriptionOf(filter, destination);
  EXPECT_EQ(TryCreate(odd.Set("OnFatalErrorPolicy", uint16_t{1})).status.code, CimCode::kInvalidParameter);
  const ObjectPath subscription = Create(SubscriptionOf(filter, destination));
  EXPECT_EQ(TryCreate(SubscriptionOf(filter, destination)).status.code, CimCode::kAlreadyExists);
  EXPECT_EQ(Do(Operation::kDeleteInstance, filter).status.code, CimCode::kFailed);
  EXPECT_EQ(Do(Operation::kDeleteInstance, destination).status.code, CimCode::kFailed);
  OperationRequest request = RequestFor(Operation::kAssociatorNames);
  const Got far = Do(Operation::kAssociatorNames, filter);
  ASSERT_EQ(far.paths.size(), 1u);
  EXPECT_TRUE(far.paths[0].SameAs(destination));
  EXPECT_TRUE(Do(Operation::kDeleteInstance, subscription).status.ok());
  EXPECT_TRUE(Do(Operation::kDeleteInstance, filter).status.ok());
  EXPECT_TRUE(Do(Operation::kDeleteInstance, destination).status.ok());
  EXPECT_EQ(Do(Operation::kGetInstance, filter).status.code, CimCode::kNotFound);
}

TEST_F(Indications, SubscribingWorksInEveryNamespaceAndForOldClients) {
  FakeListener listener(env_, 0);
  Instance filter("CIM_IndicationFilter");
  filter.Add("Name", "here").Add("Query", kAnyCreation).Add("QueryLanguage", "WQL");
  const ObjectPath here = Create(filter, kThings);  // its own namespace is meant
  Instance handler("CIM_IndicationHandlerCIMXML");
  const ObjectPath there = Create(handler.Add("Name", "old").Add("Destination", listener.url()), kThings);
  Create(SubscriptionOf(here, there), kThings);
  EXPECT_TRUE(service_->Wants(kThings, "CIM_InstCreation", "Test_Thing"));
  EXPECT_FALSE(service_->Wants(kInteropSpace, "CIM_InstCreation", "Test_Thing"));
  Born("x");
  EXPECT_TRUE(RunUntilTaken(listener, 1));
  EXPECT_EQ(Do(Operation::kEnumerateInstances, {kThings, "CIM_ListenerDestination"}).instances.size(), 1u);
  EXPECT_TRUE(Do(Operation::kEnumerateInstances, {kInteropSpace, "CIM_ListenerDestination"}).instances.empty());
  // One in interop that names no namespace is about all of them.
  Create(SubscriptionOf(Create(filter), there), kThings);
  EXPECT_TRUE(service_->Wants(kInteropSpace, "CIM_InstCreation", ""));
}

TEST_F(Indications, ASubscriptionCanBeDisabledAndEnds) {
  FakeListener listener(env_, 0);
  const ObjectPath subscription = Subscribe(listener);
  Instance off(subscription.class_name);
  off.path = subscription;
  EXPECT_TRUE(Do(Operation::kModifyInstance, subscription, off.Set("SubscriptionState", uint16_t{4})).status.ok());
  Born("unheard");
  EXPECT_FALSE(service_->Wants(kThings, "CIM_InstCreation", "Test_Thing"));
  Restart();
  EXPECT_FALSE(service_->Wants(kThings, "CIM_InstCreation", "Test_Thing"));
  off.Set("SubscriptionState", uint16_t{2}).Set("SubscriptionDuration", uint64_t{3600});
  EXPECT_TRUE(Do(Operation::kModifyInstance, subscription, off).status.ok());
  Born("heard");
  ASSERT_TRUE(RunUntilTaken(listener, 1));
  EXPECT_NE(listener.taken[0].body.find("heard"), std::string::npos);
  env_.loop().RunFor(std::chrono::minutes(30));
  const Got half = Do(Operation::kGetInstance, subscription);
  EXPECT_NEAR(static_cast<double>(*half.instances.at(0)["SubscriptionTimeRemaining"].AsUnsigned()), 1800, 10);
  Restart();
  env_.loop().RunFor(std::chrono::minutes(31));
  EXPECT_EQ(Do(Operation::kGetInstance, subscription).status.code, CimCode::kNotFound);
  Restart();
  EXPECT_EQ(Do(Operation::kGetInstance, subscription).status.code, CimCode::kNotFound);
}

TEST_F(Indications, TheFatalErrorPolicyOfASubscriptionIsFollowed) {
  FakeListener listener(env_, 0);
  listener.manner = Manner::kDrops;
  const ObjectPath filter = Create(FilterOf(kAnyCreation));
  const auto subscribe = [&](const std::string& name, uint16_t policy) {
    Instance subscription = SubscriptionOf(filter, Create(DestinationOf(listener.url(), name)));
    subscription.Add("OnFatalErrorPolicy", policy).Add("FailureTriggerTimeInterval", uint64_t{600});
    return Create(std::move(subscription));
  };
  const ObjectPath ignored = subscribe("ignore", 2), disabled = subscribe("disable", 3), removed = subscribe("rm", 4);
  for (int i = 0; i < 9; ++i) {
    Born("x");
    env_.loop().RunFor(std::chrono::minutes(1));
  }
  EXPECT_TRUE(Do(Operation::kGetInstance, removed).status.ok());
  for (int i = 0; i < 4; ++i) {
    Born("x");
    env_.loop().RunFor(std::chrono::minutes(1));
  }
  EXPECT_EQ(Do(Operation::kGetInstance, removed).status.code, CimCode::kNotFound);
  const auto state = [&](const ObjectPath& path) {
    return Do(Operation::kGetInstance, path).instances.at(0)["SubscriptionState"].AsUnsigned();
  };
  EXPECT_EQ(state(disabled), 4u);
  EXPECT_EQ(state(ignored), 2u);
  Restart();
  EXPECT_EQ(Do(Operation::kGetInstance, removed).status.code, CimCode::kNotFound);
  EXPECT_EQ(state(disabled), 4u);
}

TEST_F(Indications, FixedFiltersCanBeUsedAndNotDeleted) {
  const std::vector<FixedFilter> fixed = {{"Test:Creation", "what comes into being", kAnyCreation}};
  ASSERT_TRUE(service_->AddFixedFilters(fixed).ok());
  const Got all = Do(Operation::kEnumerateInstances, {kInteropSpace, "CIM_IndicationFilter"});
  ASSERT_EQ(all.instances.size(), 1u);
  EXPECT_EQ(Do(Operation::kDeleteInstance, all.instances[0].path).status.code, CimCode::kNotSupported);
  FakeListener listener(env_, 0);
  Create(SubscriptionOf(all.instances[0].path, Create(DestinationOf(listener.url()))));
  Born("x");
  EXPECT_TRUE(RunUntilTaken(listener, 1));
}

TEST_F(Indications, TheServiceSaysWhatItDoes) {
  const Got got = Do(Operation::kEnumerateInstances, {kInteropSpace, "CIM_IndicationService"});
  ASSERT_EQ(got.instances.size(), 1u);
  const Instance& service = got.instances[0];
  EXPECT_EQ(service["DeliveryRetryAttempts"].AsUnsigned(), 3u);
  EXPECT_EQ(service["DeliveryRetryInterval"].AsUnsigned(), 30u);
  EXPECT_EQ(service["SubscriptionRemovalAction"].AsUnsigned(), 2u);
  EXPECT_EQ(service["FilterCreationEnabled"].AsBool(), true);
  const Got capabilities = Do(Operation::kAssociatorNames, service.path);
  ASSERT_EQ(capabilities.paths.size(), 1u);
  const Got read = Do(Operation::kGetInstance, capabilities.paths[0]);
  EXPECT_EQ(read.instances.at(0)["SubscriptionsPersisted"].AsBool(), true);
}

TEST_F(Indications, TheServiceMayEndAtAnyMoment) {
  for (int turns = 0; turns < 60; ++turns) {
    FakeListener listener(env_, 0);
    listener.manner = turns % 2 == 0 ? Manner::kKeeps : Manner::kHttp10;
    Subscribe(listener);
    BornMany(20);
    int left = turns;
    env_.loop().RunUntil([&] { return left-- == 0; });
    store_.text.reset();
    Restart();
    env_.loop().RunFor(std::chrono::seconds(1));
  }
}

TEST(ListenerUrl, IsReadAndWritten) {
  const auto text = [](std::string_view url) {
    const Result<ListenerUrl> parsed = ListenerUrl::Parse(url);
    return parsed.ok() ? parsed->ToString() : parsed.status().message();
  };
  EXPECT_EQ(text("http://127.0.0.1"), "http://127.0.0.1:5988/");
  EXPECT_EQ(text("HTTP://host.example:80"), "http://host.example:80/");
  EXPECT_EQ(text("https://h/a/b?c=d#e"), "https://h:5989/a/b?c=d");
  EXPECT_EQ(text("http://[::1]:8080/x"), "http://[::1]:8080/x");
  EXPECT_EQ(text("http://h?x"), "http://h:5988/?x");
}

TEST(HttpResponses, AreReadHoweverTheyAreSplit) {
  const std::string text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.0 503 Busy\r\n\r\nto the end";
  for (const size_t piece : {1, 2, 5, 33, 10000}) {
    HttpResponses engine;
    std::string seen;
    const auto take = [&] {
      while (engine.HasResponse()) {
        const HttpResponse response = engine.Take();
        seen += fmt::format("{} {} {};", response.status, response.keep_alive, response.body);
      }
    };
    for (std::string_view left = text; !left.empty(); left.remove_prefix(std::min(piece, left.size()))) {
      ASSERT_TRUE(engine.Feed(std::as_bytes(std::span(left.substr(0, piece)))).ok());
      take();
    }
    engine.End();
    take();
    EXPECT_EQ(seen, "200 true one;200 true two;503 false to the end;") << piece;
  }
  HttpResponses odd;
  EXPECT_FALSE(odd.Feed(std::as_bytes(std::span(std::string_view("nonsense\r\n\r\n")))).ok());
}

}  // namespace
}  // namespace lockstep::wbem
