// Scrubs that begin by themselves, and bad blocks as whoever reads meets them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/impl.h"

namespace lockstep::control {
namespace {

constexpr int64_t kSecond = 1'000'000, kHour = 3600 * kSecond;

}  // namespace

catalog::WallTime NextScrub(const catalog::PoolRecord& pool, const ScrubSchedule& schedule) {
  if (schedule.every_seconds == 0) return {};
  const int64_t last = std::max({pool.created.us, pool.last_scrub.us, pool.scrub_begun.us});
  constexpr uint64_t kLongest = uint64_t{1} << 40;  // so that the sum stays in range
  return {last + static_cast<int64_t>(std::min(schedule.every_seconds, kLongest)) * kSecond};
}

void Control::Impl::ScheduleScrubs() {
  surroundings_.control_loop.Cancel(scrub_timer_);
  scrub_timer_ = io::TimerId::kNone;
  if (stopping_ || !failed_.ok() || surroundings_.scrubs.every_seconds == 0) return;
  std::optional<int64_t> first;
  for (const auto& [id, pool] : directory_.pools()) {
    if (scrubs_.contains(id)) continue;
    const int64_t due = std::max(NextScrub(pool, surroundings_.scrubs).us, scrub_not_before_.us);
    first = std::min(first.value_or(due), due);
  }
  if (!first) return;
  // The calendar may jump, so a far-off time is looked at again every hour.
  const int64_t delay = std::clamp<int64_t>(*first - surroundings_.clock.Wall().us, 1000, kHour);
  scrub_timer_ = surroundings_.control_loop.After(std::chrono::microseconds(delay), [this] {
    scrub_timer_ = io::TimerId::kNone;
    ++tasks_;
    Spawn(BeginDueScrubs());
  });
}

Task<void> Control::Impl::BeginDueScrubs() {
  {
    const auto guard = co_await changes_.Lock();
    std::vector<PoolId> due;
    const catalog::WallTime now = surroundings_.clock.Wall();
    for (const auto& [id, pool] : directory_.pools()) {
      if (!scrubs_.contains(id) && NextScrub(pool, surroundings_.scrubs) <= now) due.push_back(id);
    }
    for (const PoolId& id : due) {
      if (!MayChange().ok()) break;
      const auto begun = co_await BeginScrub(id, surroundings_.scrubs.bytes_per_second);
      if (begun.ok()) continue;
      surroundings_.log.Warn("a scrub is due and cannot begin: {}", begun.status().message());
      scrub_not_before_ = {now.us + kHour};
    }
    ScheduleScrubs();
  }
  --tasks_;
  EndBackground();
}

void Control::Impl::SeeBadBlock(PoolId pool, const block::BadBlock& bad) {
  if (stopping_) return;
  const bool storing = !bad_blocks_.empty();
  bad_blocks_[pool] = bad;  // of many at once the last one
  if (storing) return;
  ++tasks_;
  Spawn(StoreBadBlocks());
}

Task<void> Control::Impl::StoreBadBlocks() {
  {
    const auto guard = co_await changes_.Lock();
    Draft draft = NewDraft();
    for (const auto& [id, bad] : std::exchange(bad_blocks_, {})) {
      const catalog::PoolRecord* found = directory_.Find(id);
      if (found == nullptr) continue;
      catalog::PoolRecord pool = *found;
      pool.last_bad = NameOf(bad);
      pool.last_bad_at = draft.now();
      draft.Put(std::move(pool));
    }
    Status stored = MayChange();
    if (stored.ok()) stored = co_await Carry(draft);
    if (!stored.ok()) surroundings_.log.Warn("a bad block cannot be noted: {}", stored.message());
  }
  --tasks_;
  EndBackground();
}

}  // namespace lockstep::control
