// The oracle of the crash tests: what a pool must look like after any prefix of a history.
//
// A history is a list of steps in the order in which they were submitted, which is the order of their sequence numbers.
// After a crash the pool must look like the model after some k steps, where k is at least the number of steps that the
// last completed flush or transaction covered.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "block/pool.h"

namespace lockstep::test {

// Contents as tags: 0 is zeroes, any other tag is a pattern that also depends on nothing else.
struct ModelVolume {
  std::vector<uint32_t> blocks;
  bool operator==(const ModelVolume&) const = default;
};

struct PoolModel {
  std::map<block::VolumeId, ModelVolume> volumes;
  std::map<block::PointId, std::map<block::VolumeId, ModelVolume>> points;
  bool operator==(const PoolModel&) const = default;

  void Do(const block::CreateVolume& c) { volumes[c.volume].blocks.assign(c.size / block::kBlockSize, 0); }
  void Do(const block::DeleteVolume& c) { volumes.erase(c.volume); }
  void Do(const block::ResizeVolume& c) { volumes[c.volume].blocks.resize(c.size / block::kBlockSize, 0); }
  void Do(const block::TakePoint& c) {
    for (const auto& v : c.volumes) points[c.point][v] = volumes.at(v);
  }
  void Do(const block::ReleasePoint& c) { points.erase(c.point); }
  void Do(const block::Clone& c) { volumes[c.volume] = points.at(c.point).at(c.source); }
  void Do(const block::SetHistory&) {}  // history_test.cc looks at those
  void Do(const block::TrimHistory&) {}
  void Do(const block::SetContent& c) {
    const size_t size = volumes[c.volume].blocks.size();
    volumes[c.volume] = points.at(c.point).at(c.source);
    if (volumes[c.volume].blocks.size() < size) volumes[c.volume].blocks.resize(size, 0);
  }
};

struct WriteStep {
  block::VolumeId volume;
  uint64_t first = 0, count = 1;
  uint32_t tag = 0;  // 0: a hole
};
struct TransactionStep {
  block::Transaction transaction;
};
using Step = std::variant<WriteStep, TransactionStep>;

inline void Advance(PoolModel& model, const Step& step) {
  if (const auto* w = std::get_if<WriteStep>(&step)) {
    auto& blocks = model.volumes.at(w->volume).blocks;
    for (uint64_t b = w->first; b < w->first + w->count; ++b) blocks[b] = w->tag;
    return;
  }
  for (const auto& change : std::get<TransactionStep>(step).transaction.changes)
    std::visit([&](const auto& c) { model.Do(c); }, change);
}

}  // namespace lockstep::test
