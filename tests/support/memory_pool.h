// A block::Pool in plain memory: what the contract says, written as directly as possible. Tests compare engines with
// it, and use it where any pool will do. It never loses anything: what is acknowledged is durable.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "block/change_stream.h"
#include "block/pool.h"
#include "io/loop.h"

namespace lockstep::test {

using Block = std::array<std::byte, block::kBlockSize>;

// Blocks that are not there are holes.
struct Content {
  struct Piece {
    std::shared_ptr<const Block> data;
    bool own = true;  // false: shared through a clone's origin, not copied up yet
    uint64_t version = 0;  // of the own ones: which write or copying up made it
  };
  std::map<uint64_t, Piece> blocks;
  std::shared_ptr<const Content> origin;  // of a clone: what it was made from
};

// What happened, for change streams: one entry for each position.
struct MemoryLog {
  struct Entry {
    block::VolumeId volume;                           // of a write or a hole
    uint64_t offset = 0, length = 0;                  // likewise
    std::vector<std::shared_ptr<const Block>> data;   // of a write
    std::optional<block::Transaction> transaction;
  };
  uint64_t budget = 64 << 20;  // bytes of data that are kept; streams that fall behind are told "too old"
  uint64_t first = 1;          // position of entries[0]
  uint64_t bytes = 0;
  std::deque<Entry> entries;
  // Who waits at the end; nobody does at that of a copy.
  struct Waiting : std::vector<std::move_only_function<void()>> {
    Waiting() = default;
    Waiting(const Waiting&) : vector() {}
    Waiting(Waiting&&) = default;
    Waiting& operator=(Waiting&&) = default;
  };
  Waiting waiting;

  void Add(Entry entry, io::Loop& loop);
};

// What outlives a MemoryPool: hand it to the next one and the pool is open again.
struct MemoryStorage {
  struct VolumeState {
    uint64_t size = 0;
    uint64_t content_set = 0;  // position of the last SetContent, 0 if none
    std::shared_ptr<Content> content = std::make_shared<Content>();
  };
  struct PointState {
    uint64_t position = 0;
    std::vector<block::VolumeId> volumes;
    std::map<block::VolumeId, VolumeState> states;
  };
  // Of a volume with a window: what it was, from each of these positions on.
  struct Past {
    block::HistoryWindow window;
    uint64_t from = 0;
    io::WallTime since = {};
    std::map<uint64_t, VolumeState> states;
  };
  struct Structure {
    std::map<block::VolumeId, VolumeState> volumes;
    std::map<block::VolumeId, Past> pasts;
    std::map<block::PointId, PointState> points;
  };
  block::PoolId id;
  uint64_t size = 0;
  uint64_t position = 0;
  uint64_t versions = 0;  // made so far
  std::map<uint64_t, io::WallTime> times;  // of positions, where somebody has a clock
  Structure now;
  std::set<block::TransactionId> applied;
  MemoryLog log;
};

// Requests take effect in the order of Submit, one loop turn later.
class MemoryPool final : public block::Pool {
 public:
  // Without a clock it does not know when its positions were.
  MemoryPool(std::shared_ptr<MemoryStorage> storage, io::Loop& loop, const io::Clock* clock = nullptr)
      : s_(std::move(storage)), loop_(loop), clock_(clock) {}

  block::PoolId id() const override { return s_->id; }
  Task<Status> Apply(block::Transaction transaction) override;
  bool WasApplied(block::TransactionId transaction) const override { return s_->applied.contains(transaction); }
  Result<std::shared_ptr<block::Volume>> OpenVolume(block::VolumeId volume) override;
  Result<std::shared_ptr<block::Volume>> OpenPoint(block::PointId point, block::VolumeId volume) override;
  Task<Result<std::vector<block::Extent>>> Diff(block::VolumeId volume, block::PointId from,
                                                std::optional<block::PointId> to) override;
  Result<std::unique_ptr<block::ChangeStream>> Changes(std::vector<block::VolumeId> volumes,
                                                       block::SequenceNumber from) override;
  Task<Result<uint64_t>> CopyUp(block::VolumeId volume, uint64_t offset, uint64_t length) override;
  Task<Status> Flush() override;
  // Nothing is ever bad. A position counts volumes.
  Task<Result<block::ScrubReport>> Scrub(block::ScrubOptions options) override;
  Task<Result<block::CheckReport>> Check() override;
  Task<Result<block::SequenceNumber>> PositionAt(io::WallTime time) override;
  Task<Result<io::WallTime>> TimeOf(block::SequenceNumber position) override;
  Task<Result<block::VolumeSpace>> Space(block::VolumeId volume) override;
  Task<Result<std::vector<uint64_t>>> WouldFree(std::vector<block::Removal> removals) override;
  block::PoolInfo Info() const override;
  std::vector<block::VolumeInfo> Volumes() const override;
  std::vector<block::PointInfo> Points() const override;
  Result<block::VolumeInfo> Find(block::VolumeId volume) const override;
  Result<block::PointInfo> Find(block::PointId point) const override;

 private:
  // Versions that are held, by all but what is removed.
  std::set<uint64_t> Held(const block::Removal& except) const;
  Status CheckNamed(const block::Removal& removal) const;
  Result<MemoryStorage::VolumeState> StateAt(block::VolumeId volume, std::optional<block::PointId> point) const;

  std::shared_ptr<MemoryStorage> s_;
  io::Loop& loop_;
  const io::Clock* clock_;
};

}  // namespace lockstep::test
