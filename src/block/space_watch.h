// Says when a pool has become fuller than the administrator wants to hear of, once each time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace lockstep::block {

class SpaceWatch {
 public:
  // In percent of the pool; in any order.
  explicit SpaceWatch(std::vector<uint32_t> thresholds);

  // The highest threshold that has been reached since the last call. One that was reached counts again only after the
  // use has fallen two percent below it, so that a pool that hovers there does not fill the log.
  std::optional<uint32_t> Look(uint64_t used, uint64_t size);

 private:
  struct Mark {
    uint32_t percent;
    bool reached = false;
  };
  std::vector<Mark> marks_;  // ascending
};

}  // namespace lockstep::block
