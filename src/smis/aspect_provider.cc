// CIM_SynchronizationAspect: retained points without a target, as Dissolve leaves them behind. A client removes one
// with DeleteInstance.
#include "smis/aspects.h"
#include "smis/providers.h"

namespace lockstep::smis {

using wbem::Instance;

std::vector<wbem::ObjectPath> AspectSources(const Face& face, const catalog::AspectRecord& aspect) {
  if (!aspect.source_group.IsNil() && face.control.Group(aspect.source_group).ok()) {
    return {face.paths.Group(aspect.source_group)};
  }
  std::vector<wbem::ObjectPath> sources;
  for (catalog::VolumeId volume : aspect.sources) {
    if (face.control.Volume(volume).ok()) sources.push_back(face.paths.Volume(volume));
  }
  return sources;
}

namespace {

class AspectProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    for (const catalog::AspectRecord& aspect : control().Aspects()) {
      if (!sink(Make(aspect))) break;
    }
    return {};
  }

  Task<Status> Delete(wbem::RequestContext, wbem::ObjectPath path) override {
    std::optional<catalog::AspectId> id = paths().AsAspect(path);
    if (!id) co_return NotFound("there is no synchronization aspect " + path.ToString());
    Status status = co_await control().DeleteAspect(*id);
    co_return status;
  }

 private:
  Instance Make(const catalog::AspectRecord& aspect) const {
    constexpr uint16_t kSequentiallyConsistent = 2, kNotApplicable = 2, kImplementationDecides = 2;
    Instance instance = InstanceAt(paths().Aspect(aspect.id));
    instance.Add("ElementName", aspect.name);
    instance.Add("SyncType", aspect.sync_type);
    instance.Add("ConsistencyEnabled", aspect.consistency_enabled);
    if (aspect.consistency_enabled) instance.Add("ConsistencyType", kSequentiallyConsistent);
    instance.Add("CopyStatus", kNotApplicable);
    instance.Add("CopyMethodology", kImplementationDecides);
    instance.Add("WhenPointInTime", When(aspect.when_point_in_time));
    if (!aspect.source_group.IsNil()) {
      instance.Add("SourceElement", paths().Group(aspect.source_group).ToString());
    } else if (!aspect.sources.empty()) {
      instance.Add("SourceElement", paths().Volume(aspect.sources.front()).ToString());
    }
    instance.Add("SyncState", aspect.state);
    return instance;
  }
};

}  // namespace

ProviderPtr MakeAspectProvider(FacePtr face) { return std::make_shared<AspectProvider>(std::move(face)); }

}  // namespace lockstep::smis
