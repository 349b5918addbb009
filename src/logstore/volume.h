// block::Volume over a pool: a volume as it is now, or as it was at a point.
#pragma once

#include "block/volume.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

class LogPool;

class LogVolume final : public block::Volume {
 public:
  LogVolume(LogPool& pool, block::VolumeId id) : pool_(pool), id_(id) {}
  block::VolumeId id() const override { return id_; }
  uint64_t size() const override;
  bool read_only() const override { return false; }
  void Submit(block::Request& request) override;
  Task<Result<std::vector<block::Extent>>> Allocated(uint64_t offset, uint64_t length, size_t limit) override;

 private:
  LogPool& pool_;
  const block::VolumeId id_;
};

class LogPointVolume final : public block::Volume {
 public:
  LogPointVolume(LogPool& pool, block::PointId point, block::VolumeId id) : pool_(pool), point_(point), id_(id) {}
  block::VolumeId id() const override { return id_; }
  uint64_t size() const override;
  bool read_only() const override { return true; }
  void Submit(block::Request& request) override;
  Task<Result<std::vector<block::Extent>>> Allocated(uint64_t offset, uint64_t length, size_t limit) override;

 private:
  const PointMember* Member() const;
  LogPool& pool_;
  const block::PointId point_;
  const block::VolumeId id_;
};

}  // namespace lockstep::logstore
