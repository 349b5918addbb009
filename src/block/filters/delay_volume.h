// A volume that is slow on demand, or stands still until it is told to go on.
#pragma once

#include <memory>
#include <vector>

#include "block/filters/error_volume.h"
#include "block/volume.h"
#include "io/loop.h"

namespace lockstep::block {

// One owner loop, the volume's. Delayed requests reach the volume below later, so among them the order may change, as
// it may on any volume.
class DelayVolume final : public Volume {
 public:
  DelayVolume(std::shared_ptr<Volume> below, io::Loop& loop) : below_(std::move(below)), loop_(loop) {}

  // Requests of these kinds are passed on after `delay`; zero ends it. Those that wait already keep their delay.
  void Delay(OpSet ops, io::Duration delay);
  // Requests of these kinds wait until Release, which passes them on in their order and lets later ones through.
  void Hold(OpSet ops) { held_ops_ = ops; }
  void Release();
  size_t held() const { return held_.size(); }

  VolumeId id() const override { return below_->id(); }
  uint64_t size() const override { return below_->size(); }
  bool read_only() const override { return below_->read_only(); }
  void Submit(Request& request) override;
  Task<Result<std::vector<Extent>>> Allocated(uint64_t offset, uint64_t length, size_t limit) override {
    return below_->Allocated(offset, length, limit);
  }

 private:
  std::shared_ptr<Volume> below_;
  io::Loop& loop_;
  OpSet delayed_ops_;
  io::Duration delay_{0};
  OpSet held_ops_;
  std::vector<Request*> held_;
};

}  // namespace lockstep::block
