// A client of the SMI-S face: the real providers over a real Control with pools in memory, called through the CIM
// server's operation core, without a network.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "smis/classes.h"
#include "smis/smis.h"
#include "tests/unit/control/fixture.h"
#include "wbem/core.h"

namespace lockstep::smis {

using wbem::CimCode;
using wbem::Instance;
using wbem::ObjectPath;
using wbem::Operation;
using wbem::Property;
using wbem::Value;

inline const std::string kStorage(kStorageNamespace);
inline const std::string kInterop(kInteropNamespace);

inline Result<std::string> ReadText(const std::string& path) {
  std::ifstream file(path);
  if (!file) return NotFound("there is no file " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline Result<std::string> ReadSchemaFile(std::string_view name) {
  return ReadText(std::string(LOCKSTEP_SOURCE_DIR "/schema/") + std::string(name));
}

// Keeps what an operation gives.
class Kept final : public wbem::Reply {
 public:
  void PutClass(const wbem::ClassDecl&, const std::string&) override {}
  void PutClassName(const wbem::ClassDecl&, const std::string&) override {}
  void PutInstance(const wbem::InstanceView& view) override {
    Instance instance(view.cls.name);
    for (size_t i = 0; i < view.values.size(); ++i) {
      if (view.values[i]) instance.Add(view.cls.properties[i]->name, *view.values[i]);
    }
    instance.path = view.path;
    instances.push_back(std::move(instance));
  }
  void PutPath(const ObjectPath& path) override { paths.push_back(path); }
  void PutValue(const wbem::PropertyDecl&, const Value&) override {}
  void PutMethodResult(const wbem::MethodDecl&, const Value& value, std::span<const Property> results) override {
    result = value;
    out.assign(results.begin(), results.end());
  }

  std::vector<Instance> instances;
  std::vector<ObjectPath> paths;
  Value result;
  std::vector<Property> out;
};

// What a method call came to.
struct Called {
  wbem::CimStatus status;
  uint32_t code = 0xffffffff;
  std::map<std::string, Value> out;

  const ObjectPath& Ref(const std::string& name) {
    static const ObjectPath kNone;
    const ObjectPath* path = out[name].AsReference();
    EXPECT_NE(path, nullptr) << name << " is NULL";
    return path ? *path : kNone;
  }
  std::vector<ObjectPath> Refs(const std::string& name) {
    std::vector<ObjectPath> paths;
    if (const Value::Elements* elements = out[name].AsArray()) {
      for (const Value& element : *elements) paths.push_back(*element.AsReference());
    }
    return paths;
  }
  std::vector<uint64_t> Numbers(const std::string& name) {
    std::vector<uint64_t> numbers;
    if (const Value::Elements* elements = out[name].AsArray()) {
      for (const Value& element : *elements) numbers.push_back(*element.AsUnsigned());
    }
    return numbers;
  }
};

class SmisTest : public control::ControlTest {
 protected:
  void SetUp() override {
    ControlTest::SetUp();
    Status loaded = LoadSchema(schema_, ReadSchemaFile);
    ASSERT_TRUE(loaded.ok()) << loaded.message();
    Status added = AddProviders(registry_, {control(), env_.clock(), env_.log(), indications_}, {"node-1", "host"});
    ASSERT_TRUE(added.ok()) << added.message();
  }

  wbem::CimStatus Perform(wbem::OperationRequest request, Kept& kept) {
    return Run(core_.Perform(std::move(request), {"tester", "nowhere"}, kept));
  }
  static wbem::OperationRequest Request(Operation operation, const ObjectPath& target) {
    wbem::OperationRequest request = wbem::RequestFor(operation);
    request.ns = target.ns;
    request.target = target;
    return request;
  }
  std::vector<Instance> Enumerate(const std::string& class_name, const std::string& ns = kStorage) {
    Kept kept;
    wbem::CimStatus status = Perform(Request(Operation::kEnumerateInstances, {ns, class_name}), kept);
    EXPECT_TRUE(status.ok()) << class_name << ": " << status.message;
    return std::move(kept.instances);
  }
  ObjectPath Only(const std::string& class_name) {
    std::vector<Instance> all = Enumerate(class_name);
    EXPECT_EQ(all.size(), 1u) << class_name;
    return all.empty() ? ObjectPath() : all.front().path;
  }
  Instance Get(const ObjectPath& path) {
    Kept kept;
    wbem::CimStatus status = Perform(Request(Operation::kGetInstance, path), kept);
    EXPECT_TRUE(status.ok()) << path.ToString() << ": " << status.message;
    return kept.instances.empty() ? Instance() : kept.instances.front();
  }
  CimCode GetCode(const ObjectPath& path) {
    Kept kept;
    return Perform(Request(Operation::kGetInstance, path), kept).code;
  }
  std::vector<ObjectPath> Associated(const ObjectPath& path, const std::string& association,
                                     const std::string& result = "") {
    wbem::OperationRequest request = Request(Operation::kAssociatorNames, path);
    request.assoc_class = association;
    request.result_class = result;
    Kept kept;
    wbem::CimStatus status = Perform(std::move(request), kept);
    EXPECT_TRUE(status.ok()) << path.ToString() << ": " << status.message;
    return std::move(kept.paths);
  }
  CimCode Modify(const ObjectPath& path, const char* property, Value value) {
    wbem::OperationRequest request = Request(Operation::kModifyInstance, path);
    request.instance = Instance(path.class_name);
    request.instance.path = path;
    request.instance.Set(property, std::move(value));
    Kept kept;
    return Perform(std::move(request), kept).code;
  }
  CimCode Delete(const ObjectPath& path) {
    Kept kept;
    return Perform(Request(Operation::kDeleteInstance, path), kept).code;
  }
  Called Call(const ObjectPath& object, const std::string& method, std::vector<Property> arguments = {}) {
    wbem::OperationRequest request = Request(Operation::kInvokeMethod, object);
    request.name = method;
    for (Property& argument : arguments)
      request.arguments.push_back({argument.name.str(), std::move(argument.value), true});
    Kept kept;
    Called called;
    called.status = Perform(std::move(request), kept);
    if (std::optional<uint64_t> code = kept.result.AsUnsigned()) called.code = static_cast<uint32_t>(*code);
    for (Property& one : kept.out) called.out[one.name.str()] = one.value;
    return called;
  }

  ObjectPath Replication() { return Only("CIM_ReplicationService"); }
  ObjectPath Storage() { return Only("CIM_StorageConfigurationService"); }
  ObjectPath PathOf(catalog::VolumeId id) {
    for (const Instance& volume : Enumerate("CIM_StorageVolume")) {
      if (*volume["DeviceID"].AsString() == id.ToString()) return volume.path;
    }
    ADD_FAILURE() << "volume " << id.ToString() << " is not enumerated";
    return {};
  }
  ObjectPath NewVolume(const std::string& name) { return PathOf(Volume(name)); }
  static Value Refs(const std::vector<ObjectPath>& paths) { return Value::Array(paths); }
  static Value Settings(const std::vector<Property>& properties) {
    Instance instance("CIM_ReplicationSettingData");
    for (const Property& property : properties) instance.Add(property.name, property.value);
    return Value(std::move(instance));
  }
  ObjectPath PoolPath() {
    for (const Instance& pool : Enumerate("CIM_StoragePool")) {
      if (!*pool["Primordial"].AsBool()) return pool.path;
    }
    return {};
  }

  bool indications_ = false;  // set before SetUp by who registers their classes
  wbem::Schema schema_;
  wbem::ProviderRegistry registry_{schema_};
  wbem::OperationCore core_{registry_};
};

}  // namespace lockstep::smis
