// A volume that fails on demand: for tests, and for operators who rehearse a failing disk.
#pragma once

#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <vector>

#include "block/volume.h"
#include "io/loop.h"

namespace lockstep::block {

// A set of operations, for the filters to be told which requests they are about.
class OpSet {
 public:
  constexpr OpSet() = default;
  constexpr OpSet(std::initializer_list<Request::Op> ops) {
    for (const Request::Op op : ops) bits_ |= Bit(op);
  }
  static constexpr OpSet All() {
    return {Request::Op::kRead, Request::Op::kWrite, Request::Op::kWriteZeroes, Request::Op::kDiscard,
            Request::Op::kFlush};
  }
  constexpr bool Has(Request::Op op) const { return (bits_ & Bit(op)) != 0; }

 private:
  static constexpr uint8_t Bit(Request::Op op) { return static_cast<uint8_t>(1u << static_cast<uint8_t>(op)); }
  uint8_t bits_ = 0;
};

// Requests that a fault matches do not reach the volume below; they complete with the fault's status. The rest passes.
// One owner loop, the volume's.
class ErrorVolume final : public Volume {
 public:
  struct Fault {
    OpSet ops = OpSet::All();
    uint64_t offset = 0;  // bytes; a request that touches [offset, offset + length) matches; a flush always does
    uint64_t length = std::numeric_limits<uint64_t>::max();
    uint64_t skip = 0;    // matching requests that pass before the first one fails
    uint64_t count = std::numeric_limits<uint64_t>::max();  // how many fail then
    Status status;        // not OK
  };
  enum class FaultId : uint64_t {};

  ErrorVolume(std::shared_ptr<Volume> below, io::Loop& loop) : below_(std::move(below)), loop_(loop) {}

  FaultId Add(Fault fault);
  void Remove(FaultId id);  // one that is gone already is ignored
  void Clear() { faults_.clear(); }
  uint64_t failed() const { return failed_; }  // requests failed so far

  VolumeId id() const override { return below_->id(); }
  uint64_t size() const override { return below_->size(); }
  bool read_only() const override { return below_->read_only(); }
  void Submit(Request& request) override;
  Task<Result<std::vector<Extent>>> Allocated(uint64_t offset, uint64_t length, size_t limit) override {
    return below_->Allocated(offset, length, limit);
  }

 private:
  struct Entry {
    FaultId id;
    Fault fault;
  };
  static bool Matches(const Fault& fault, const Request& request);

  std::shared_ptr<Volume> below_;
  io::Loop& loop_;
  std::list<Entry> faults_;
  uint64_t next_id_ = 1;
  uint64_t failed_ = 0;
};

}  // namespace lockstep::block
