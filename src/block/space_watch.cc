#include "block/space_watch.h"

#include <algorithm>
#include <utility>

namespace lockstep::block {

SpaceWatch::SpaceWatch(std::vector<uint32_t> thresholds) {
  std::sort(thresholds.begin(), thresholds.end());
  for (const uint32_t percent : thresholds) marks_.push_back({percent});
}

std::optional<uint32_t> SpaceWatch::Look(uint64_t used, uint64_t size) {
  const double percent = size == 0 ? 0 : 100.0 * static_cast<double>(used) / static_cast<double>(size);
  std::optional<uint32_t> news;
  for (Mark& m : marks_) {
    if (percent >= m.percent) {
      if (!std::exchange(m.reached, true)) news = m.percent;
    } else if (percent < m.percent - 2.0) {
      m.reached = false;
    }
  }
  return news;
}

}  // namespace lockstep::block
