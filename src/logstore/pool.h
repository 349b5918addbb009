// LogPool: block::Pool over the log writer, the structure and the map. Internal to the room; users see logstore.h.
//
// The order that makes it right: an entry gets its sequence number when it is queued, and structure changes in memory
// at that same moment, so "which layer does this write belong to" and "what does this point contain" are decided once,
// in log order. The map learns of a write when its batch has completed, so nothing is read that is not on the device.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "block/pool.h"
#include "block/space_watch.h"
#include "io/async_mutex.h"
#include "logstore/anchor.h"
#include "logstore/bad_blocks.h"
#include "logstore/block_map.h"
#include "logstore/change_stream.h"
#include "logstore/cleaner.h"
#include "logstore/device_set.h"
#include "logstore/flattener.h"
#include "logstore/history.h"
#include "logstore/log_reader.h"
#include "logstore/log_writer.h"
#include "logstore/logstore.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

class ReadPath;
class WritePath;

// The index as it is. corrupted: there is none, or it cannot be used. Blocking.
Result<std::unique_ptr<Index>> OpenIndex(const std::string& directory, const Superblock& superblock,
                                         const Options& options, const Seams& seams);
// A new one in its place. Blocking.
Result<std::unique_ptr<Index>> MakeIndex(const std::string& directory, const Options& options, const Seams& seams);
// What a new index can be made from: the whole log, as long as none of it has been given up to the cleaner; then, the
// anchor (nullopt: the log).
Task<Result<std::optional<Anchor>>> SourceOfIndex(AnchorStore& anchors, const Superblock& superblock);

// The devices of one pool, put together. Nothing is written to them.
struct PoolDevices {
  Label label;  // the newest
  std::unique_ptr<DeviceSet> devices;
};
// `wanted`: nil for whichever pool they hold. Errors as OpenDevices'.
Task<Result<PoolDevices>> FindDevices(std::vector<DeviceFile> files, block::PoolId wanted, io::Loop& loop, Log& log);

// The device is none of the pool's any more. `was`: its last label.
Task<Status> MarkRemoved(io::Disk& disk, Label was);

class LogPool final : public block::Pool {
 public:
  // `label`: the pool's newest. `devices` holds all of its table.
  LogPool(std::unique_ptr<DeviceSet> devices, Label label, std::unique_ptr<Index> index, Options options, Seams seams);
  ~LogPool() override;

  // Takes the checkpoint, replays the log behind it, and starts the writer. Once. `anchor`: the index is new, and made
  // from this.
  Task<Status> Recover(const Anchor* anchor);
  // Writes a new table, or what else has changed, to the devices that it names. In the turn of a fold and of a
  // checkpoint: both write labels, and folds are described in anchors by the segments that there are.
  Task<Status> WriteTable(DeviceTable table, bool exported);
  // As of now, and in this version.
  Task<Status> RenewLabels(bool exported);

