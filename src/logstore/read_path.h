// Reads: find where each block of a view is, read the runs, check every block against its checksum.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/task.h"
#include "block/volume.h"
#include "logstore/format.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

class LogPool;

// On the pool's loop. Operations are pooled: a read in steady state allocates nothing.
class ReadPath {
 public:
  explicit ReadPath(LogPool& pool);
  // REQUIRES: no read is in flight.
  ~ReadPath();

  // Reads [request.offset, +length) of the view (layer, at), which is one of `volume`; completes the request, never
  // inside the call. REQUIRES: the request is a valid read. corrupted: a block's checksum does not match.
  void Read(block::VolumeId volume, LayerId layer, SequenceNumber at, block::Request& request);

  // Counts as a read in flight while it lives: the layers that were reachable when it was made stay in the index.
  class Pin {
   public:
    explicit Pin(ReadPath& path) : path_(path), generation_(path.Enter()) {}
    Pin(const Pin&) = delete;
    ~Pin() { path_.Leave(generation_); }

   private:
    ReadPath& path_;
    const uint64_t generation_;
  };

  // For dropping dead layers: reads that begin from now on belong to a new generation, whose number is returned.
  uint64_t NewGeneration() { return ++generation_; }
  bool AnyInFlight() const { return !in_flight_.empty(); }
  // Whether a read of a generation before `generation` is still in flight.
  bool AnyBefore(uint64_t generation) const;
  // Every read in flight is of this generation or a later one.
  uint64_t Oldest() const { return in_flight_.empty() ? generation_ : in_flight_.begin()->first; }
  // Ends when no read of an earlier generation is in flight.
  Task<void> WhenNoneBefore(uint64_t generation);

 private:
  struct Op;
  uint64_t Enter();
  void Leave(uint64_t generation);
  Op& TakeOp();
  void Start(Op& op, int attempt);
  Status Plan(Op& op, int attempt);
  void Warm(Op& op, int attempt);
  void StartWarming();
  void LookUp(Op& op) const;  // on an executor
  void EndWarming(const std::vector<Op*>& ops);
  void SubmitRuns(Op& op);
  void RunDone(Op& op);
  void Verify(Op& op);
  void Finish(Op& op);

  LogPool& pool_;
  std::vector<std::unique_ptr<Op>> ops_;
  Op* free_ = nullptr;
  std::vector<Op*> to_warm_;  // in this turn of the loop
  uint64_t generation_ = 0;
  std::map<uint64_t, uint32_t> in_flight_;  // by generation; no zeroes
  struct Waiter {
    uint64_t generation;
    std::move_only_function<void()> go_on;
  };
  std::vector<Waiter> waiting_;
};

}  // namespace lockstep::logstore
