// What volumes and points take, asked of the engines.
#include <algorithm>

#include "control/impl.h"

namespace lockstep::control {
namespace {

constexpr size_t kPointsAtOnce = 64;  // between two looks at whether Control is stopping

}  // namespace

Task<Result<block::VolumeSpace>> Control::Impl::SpaceOf(VolumeId volume) {
  LS_CO_RETURN_IF_ERROR(MayChange());
  const catalog::VolumeRecord* record = directory_.Find(volume);
  if (record == nullptr) co_return NotFound("a volume does not exist: " + volume.ToString());
  LS_CO_ASSIGN_OR_RETURN(std::shared_ptr<block::Pool> pool, UsablePool(record->pool));
  ++tasks_;
  co_await surroundings_.data_loop.Switch();
  Result<block::VolumeSpace> space = co_await pool->Space(volume);
  co_await surroundings_.control_loop.Switch();
  pool.reset();
  --tasks_;
  EndBackground();
  co_return space;
}

Task<Result<std::map<PointId, uint64_t>>> Control::Impl::FreedByPoints(PoolId id, std::vector<PointId> points) {
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_ASSIGN_OR_RETURN(std::shared_ptr<block::Pool> pool, UsablePool(id));
  ++tasks_;
  std::map<PointId, uint64_t> freed;
  Status status;
  for (size_t at = 0; at < points.size() && status.ok() && !stopping_; at += kPointsAtOnce) {
    co_await surroundings_.data_loop.Switch();
    std::vector<block::Removal> removals;
    std::vector<PointId> asked;
    for (size_t i = at; i < std::min(points.size(), at + kPointsAtOnce); ++i) {
      if (!pool->Find(points[i]).ok()) continue;  // released meanwhile
      removals.push_back({{}, {points[i]}});
      asked.push_back(points[i]);
    }
    const auto some = co_await pool->WouldFree(std::move(removals));
    co_await surroundings_.control_loop.Switch();
    // One of them may have been released while the engine got ready; nobody needs to know what it would free.
    if (!some.ok() && some.status().code() != Code::kNotFound) status = some.status();
    for (size_t i = 0; some.ok() && i < asked.size(); ++i) freed[asked[i]] = some->at(i);
  }
  pool.reset();
  --tasks_;
  EndBackground();
  LS_CO_RETURN_IF_ERROR(status);
  co_return freed;
}

}  // namespace lockstep::control
