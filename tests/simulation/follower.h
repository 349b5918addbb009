// A replica that is made from the change stream alone. The stream tells writes in the order of the log, so it says
// exactly what every point must hold and what the volumes end as.
#pragma once

#include <map>
#include <memory>

#include "block/change_stream.h"
#include "tests/simulation/node.h"

namespace lockstep::simulation {

class Follower {
 public:
  Follower(Node& node, bool lazy) : node_(node), lazy_(lazy) {}
  // REQUIRES: Stop has ended, or the report is stuck.
  ~Follower();

  // Follows the members of a point that has been read, from there on.
  void Start(PointId point);
  bool running() const { return running_; }
  // Closes the stream; over when it does not run any more.
  void Stop();
  // Afterwards the pool may be closed. REQUIRES: not running.
  void Drop() { stream_.reset(); }
  // Everything is confirmed and the replica must be what the volumes are. Nothing is in flight.
  void Compare();

 private:
  Task<void> Follow();
  void Take(const block::StreamWrite& w);
  void Take(const block::StreamHole& h);
  void Take(const block::StreamStructure& s);
  void TookPoint(const block::TakePoint& take);
  void Problem(std::string what);

  Node& node_;
  const bool lazy_;  // confirms late
  std::unique_ptr<block::ChangeStream> stream_;
  std::map<VolumeId, Contents> replica_;
  std::map<PointId, std::map<VolumeId, Contents>> points_;  // as the stream tells them
  block::SequenceNumber last_ = 0, upto_ = 0;
  bool running_ = false, lost_ = false;
};

}  // namespace lockstep::simulation
