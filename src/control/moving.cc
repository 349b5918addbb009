// Pools that go to another node, and come from one. What the catalog knows of a pool's volumes goes along as a note
// that the pool itself carries.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/codec.h"
#include "catalog/encoding.h"
#include "control/impl.h"
#include "control/rules.h"

namespace lockstep::control {

using catalog::JoinPaths;
using catalog::Mutation;
using catalog::PoolRecord;
using catalog::VolumeRecord;

namespace {

constexpr std::string_view kNoteBegins = "lockstep-export-1\n";

Result<Mutation> DecodeNote(std::string_view note) {
  if (!note.starts_with(kNoteBegins))
    return NotSupported("what the pool brings along was written by another version; `lockstep pool add` takes in the "
                        "bare volumes");
  return catalog::DecodeMutation(note.substr(kNoteBegins.size()));
}

template <typename T>
std::vector<T> Of(const Mutation& mutation) {
  std::vector<T> found;
  for (const catalog::Record& record : mutation.puts) {
    if (const T* one = std::get_if<T>(&record)) found.push_back(*one);
  }
  return found;
}

}  // namespace

Mutation Control::Impl::EverythingOf(PoolId id) const {
  Mutation all;
  all.puts.push_back(*directory_.Find(id));
  const auto here = [&](VolumeId volume) {
    const VolumeRecord* record = directory_.Find(volume);
    return record != nullptr && record->pool == id;
  };
  for (const auto& [volume, record] : directory_.volumes()) {
    if (record.pool == id) all.puts.push_back(record);
  }
  std::set<GroupId> groups;
  for (const auto& [group, record] : directory_.groups()) {
    if (record.members.empty() || !here(record.members.front())) continue;
    groups.insert(group);
    all.puts.push_back(record);
  }
  for (const auto& [point, record] : directory_.points()) {
    if (record.pool == id) all.puts.push_back(record);
  }
  for (const auto& [pair, record] : directory_.relationships()) {
    if (here(record.source) || here(record.target)) all.puts.push_back(record);
  }
  for (const auto& [pair, record] : directory_.group_relationships()) {
    if (groups.contains(record.source_group) || groups.contains(record.target_group) || here(record.source_element))
      all.puts.push_back(record);
  }
  for (const auto& [aspect, record] : directory_.aspects()) {
    const catalog::PointRecord* point = directory_.Find(record.point);
    if (point != nullptr && point->pool == id) all.puts.push_back(record);
  }
  for (const auto& [one, record] : directory_.exports()) {
    if (here(record.volume)) all.puts.push_back(record);
  }
  return all;
}

Status Control::Impl::MayLeave(PoolId id) const {
  const std::string& pool = directory_.Find(id)->name;
  if (scrubs_.contains(id) || drains_.contains(id) || copying_.contains(id))
    return InUse(fmt::format("a job works on pool {}; let it end, or cancel it", pool));
  for (const auto& [volume, record] : directory_.volumes()) {
    if (record.pool == id && InUseNow(volume))
      return InUse(fmt::format("volume {} of pool {} has clients; disconnect them first", record.name, pool));
  }
  for (const auto& [job, record] : directory_.jobs()) {
    if (IsFinal(record.state)) continue;
    for (const RelationshipId& pair : record.relationships) {
      const catalog::RelationshipRecord* found = directory_.Find(pair);
      const VolumeRecord* target = found == nullptr ? nullptr : directory_.Find(found->target);
      if (target != nullptr && target->pool == id)
        return InUse(fmt::format("job {} works on pool {}; let it end, or cancel it", record.name, pool));
    }
  }
  for (const auto& [group, record] : directory_.groups()) {
    const auto is_here = [&](VolumeId volume) { return directory_.Find(volume)->pool == id; };
    const auto count = std::count_if(record.members.begin(), record.members.end(), is_here);
    if (count != 0 && static_cast<size_t>(count) != record.members.size())
      return InUse(fmt::format("group {} holds volumes of pool {} and of others; take them apart first", record.name,
                               pool));
  }
  return {};
}

Task<void> Control::Impl::Drop(std::shared_ptr<block::Pool> pool) {
  if (pool == nullptr) co_return;
  const PoolId id = pool->id();
  co_await surroundings_.data_loop.Switch();
  pool.reset();
  // Its devices can be opened again when it has been closed.
  (void)co_await surroundings_.pools.LeaveIndex(id, {});
  co_await surroundings_.control_loop.Switch();
}

Task<Result<std::string>> Control::Impl::ExportPool(PoolId id, std::string index_to) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(std::shared_ptr<block::Pool> pool, UsablePool(id));
  LS_CO_RETURN_IF_ERROR(MayLeave(id));
  const Mutation all = EverythingOf(id);
  // From here on no client can connect.
  Draft leave = NewDraft();
  for (const catalog::Record& record : all.puts) {
    std::visit([&](const auto& typed) { leave.Remove(typed.id); }, record);
  }
  LS_CO_RETURN_IF_ERROR(co_await WithdrawUnwanted(Wanted(leave.directory())));
  std::string note = std::string(kNoteBegins) + catalog::EncodeMutation(all);
  co_await surroundings_.data_loop.Switch();
  const Status exported = co_await pool->Export(std::move(note));
  co_await surroundings_.control_loop.Switch();
  if (!exported.ok()) {
    co_await SyncExports();
    co_return exported;
  }
  const std::string name = directory_.Find(id)->name;
  // A crash before this leaves the pool in the catalog; then it is opened again, and has not been exported.
  const Status forgotten = co_await Carry(leave);
  if (!forgotten.ok()) co_return forgotten;
  pools_.erase(id);
  co_await Drop(std::move(pool));
  Result<std::string> index = co_await surroundings_.pools.LeaveIndex(id, std::move(index_to));
  co_await surroundings_.control_loop.Switch();
  if (!index.ok())
    co_return index.status().WithContext(fmt::format("pool {} has been exported, but its index could not be moved",
                                                     name));
  surroundings_.log.Info("pool {} has been exported; its index is in {}", name, *index);
  co_return index;
}

