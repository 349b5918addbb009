#include "logstore/change_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/checksum.h"
#include "logstore/pool.h"

namespace lockstep::logstore {
namespace {

constexpr uint64_t kMarkStride = (1 << 20) / kBlockSize;
constexpr size_t kPlacesKept = 64;  // in a checkpoint, 24 bytes each

Status TooOld(const std::string& why) {
  return InvalidState(why + "; take a point, compare with Diff, and follow from that point");
}

}  // namespace

ChangeStreams::ChangeStreams(LogPool& pool, uint64_t segment_blocks, uint64_t budget, uint64_t tail)
    : pool_(pool),
      budget_blocks_(budget / kBlockSize),
      marks_(std::min(kMarkStride, segment_blocks / 4)),
      tail_(pool.structure(), tail, pool.writer().max_entry_blocks()) {}

ChangeStreams::~ChangeStreams() {
  LS_ASSERT(streams_.empty());
}

void ChangeStreams::Progress() {
  const LogWriter& writer = pool_.writer();
  const uint64_t grown = writer.completed_blocks() - std::exchange(blocks_seen_, writer.completed_blocks());
  const bool marked = grown != 0 && marks_.Advance(writer.completed_position(), grown);
  for (LogChangeStream* stream : streams_) {
    if (marked && stream->pin_ && marks_.BlocksSince(*stream->pin_) > budget_blocks_)
      stream->End(TooOld("the change stream fell too far behind and its part of the log was given up"));
    stream->Wake();
  }
}

std::vector<LogPosition> ChangeStreams::Places() const {
  std::vector<LogPosition> places = marks_.Some(kPlacesKept);
  for (const LogChangeStream* stream : streams_)
    if (const auto place = stream->pin_ ? marks_.Before(*stream->pin_) : std::nullopt) places.push_back(*place);
  std::sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.next < b.next; });
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

bool ChangeStreams::GiveUpSlowest(uint32_t least_gain) {
  LogChangeStream* slowest = nullptr;
  for (LogChangeStream* stream : streams_)
    if (stream->pin_ && (!slowest || *stream->pin_ < *slowest->pin_)) slowest = stream;
  if (!slowest || !pool_.segments().HoldsBack(least_gain)) return false;
  slowest->End(TooOld("the pool is full and the change stream's part of the log was given up"));
  return true;
}

Result<std::unique_ptr<block::ChangeStream>> ChangeStreams::Open(std::vector<block::VolumeId> volumes,
                                                                 SequenceNumber from) {
  from = std::max<SequenceNumber>(from, 1);
  if (volumes.empty()) return InvalidArgument("a change stream must name a volume at least");
  if (from > pool_.writer().last() + 1)
    return InvalidArgument(fmt::format("a change stream cannot begin at entry {}: the newest is {}", from,
                                       pool_.writer().last()));
  // The nearest place that is known: a mark, or a retained point.
  const SequenceNumber start = pool_.segments().log_start();
  std::optional<LogPosition> best = marks_.Before(from);
  if (best && best->next < start) best.reset();
  for (const auto& [id, point] : pool_.structure().points())
    if (point.log.next >= start && point.log.next <= from && (!best || point.log.next > best->next)) best = point.log;
  if (!best || from < pool_.structure().owners_known_from())
    return TooOld(fmt::format("the log does not reach back to entry {} any more", from));
  if (marks_.BlocksSince(best->next) > budget_blocks_)
    return TooOld(fmt::format("entry {} is further back than a change stream may be", from));
  const LogPosition& end = pool_.writer().completed_position();
  return std::unique_ptr<block::ChangeStream>(std::make_unique<LogChangeStream>(
      pool_, *this, std::move(volumes), from, best->next, from >= end.next ? end : *best));
}

SequenceNumber ChangeStreams::Join(LogChangeStream& stream) {
  streams_.insert(&stream);
  const SequenceNumber kept_from = tail_.Follow(stream.volumes_, pool_.writer().completed_position());
  if (tail_.followed()) pool_.writer().Feed(&tail_);
  return kept_from;
}

void ChangeStreams::Leave(LogChangeStream& stream) {
  tail_.Unfollow(stream.volumes_);
  if (!tail_.followed()) pool_.writer().Feed(nullptr);
}

