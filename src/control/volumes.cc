// Volumes, and what can be seen of pools.
#include <fmt/format.h>

#include <utility>

#include "base/units.h"
#include "control/impl.h"
#include "control/rules.h"
#include "replication/table.h"

namespace lockstep::control {

using catalog::VolumeRecord;

namespace {

constexpr uint32_t kMaxVolumesAtOnce = 1000;

Result<uint64_t> CheckSize(uint64_t size) {
  if (size == 0) return InvalidArgument("a volume needs a size of at least one byte");
  if (size > block::kMaxVolumeSize) {
    return Status(Code::kTooLarge, fmt::format("a volume has at most {}", FormatSize(block::kMaxVolumeSize)));
  }
  return RoundUp(size, block::kBlockSize);
}

// The volumes' names, all free.
Result<std::vector<std::string>> NamesFor(const Directory& directory, const CreateVolumesRequest& request) {
  std::vector<std::string> names;
  if (request.name.empty()) {
    for (uint64_t n = 1; names.size() < request.count; ++n) {
      std::string name = fmt::format("volume_{}", n);
      if (directory.FindVolume(name) == nullptr) names.push_back(std::move(name));
    }
    return names;
  }
  for (uint32_t n = 1; n <= request.count; ++n) {
    std::string name = request.count > 1 ? fmt::format("{}_{}", request.name, n) : request.name;
    LS_RETURN_IF_ERROR(CheckName("volume", name));
    if (directory.FindVolume(name) != nullptr) {
      return AlreadyExists(fmt::format("there is a volume named {} already; choose another name", name));
    }
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Task<Result<std::vector<VolumeId>>> Control::Impl::CreateVolumes(CreateVolumesRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  if (request.count == 0 || request.count > kMaxVolumesAtOnce) {
    co_return InvalidArgument(fmt::format("the count is {}; make 1 to {} volumes at once", request.count,
                                          kMaxVolumesAtOnce));
  }
  if (!request.pool && directory_.pools().size() != 1) {
    co_return InvalidArgument(directory_.pools().empty() ? "there is no pool; create one first"
                                                         : "there are several pools; say which");
  }
  const PoolId pool = request.pool ? *request.pool : directory_.pools().begin()->first;
  LS_CO_RETURN_IF_ERROR(UsablePool(pool).status());
  LS_CO_ASSIGN_OR_RETURN(const uint64_t size, CheckSize(request.size));
  Draft draft = NewDraft();
  LS_CO_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesFor(directory_, request));
  LS_CO_RETURN_IF_ERROR(draft.UsePool(pool));
  std::vector<VolumeId> made;
  for (const std::string& name : names) {
    const VolumeId id = draft.NewId<VolumeId>();
    draft.Add(block::CreateVolume{id, size});
    draft.Put(VolumeRecord{id, pool, name, size, draft.now()});
    made.push_back(id);
  }
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return made;
}

Task<Status> Control::Impl::DeleteVolume(VolumeId id) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const VolumeRecord* volume = directory_.Find(id);
  if (volume == nullptr) co_return NotFound("a volume does not exist: " + id.ToString());
  if (!directory_.ExportsOf(id).empty()) {
    const catalog::ExportRecord* exported = directory_.Find(*directory_.ExportsOf(id).begin());
    co_return InUse(fmt::format("volume {} is exported as {}; delete the export first", volume->name, exported->name));
  }
  const catalog::RelationshipRecord* pair = directory_.TargetOf(id);
  if (pair == nullptr && !directory_.SourceOf(id).empty()) pair = directory_.Find(*directory_.SourceOf(id).begin());
  if (pair != nullptr) {
    co_return InUse(fmt::format("volume {} is in use by {}; detach that first", volume->name,
                                replication::Describe(directory_, *pair)));
  }
  Draft draft = NewDraft();
  LS_CO_RETURN_IF_ERROR(draft.UsePool(volume->pool));
  draft.RemoveVolume(id);
  co_return co_await Carry(draft);
}

Task<Status> Control::Impl::ResizeVolume(VolumeId id, uint64_t size, bool discard_data) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const VolumeRecord* volume = directory_.Find(id);
  if (volume == nullptr) co_return NotFound("a volume does not exist: " + id.ToString());
  LS_CO_ASSIGN_OR_RETURN(const uint64_t rounded, CheckSize(size));
  if (rounded < volume->size && !discard_data) {
    co_return InvalidState(fmt::format("volume {} has {}: made smaller, it loses all data beyond {}; confirm that with "
                                       "--discard-data (discard_data)",
                                       volume->name, FormatSize(volume->size), FormatSize(rounded)));
  }
  if (const catalog::RelationshipRecord* pair = directory_.TargetOf(id)) {
    co_return InUse(fmt::format("volume {} is the target of {}; detach that first", volume->name,
                                replication::Describe(directory_, *pair)));
  }
  if (rounded == volume->size) co_return Status::Ok();
  Draft draft = NewDraft();
  LS_CO_RETURN_IF_ERROR(draft.UsePool(volume->pool));
  VolumeRecord resized = *volume;
  resized.size = rounded;
  draft.Add(block::ResizeVolume{id, rounded});
  draft.Put(std::move(resized));
  co_return co_await Carry(draft);
}

Task<Status> Control::Impl::RenameVolume(VolumeId id, std::string name) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const VolumeRecord* volume = directory_.Find(id);
  if (volume == nullptr) co_return NotFound("a volume does not exist: " + id.ToString());
  LS_CO_RETURN_IF_ERROR(CheckName("volume", name));
  const VolumeRecord* other = directory_.FindVolume(name);
  if (other == volume) co_return Status::Ok();
  if (other != nullptr) {
    co_return AlreadyExists(fmt::format("there is a volume named {} already; choose another name", name));
  }
  Draft draft = NewDraft();
  VolumeRecord renamed = *volume;
  renamed.name = std::move(name);
  draft.Put(std::move(renamed));
  co_return co_await Carry(draft);
}