Task<Result<PoolId>> Control::Impl::ImportPool(ImportPoolRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  if (request.paths.empty()) co_return InvalidArgument("say where the pool is: the paths of all its devices");
  for (const std::string& path : request.paths) {
    if (path.empty() || path.find('\n') != std::string::npos)
      co_return InvalidArgument("a path cannot be empty or have line breaks");
  }
  PoolPlace place;
  place.paths = request.paths;
  place.import = true;
  place.index = request.index;
  Result<std::shared_ptr<block::Pool>> opened = co_await surroundings_.pools.Open(std::move(place));
  co_await surroundings_.control_loop.Switch();
  if (!opened.ok()) co_return opened.status();
  std::shared_ptr<block::Pool> pool = std::move(*opened);
  const std::vector<block::DeviceInfo> devices = co_await DevicesOf(pool);
  std::vector<std::string> paths;
  for (const block::DeviceInfo& device : devices) paths.push_back(device.path);
  if (paths.empty()) paths = request.paths;
  PoolRecord record;
  record.id = pool->id();
  record.name = request.name;
  record.path = JoinPaths(paths);
  record.created = surroundings_.clock.Wall();
  if (const PoolRecord* known = directory_.Find(record.id)) {
    PoolRecord moved = *known;
    moved.path = record.path;
    LS_CO_RETURN_IF_ERROR(co_await Relocate(std::move(moved), std::move(pool)));
    co_return record.id;
  }
  co_await surroundings_.data_loop.Switch();
  const Result<std::string> note = co_await pool->Note();
  co_await surroundings_.control_loop.Switch();
  Result<Mutation> brought = Mutation();
  if (note.ok()) {
    brought = DecodeNote(*note);
  } else if (note.status().code() != Code::kNotFound && note.status().code() != Code::kNotSupported) {
    brought = note.status();
  }
  Status status = brought.status();
  if (status.ok()) {
    const std::vector<PoolRecord> named = Of<PoolRecord>(*brought);
    if (record.name.empty()) record.name = named.empty() ? "imported" : named.front().name;
    if (!named.empty()) record.size = named.front().size;
    status = CheckName("pool", record.name);
    if (status.ok() && directory_.FindPool(record.name) != nullptr)
      status = AlreadyExists(fmt::format("there is a pool named {} already; give another name", record.name));
  }
  if (!status.ok()) {
    co_await Drop(std::move(pool));
    co_return status;
  }
  LS_CO_RETURN_IF_ERROR(co_await TakeInNote(record, std::move(pool), std::move(*brought)));
  co_return record.id;
}

Task<Status> Control::Impl::TakeOver(PoolId id, std::shared_ptr<block::Pool> pool) {
  co_await surroundings_.data_loop.Switch();
  const Status adopted = co_await pool->Adopt();
  co_await surroundings_.control_loop.Switch();
  pools_[id] = {std::move(pool), adopted, {}, {}};
  co_return adopted;
}