LogChangeStream::LogChangeStream(LogPool& pool, ChangeStreams& streams, std::vector<block::VolumeId> volumes,
                                 SequenceNumber from, SequenceNumber pin, const LogPosition& place)
    : pool_(pool),
      streams_(streams),
      volumes_(volumes.begin(), volumes.end()),
      from_(from),
      place_(place),
      next_(from),
      pin_(pin),
      told_upto_(from - 1),
      told_durable_(pool.writer().durable()) {
  pool_.segments().Pin(pin);
  kept_from_ = streams_.Join(*this);
}

LogChangeStream::~LogChangeStream() {
  LS_ASSERT(!running_);
  Close();
  streams_.streams_.erase(this);
}

void LogChangeStream::End(Status why) {
  if (!ended_.ok()) return;
  ended_ = std::move(why);
  if (pin_) pool_.segments().Unpin(*pin_);
  pin_.reset();
  streams_.Leave(*this);
  Wake();
}

void LogChangeStream::Wake() {
  if (resume_) pool_.seams().loop.Post(std::exchange(resume_, {}));
}

void LogChangeStream::Confirm(SequenceNumber upto) {
  if (!pin_ || upto > told_upto_) return;
  // Back to a place where a walk can begin, so that the follower can come back to what it has confirmed.
  const std::optional<LogPosition> place = streams_.marks().Before(upto + 1);
  if (!place || place->next <= *pin_) return;
  pool_.segments().Unpin(*pin_);
  pin_ = place->next;
  pool_.segments().Pin(*pin_);
}

bool LogChangeStream::Told() const {
  return next_ - 1 <= told_upto_ &&
         (pool_.writer().durable() <= told_durable_ || pool_.writer().completed() + 1 < from_);
}

block::ChangeBatch LogChangeStream::Answer(Events events) {
  told_upto_ = std::max(told_upto_, next_ - 1);
  told_durable_ = pool_.writer().durable();
  return {std::move(events), told_upto_, told_durable_};
}

Task<Result<block::ChangeBatch>> LogChangeStream::Next() {
  LS_ASSERT(!running_);
  running_ = true;
  Result<block::ChangeBatch> answer = co_await Walk();
  running_ = false;
  co_return answer;
}

Task<Result<block::ChangeBatch>> LogChangeStream::Walk() {
  piece_.chunks.clear();
  while (true) {
    LS_CO_RETURN_IF_ERROR(ended_);
    if (next_ >= pool_.writer().completed_position().next) {
      if (!Told()) co_return Answer({});
      LS_CO_RETURN_IF_ERROR(pool_.writer().failure());
      reader_.reset();
      co_await SuspendWith([this](auto resume) { resume_ = std::move(resume); });
      continue;
    }
    Result<Events> events = Events();
    if (InTail())
      events = FromTail();
    else
      events = co_await FromDevice();
    if (!events.ok()) co_return events.status();
    if (!events->empty()) co_return Answer(std::move(*events));
  }
}

void LogChangeStream::Advance(const LogPosition& end) {
  place_ = end;
  next_ = std::max(next_, end.next);
}

bool LogChangeStream::InTail() const {
  return next_ >= std::max({kept_from_, streams_.tail().first(), distrust_before_});
}

bool LogChangeStream::Sound(const LogTail::Kept& kept) const {
  for (size_t i = 0; i * kBlockSize < kept.data.size(); ++i)
    if (Crc32c(kept.data.subspan(i * kBlockSize, kBlockSize)) != kept.crcs[i]) return false;
  return true;
}

Result<LogChangeStream::Events> LogChangeStream::FromTail() {
  streams_.tail().Read(next_, piece_);
  Events events;
  for (const LogTail::Kept& kept : piece_.entries) {
    if (!Concerns(kept.entry, kept.sequence)) continue;
    if (!Sound(kept)) {
      // The device tells whether it was written so, too.
      distrust_before_ = piece_.end.next;
      return Events();
    }
    if (Status collected = Collect(kept, events); !collected.ok()) {
      End(std::move(collected));
      return ended_;
    }
  }
  reader_.reset();
  Advance(piece_.end);
  return events;
}

Task<Result<LogChangeStream::Events>> LogChangeStream::FromDevice() {
  if (!reader_) {
    reader_ = std::make_unique<LogReader>(pool_.disk(), pool_.superblock(), place_, LogReader::Depth::kVerifyData);
    reader_->ReadOnly([this](const Entry& entry, SequenceNumber sequence) { return Concerns(entry, sequence); });
  }
  // From where the tail begins, it need not be read.
  const LogPosition& near = streams_.tail().near_first();
  const bool meets = near.next > place_.next && near.next >= std::max(kept_from_, distrust_before_);
  reader_->LimitReadAhead(meets ? near : pool_.writer().completed_position());
  const Result<std::optional<LogBatch>> batch = co_await reader_->Next();
  LS_CO_RETURN_IF_ERROR(ended_);
  if (!batch.ok() || !*batch) co_return Broken(batch.status());
  Events events;
  if (Status collected = Collect(**batch, events); !collected.ok()) {
    End(std::move(collected));
    co_return ended_;
  }
  Advance((*batch)->end);
  co_return std::move(events);
}

