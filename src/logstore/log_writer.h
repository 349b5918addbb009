// The one writer of a pool's log. Entries are queued in the order of their sequence numbers; what is queued while a
// batch is on its way makes up the next one (group commit), and entries complete in order.
//
// What is durable when: an entry that has completed is on the device, with everything before it, but perhaps only in
// its volatile cache. Sync() makes everything completed before it durable. After a crash the log holds a prefix of the
// entries that contains every one that completed before a completed Sync began.
//
// After the first failed write or sync the writer is failed for good: nothing that comes later could be trusted to be
// behind a gapless log. The pool goes on reading, and is opened anew.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/log.h"
#include "io/disk.h"
#include "io/loop.h"
#include "logstore/format.h"
#include "logstore/segment_table.h"

namespace lockstep::logstore {

class LogTail;

// One entry on its way into the log. Pooled by whoever queues it; owned by the writer from Append until `done`.
struct Append {
  Entry entry;
  std::vector<io::Buffer> buffers;         // entry.data_blocks() * kBlockSize bytes, aligned for the device
  SequenceNumber sequence = 0;             // set by Append()
  uint64_t location = 0;                   // set before `done`: device block of its first data block
  const uint32_t* crcs = nullptr;          // set before `done`, valid during it: checksum of each data block
  LogPosition batch;                       // set before `done`: where its batch begins
  Status status;                           // set before `done`
  void (*done)(Append& append) = nullptr;  // in order of sequence; on the loop; never inside Append()
  void* context = nullptr;
  bool with_next = false;  // in one batch with the entry that is appended next, so that a crash keeps both or none
  Append* next = nullptr;
};

struct LogWriterOptions {
  uint32_t max_batches_in_flight = 2;
  uint32_t structure_reserve = 1;  // segments kept for transactions and holes when writes already fail with no-space
  uint32_t cleaner_reserve = 2;    // segments that only the cleaner takes
};

class LogWriter {
 public:
  LogWriter(io::Loop& loop, io::Disk& disk, Log& log, const Superblock& superblock, SegmentTable& segments,
            LogWriterOptions options);
  // REQUIRES: nothing is queued or in flight.
  ~LogWriter();

  // Where to go on, from recovery; the segments of the position are open in the table. `epoch` is random per opening.
  // REQUIRES: called once, before the first Append.
  void Start(const LogPosition& position, uint64_t epoch);

  // What for. Structure and holes may use a reserve; what only deletes and releases may go on into that of the cleaner,
  // up to its last segment, so that a full pool can be emptied.
  enum class Use : uint8_t { kData, kStructure, kFreeing };
  // Whether so many entries with so many data blocks in all still fit; no-space says so in a sentence.
  Status CheckSpace(uint32_t entries, uint32_t data_blocks, Use use) const;

  // Gives the entry its sequence number and queues it. REQUIRES: CheckSpace said OK in this turn of the loop.
  void Append(logstore::Append& append);

  // Calls `done` when everything that has completed by now is durable. Syncs that wait together share one.
  void Sync(std::move_only_function<void(Status)> done);
  // Calls `done` when everything appended by now has completed (or failed).
  void WhenSettled(std::move_only_function<void()> done);

  // Holds back new batches (not those in flight) until Resume: the map has no room for their entries.
  void Pause() { paused_ = true; }
  void Resume();

  // Goes on in segments that are not being drained, by batches that say so. Sync makes them durable; a checkpoint that
  // follows knows of no other place. no-space: there is no such segment now.
  Status MoveOn();
  // The pool has become larger or smaller.
  void SetReserves(uint32_t structure, uint32_t cleaner) {
    options_.structure_reserve = structure;
    options_.cleaner_reserve = cleaner;
  }

  // Called, on the loop, when entries have completed, when some have become durable, and when the writer has failed.
  void OnProgress(std::function<void()> progress) { progress_ = std::move(progress); }

  // Completed batches are handed to it, before their entries are done. Null: to nobody.
  void Feed(LogTail* tail) { fed_ = tail; }

