// CIM_SynchronizationAspect: retained points without a target, made by CreateSynchronizationAspect or left behind by
// Dissolve. A client removes one with DeleteInstance or ModifySettingsDefineState.
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

std::vector<wbem::ObjectPath> SettingsStates(const Face& face, const std::vector<catalog::AspectId>& aspects) {
  std::vector<wbem::ObjectPath> all;
  for (catalog::AspectId id : aspects) {
    Result<catalog::AspectRecord> aspect = face.control.Aspect(id);
    if (!aspect.ok()) continue;
    for (const wbem::ObjectPath& source : AspectSources(face, *aspect)) {
      all.push_back(face.paths.SettingsState(source, id));
    }
  }
  return all;
}

Instance AspectInstance(const Face& face, const catalog::AspectRecord& aspect) {
  constexpr uint16_t kSequentiallyConsistent = 2, kNotApplicable = 2, kImplementationDecides = 2;
  Instance instance = InstanceAt(face.paths.Aspect(aspect.id));
  instance.Add("ElementName", aspect.name);
  instance.Add("SyncType", aspect.sync_type);
  instance.Add("ConsistencyEnabled", aspect.consistency_enabled);
  if (aspect.consistency_enabled) instance.Add("ConsistencyType", kSequentiallyConsistent);
  instance.Add("CopyStatus", kNotApplicable);
  instance.Add("CopyMethodology", kImplementationDecides);
  instance.Add("WhenPointInTime", When(aspect.when_point_in_time));
  const std::vector<wbem::ObjectPath> sources = AspectSources(face, aspect);
  if (!sources.empty()) instance.Add("SourceElement", sources.front().ToString());
  instance.Add("SyncState", aspect.state);
  return instance;
}

namespace {

class AspectProvider final : public FaceProvider {
 public:
  using FaceProvider::FaceProvider;

  Status Enumerate(const wbem::RequestContext&, const wbem::InstanceSink& sink) override {
    for (const catalog::AspectRecord& aspect : control().Aspects()) {
      if (!sink(AspectInstance(face(), aspect))) break;
    }
    return {};
  }

  Result<Instance> Get(const wbem::RequestContext&, const wbem::ObjectPath& path) override {
    std::optional<catalog::AspectId> id = paths().AsAspect(path);
    if (!id) return NotFound("there is no synchronization aspect " + path.ToString());
    return AspectInstance(face(), *control().Aspect(*id));
  }

  Task<Status> Delete(wbem::RequestContext, wbem::ObjectPath path) override {
    std::optional<catalog::AspectId> id = paths().AsAspect(path);
    if (!id) co_return NotFound("there is no synchronization aspect " + path.ToString());
    Status status = co_await control().DeleteAspect(*id);
    co_return status;
  }
};

}  // namespace

ProviderPtr MakeAspectProvider(FacePtr face) { return std::make_shared<AspectProvider>(std::move(face)); }

}  // namespace lockstep::smis