Status LogChangeStream::Broken(Status why) {
  if (!why.ok() && why.code() != Code::kCorrupted) return why;
  // What was written before the pool was opened could not be held in place while it was not.
  if (place_.next < streams_.marks().first())
    End(TooOld(fmt::format("the log does not reach back to entry {} any more", place_.next)));
  else if (why.ok())
    End(Corrupted(fmt::format("pool {}: entry {} cannot be read from the log; take a point, compare with Diff, and "
                              "follow from that point",
                              pool_.id().ToString(), place_.next)));
  else
    End(std::move(why));
  return ended_;
}

bool LogChangeStream::Concerns(const Entry& entry, SequenceNumber sequence) const {
  if (sequence < next_) return false;
  if (entry.type == EntryType::kTransaction) return true;
  // Copies for a layer that a volume no longer shows come too late to be seen.
  const LayerOwner* owner = pool_.structure().OwnerOf(entry.layer);
  return owner && sequence < owner->until && volumes_.contains(owner->volume);
}

Status LogChangeStream::Collect(const LogBatch& batch, Events& events) const {
  SequenceNumber sequence = batch.header.first - 1;
  uint32_t block = 0;  // of the batch's data
  for (const Entry& entry : batch.header.entries) {
    ++sequence;
    const uint32_t count = entry.data_blocks(), first = std::exchange(block, block + count);
    if (entry.type != EntryType::kTransaction && sequence >= next_ && !pool_.structure().OwnerOf(entry.layer) &&
        sequence < pool_.structure().owners_known_from())
      return TooOld(fmt::format("whose entry {} of the log was is not known any more", sequence));
    if (!Concerns(entry, sequence)) continue;
    LogTail::Kept kept{entry, sequence, {}, batch.header.block_crcs.data() + first};
    if (count != 0)
      kept.data = batch.data.subspan(size_t{first - batch.data_first} * kBlockSize, size_t{count} * kBlockSize);
    LS_RETURN_IF_ERROR(Collect(kept, events));
  }
  return {};
}

Status LogChangeStream::Collect(const LogTail::Kept& kept, Events& events) const {
  const Entry& entry = kept.entry;
  if (entry.type == EntryType::kTransaction)
    return CollectStructure(kept.data.first(entry.bytes), kept.sequence, events);
  const block::VolumeId volume = pool_.structure().OwnerOf(entry.layer)->volume;
  const uint64_t offset = entry.block * kBlockSize;
  if (entry.type == EntryType::kHole)
    events.emplace_back(block::StreamHole{kept.sequence, volume, offset, uint64_t{entry.count} * kBlockSize});
  else
    events.emplace_back(
        block::StreamWrite{kept.sequence, volume, offset, kept.data, {kept.crcs, kept.crcs + entry.count}});
  return {};
}

namespace {
struct ConcernsOneOf {
  const std::unordered_set<block::VolumeId>& volumes;
  bool operator()(const block::TakePoint& c) const {
    return std::any_of(c.volumes.begin(), c.volumes.end(), [&](block::VolumeId v) { return volumes.contains(v); });
  }
  bool operator()(const block::ReleasePoint&) const { return false; }
  bool operator()(const block::SetHistory&) const { return false; }
  bool operator()(const block::TrimHistory&) const { return false; }
  template <typename C>
  bool operator()(const C& c) const {
    return volumes.contains(c.volume);
  }
};
}  // namespace

Status LogChangeStream::CollectStructure(std::span<const std::byte> payload, SequenceNumber sequence,
                                         Events& events) const {
  LS_ASSIGN_OR_RETURN(const LoggedTransaction logged,
                      DecodeTransaction({reinterpret_cast<const char*>(payload.data()), payload.size()}));
  const block::Transaction& transaction = logged.transaction;
  block::StreamStructure structure{sequence, transaction.id, {}};
  for (const block::Change& change : transaction.changes)
    if (std::visit(ConcernsOneOf{volumes_}, change)) structure.changes.push_back(change);
  if (!structure.changes.empty()) events.emplace_back(std::move(structure));
  return {};
}

}  // namespace lockstep::logstore
