// Exports: what is asked for, against what the server has.
#include <fmt/format.h>

#include <utility>

#include "control/impl.h"
#include "control/rules.h"
#include "replication/table.h"

namespace lockstep::control {

using catalog::ExportRecord;
using catalog::ReadOnlyEnd;
using catalog::RelationshipRecord;

namespace {

bool HostAccessible(const Directory& directory, VolumeId volume) {
  const RelationshipRecord* pair = directory.TargetOf(volume);
  return pair == nullptr || replication::HostAccess(pair->sync_type, pair->state);
}

// The export's own wish, or that of a relationship (RSD.ReadOnly) that the volume is an end of.
bool IsReadOnly(const Directory& directory, const ExportRecord& record) {
  if (record.read_only) return true;
  const RelationshipRecord* as_target = directory.TargetOf(record.volume);
  if (as_target != nullptr &&
      (as_target->read_only == ReadOnlyEnd::kSyncedElement || as_target->read_only == ReadOnlyEnd::kBoth)) {
    return true;
  }
  for (const RelationshipId& id : directory.SourceOf(record.volume)) {
    const ReadOnlyEnd end = directory.Find(id)->read_only;
    if (end == ReadOnlyEnd::kSystemElement || end == ReadOnlyEnd::kBoth) return true;
  }
  return false;
}

bool SameExport(const PublishedExport& a, const PublishedExport& b) {
  return a.volume == b.volume && a.read_only == b.read_only && a.pool == b.pool;
}

}  // namespace

Control::Impl::ExportSet Control::Impl::Wanted(const Directory& directory) const {
  ExportSet wanted;
  if (stopping_) return wanted;
  for (const auto& [id, record] : directory.exports()) {
    const catalog::VolumeRecord* volume = directory.Find(record.volume);
    if (volume == nullptr || !HostAccessible(directory, record.volume)) continue;
    const auto pool = pools_.find(volume->pool);
    if (pool == pools_.end() || pool->second.pool == nullptr || !pool->second.state.ok()) continue;
    wanted[record.name] = {record.name, record.volume, pool->second.pool, IsReadOnly(directory, record)};
  }
  return wanted;
}

Task<Status> Control::Impl::WithdrawUnwanted(ExportSet wanted) {
  std::vector<std::string> names;
  for (const auto& [name, published] : published_) {
    const auto found = wanted.find(name);
    if (found == wanted.end() || !SameExport(found->second, published)) names.push_back(name);
  }
  for (const std::string& name : names) {
    const Status withdrawn = co_await surroundings_.exports.Withdraw(name);
    co_await surroundings_.control_loop.Switch();
    if (!withdrawn.ok()) co_return withdrawn.WithContext("export " + name);
    published_.erase(name);
  }
  co_return Status::Ok();
}

Task<void> Control::Impl::SyncExports() {
  const ExportSet wanted = Wanted(directory_);
  const Status withdrawn = co_await WithdrawUnwanted(wanted);
  if (!withdrawn.ok()) surroundings_.log.Error("{}", withdrawn.message());
  for (const auto& [name, one] : wanted) {
    if (published_.contains(name)) continue;
    const Status published = co_await surroundings_.exports.Publish(one);
    co_await surroundings_.control_loop.Switch();
    if (published.ok()) {
      published_.emplace(name, one);
    } else {
      surroundings_.log.Error("export {} cannot be published: {}", name, published.message());
    }
  }
}

Task<Result<ExportId>> Control::Impl::CreateExport(CreateExportRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const catalog::VolumeRecord* volume = directory_.Find(request.volume);
  if (volume == nullptr) co_return NotFound("a volume does not exist: " + request.volume.ToString());
  const std::string name = request.name.empty() ? volume->name : request.name;
  LS_CO_RETURN_IF_ERROR(CheckName("export", name));
  if (directory_.FindExport(name) != nullptr) {
    co_return AlreadyExists(fmt::format("there is an export named {} already; choose another name", name));
  }
  LS_CO_RETURN_IF_ERROR(UsablePool(volume->pool).status());
  Draft draft = NewDraft();
  const ExportId id = draft.NewId<ExportId>();
  draft.Put(ExportRecord{id, request.volume, name, request.read_only, draft.now()});
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  if (published_.contains(name) || !HostAccessible(directory_, request.volume)) co_return id;
  Draft undo = NewDraft();
  undo.Remove(id);
  LS_CO_RETURN_IF_ERROR(co_await Carry(undo));
  co_return Status(Code::kUnavailable, fmt::format("export {} could not be published; see the log", name));
}

Task<Status> Control::Impl::DeleteExport(ExportId id, bool force) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const ExportRecord* record = directory_.Find(id);
  if (record == nullptr) co_return NotFound("an export does not exist: " + id.ToString());
  if (!force && InUseNow(record->volume)) {
    co_return InUse(fmt::format("export {} has clients; disconnect them, or use force", record->name));
  }
  Draft draft = NewDraft();
  draft.Remove(id);
  co_return co_await Carry(draft);
}

ExportView Control::Impl::ViewOf(const ExportRecord& record) const {
  ExportView view;
  view.record = record;
  view.published = published_.contains(record.name);
  view.read_only = IsReadOnly(directory_, record);
  view.connections = surroundings_.use.Connections(record.volume);
  return view;
}

}  // namespace lockstep::control