// A pool that is known, and was not open: it is where it was named now.
Task<Status> Control::Impl::Relocate(PoolRecord record, std::shared_ptr<block::Pool> pool) {
  const auto found = pools_.find(record.id);
  if (found != pools_.end() && found->second.pool != nullptr && found->second.state.ok()) {
    co_await Drop(std::move(pool));
    co_return AlreadyExists(fmt::format("pool {} is known and in use already", record.name));
  }
  const PoolId id = record.id;
  std::shared_ptr<block::Pool> failed = found == pools_.end() ? nullptr : std::move(found->second.pool);
  co_await Drop(std::move(failed));
  Draft draft = NewDraft();
  draft.Put(std::move(record));
  const Status carried = co_await Carry(draft);
  if (!carried.ok()) {
    co_await Drop(std::move(pool));
    co_return carried;
  }
  const Status adopted = co_await TakeOver(id, std::move(pool));
  // Changes that waited for it.
  const Result<catalog::Contents> contents = catalog_->Load();
  if (contents.ok()) {
    std::vector<catalog::Intent> waiting;
    for (const catalog::Intent& intent : contents->intents) {
      if (intent.pool == id) waiting.push_back(intent);
    }
    LS_CO_RETURN_IF_ERROR(co_await SettleIntents(std::move(waiting)));
  }
  co_await ReportOrphans(id);
  co_await SettleDevices(id);
  co_await ReadUsage(id);
  co_await SyncExports();
  KickCopies();
  co_return adopted;
}

Task<Status> Control::Impl::TakeInNote(PoolRecord record, std::shared_ptr<block::Pool> pool, Mutation brought) {
  co_await surroundings_.data_loop.Switch();
  const std::vector<block::VolumeInfo> volumes = pool->Volumes();
  const std::vector<block::PointInfo> points = pool->Points();
  co_await surroundings_.control_loop.Switch();
  std::map<VolumeId, VolumeRecord> named;
  for (VolumeRecord& volume : Of<VolumeRecord>(brought)) named.emplace(volume.id, std::move(volume));
  Draft draft = NewDraft();
  draft.Put(record);
  for (const block::VolumeInfo& volume : volumes) {
    if (directory_.Find(volume.id) != nullptr) continue;
    const auto found = named.find(volume.id);
    VolumeRecord put = found == named.end() ? VolumeRecord{volume.id, {}, record.name + "_volume", 0, draft.now()}
                                            : found->second;
    put.pool = record.id;
    put.size = volume.size;
    put.name = draft.FreeVolumeName(put.name);
    draft.Put(std::move(put));
  }
  const Directory& now = draft.directory();
  const auto known = [&](VolumeId volume) { return volume.IsNil() || now.Find(volume) != nullptr; };
  for (catalog::GroupRecord& group : Of<catalog::GroupRecord>(brought)) {
    std::erase_if(group.members, [&](VolumeId volume) { return !known(volume); });
    group.name = draft.FreeGroupName(group.name);
    if (now.Find(group.id) == nullptr) draft.Put(std::move(group));
  }
  for (catalog::PointRecord& point : Of<catalog::PointRecord>(brought)) {
    const bool there = std::any_of(points.begin(), points.end(), [&](const auto& p) { return p.id == point.id; });
    point.pool = record.id;
    if (there && now.Find(point.id) == nullptr) draft.Put(std::move(point));
  }
  for (catalog::GroupRelationshipRecord& group : Of<catalog::GroupRelationshipRecord>(brought)) {
    group.name = draft.FreeRelationshipName(group.name);
    if (now.Find(group.id) == nullptr && known(group.source_element)) draft.Put(std::move(group));
  }
  for (catalog::RelationshipRecord& pair : Of<catalog::RelationshipRecord>(brought)) {
    const bool whole = known(pair.source) && known(pair.target) && (pair.point.IsNil() || now.Find(pair.point));
    if (whole && now.Find(pair.id) == nullptr) draft.Put(std::move(pair));
  }
  for (catalog::AspectRecord& aspect : Of<catalog::AspectRecord>(brought)) {
    aspect.name = draft.FreeAspectName(aspect.name);
    if (now.Find(aspect.point) != nullptr && now.Find(aspect.id) == nullptr) draft.Put(std::move(aspect));
  }
  for (catalog::ExportRecord& one : Of<catalog::ExportRecord>(brought)) {
    if (now.FindExport(one.name) != nullptr)
      surroundings_.log.Warn("there is an export named {} already; that of pool {} is left out", one.name, record.name);
    else if (now.Find(one.volume) != nullptr && now.Find(one.id) == nullptr)
      draft.Put(std::move(one));
  }
  const Status carried = co_await Carry(draft);
  if (!carried.ok()) {
    co_await Drop(std::move(pool));
    co_return carried;
  }
  const Status adopted = co_await TakeOver(record.id, std::move(pool));
  co_await SettleDevices(record.id);
  co_await ReadUsage(record.id);
  co_await SyncExports();
  KickCopies();
  co_return adopted;
}

}  // namespace lockstep::control