  block::PoolId id() const override { return superblock_.pool; }
  Task<void> Close() override;
  Task<Status> Apply(block::Transaction transaction) override;
  bool WasApplied(block::TransactionId id) const override { return structure_.WasApplied(id); }
  Result<std::shared_ptr<block::Volume>> OpenVolume(block::VolumeId volume) override;
  Result<std::shared_ptr<block::Volume>> OpenPoint(block::PointId point, block::VolumeId volume) override;
  Task<Result<std::vector<block::Extent>>> Diff(block::VolumeId volume, block::PointId from,
                                                std::optional<block::PointId> to) override;
  Result<std::unique_ptr<block::ChangeStream>> Changes(std::vector<block::VolumeId> volumes,
                                                       SequenceNumber from) override;
  Task<Result<uint64_t>> CopyUp(block::VolumeId volume, uint64_t offset, uint64_t length) override;
  Task<Status> Flush() override;
  Task<Result<block::ScrubReport>> Scrub(block::ScrubOptions options) override;
  Task<Result<CheckReport>> Check() override;
  Task<Result<SequenceNumber>> PositionAt(io::WallTime time) override { return history_.PositionAt(time); }
  Task<Result<io::WallTime>> TimeOf(SequenceNumber position) override { return history_.TimeOf(position); }
  Task<Result<block::VolumeSpace>> Space(block::VolumeId volume) override;
  Task<Result<std::vector<uint64_t>>> WouldFree(std::vector<block::Removal> removals) override;
  Task<Result<DeviceId>> AddDevice(std::unique_ptr<io::Disk> disk, std::string path) override;
  Task<Result<uint64_t>> Grow() override;
  Task<Status> RemoveDevice(DeviceId device, block::DrainOptions options) override;
  std::vector<block::DeviceInfo> Devices() const override;
  Task<Status> Export(std::string note) override;
  Task<Result<std::string>> Note() override;
  Task<Status> Adopt() override;
  block::PoolInfo Info() const override;
  std::vector<block::VolumeInfo> Volumes() const override;
  std::vector<block::PointInfo> Points() const override;
  Result<block::VolumeInfo> Find(block::VolumeId volume) const override;
  Result<block::PointInfo> Find(block::PointId point) const override;

  // For the room's own parts, on the loop.
  const Structure& structure() const { return structure_; }
  BlockMap& map() { return map_; }
  LogWriter& writer() { return writer_; }
  SegmentTable& segments() { return segments_; }
  Cleaner& cleaner() { return *cleaner_; }
  ChangeStreams& changes() { return changes_; }
  HistoryKeeper& history() { return history_; }
  const Superblock& superblock() const { return superblock_; }
  io::Disk& disk() { return *devices_; }
  ReadPath& reads() { return *reads_; }
  WritePath& writes() { return *writes_; }
  BadBlocks& bad_blocks() { return bad_blocks_; }
  // No fold and no move while what it answers lives: the index and the counts of segments stay as they are.
  auto HoldFolds() { return fold_turn_.Lock(); }
  // Folds until the index holds everything that had completed when it was called, and stands at the same transaction
  // as the structure; so it stays while what it answers lives.
  Task<Result<io::AsyncMutex::Guard>> FoldAll();
  const Seams& seams() const { return seams_; }
  // What the flattener has done: Structure's.
  void SetShortcuts(LayerId layer, uint64_t end_chunk) { structure_.SetShortcuts(layer, end_chunk); }
  void NotDeep(LayerId layer) { structure_.NotDeep(layer); }
  // The map in the index knows of everything before this entry.
  SequenceNumber folded() const { return folded_; }
  uint64_t fold_number() const { return fold_number_; }
  // Something waits to be swept out of the index, and no read is in the way.
  bool AnythingToSweep() const;
  // One whole fold: freeze, sync, write, and a checkpoint when it is due or `persist` says so. A checkpoint frees
  // segments.
  Task<Status> FoldNow(bool persist);
  // Points the index at copies that have been written, and makes them durable first.
  Task<Status> Relocate(std::vector<MovedBlock> blocks);
  // Segments that no read needs any more become free.
  Task<Status> FreeDying();
  // An entry has completed: the map learns of it. Data entries of layers that have died meanwhile are dropped.
  void Record(const Entry& entry, SequenceNumber sequence, uint64_t location, const uint32_t* crcs);
  // Extents of [offset, offset + length) in the view (layer, at).
  Task<Result<std::vector<block::Extent>>> Extents(LayerId layer, SequenceNumber at, uint64_t offset, uint64_t length,
                                                   size_t limit);

