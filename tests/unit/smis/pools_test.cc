// Pools over the wire: what the capabilities say of them is done, and nothing else can be.
#include <algorithm>
#include <set>

#include "tests/unit/smis/wire.h"

namespace lockstep::smis {
namespace {

constexpr uint64_t kDisk = 64 * control::kMiB;
constexpr char kShape[] = "CreateOrModifyStoragePool";

class Pools : public WireTest {
 protected:
  void SetUp() override {
    WireTest::SetUp();
    service_ = Storage();
    primordial_ = PoolPath();
    primordial_.SetKey("InstanceID", "Lockstep:pool:primordial");
  }
  std::set<uint64_t> Said(const char* property) {
    std::set<uint64_t> all;
    for (const Instance& one : Enumerate("CIM_StorageConfigurationCapabilities")) {
      std::set<uint64_t> said;
      const Value::Elements* elements = one[property].AsArray();
      for (size_t i = 0; elements && i < elements->size(); ++i) said.insert(*(*elements)[i].AsUnsigned());
      EXPECT_TRUE(all.empty() || all == said) << "one says something else";
      all = said;
    }
    return all;
  }
  std::vector<ObjectPath> Available(const ObjectPath& pool) {
    Called called = Call(pool, "GetAvailableExtents");
    EXPECT_EQ(called.code, 0u);
    return called.Refs("AvailableExtents");
  }
  static Value Texts(const std::vector<ObjectPath>& paths) {
    std::vector<std::string> texts;
    for (const ObjectPath& path : paths) texts.push_back(path.ToString());
    return Value::Array(texts);
  }
  uint64_t Number(const ObjectPath& path, const char* property) {
    return GetByWire(path)[property].AsUnsigned().value_or(
        std::strtoull(GetByWire(path)[property].ToText().c_str(), nullptr, 10));
  }
  ObjectPath service_, primordial_;
};

class PoolsOnOfferedDevices : public Pools {
 protected:
  void SetUp() override {
    for (const char* path : {"/dev/b", "/dev/c", "/dev/d"}) {
      env_.AddDisk(path, kDisk);
      devices_.push_back(path);
    }
    Pools::SetUp();
  }
};

TEST_F(Pools, WithoutDevicesPoolsAreDeletedAndNotMade) {
  EXPECT_EQ(Said("SupportedSynchronousActions"), (std::set<uint64_t>{3, 5, 6, 7, 22, 23}));
  EXPECT_TRUE(Said("SupportedStoragePoolFeatures").empty());
  EXPECT_TRUE(Available(primordial_).empty());
  EXPECT_EQ(Call(service_, kShape, {{"ElementName", "q"}}).code, 1u);
  EXPECT_EQ(Call(service_, kShape, {{"Pool", PoolPath()}, {"ElementName", "q"}}).code, 1u);
  const ObjectPath volume = NewVolume("a"), pool = PoolPath();
  EXPECT_EQ(Call(service_, "DeleteStoragePool", {{"Pool", pool}}).code, 6u) << "it has a volume";
  EXPECT_EQ(Call(service_, "DeleteStoragePool", {{"Pool", primordial_}}).code, 5u);
  EXPECT_EQ(Call(service_, "DeleteStoragePool").code, 5u);
  ASSERT_EQ(Call(service_, "ReturnToStoragePool", {{"TheElement", volume}}).code, 0u);
  EXPECT_EQ(Call(service_, "DeleteStoragePool", {{"Pool", pool}}).code, 0u);
  EXPECT_EQ(GetCode(pool), CimCode::kNotFound);
  EXPECT_EQ(Call(service_, "DeleteStoragePool", {{"Pool", pool}}).code, 5u);
}

TEST_F(PoolsOnOfferedDevices, WhatIsAdvertisedIsDone) {
  EXPECT_EQ(Said("SupportedSynchronousActions"), (std::set<uint64_t>{2, 3, 4, 5, 6, 7, 22, 23}));
  EXPECT_EQ(Said("SupportedStoragePoolFeatures"), (std::set<uint64_t>{2, 6})) << "InExtents, Capacity Expansion";
  const std::vector<ObjectPath> extents = Available(primordial_);
  ASSERT_EQ(extents.size(), 3u);
  // Storage Pool Creation, InExtents.
  Called made = Call(service_, kShape,
                     {{"ElementName", "q"}, {"Size", kDisk}, {"InExtents", Texts({extents[0], extents[1]})},
                      {"InPools", Texts({primordial_})}});
  ASSERT_EQ(made.code, 0u);
  const ObjectPath pool = made.Ref("Pool");
  EXPECT_EQ(*Get(pool)["ElementName"].AsString(), "q");
  EXPECT_EQ(Associated(pool, "CIM_ConcreteComponent", "CIM_StorageExtent").size(), 2u);
  EXPECT_EQ(Available(primordial_).size(), 1u);
  EXPECT_TRUE(Available(pool).empty());
  // Storage Pool Modification, Capacity Expansion.
  Called grown = Call(service_, kShape, {{"Pool", pool}, {"ElementName", "r"}, {"InExtents", Texts({extents[2]})}});
  ASSERT_EQ(grown.code, 0u);
  EXPECT_TRUE(grown.Ref("Pool").SameAs(pool));
  EXPECT_EQ(*Get(pool)["ElementName"].AsString(), "r");
  EXPECT_EQ(Associated(pool, "CIM_ConcreteComponent", "CIM_StorageExtent").size(), 3u);
  EXPECT_TRUE(Available(primordial_).empty());
  // Storage Pool Deletion.
  EXPECT_EQ(Call(service_, "DeleteStoragePool", {{"Pool", pool}}).code, 0u);
  EXPECT_EQ(Available(primordial_).size(), 3u);
}

TEST_F(PoolsOnOfferedDevices, FreeExtentsAreThePrimordialPools) {
  const uint64_t before = Number(primordial_, "TotalManagedSpace");
  EXPECT_EQ(Number(primordial_, "RemainingManagedSpace"), 3 * kDisk);
  const std::vector<ObjectPath> extents = Associated(primordial_, "CIM_ConcreteComponent", "CIM_StorageExtent");
  ASSERT_EQ(extents.size(), 3u);
  for (const ObjectPath& path : extents) {
    const Instance extent = Get(path);
    EXPECT_TRUE(*extent["Primordial"].AsBool());
    EXPECT_EQ(extent["Usage"].AsUnsigned(), 2u) << "Unrestricted";
    EXPECT_EQ(*extent["NumberOfBlocks"].AsUnsigned() * *extent["BlockSize"].AsUnsigned(), kDisk);
    EXPECT_EQ(Associated(path, "CIM_SystemDevice").size(), 1u);
  }
  Called made = Call(service_, kShape, {{"InExtents", Texts({extents[0]})}});
  ASSERT_EQ(made.code, 0u);
  EXPECT_EQ(made.out["Size"].ToText(), std::to_string(kDisk));
  EXPECT_EQ(Number(primordial_, "RemainingManagedSpace"), 2 * kDisk);
  EXPECT_EQ(Number(primordial_, "TotalManagedSpace"), before) << "it has only been given to a pool";
  const std::vector<ObjectPath> used = Associated(made.Ref("Pool"), "CIM_ConcreteComponent", "CIM_StorageExtent");
  ASSERT_EQ(used.size(), 1u);
  EXPECT_EQ(Get(used.front())["Usage"].AsUnsigned(), 18u) << "In use as Unrestricted Pool Contributor";
}

TEST_F(PoolsOnOfferedDevices, WrongRequestsAreRefusedAndChangeNothing) {
  const std::vector<ObjectPath> extents = Available(primordial_);
  const Property two{"InExtents", Texts({extents[0], extents[1]})};
  const auto code = [&](const std::vector<Property>& arguments) { return Call(service_, kShape, arguments).code; };
  EXPECT_EQ(code({}), 5u) << "made of nothing";
  EXPECT_EQ(code({{"ElementName", "p"}, two}), 5u) << "the name is taken";
  EXPECT_EQ(code({{"InExtents", Texts({extents[0], extents[0]})}}), 5u);
  EXPECT_EQ(code({{"InExtents", Texts({primordial_})}}), 5u) << "no extent";
  EXPECT_EQ(code({{"InExtents", Value::Array(std::vector<std::string>{"/dev/b"})}}), 5u) << "no path";
  EXPECT_EQ(code({two, {"InPools", Texts({PoolPath()})}}), 1u) << "not advertised";
  EXPECT_EQ(code({two, {"InPools", Texts({extents[0]})}}), 5u);
  EXPECT_EQ(code({two, {"Pool", primordial_}}), 5u);
  EXPECT_EQ(code({{"Pool", PoolPath()}}), 5u) << "no change";
  Called large = Call(service_, kShape, {two, {"Size", 2 * kDisk + 1}});
  EXPECT_EQ(large.code, 4097u);
  EXPECT_EQ(large.out["Size"].ToText(), std::to_string(2 * kDisk));
  Called small = Call(service_, kShape, {two, {"Pool", PoolPath()}, {"Size", kDisk}});
  EXPECT_EQ(small.code, 4097u) << "a pool is made smaller by nobody";
  EXPECT_EQ(small.out["Size"].ToText(), std::to_string(1024 * control::kMiB));
  EXPECT_EQ(Available(primordial_).size(), 3u);
  EXPECT_EQ(Enumerate("CIM_StoragePool").size(), 2u);
  Called made = Call(service_, kShape, {two});
  ASSERT_EQ(made.code, 0u);
  const std::vector<ObjectPath> used = Associated(made.Ref("Pool"), "CIM_ConcreteComponent", "CIM_StorageExtent");
  EXPECT_EQ(code({{"InExtents", Texts({used.front()})}}), 6u) << "it is in use";
}

}  // namespace
}  // namespace lockstep::smis
