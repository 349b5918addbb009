#include "logstore/log_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "base/planted.h"
#include "logstore/disk_io.h"
#include "logstore/log_tail.h"

namespace lockstep::logstore {
namespace {

// Entries that have to be in one batch, from the first of them on.
struct Together {
  explicit Together(const Append& first) {
    for (const Append* a = &first; a; a = a->with_next ? a->next : nullptr) {
      ++entries;
      blocks += a->entry.data_blocks();
      buffers += a->buffers.size();
    }
  }
  uint32_t entries = 0, blocks = 0;
  size_t buffers = 0;
};

}  // namespace

struct LogWriter::Batch {
  Batch() : header_memory(AllocateBlocks(size_t{kMaxHeaderBlocks} * kBlockSize)) {
    header.entries.reserve(kMaxEntriesPerBatch);
    header.block_crcs.reserve(kMaxBlocksPerBatch);
    buffers.reserve(io::Disk::kMaxBuffers);
  }
  DiskMemory header_memory;
  BatchHeader header;
  std::vector<io::Buffer> buffers;
  io::DiskRequest request;
  LogWriter* writer = nullptr;
  LogPosition begin, end;
  logstore::Append* first = nullptr;  // its entries, a list in order
  bool done = false;
};

LogWriter::LogWriter(io::Loop& loop, io::Disk& disk, Log& log, const Superblock& superblock, SegmentTable& segments,
                     LogWriterOptions options)
    : loop_(loop),
      disk_(disk),
      log_(log),
      superblock_(superblock),
      segments_(segments),
      options_(options),
      segment_blocks_(superblock.segment_blocks()),
      max_entry_blocks_(std::min(kMaxBlocksPerEntry, segment_blocks_ / 8)),
      max_transaction_blocks_(std::min(kMaxBlocksPerBatch, segment_blocks_ / 2)) {}

LogWriter::~LogWriter() {
  LS_ASSERT(in_flight_.empty() && head_ == nullptr && !sync_running_);
}

void LogWriter::Start(const LogPosition& position, uint64_t epoch) {
  position_ = completed_position_ = position;
  epoch_ = epoch;
  next_sequence_ = position.next;
  completed_ = durable_ = position.next - 1;
}

uint64_t LogWriter::device_block(const LogPosition& p) const {
  return superblock_.first_block(p.segment) + p.block;
}

uint64_t LogWriter::WholeSegments(Use use) const {
  uint64_t reserve = options_.cleaner_reserve;
  if (use == Use::kData) reserve += options_.structure_reserve;
  if (use == Use::kFreeing && reserve > 1) --reserve;
  const uint64_t there = uint64_t{segments_.free_count()} + (HasNext() ? 1 : 0);
  return there > reserve ? there - reserve : 0;
}

Status LogWriter::CheckSpace(uint32_t entries, uint32_t data_blocks, Use use) const {
  if (!failure_.ok()) return failure_;
  const uint64_t waste = segment_blocks_ - usable_per_segment();
  const uint64_t here = segment_blocks_ - position_.block;
  const uint64_t whole = WholeSegments(use);
  // What the reserve is for may also use what is left of the segment in which the writes ended.
  const bool here_too = use != Use::kData || whole > 0 || segments_.free_count() >= options_.cleaner_reserve;
  const uint64_t usable = whole * usable_per_segment() + (here_too && here > waste ? here - waste : 0);
  if (queued_blocks_ + entries + HeaderBlocks(1, data_blocks) + data_blocks <= usable) return {};
  return NoSpace(
      fmt::format("pool {} is full: delete volumes or points, or use a larger pool", superblock_.pool.ToString()));
}

void LogWriter::Append(logstore::Append& append) {
  append.sequence = next_sequence_++;
  append.next = nullptr;
  if (tail_)
    tail_->next = &append;
  else
    head_ = &append;
  tail_ = &append;
  queued_blocks_ += HeaderBlocks(1, append.entry.data_blocks()) + append.entry.data_blocks();
  SchedulePump();
}

void LogWriter::SchedulePump() {
  if (std::exchange(pump_scheduled_, true)) return;
  // Not at once: what else arrives in this turn of the loop joins the same batch.
  loop_.BeforeWait([this] {
    pump_scheduled_ = false;
    Pump();
  });
}

void LogWriter::Resume() {
  paused_ = false;
  if (head_) SchedulePump();
}

void LogWriter::Pump() {
  if (!failure_.ok()) return FailQueue();
  while (head_ && !paused_ && in_flight_.size() < options_.max_batches_in_flight) Submit(TakeBatch());
}

void LogWriter::AnnounceNext(bool promised) {
  // The cleaner keeps its own, without which nothing would ever come back; but what has been promised is kept.
  const uint32_t keep = promised ? 0 : options_.cleaner_reserve;
  if (!HasNext() && segments_.free_count() > keep) position_.next_segment = segments_.Take();
}

uint64_t LogWriter::promised_segments() const {
  return (queued_blocks_ + usable_per_segment() - 1) / usable_per_segment();
}

void LogWriter::NextSegment() {
  LS_ASSERT(HasNext());  // CheckSpace has promised room
  segments_.Close(position_.segment, position_.next);
  position_.segment = position_.next_segment;
  position_.block = 0;
  position_.next_segment = kNoSegment;
  segments_.SetWritten(position_.segment, position_.next);
  AnnounceNext(false);
}

Status LogWriter::MoveOn() {
  LS_RETURN_IF_ERROR(failure_);
  while (segments_.is_draining(position_.segment) || segments_.is_draining(position_.next_segment)) {
    const Status none = NoSpace(fmt::format("pool {}: the log has no segment to move on to",
                                            superblock_.pool.ToString()));
    if (position_.block == segment_blocks_) {
      // Not even that it goes on elsewhere fits here: first to where it has said that it would.
      if (!HasNext()) return none;
      NextSegment();
      continue;
    }
    const uint32_t announced = position_.next_segment;
    if (announced == kNoSegment || segments_.is_draining(announced)) {
      if (segments_.free_count() < 2) return none;  // one is for the cleaner, without which there would never be more
      position_.next_segment = segments_.Take();
      // A recovery from before this batch may still look there, so it is not free before a checkpoint stands behind it.
      if (announced != kNoSegment) {
        segments_.SetWritten(announced, position_.next);
        segments_.Close(announced, position_.next);
      }
    }
    SubmitLink();
    if (!segments_.is_draining(position_.segment)) continue;
    NextSegment();
    SubmitLink();
  }
  return {};
}

void LogWriter::SubmitLink() {
  std::unique_ptr<Batch> batch = SpareBatch();
  Begin(*batch);
  Seal(*batch);
  Submit(std::move(batch));
}

std::unique_ptr<LogWriter::Batch> LogWriter::SpareBatch() {
  if (spare_.empty()) return std::make_unique<Batch>();
  std::unique_ptr<Batch> batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

std::unique_ptr<LogWriter::Batch> LogWriter::TakeBatch() {
  std::unique_ptr<Batch> batch = SpareBatch();
  const Together first(*head_);
  const uint32_t first_needs = HeaderBlocks(first.entries, first.blocks) + first.blocks;
  if (first_needs > Room()) {
    if (!HasNext()) {
      FillLink(*batch);
      return batch;
    }
    NextSegment();
  }
  AnnounceNext(false);
  Fill(*batch, Room());
  return batch;
}

uint32_t LogWriter::Room() const {
  // While nobody knows where the log goes on, there has to be a place to say it later.
  return segment_blocks_ - position_.block - (HasNext() ? 0 : 1);
}

void LogWriter::Begin(Batch& batch) {
  batch.writer = this;
  batch.done = false;
  batch.begin = position_;
  batch.first = nullptr;
  batch.header.entries.clear();
  batch.header.block_crcs.clear();
  batch.buffers.assign(1, io::Buffer{batch.header_memory.get(), 0});
}

void LogWriter::FillLink(Batch& batch) {
  Begin(batch);
  AnnounceNext(true);
  LS_ASSERT(HasNext() && position_.block < segment_blocks_);  // CheckSpace has promised room
  Seal(batch);
}

void LogWriter::Fill(Batch& batch, uint32_t room) {
  Begin(batch);
  batch.first = head_;
  BatchHeader& h = batch.header;
  uint32_t blocks = 0;
  logstore::Append* last = nullptr;
  for (logstore::Append* a = head_; a; a = a->next) {
    if (!last || !last->with_next) {
      const Together group(*a);
      const uint32_t entries = static_cast<uint32_t>(h.entries.size()) + group.entries, with = blocks + group.blocks;
      if (entries > kMaxEntriesPerBatch || with > kMaxBlocksPerBatch || HeaderBlocks(entries, with) + with > room ||
          batch.buffers.size() + group.buffers > io::Disk::kMaxBuffers)
        break;
    }
    Add(batch, *a);
    blocks += a->entry.data_blocks();
    last = a;
  }
  LS_ASSERT(last && !last->with_next && h.block_crcs.size() == blocks);
  head_ = last->next;
  if (!head_) tail_ = nullptr;
  last->next = nullptr;
  Seal(batch);
}

void LogWriter::Add(Batch& batch, logstore::Append& append) {
  BatchHeader& h = batch.header;
  h.entries.push_back(append.entry);
  for (const io::Buffer& b : append.buffers) {
    for (size_t at = 0; at < b.size; at += kBlockSize) h.block_crcs.push_back(Crc32c({b.data + at, kBlockSize}));
    batch.buffers.push_back(b);
  }
  queued_blocks_ -= HeaderBlocks(1, append.entry.data_blocks()) + append.entry.data_blocks();
}

void LogWriter::Seal(Batch& batch) {
  BatchHeader& h = batch.header;
  h.first = position_.next;
  h.epoch = epoch_;
  h.durable = durable_;
  h.previous_crc = position_.previous_crc;
  h.next_segment = position_.next_segment;
  batch.buffers[0].size = size_t{h.header_blocks()} * kBlockSize;
  EncodeBatchHeader(superblock_.pool, h, {batch.header_memory.get(), batch.buffers[0].size});
  position_.block += h.total_blocks();
  position_.previous_crc = h.crc;
  position_.next += h.entries.size();
  batch.end = position_;
}

void LogWriter::Submit(std::unique_ptr<Batch> batch) {
  io::DiskRequest& r = batch->request;
  r.op = io::DiskRequest::Op::kWrite;
  r.durable = false;
  r.offset = device_block(batch->begin) * kBlockSize;
  r.length = uint64_t{batch->header.total_blocks()} * kBlockSize;
  r.buffers = batch->buffers;
  r.context = batch.get();
  r.done = [](io::DiskRequest& request) {
    auto* b = static_cast<Batch*>(request.context);
    b->writer->Complete(*b);
  };
  ++batches_;
  in_flight_.push_back(std::move(batch));
  disk_.Submit(r);
}

void LogWriter::Complete(Batch& batch) {
  batch.done = true;
  if (!batch.request.status.ok() && failure_.ok()) {
    failure_ = batch.request.status.WithContext(
        fmt::format("pool {}: writing the log failed, the pool accepts no more writes until it is reopened",
                    superblock_.pool.ToString()));
    log_.Error("{}", failure_.message());
  }
  FinishInOrder();
  if (head_) SchedulePump();
}

void LogWriter::FinishInOrder() {
  if (LS_PLANTED(10)) {
    const auto done = std::find_if(in_flight_.begin(), in_flight_.end(), [](const auto& b) { return b->done; });
    if (done != in_flight_.end()) std::swap(*done, in_flight_.front());
  }
  while (!in_flight_.empty() && in_flight_.front()->done) {
    std::unique_ptr<Batch> batch = std::move(in_flight_.front());
    in_flight_.pop_front();
    Finish(*batch);
    spare_.push_back(std::move(batch));
  }
  ReleaseSettled();
  Progress();
}

void LogWriter::Progress() {
  if (progress_) progress_();
}

void LogWriter::Finish(Batch& batch) {
  const bool ok = failure_.ok();
  if (ok) {
    completed_ = batch.end.next - 1;
    completed_position_ = batch.end;
    completed_blocks_ += batch.header.total_blocks();
    if (fed_) fed_->Keep(batch.begin, batch.end, batch.first, batch.header.block_crcs.data());
  }
  uint64_t location = device_block(batch.begin) + batch.header.header_blocks();
  const uint32_t* crcs = batch.header.block_crcs.data();
  for (logstore::Append* a = batch.first; a;) {
    logstore::Append* following = a->next;  // `done` may reuse the entry
    a->status = failure_;
    a->location = location;
    a->crcs = crcs;
    a->batch = batch.begin;
    location += a->entry.data_blocks();
    crcs += a->entry.data_blocks();
    a->done(*a);
    a = following;
  }
}

void LogWriter::Fail(Status why) {
  if (failure_.ok()) failure_ = std::move(why);
  SchedulePump();
}

void LogWriter::FailQueue() {
  while (head_) {
    logstore::Append* a = head_;
    head_ = a->next;
    queued_blocks_ -= HeaderBlocks(1, a->entry.data_blocks()) + a->entry.data_blocks();
    a->status = failure_;
    a->done(*a);
  }
  tail_ = nullptr;
  ReleaseSettled();
  Progress();
}

void LogWriter::Sync(std::move_only_function<void(Status)> done) {
  sync_waiting_.push_back(std::move(done));
  if (!sync_running_) StartSync();
}

void LogWriter::StartSync() {
  sync_running_ = true;
  sync_served_ = std::exchange(sync_waiting_, {});
  sync_covers_ = completed_;
  sync_request_ = {};
  sync_request_.op = io::DiskRequest::Op::kFlush;
  sync_request_.context = this;
  sync_request_.done = [](io::DiskRequest& r) { static_cast<LogWriter*>(r.context)->OnSynced(r.status); };
  if (LS_PLANTED(1)) return loop_.Post([this] { OnSynced({}); });
  disk_.Submit(sync_request_);
}

void LogWriter::OnSynced(const Status& status) {
  if (!status.ok() && failure_.ok() && !LS_PLANTED(12)) {
    failure_ = status.WithContext(
        fmt::format("pool {}: flushing the log failed, the pool accepts no more writes until it is reopened",
                    superblock_.pool.ToString()));
    log_.Error("{}", failure_.message());
  }
  // A failed write before this sync completed may have left a gap below what it covers.
  if (failure_.ok()) durable_ = std::max(durable_, sync_covers_);
  auto served = std::exchange(sync_served_, {});
  sync_running_ = false;
  const Status outcome = LS_PLANTED(12) ? status : failure_;
  if (!sync_waiting_.empty()) StartSync();
  Progress();
  for (auto& done : served) done(outcome);
}

void LogWriter::WhenSettled(std::move_only_function<void()> done) {
  settled_.push_back({last(), std::move(done)});
  loop_.Post([this] { ReleaseSettled(); });
}

void LogWriter::ReleaseSettled() {
  const bool all = !failure_.ok() && in_flight_.empty() && head_ == nullptr;
  for (size_t i = 0; i < settled_.size();) {
    if (!all && settled_[i].sequence > completed_) {
      ++i;
      continue;
    }
    auto done = std::move(settled_[i].done);
    settled_.erase(settled_.begin() + static_cast<ptrdiff_t>(i));
    done();
  }
}

}  // namespace lockstep::logstore
