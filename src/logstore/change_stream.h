// Change streams of a pool: walks along its log that go on as it grows.
//
// A stream reads from the device, up to the last completed batch and never beyond: there, a batch that is missing is a
// damage, and behind it, one that is missing has not been written yet. So the two cannot be confused.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <unordered_set>
#include <vector>

#include "block/change_stream.h"
#include "logstore/log_marks.h"
#include "logstore/log_reader.h"

namespace lockstep::logstore {

class LogPool;
class LogChangeStream;

// The streams of a pool, and the places where they can begin. On the pool's loop.
class ChangeStreams {
 public:
  // `budget`: bytes of log that a stream may be behind.
  ChangeStreams(LogPool& pool, uint64_t segment_blocks, uint64_t budget);
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

 private:
  friend class LogChangeStream;
  LogPool& pool_;
  const uint64_t budget_blocks_;
  LogMarks marks_;
  uint64_t blocks_seen_ = 0;  // LogWriter::completed_blocks
  std::set<LogChangeStream*> streams_;
};

class LogChangeStream final : public block::ChangeStream {
 public:
  // REQUIRES: the log is in place from `start` on.
  LogChangeStream(LogPool& pool, ChangeStreams& streams, std::vector<block::VolumeId> volumes, SequenceNumber from,
                  const LogPosition& start);
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
  // What a failed reading of a batch that has been written means.
  Status Broken(Status why);
  // Nothing but positions to tell, and whether they have changed.
  bool Told() const;
  block::ChangeBatch Answer(std::vector<block::StreamEvent> events);
  Status Collect(const LogBatch& batch, std::vector<block::StreamEvent>& events) const;
  Status CollectStructure(std::span<const std::byte> payload, SequenceNumber sequence,
                          std::vector<block::StreamEvent>& events) const;

  LogPool& pool_;
  ChangeStreams& streams_;
  const std::unordered_set<block::VolumeId> volumes_;
  const SequenceNumber from_;
  LogReader reader_;
  std::optional<SequenceNumber> pin_;
  Status ended_;
  bool running_ = false;
  SequenceNumber told_upto_, told_durable_;
  std::move_only_function<void()> resume_;  // of a Next that waits at the end
};

}  // namespace lockstep::logstore
