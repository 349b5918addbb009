// A volume that takes any byte range. Requests that are multiples of kBlockSize go to the volume below as they are;
// the others are widened to whole blocks, reading what they do not replace (read, modify, write).
#pragma once

#include <memory>
#include <vector>

#include "base/task.h"
#include "block/volume.h"
#include "io/loop.h"

namespace lockstep::block {

// As Volume says, but that `offset` and `length` may be any bytes inside the volume, and that the buffers of a request
// that is not aligned may lie anywhere. A misaligned discard drops the whole blocks inside its range and no others; the
// request's range is narrowed to them.
//
// A read-modify-write must not undo another write of the same block that is acknowledged while it runs. So requests
// that change a block which another one changes in part wait for each other; all others go on unhindered. This holds
// among the requests of one object: everybody who writes to a volume in parts shares one AlignedVolume.
//
// An aligned request costs one check and a node from a free list.
class AlignedVolume final : public Volume {
 public:
  // REQUIRES: `loop` is the volume's and outlives it.
  AlignedVolume(std::shared_ptr<Volume> below, io::Loop& loop);
  // REQUIRES: no request is in flight, or none of those below will ever complete (a crash in simulation).
  ~AlignedVolume() override = default;
  AlignedVolume(const AlignedVolume&) = delete;
  AlignedVolume& operator=(const AlignedVolume&) = delete;

  VolumeId id() const override { return below_->id(); }
  uint64_t size() const override { return below_->size(); }
  bool read_only() const override { return below_->read_only(); }
  void Submit(Request& request) override;
  // Any byte range.
  Task<Result<std::vector<Extent>>> Allocated(uint64_t offset, uint64_t length, size_t limit) override;

 private:
  // A request that changes blocks, from Submit to done. In a list ordered by arrival.
  struct Change {
    AlignedVolume* owner = nullptr;
    Request* request = nullptr;
    void (*done)(Request&) = nullptr;  // the caller's, while ours is in its place
    void* context = nullptr;
    Change* previous = nullptr;
    Change* next = nullptr;  // also links the free list
    uint64_t first = 0, last = 0;  // the blocks it touches
    bool partial_head = false;     // it changes only a part of block `first`
    bool partial_tail = false;     // likewise `last`
    bool waiting = false;
    bool partial() const { return partial_head || partial_tail; }
  };

  static bool ChangesInPart(const Change& change, uint64_t first, uint64_t last);
  static bool Conflict(const Change& a, const Change& b);
  bool MustWait(const Change& change) const;
  bool Fits(const Request& request) const;
  Change& Track(Request& request);
  void Start(Change& change);
  void Finish(Change& change);
  void StartWaiting();
  void PostDone(Request& request, Status status);
  void SubmitRead(Request& request);
  bool SubmitInnerBlocks(Request& request);
  Task<Status> ReadAround(Request& request);
  Task<Status> WriteAround(Change& change);
  Task<Status> ZeroAround(Change& change);
  Task<Status> ReadBlock(uint64_t block, Buffer to);
  Task<Status> WritePieces(uint64_t offset, Buffer from, bool fua);

  std::shared_ptr<Volume> below_;
  io::Loop& loop_;
  Change* oldest_ = nullptr;
  Change* newest_ = nullptr;
  Change* free_ = nullptr;
  size_t partial_ = 0;   // how many of the list change a block in part
  size_t waiting_ = 0;
  std::vector<std::unique_ptr<Change>> changes_;  // owns all, listed or free
};

}  // namespace lockstep::block
