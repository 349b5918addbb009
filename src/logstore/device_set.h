// The devices of a pool as one disk: what its log, its index and its cleaner speak to. A request lies in the segments
// of one device; where, the table of devices says (label.h). A flush is one of every device that was written to since
// its last.
//
// Bytes of the whole are counted as for a pool of one device: segment n begins at kDataOffset + n * segment size. What
// is before, the labels, is each device's own and cannot be reached through the set.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/disk.h"
#include "io/loop.h"
#include "logstore/label.h"
#include "logstore/logstore.h"

namespace lockstep::logstore {

// On the disks' loop.
class DeviceSet final : public io::Disk {
 public:
  DeviceSet(io::Loop& loop, uint64_t segment_size);
  // REQUIRES: no request is in flight.
  ~DeviceSet() override;

  // Takes a device in. It holds no segment until Map says so.
  void Add(DeviceId id, DeviceFile file);
  // Which segments are where, from now on. REQUIRES: all devices of the table have been added; what changes place is
  // not in use.
  void Map(const DeviceTable& table);
  // Gives a device back that holds no segment any more. `then` is called with it, never inside the call, when what was
  // in flight there has ended.
  void Release(DeviceId id, std::move_only_function<void(DeviceFile)> then);
  // Null when there is none.
  io::Disk* Find(DeviceId id);
  const std::string& PathOf(DeviceId id) const;
  bool Holds(uint32_t segment) const { return RunOf(segment) != nullptr; }

  uint64_t size() const override { return kDataOffset + uint64_t{end_} * segment_size_; }
  uint32_t block_size() const override;
  // invalid-argument for what no device holds, or what is on two.
  void Submit(io::DiskRequest& request) override;

 private:
  struct Member {
    DeviceId id;
    DeviceFile file;
    size_t in_flight = 0;
    // Something was written there that no flush covers. At first true: what was written before is not known.
    bool unflushed = true;
    std::move_only_function<void(DeviceFile)> released;
  };
  // Segments that lie one behind the other on one device.
  struct Run {
    SegmentRange range;
    Member* member = nullptr;
    uint64_t offset = 0;  // on the device, of the first
  };
  // A request on its way to a device, in the place of the caller's.
  struct Flight {
    io::DiskRequest inner;
    io::DiskRequest* outer = nullptr;
    DeviceSet* set = nullptr;
    Member* member = nullptr;
    struct FlushGroup* group = nullptr;
    Flight* next = nullptr;  // links the free list
  };

  const Run* RunOf(uint64_t segment) const;
  Flight& TakeFlight(Member& member, io::DiskRequest& outer);
  void Transfer(const Run& run, io::DiskRequest& request, uint64_t in_run);
  void Flush(io::DiskRequest& request);
  void Done(Flight& flight);
  void Refuse(io::DiskRequest& request);
  void LetGo(Member& member);

  io::Loop& loop_;
  const uint64_t segment_size_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<Run> runs_;  // by number of segment
  uint32_t end_ = 0;
  std::vector<std::unique_ptr<Flight>> flights_;  // owns all
  Flight* free_ = nullptr;
};

}  // namespace lockstep::logstore