 private:
  Task<Status> AppendTransaction(const block::Transaction& transaction);
  // Entries that drop what lies beyond the new ends of volumes that the transaction makes smaller.
  std::deque<Append> HolesOf(const block::Transaction& transaction);
  Task<Status> SyncNow();
  Task<Status> WaitForSpace();  // OK: something has come back
  // The turn of structure, when there is room for a transaction or none to be hoped for.
  Task<io::AsyncMutex::Guard> TurnWithSpace(LogWriter::Use use);
  // What the index says, into memory; answers from where the log is to be replayed.
  Task<Result<LogPosition>> LoadIndex();
  Task<Status> LoadHolesKnownFrom(bool whole_log, SequenceNumber position);
  // The index as of the anchor; and, when the log behind it has been replayed, the index as it is from now on.
  Task<Status> Rebuild(const Anchor& anchor);
  Task<Status> FinishRebuild();
  Task<Status> LeaveSegmentsFree();
  Task<Status> KeepRoom();
  // Segments whose blocks all have good copies elsewhere, those with the fewest first.
  Task<Result<std::vector<uint32_t>>> EasiestToLeave(uint32_t most);
  bool IsGoodCopy(const FoundRecord& f) const;
  Task<Status> WriteFoundAgain();
  Task<Result<std::vector<FoundRecord>>> NextVersions(const FoundRecord* after);
  void WriteAgain(const FoundRecord& found);  // as if it was written now
  Task<Status> LeaveSuspects();
  Task<Status> Replay(LogPosition from);
  Task<Status> EraseTornEnd();
  Status ReplayBatch(const LogBatch& batch);
  Status ReplayTransaction(const LoggedTransaction& logged, SequenceNumber sequence, const LogPosition& begin);
  Status CheckReplayed(const Entry& entry) const;

  void MaybeFold();
  Task<void> FoldInBackground();
  FoldPlan PlanFold();
  // On the executor, once frozen.
  Task<Status> WriteFold(FoldPlan& plan, FoldResult& result);
  // What is left to do once a fold is in the index and the next one may begin.
  struct AfterFold {
    bool checkpoint = false;
    uint64_t number = 0;               // of the fold
    LogPosition position;              // everything before it is folded
    std::set<uint32_t> empty;          // SegmentTable::empty
    std::unique_ptr<Overlay> overlay;  // to be destroyed, which takes time
    bool wants_anchor = false;         // what could be freed needs a new one
    bool anchor_due = false;           // LogPool::anchor_due_ when it was described
    Result<Anchor> anchor = NoSpace("the pool goes back to a version that wrote too little for it");
  };
  Task<Status> FoldInTurn(bool persist, AfterFold& after);
  // Makes the index durable, and frees what it no longer knows of.
  Task<Status> MakeDurable(AfterFold after);
  Status MapFailed(const Status& why);
  Task<Status> FreeDyingInTurn();
  // REQUIRES: the copies are durable.
  Task<Status> RelocateInTurn(std::vector<MovedBlock> blocks);
  Task<Status> MarkReused();
  // In the turn of a fold that is in the index: describes a new anchor, when segments that could be freed need one, or
  // one that is kept on a device that leaves.
  Task<void> DescribeAnchor(const FoldPlan& plan, AfterFold& after);
  // When that fold is durable, in the turn of a checkpoint. Answers from where on the log has to stay.
  Task<AnchorLimit> RenewAnchor(AfterFold& after);
  AnchorLimit LimitOfAnchor() const;
  bool NeedsAnchor(const FoldPlan& plan) const;
  // On an executor: the structure and the holes as of the last fold; forgets holes that nobody can need any more.
  Status DescribeFold(Anchor& anchor);
  // What there is to sweep is swept, after a moment, whether anything is written or not.
  void SweepSoon();
  void CancelSweep();
  Task<void> SweepAll();
  Label LabelFor(DeviceId device) const;
  // The first device of the table, which has the anchor.
  io::Disk& first_device() const { return *devices_->Find(table_.devices.front().id); }
  // What the size of the pool decides.
  void Resized();
  Status MayChangeDevices() const;
  Task<Status> StartDraining(DeviceId device);
  Task<Status> Drain(block::DrainOptions options, bool* paused);
  Task<Status> StopDraining(DeviceId device);
  // An anchor that knows nothing of the segments that leave, if there is one at all.
  Task<Status> ForgetInAnchor();
  Task<Status> FinishRemoval(DeviceId device);
  Status RoomWithout(const DeviceRecord& device) const;
  void WarnOfSpace();
  using BlockRanges = std::vector<std::pair<uint64_t, uint64_t>>;  // first block, count
  // Blocks of the layer that entries in (after, until] may have changed: from the log, at the cost of what changed; or
  // from the index, at the cost of what the layer holds. corrupted: the log does not reach back so far.
  Task<Result<BlockRanges>> DiffByLog(LogPosition from, LayerId layer, SequenceNumber after, SequenceNumber until);
  Task<Result<BlockRanges>> DiffByIndex(LayerId layer, SequenceNumber after, SequenceNumber until);
  Task<Result<uint64_t>> CopyUpPiece(block::VolumeId volume, uint64_t first_block, uint32_t blocks);
  Task<Result<uint64_t>> CopyUpHeld(block::VolumeId volume, uint64_t first_block, uint32_t blocks);
  // Which blocks of [first_block, +blocks) the layer shows but does not hold itself.
  Task<Result<std::vector<bool>>> Inherited(LayerId layer, uint64_t first_block, uint32_t blocks);
  block::VolumeInfo InfoOf(const VolumeRecord& volume) const;
  // Blocks that the index may hold of the layer and its ancestors, as of the last fold.
  uint64_t MappedUnder(const Layer& top) const;

