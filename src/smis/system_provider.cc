// CIM_ComputerSystem: the node. Clients start here and go on by associations.
#include "smis/providers.h"

namespace lockstep::smis {
namespace {

class SystemProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    // CIM_ComputerSystem.Dedicated: what tells clients that this is an array.
    constexpr uint16_t kStorage = 3, kBlockServer = 15;
    wbem::Instance instance = InstanceAt(paths().System());
    instance.Add("ElementName", face().identity.element_name);
    instance.Add("NameFormat", "Other");
    const std::string& host = face().identity.element_name;
    instance.Add("OtherIdentifyingInfo", wbem::Value::Array(std::vector<std::string>{host}));
    instance.Add("IdentifyingDescriptions", wbem::Value::Array(std::vector<std::string>{"Host Name"}));
    instance.Add("Caption", "Lockstep storage system");
    instance.Add("Dedicated", wbem::Value::Array(std::vector<uint16_t>{kStorage, kBlockServer}));
    std::vector<std::string> broken;
    for (const control::PoolView& pool : control().Pools()) {
      if (!pool.state.ok()) broken.push_back("pool " + pool.record.name + ": " + pool.state.message());
    }
    const bool good = broken.empty();
    if (good) broken.push_back("OK");
    instance.Add("OperationalStatus", wbem::Value::Array(std::vector<uint16_t>{good ? kStatusOk : kStatusDegraded}));
    instance.Add("StatusDescriptions", wbem::Value::Array(std::vector<std::string>{broken.front()}));
    instance.Add("HealthState", good ? kHealthOk : kHealthDegraded);
    AddEnabled(instance);
    sink(std::move(instance));
    return {};
  }
};

}  // namespace

ProviderPtr MakeSystemProvider(FacePtr face) { return std::make_shared<SystemProvider>(std::move(face)); }

}  // namespace lockstep::smis