  // Refuses everything from now on.
  void Fail(Status why);
  const Status& failure() const { return failure_; }
  SequenceNumber last() const { return next_sequence_ - 1; }  // appended
  SequenceNumber completed() const { return completed_; }
  SequenceNumber durable() const { return durable_; }
  const LogPosition& completed_position() const { return completed_position_; }  // behind the last completed batch
  // Segments that data may fill, of the whole pool.
  uint64_t usable_segments() const {
    const uint64_t kept = options_.cleaner_reserve + options_.structure_reserve + 1;  // and the cleaner's open one
    return segments_.usable() > kept ? segments_.usable() - kept : 0;
  }
  uint64_t size_bytes() const { return superblock_.segment_size * segments_.usable(); }
  uint32_t max_entry_blocks() const { return max_entry_blocks_; }              // of one kWrite entry
  uint32_t max_transaction_blocks() const { return max_transaction_blocks_; }  // of one kTransaction entry
  uint64_t batches() const { return batches_; }
  uint64_t completed_blocks() const { return completed_blocks_; }  // of the device, headers included
  // Free segments that what is queued may need; nobody else takes those.
  uint64_t promised_segments() const;
  uint32_t head_segment() const { return position_.segment; }
  uint32_t announced() const { return position_.next_segment; }  // where the log goes on, and nothing is yet
  uint64_t device_block(const LogPosition& p) const;

 private:
  struct Batch;
  void SchedulePump();
  void Pump();
  std::unique_ptr<Batch> TakeBatch();
  // A batch without entries that says where the log goes on, when no segment was free when the last one was written.
  void FillLink(Batch& batch);
  void SubmitLink();
  std::unique_ptr<Batch> SpareBatch();
  void Fill(Batch& batch, uint32_t room);
  void Add(Batch& batch, logstore::Append& append);
  void Begin(Batch& batch);
  void Seal(Batch& batch);
  // How many whole segments writes may still enter.
  uint64_t WholeSegments(Use use) const;
  bool HasNext() const { return position_.next_segment != kNoSegment; }
  void AnnounceNext(bool promised);
  // Blocks that batches may still take of the segment.
  uint32_t Room() const;
  // At the end of each segment up to one entry's worth of blocks may stay empty, because batches do not cross segments;
  // and the last one needs room to say where the log goes on.
  uint32_t usable_per_segment() const { return segment_blocks_ - max_entry_blocks_ - kMaxHeaderBlocks - 1; }
  void Submit(std::unique_ptr<Batch> batch);
  void Complete(Batch& batch);
  void FinishInOrder();
  void Finish(Batch& batch);
  void FailQueue();
  void NextSegment();
  void StartSync();
  void OnSynced(const Status& status);
  void ReleaseSettled();
  void Progress();

  io::Loop& loop_;
  io::Disk& disk_;
  Log& log_;
  const Superblock superblock_;
  SegmentTable& segments_;
  LogWriterOptions options_;
  const uint32_t segment_blocks_;
  const uint32_t max_entry_blocks_;
  const uint32_t max_transaction_blocks_;

  LogPosition position_;  // where the next batch goes
  LogPosition completed_position_;
  uint64_t epoch_ = 0;
  SequenceNumber next_sequence_ = 1, completed_ = 0, durable_ = 0;
  Status failure_;
  bool paused_ = false, pump_scheduled_ = false;

  logstore::Append* head_ = nullptr;  // queued, not yet in a batch
  logstore::Append* tail_ = nullptr;
  uint64_t queued_blocks_ = 0;                    // what the queue may take at most, headers included
  std::deque<std::unique_ptr<Batch>> in_flight_;  // oldest first
  std::vector<std::unique_ptr<Batch>> spare_;
  uint64_t batches_ = 0, completed_blocks_ = 0;
  std::function<void()> progress_;
  LogTail* fed_ = nullptr;

  io::DiskRequest sync_request_;
  bool sync_running_ = false;
  SequenceNumber sync_covers_ = 0;
  std::vector<std::move_only_function<void(Status)>> sync_waiting_, sync_served_;
  struct SettledWaiter {
    SequenceNumber sequence;
    std::move_only_function<void()> done;
  };
  std::vector<SettledWaiter> settled_;
};

}  // namespace lockstep::logstore
