// Windows of volumes' past, and what is made from it.
#include <fmt/format.h>

#include <set>

#include "control/impl.h"
#include "control/rules.h"

namespace lockstep::control {

using catalog::VolumeRecord;

Result<PoolId> Control::Impl::PoolOf(const std::vector<VolumeId>& volumes) const {
  if (volumes.empty()) return InvalidArgument("name at least one volume");
  std::set<VolumeId> named;
  PoolId pool;
  for (const VolumeId& id : volumes) {
    const VolumeRecord* volume = directory_.Find(id);
    if (volume == nullptr) return NotFound("a volume does not exist: " + id.ToString());
    if (!named.insert(id).second) return InvalidArgument(fmt::format("volume {} is named twice", volume->name));
    if (named.size() > 1 && volume->pool != pool)
      return InvalidArgument(fmt::format(
          "volume {} is in another pool than the others; moments of two pools cannot be told to be one", volume->name));
    pool = volume->pool;
  }
  LS_RETURN_IF_ERROR(UsablePool(pool).status());
  return pool;
}

Task<Result<block::SequenceNumber>> Control::Impl::PositionOf(PoolId id, Moment moment) {
  if (moment.now()) co_return block::SequenceNumber{0};
  if (moment.position && *moment.position == 0) co_return InvalidArgument("positions are counted from 1");
  if (moment.position) co_return *moment.position;
  const io::WallTime now = surroundings_.clock.Wall();
  if (moment.seconds_ago) {
    if (*moment.seconds_ago > static_cast<uint64_t>(now.us) / 1'000'000)
      co_return InvalidArgument("that is too long ago");
    moment.time = io::WallTime{now.us - static_cast<int64_t>(*moment.seconds_ago) * 1'000'000};
  }
  if (*moment.time > now) co_return InvalidArgument("that time has not come yet; times are in UTC");
  LS_CO_ASSIGN_OR_RETURN(std::shared_ptr<block::Pool> pool, UsablePool(id));
  co_await surroundings_.data_loop.Switch();
  Result<block::SequenceNumber> position = co_await pool->PositionAt(*moment.time);
  co_await surroundings_.control_loop.Switch();
  co_return position;
}

Task<Status> Control::Impl::SetHistory(std::vector<VolumeId> volumes, block::HistoryWindow window) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(const PoolId pool, PoolOf(volumes));
  Draft draft = NewDraft();
  LS_CO_RETURN_IF_ERROR(draft.UsePool(pool));
  draft.Add(block::SetHistory{std::move(volumes), window});
  co_return co_await Carry(draft);
}

Task<Result<std::vector<VolumeId>>> Control::Impl::CloneVolumes(CloneVolumesRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(const PoolId pool, PoolOf(request.sources));
  if (request.names.size() != request.sources.size()) co_return InvalidArgument("each clone needs one name");
  std::set<std::string> names;
  for (const std::string& name : request.names) {
    LS_CO_RETURN_IF_ERROR(CheckName("volume", name));
    if (directory_.FindVolume(name) != nullptr || !names.insert(name).second)
      co_return AlreadyExists(fmt::format("there is a volume named {} already; choose another name", name));
  }
  LS_CO_ASSIGN_OR_RETURN(const block::SequenceNumber at, co_await PositionOf(pool, request.moment));
  Draft draft = NewDraft();
  LS_CO_RETURN_IF_ERROR(draft.UsePool(pool));
  const PointId point = draft.TakePassingPoint(request.sources, at);
  std::vector<VolumeId> made;
  for (size_t i = 0; i < request.sources.size(); ++i) {
    const VolumeId id = draft.NewId<VolumeId>();
    // As large as the source is now, which it may not have been then: the rest reads as zeroes.
    const uint64_t size = directory_.Find(request.sources[i])->size;
    draft.Add(block::Clone{point, request.sources[i], id, size});
    draft.Put(VolumeRecord{id, pool, request.names[i], size, draft.now()});
    made.push_back(id);
  }
  draft.ReleasePassingPoint(point);
  LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  co_return made;
}

Task<Status> Control::Impl::RevertVolumes(RevertVolumesRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(const PoolId pool, PoolOf(request.volumes));
  if (request.moment.now()) co_return InvalidArgument("say to which moment");
  for (const VolumeId& id : request.volumes) {
    const VolumeRecord& volume = *directory_.Find(id);
    if (const catalog::RelationshipRecord* pair = directory_.TargetOf(id))
      co_return InUse(fmt::format("volume {} is the target of {}; detach that first", volume.name,
                                  replication::Describe(directory_, *pair)));
    if (!request.force && InUseNow(id))
      co_return InUse(fmt::format("clients are connected to volume {}, and would find other content under their hands; "
                                  "disconnect them, or force it", volume.name));
  }
  LS_CO_ASSIGN_OR_RETURN(const block::SequenceNumber at, co_await PositionOf(pool, request.moment));
  Draft draft = NewDraft();
  LS_CO_RETURN_IF_ERROR(draft.UsePool(pool));
  const PointId point = draft.TakePassingPoint(request.volumes, at);
  for (const VolumeId& id : request.volumes) draft.Add(block::SetContent{id, point, id});
  draft.ReleasePassingPoint(point);
  co_return co_await Carry(draft);
}

}  // namespace lockstep::control
