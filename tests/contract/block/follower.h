// A replica in its simplest form: copies of some volumes that follow a change stream from a point on. Checks what every
// answer of a stream must keep.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "block/change_stream.h"
#include "tests/contract/block/suite.h"

namespace lockstep::test {

class Follower {
 public:
  using Image = std::vector<std::byte>;

  // Begins with the content of `base`, which holds all the volumes.
  Follower(BlockContract& test, std::vector<block::VolumeId> volumes, block::PointId base);

  // Opens the stream behind what has been applied, or at the base.
  Status Open();
  void Close() { stream_.reset(); }
  block::ChangeStream& stream() { return *stream_; }
  // One answer of the stream, applied.
  Status Pull();
  // Until everything that the pool has done by now is applied, and known to be durable.
  void CatchUp();
  // The copies are what the pool shows.
  void Compare();

  block::SequenceNumber upto() const { return upto_; }
  size_t writes() const { return writes_; }
  size_t holes() const { return holes_; }
  size_t structures() const { return structures_; }
  std::map<block::PointId, std::map<block::VolumeId, Image>>& points() { return points_; }

 private:
  Image ReadImage(const VolumePtr& volume);
  void Take(const block::ChangeBatch& batch);
  void Do(const block::StreamWrite& write);
  void Do(const block::StreamHole& hole);
  void Do(const block::StreamStructure& structure);
  void Do(const block::CreateVolume& c) { images_[c.volume].assign(c.size, std::byte{0}); }
  void Do(const block::DeleteVolume& c) { images_.erase(c.volume); }
  void Do(const block::ResizeVolume& c) { images_.at(c.volume).resize(c.size); }
  void Do(const block::TakePoint& c);
  void Do(const block::ReleasePoint&) { ADD_FAILURE() << "releasing a point is none of a follower's concerns"; }
  void Do(const block::SetHistory&) { ADD_FAILURE() << "windows are none of a follower's concerns"; }
  void Do(const block::TrimHistory&) { ADD_FAILURE() << "windows are none of a follower's concerns"; }
  void Do(const block::Clone& c);
  void Do(const block::SetContent& c);

  BlockContract& test_;
  const std::vector<block::VolumeId> volumes_;
  const std::set<block::VolumeId> set_;
  const block::PointId base_;
  bool at_base_ = true;  // the base's transaction has not come yet
  block::SequenceNumber upto_, newest_, durable_ = 0;
  std::map<block::VolumeId, Image> images_;
  std::map<block::PointId, std::map<block::VolumeId, Image>> points_;
  std::unique_ptr<block::ChangeStream> stream_;
  size_t writes_ = 0, holes_ = 0, structures_ = 0;
};

}  // namespace lockstep::test
