// Change streams of a pool: walks along its log that go on as it grows.
//
// A stream that is near the end is served from memory (log_tail.h), one that is behind that from the device until it
// has caught up. It reads up to the last completed batch and never beyond: there, a batch that is missing is a damage,
// and behind it, one that is missing has not been written yet. So the two cannot be confused.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <unordered_set>
#include <vector>

#include "block/change_stream.h"
#include "logstore/log_marks.h"
#include "logstore/log_reader.h"
#include "logstore/log_tail.h"

namespace lockstep::logstore {

class LogPool;
class LogChangeStream;

// The streams of a pool, and the places where they can begin. On the pool's loop.
class ChangeStreams {
 public:
  // `budget`: bytes of log that a stream may be behind; `tail`: Options::change_tail_bytes.
  ChangeStreams(LogPool& pool, uint64_t segment_blocks, uint64_t budget, uint64_t tail);
  // REQUIRES: no stream is alive.
  ~ChangeStreams();

  // From recovery: the log is known, and stays in place while a stream needs it, from here on.
  void Begin(const LogPosition& position) { marks_.Begin(position); }
  void Replayed(const LogPosition& end, uint64_t blocks) { marks_.Advance(end, blocks); }
  // The writer has got on. Streams that wait go on; those that are too far behind end.
  void Progress();
  // From a checkpoint: places before the beginning, where the log was in place then.
  void Restore(const std::vector<LogPosition>& positions) { marks_.Restore(positions); }
  // For a checkpoint: some places, and those that the streams need.
  std::vector<LogPosition> Places() const;
  // Segments of the log have been freed.
  void Forget(SequenceNumber before) { marks_.Forget(before); }

  Result<std::unique_ptr<block::ChangeStream>> Open(std::vector<block::VolumeId> volumes, SequenceNumber from);
  // Ends the stream that is furthest behind, if the space that it holds back may be what is missing. Whether it did.
  // `least_gain`: blocks of a segment that would have to come back.
  bool GiveUpSlowest(uint32_t least_gain);

  const LogMarks& marks() const { return marks_; }
  const LogTail& tail() const { return tail_; }

 private:
  friend class LogChangeStream;
  // A stream needs its volumes in the tail, from the entry on that it answers; and needs them no more.
  SequenceNumber Join(LogChangeStream& stream);
  void Leave(LogChangeStream& stream);
  LogPool& pool_;
  const uint64_t budget_blocks_;
  LogMarks marks_;
  LogTail tail_;
  uint64_t blocks_seen_ = 0;  // LogWriter::completed_blocks
  std::set<LogChangeStream*> streams_;
};

class LogChangeStream final : public block::ChangeStream {
 public:
  // REQUIRES: the log is in place from entry `pin` on, which is a place where a walk can begin; from `place` on a walk
  // meets `from`.
  LogChangeStream(LogPool& pool, ChangeStreams& streams, std::vector<block::VolumeId> volumes, SequenceNumber from,
                  SequenceNumber pin, const LogPosition& place);
  ~LogChangeStream() override;
  Task<Result<block::ChangeBatch>> Next() override;
  void Confirm(SequenceNumber upto) override;
  void Close() override { End(Cancelled("the change stream has been closed")); }

 private:
  friend class ChangeStreams;
  // Everything that it answers from now on.
  void End(Status why);
  void Wake();
  Task<Result<block::ChangeBatch>> Walk();
  using Events = std::vector<block::StreamEvent>;
  // What the next batch tells.
  bool InTail() const;
  Result<Events> FromTail();
  Task<Result<Events>> FromDevice();
  // Whether a copy in memory is still what was written.
  bool Sound(const LogTail::Kept& kept) const;
  void Advance(const LogPosition& end);
  // What a failed reading of a batch that has been written means.
  Status Broken(Status why);
  // Nothing but positions to tell, and whether they have changed.
  bool Told() const;
  block::ChangeBatch Answer(Events events);
  // Whether the stream tells of the entry.
  bool Concerns(const Entry& entry, SequenceNumber sequence) const;
  Status Collect(const LogBatch& batch, Events& events) const;
  Status Collect(const LogTail::Kept& kept, Events& events) const;
  Status CollectStructure(std::span<const std::byte> payload, SequenceNumber sequence, Events& events) const;

  LogPool& pool_;
  ChangeStreams& streams_;
  const std::unordered_set<block::VolumeId> volumes_;
  const SequenceNumber from_;
  LogPosition place_;    // a walk from here meets next_
  SequenceNumber next_;  // before this entry everything has been handed out, or does not concern it
  std::unique_ptr<LogReader> reader_;    // while it reads the device; it stands at place_
  SequenceNumber kept_from_ = kNow;      // what concerns it is in the tail
  SequenceNumber distrust_before_ = 0;   // the tail's copy of this was damaged
  LogTail::Piece piece_;                 // what was handed out last points here, or into the reader
  std::optional<SequenceNumber> pin_;
  Status ended_;
  bool running_ = false;
  SequenceNumber told_upto_, told_durable_;
  std::move_only_function<void()> resume_;  // of a Next that waits at the end
};

}  // namespace lockstep::logstore
