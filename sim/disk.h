// A disk on simulated media: completes requests on the loop, later, in order or not, with delays and faults as told.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/disk.h"
#include "sim/disk_media.h"
#include "sim/faults.h"
#include "sim/loop.h"
#include "sim/random.h"
#include "sim/trace.h"

namespace lockstep::sim {

// How a disk takes its time. The defaults complete requests at once, in the order of submission.
struct DiskTiming {
  io::Duration min_delay{0};
  io::Duration max_delay{0};  // each request takes a time drawn from [min, max]
  bool shuffled = false;      // with no delay: requests complete in an order drawn from the seed
};

class SimDisk final : public io::Disk {
 public:
  struct Setup {
    std::string name;  // for error messages
    SimLoop& loop;
    FaultPlan& faults;
    SimDiskMedia& media;
    uint64_t seed;
    DiskTiming timing;
    Trace* trace = nullptr;            // may be null
    std::shared_ptr<void> lease = {};  // released when the disk is closed
  };
  explicit SimDisk(Setup setup);
  // Requests that hang, and those of a node that crashed, may still be in flight: they are forgotten.
  ~SimDisk() override;

  uint64_t size() const override { return size_; }
  uint32_t block_size() const override { return setup_.media.block_size(); }
  void Submit(io::DiskRequest& request) override;
  Status RefreshSize() override {
    size_ = setup_.media.size();
    return {};
  }

  void set_timing(DiskTiming timing) { setup_.timing = timing; }
  // Lets the requests that hang go on.
  void ReleaseHung();
  size_t in_flight() const { return in_flight_.size(); }
  size_t hung() const { return hung_.size(); }

 private:
  struct Flight {
    io::DiskRequest* request;
    Status refused;               // bad request, or a fault
    SimDiskMedia::WriteId write;  // kWrite that was begun
    uint64_t flush_mark;
  };

  void Begin(Flight& flight, bool misdirected = false);
  void Note(const char* what, uint64_t id, const io::DiskRequest& request);
  void Schedule(uint64_t id);
  void Complete(uint64_t id);
  Status Finish(Flight& flight);
  Status Broken(const char* why) const;

  Setup setup_;
  uint64_t size_;
  SimRandom random_;
  const SimLoop::Source source_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Flight> in_flight_;  // by id
  std::vector<uint64_t> waiting_;         // scheduled without a delay
  std::vector<uint64_t> hung_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // what is posted looks here first
};

}  // namespace lockstep::sim