PoolView Control::Impl::ViewOf(const catalog::PoolRecord& record) const {
  PoolView view;
  view.record = record;
  view.next_scrub = NextScrub(record, surroundings_.scrubs);
  const auto found = pools_.find(record.id);
  if (found == pools_.end()) {
    view.state = Status(Code::kUnavailable, "the pool is not open");
    return view;
  }
  view.state = found->second.state;
  view.info = found->second.info;
  view.devices = found->second.devices;
  return view;
}

Status Control::Impl::PoolState(PoolId id) const {
  const auto found = pools_.find(id);
  return found == pools_.end() ? Status(Code::kUnavailable, "the pool is not open") : found->second.state;
}

std::optional<VolumeGlance> Control::Impl::Glance(VolumeId id) const {
  const VolumeRecord* record = directory_.Find(id);
  if (record == nullptr) return std::nullopt;
  const auto used = used_.find(id);
  return VolumeGlance{record, used == used_.end() ? 0 : used->second.used, !directory_.SourceOf(id).empty(),
                      directory_.TargetOf(id) != nullptr, !directory_.ExportsOf(id).empty()};
}

VolumeView Control::Impl::ViewOf(const VolumeRecord& record) const {
  VolumeView view;
  view.record = record;
  if (const auto found = used_.find(record.id); found != used_.end()) {
    view.used = found->second.used;
    view.window = found->second.window;
    view.history_from = found->second.history_from;
    view.history_since = found->second.history_since;
  }
  if (const catalog::RelationshipRecord* pair = directory_.TargetOf(record.id)) {
    view.target_of = pair->id;
    view.host_accessible = replication::HostAccess(pair->sync_type, pair->state);
  }
  const auto list = [](const auto& ids, auto& to) { to.assign(ids.begin(), ids.end()); };
  list(directory_.SourceOf(record.id), view.source_of);
  list(directory_.GroupsOf(record.id), view.groups);
  list(directory_.ExportsOf(record.id), view.exports);
  view.connections = surroundings_.use.Connections(record.id);
  return view;
}

}  // namespace lockstep::control
