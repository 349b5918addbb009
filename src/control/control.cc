#include "control/control.h"

#include <algorithm>
#include <utility>

#include "control/impl.h"

namespace lockstep::control {
namespace {

template <typename T>
void SortByName(std::vector<T>& views) {
  std::sort(views.begin(), views.end(), [](const T& a, const T& b) { return a.record.name < b.record.name; });
}

template <typename T, typename Key>
void SortBy(std::vector<T>& records, Key key) {
  // Stable, so that what is of one instant stays in the order of ids.
  std::stable_sort(records.begin(), records.end(), [&](const T& a, const T& b) { return key(a) < key(b); });
}

// The view of a record, or not-found. The key is an id or a name.
template <typename View, typename Impl, typename R, typename Key>
Result<View> ViewOr(const Impl& impl, const R* record, const char* kind, const Key& key) {
  if (record != nullptr) return impl.ViewOf(*record);
  std::string text;
  if constexpr (std::is_convertible_v<const Key&, std::string_view>) text = std::string_view(key);
  else text = key.ToString();
  return NotFound(std::string(kind) + " does not exist: " + text);
}

// What can be said of a filter without looking at a relationship's state.
template <typename R>
bool Passes(const RelationshipFilter& filter, RelationshipType type, const R& record) {
  if (filter.type && *filter.type != type) return false;
  if (filter.sync_type && *filter.sync_type != record.sync_type) return false;
  if (filter.mode && *filter.mode != record.mode) return false;
  return !filter.locality || *filter.locality == 2;  // all are local
}

}  // namespace

Control::Control(Surroundings surroundings, std::unique_ptr<catalog::Catalog> catalog)
    : impl_(std::make_unique<Impl>(surroundings, std::move(catalog))) {}
Control::~Control() = default;

Task<Status> Control::Start() { return impl_->Start(); }
Task<void> Control::Stop() { return impl_->Stop(); }

Task<Result<PoolId>> Control::CreatePool(CreatePoolRequest request) { return impl_->CreatePool(std::move(request)); }
Task<Result<PoolId>> Control::AddPool(std::string name, std::string path) {
  return impl_->AddPool(std::move(name), std::move(path));
}
Task<Result<PoolId>> Control::ImportPool(ImportPoolRequest request) { return impl_->ImportPool(std::move(request)); }
Task<Result<std::string>> Control::ExportPool(PoolId pool, std::string index_to) {
  return impl_->ExportPool(pool, std::move(index_to));
}
Task<Status> Control::DeletePool(PoolId pool) { return impl_->DeletePool(pool); }
Task<Result<PoolId>> Control::ShapePool(ShapePoolRequest request) { return impl_->ShapePool(std::move(request)); }
Task<void> Control::LookForDevices() { return impl_->LookForDevices(); }
std::vector<FreeDevice> Control::FreeDevices() const { return impl_->FreeDevices(); }
Status Control::OffersDevices() const { return impl_->OffersDevices(); }
Result<SizeRange> Control::SizesWith(std::optional<PoolId> pool, const std::vector<std::string>& devices) const {
  return impl_->SizesWith(pool, devices);
}
Task<Result<block::DeviceId>> Control::AddDevice(PoolId pool, std::string path, uint64_t size) {
  return impl_->AddDevice(pool, std::move(path), size);
}
Task<Result<uint64_t>> Control::GrowPool(PoolId pool) { return impl_->GrowPool(pool); }
Task<Result<JobId>> Control::RemoveDevice(PoolId pool, std::string device) {
  return impl_->RemoveDevice(pool, std::move(device));
}
Task<Result<JobId>> Control::ScrubPool(PoolId pool, uint64_t bytes_per_second) {
  return impl_->ScrubPool(pool, bytes_per_second);
}
Task<Result<block::CheckReport>> Control::CheckPool(PoolId pool) { return impl_->CheckPool(pool); }
Task<Result<block::VolumeSpace>> Control::SpaceOf(VolumeId volume) { return impl_->SpaceOf(volume); }
Task<Result<std::map<PointId, uint64_t>>> Control::FreedByPoints(PoolId pool, std::vector<PointId> points) {
  return impl_->FreedByPoints(pool, std::move(points));
}
Task<void> Control::RefreshUsage() { return impl_->RefreshUsage(); }

std::vector<PoolView> Control::Pools() const {
  std::vector<PoolView> views;
  for (const auto& [id, record] : impl_->directory().pools()) views.push_back(impl_->ViewOf(record));
  SortByName(views);
  return views;
}
Result<PoolView> Control::Pool(PoolId id) const {
  return ViewOr<PoolView>(*impl_, impl_->directory().Find(id), "the pool", id);
}
Result<PoolView> Control::PoolByName(std::string_view name) const {
  return ViewOr<PoolView>(*impl_, impl_->directory().FindPool(name), "the pool", name);
}

Task<Result<std::vector<VolumeId>>> Control::CreateVolumes(CreateVolumesRequest request) {
  return impl_->CreateVolumes(std::move(request));
}
Task<Status> Control::DeleteVolume(VolumeId volume) { return impl_->DeleteVolume(volume); }
Task<Status> Control::ResizeVolume(VolumeId volume, uint64_t size, bool discard_data) {
  return impl_->ResizeVolume(volume, size, discard_data);
}
Task<Status> Control::RenameVolume(VolumeId volume, std::string name) {
  return impl_->RenameVolume(volume, std::move(name));
}
Task<Status> Control::SetHistory(std::vector<VolumeId> volumes, block::HistoryWindow window) {
  return impl_->SetHistory(std::move(volumes), window);
}
Task<Result<std::vector<VolumeId>>> Control::CloneVolumes(CloneVolumesRequest request) {
  return impl_->CloneVolumes(std::move(request));
}
Task<Status> Control::RevertVolumes(RevertVolumesRequest request) { return impl_->RevertVolumes(std::move(request)); }
std::vector<VolumeView> Control::Volumes() const {
  std::vector<VolumeView> views;
  for (const auto& [id, record] : impl_->directory().volumes()) views.push_back(impl_->ViewOf(record));
  SortByName(views);
  return views;
}
Result<VolumeView> Control::Volume(VolumeId id) const {
  return ViewOr<VolumeView>(*impl_, impl_->directory().Find(id), "the volume", id);
}
Result<VolumeView> Control::VolumeByName(std::string_view name) const {
  return ViewOr<VolumeView>(*impl_, impl_->directory().FindVolume(name), "the volume", name);
}

std::vector<VolumeId> Control::VolumeIds() const { return impl_->directory().VolumesByName(); }
std::optional<VolumeGlance> Control::Glance(VolumeId volume) const { return impl_->Glance(volume); }
Status Control::PoolState(PoolId pool) const { return impl_->PoolState(pool); }

Task<Result<ExportId>> Control::CreateExport(CreateExportRequest request) {
  return impl_->CreateExport(std::move(request));
}
Task<Status> Control::DeleteExport(ExportId id, bool force) { return impl_->DeleteExport(id, force); }
std::vector<ExportView> Control::Exports() const {
  std::vector<ExportView> views;
  for (const auto& [id, record] : impl_->directory().exports()) views.push_back(impl_->ViewOf(record));
  SortByName(views);
  return views;
}
Result<ExportView> Control::ExportByName(std::string_view name) const {
  return ViewOr<ExportView>(*impl_, impl_->directory().FindExport(name), "the export", name);
}

Task<Result<GroupId>> Control::CreateGroup(CreateGroupRequest request) {
  return impl_->CreateGroup(std::move(request));
}
Task<Status> Control::ModifyGroup(ModifyGroupRequest request) { return impl_->ModifyGroup(std::move(request)); }
Task<Status> Control::DeleteGroup(GroupId group, bool remove_elements) {
  return impl_->DeleteGroup(group, remove_elements);
}
Task<Status> Control::AddMembers(GroupId group, std::vector<VolumeId> members) {
  return impl_->AddMembers(group, std::move(members));
}
Task<Status> Control::RemoveMembers(GroupId group, std::vector<VolumeId> members,
                                    std::optional<bool> delete_on_empty_element) {
  return impl_->RemoveMembers(group, std::move(members), delete_on_empty_element);
}
std::vector<catalog::GroupRecord> Control::Groups() const {
  std::vector<catalog::GroupRecord> groups;
  for (const auto& [id, record] : impl_->directory().groups()) groups.push_back(record);
  SortBy(groups, [](const catalog::GroupRecord& group) { return group.name; });
  return groups;
}
Result<catalog::GroupRecord> Control::Group(GroupId id) const {
  const catalog::GroupRecord* group = impl_->directory().Find(id);
  if (group == nullptr) return NotFound("the group does not exist: " + id.ToString());
  return *group;
}
Result<catalog::GroupRecord> Control::GroupByName(std::string_view name) const {
  const catalog::GroupRecord* group = impl_->directory().FindGroup(name);
  if (group == nullptr) return NotFound("the group does not exist: " + std::string(name));
  return *group;
}

Task<Result<ReplicaResult>> Control::CreateElementReplica(CreateElementReplicaRequest request) {
  return impl_->CreateElementReplica(std::move(request));
}
Task<Result<ListReplicaResult>> Control::CreateListReplica(CreateListReplicaRequest request) {
  return impl_->CreateListReplica(std::move(request));
}
Task<Result<GroupReplicaResult>> Control::CreateGroupReplica(CreateGroupReplicaRequest request) {
  return impl_->CreateGroupReplica(std::move(request));
}
Task<Result<GroupReplicaResult>> Control::CreateGroupReplicaFromElements(
    CreateGroupReplicaFromElementsRequest request) {
  return impl_->CreateGroupReplicaFromElements(std::move(request));
}
Task<Result<ListReplicaResult>> Control::AddElementsToGroup(AddElementsRequest request) {
  return impl_->AddElementsToGroup(std::move(request));
}
Task<Result<GroupReplicaResult>> Control::CreateGroupFromPairs(GroupFromPairsRequest request) {
  return impl_->CreateGroupFromPairs(std::move(request));
}
Task<Result<std::optional<JobId>>> Control::ConfirmTargetData(RelationshipRef synchronized, uint64_t wait_us) {
  return impl_->ConfirmTargetData(synchronized, wait_us);
}
Status Control::MayPair(VolumeId source, VolumeId target) const { return impl_->MayPair(source, target); }
Task<Result<AspectId>> Control::CreateAspect(CreateAspectRequest request) {
  return impl_->CreateAspect(std::move(request));
}
Task<Result<ModifyAspectsResult>> Control::ModifyAspects(ModifyAspectsRequest request) {
  return impl_->ModifyAspects(std::move(request));
}
Task<Result<ModifyResult>> Control::ModifyReplica(ModifyReplicaRequest request) {
  return impl_->ModifyReplica(std::move(request));
}
Task<Result<ModifyResult>> Control::ModifyList(ModifyListRequest request) {
  return impl_->ModifyList(std::move(request));
}
Task<Status> Control::SetCopyPriority(RelationshipId id, catalog::CopyPriority priority) {
  return impl_->SetCopyPriority(id, priority);
}

std::vector<RelationshipView> Control::Relationships(const RelationshipFilter& filter) const {
  std::vector<RelationshipView> views;
  for (const auto& [id, record] : impl_->directory().relationships()) {
    if (!Passes(filter, RelationshipType::kStorageSynchronized, record)) continue;
    if (!filter.copy_state || *filter.copy_state == record.state) views.push_back(impl_->ViewOf(record));
  }
  SortBy(views, [](const RelationshipView& view) { return view.record.when_established; });
  return views;
}
std::vector<GroupRelationshipView> Control::GroupRelationships(const RelationshipFilter& filter) const {
  std::vector<GroupRelationshipView> views;
  for (const auto& [id, record] : impl_->directory().group_relationships()) {
    if (!Passes(filter, RelationshipType::kGroupSynchronized, record)) continue;
    GroupRelationshipView view = impl_->ViewOf(record);
    if (!filter.copy_state || *filter.copy_state == view.state) views.push_back(std::move(view));
  }
  SortBy(views, [](const GroupRelationshipView& view) { return view.record.when_established; });
  return views;
}
Result<RelationshipView> Control::Relationship(RelationshipId id) const {
  return ViewOr<RelationshipView>(*impl_, impl_->directory().Find(id), "the relationship", id);
}
Result<RelationshipView> Control::RelationshipOf(VolumeId source, VolumeId target) const {
  const catalog::RelationshipRecord* pair = impl_->directory().TargetOf(target);
  if (pair != nullptr && pair->source != source) pair = nullptr;
  return ViewOr<RelationshipView>(*impl_, pair, "the relationship", source.ToString() + " to " + target.ToString());
}
Result<GroupRelationshipView> Control::GroupRelationship(GroupRelationshipId id) const {
  return ViewOr<GroupRelationshipView>(*impl_, impl_->directory().Find(id), "the group relationship", id);
}
Result<GroupRelationshipView> Control::GroupRelationshipByName(std::string_view name) const {
  return ViewOr<GroupRelationshipView>(*impl_, impl_->directory().FindGroupRelationship(name),
                                       "the group relationship", name);
}

std::vector<PointView> Control::Points() const {
  std::vector<PointView> views;
  for (const auto& [id, record] : impl_->directory().points()) views.push_back(impl_->ViewOf(record));
  SortBy(views, [](const PointView& view) { return view.record.taken; });
  return views;
}
std::vector<catalog::AspectRecord> Control::Aspects() const {
  std::vector<catalog::AspectRecord> aspects;
  for (const auto& [id, record] : impl_->directory().aspects()) aspects.push_back(record);
  SortBy(aspects, [](const catalog::AspectRecord& aspect) { return aspect.when_point_in_time; });
  return aspects;
}
Result<catalog::AspectRecord> Control::Aspect(AspectId id) const {
  const catalog::AspectRecord* aspect = impl_->directory().Find(id);
  if (aspect == nullptr) return NotFound("the aspect does not exist: " + id.ToString());
  return *aspect;
}
Task<Status> Control::DeleteAspect(AspectId id) { return impl_->DeleteAspect(id); }

std::vector<catalog::JobRecord> Control::Jobs() const {
  std::vector<catalog::JobRecord> jobs;
  for (const auto& [id, record] : impl_->directory().jobs()) jobs.push_back(impl_->ViewOf(record));
  SortBy(jobs, [](const catalog::JobRecord& job) { return job.submitted; });
  return jobs;
}
Result<catalog::JobRecord> Control::Job(JobId id) const {
  return ViewOr<catalog::JobRecord>(*impl_, impl_->directory().Find(id), "the job", id);
}
Task<Status> Control::DeleteJob(JobId id) { return impl_->DeleteJob(id); }
Task<Status> Control::CancelJob(JobId id) { return impl_->CancelJob(id); }
Task<Status> Control::SuspendJob(JobId id) { return impl_->SuspendJob(id); }
Task<Status> Control::ResumeJob(JobId id) { return impl_->ResumeJob(id); }
Task<Status> Control::SetJobRetention(JobId id, bool delete_on_completion, uint64_t time_before_removal_us) {
  return impl_->SetJobRetention(id, delete_on_completion, time_before_removal_us);
}
Task<Result<catalog::JobRecord>> Control::WaitForJob(JobId id) { return impl_->WaitForJob(id); }

uint64_t Control::Subscribe(Listener listener) { return impl_->Subscribe(std::move(listener)); }
void Control::Unsubscribe(uint64_t subscription) { impl_->Unsubscribe(subscription); }
PoolView Control::ViewOf(const catalog::PoolRecord& record) const { return impl_->ViewOf(record); }
VolumeView Control::ViewOf(const catalog::VolumeRecord& record) const { return impl_->ViewOf(record); }
RelationshipView Control::ViewOf(const catalog::RelationshipRecord& record) const { return impl_->ViewOf(record); }
GroupRelationshipView Control::ViewOf(const catalog::GroupRelationshipRecord& record) const {
  return impl_->ViewOf(record);
}

}  // namespace lockstep::control