  Superblock superblock_;
  const Options options_;
  const Seams seams_;
  std::unique_ptr<DeviceSet> devices_;
  DeviceTable table_;            // as every label says
  bool exported_ = false;        // likewise
  const uint32_t compatible_;    // likewise
  Status table_failure_;         // a label could not be written: which table counts is known after reopening
  std::optional<DeviceId> draining_now_;  // somebody empties it
  Structure structure_;
  BadBlocks bad_blocks_;
  BlockMap map_;
  SegmentTable segments_;
  LogWriter writer_;
  std::unique_ptr<ReadPath> reads_;
  std::unique_ptr<WritePath> writes_;
  std::unique_ptr<Cleaner> cleaner_;
  ChangeStreams changes_;
  AnchorStore anchors_;
  SequenceNumber holes_from_ = 1;  // Anchor::holes_from
  SequenceNumber holes_looked_at_ = 0;  // by HolePruning, for the last anchor
  bool anchor_due_ = false;        // the one that there is speaks of segments that leave
  std::set<uint32_t> suspects_;    // while rebuilding: Finder::suspects
  HistoryKeeper history_{*this};
  Flattener flattener_{*this, options_.flatten_chunks};

  io::AsyncMutex structure_turn_;           // changes of structure and the freezing of the map, one at a time
  io::AsyncMutex fold_turn_;                // folds and moves, one at a time
  io::AsyncMutex checkpoint_turn_;          // making the index durable, and freeing segments for it
  io::AsyncMutex copy_turn_;                // CopyUp, one at a time
  uint64_t drop_generation_ = 0;            // reads that began before it may still need layers that have died
  uint64_t structure_folded_ = UINT64_MAX;  // Structure::version() in the index
  uint64_t transactions_folded_ = 0;        // Structure::transactions() when the last fold began
  bool replaying_ = false;
  LogPosition replay_position_;  // while replaying: behind the last replayed batch
  uint64_t blocks_since_checkpoint_ = 0;
  block::SpaceWatch space_watch_;
  uint64_t unfolded_blocks_ = 0;  // written since the last fold; some of them over each other
  SequenceNumber folded_ = 1;
  uint64_t fold_number_ = 0, checkpoint_number_ = 0;  // of the last fold, and of the last that was made durable
  bool background_fold_ = false;  // one is on its way or waits for its turn
  bool closing_ = false;
  bool sweeping_ = false;  // or about to
  io::TimerId sweep_timer_ = io::TimerId::kNone;
  std::move_only_function<void()> swept_;  // Close waits for the end of SweepAll
  Status map_failure_;  // a fold failed: the overlay cannot shrink, so writes are refused
};

}  // namespace lockstep::logstore
