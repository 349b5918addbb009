#include "logstore/history.h"

#include <algorithm>
#include <cstring>

#include "logstore/disk_io.h"
#include "logstore/pool.h"

namespace lockstep::logstore {
namespace {

constexpr io::Duration kMarkEvery = std::chrono::seconds(1);
constexpr int64_t kMarkEveryUs = 1'000'000;
constexpr io::Duration kTick = std::chrono::seconds(1);
constexpr size_t kExpiredAtOnce = 4096;
constexpr uint64_t kLeastStep = 16;  // blocks by which a window may always be too large

// An entry that only tells the time.
struct MarkEntry {
  explicit MarkEntry(const std::string& payload) : memory(AllocateZeros(kBlockSize)) {
    LS_ASSERT(payload.size() <= kBlockSize);
    std::memcpy(memory.get(), payload.data(), payload.size());
    append.entry = {EntryType::kTransaction, kNoLayer, 0, 1, static_cast<uint32_t>(payload.size())};
    append.buffers = {{memory.get(), kBlockSize}};
    append.context = this;
    append.done = [](Append& a) { delete static_cast<MarkEntry*>(a.context); };
  }
  DiskMemory memory;
  Append append;
};

}  // namespace

HistoryKeeper::~HistoryKeeper() {
  LS_ASSERT(!expiring_ && timer_ == io::TimerId::kNone);
}

void HistoryKeeper::Start(const std::optional<TimeMark>& newest) {
  if (newest) last_time_ = std::max(last_time_, newest->time);
  stamped_ = false;  // the next write may come much later than the last that was replayed
  started_ = true;
  Watch();
}

Task<void> HistoryKeeper::Stop() {
  stopping_ = true;
  pool_.seams().loop.Cancel(std::exchange(timer_, io::TimerId::kNone));
  if (expiring_) co_await SuspendWith([this](auto resume) { expired_ = std::move(resume); });
}

io::WallTime HistoryKeeper::Now() {
  last_time_ = std::max(last_time_, pool_.seams().clock.Wall());
  return last_time_;
}

void HistoryKeeper::Stamp(bool may_use_reserve) {
  if (pool_.structure().windows().empty()) return;
  const io::Instant now = pool_.seams().clock.Now();
  if (stamped_ && now - last_stamp_ < kMarkEvery) return;
  const auto use = may_use_reserve ? LogWriter::Use::kStructure : LogWriter::Use::kData;
  if (!pool_.writer().CheckSpace(1, 1, use).ok()) return;
  Mark(Now());
}

void HistoryKeeper::Mark(io::WallTime time) {
  auto* entry = new MarkEntry(EncodeTransaction({{}, time}));
  pool_.writer().Append(entry->append);
  Learn({time, entry->append.sequence});
}

void HistoryKeeper::Learn(const TimeMark& mark) {
  last_time_ = std::max(last_time_, mark.time);
  last_stamp_ = pool_.seams().clock.Now();
  stamped_ = true;
  if (!marks_.empty() && marks_.back().time == mark.time) marks_.pop_back();
  marks_.push_back(mark);
}

void HistoryKeeper::Watch() {
  if (!started_ || stopping_ || timer_ != io::TimerId::kNone || pool_.structure().windows().empty()) return;
  timer_ = pool_.seams().loop.After(kTick, [this] { Tick(); });
}

void HistoryKeeper::Tick() {
  timer_ = io::TimerId::kNone;
  if (!expiring_ && pool_.writer().failure().ok()) {
    expiring_ = true;
    Spawn(Expire());
  }
  Watch();
}

std::vector<TimeMark> HistoryKeeper::MarksBefore(SequenceNumber next) const {
  std::vector<TimeMark> marks;
  for (const TimeMark& mark : marks_)
    if (mark.at < next) marks.push_back(mark);
  return marks;
}

void HistoryKeeper::Folded(SequenceNumber next, const FoldResult& result) {
  std::erase_if(marks_, [&](const TimeMark& mark) { return mark.at < next; });
  for (const auto& [layer, blocks] : result.kept) {
    if (counting_) kept_since_[layer] += blocks;
    const LayerOwner* owner = pool_.structure().OwnerOf(layer);
    const auto count = owner ? counts_.find(owner->volume) : counts_.end();
    if (count != counts_.end()) count->second.blocks += blocks;
  }
}

Task<Result<SequenceNumber>> HistoryKeeper::PositionAt(io::WallTime time) {
  const Structure& structure = pool_.structure();
  if (structure.windows().empty() || time < structure.OldestHistory({INT64_MAX}))
    co_return InvalidState("no history window reaches back to that time");
  // In memory first: a fold moves marks from there into the index.
  std::optional<TimeMark> before, after;
  for (const TimeMark& mark : marks_) {
    if (mark.time <= time) before = mark;
    if (mark.time > time && !after) after = mark;
  }
  const SequenceNumber last = pool_.writer().last();
  Result<std::optional<TimeMark>> at = std::optional<TimeMark>(), next = std::optional<TimeMark>();
  auto look = [&] {
    at = pool_.map().index().MarkAt(time);
    next = pool_.map().index().MarkAfter(time);
  };
  co_await pool_.seams().executor.Call(pool_.seams().loop, look);
  LS_CO_RETURN_IF_ERROR(at.status());
  LS_CO_RETURN_IF_ERROR(next.status());
  if (*at && (!before || (*at)->at > before->at)) before = **at;
  if (*next && (!after || (*next)->at < after->at)) after = **next;
  if (!before) co_return InvalidState("no history window reaches back to that time");
  // What a mark is followed by was written within the second, up to the next mark.
  if (time.us - before->time.us < kMarkEveryUs) co_return before->at;
  co_return std::max(before->at, after ? after->at - 1 : last);
}

Task<Result<io::WallTime>> HistoryKeeper::TimeOf(SequenceNumber position) {
  std::optional<TimeMark> found;
  for (const TimeMark& mark : marks_)
    if (mark.at <= position) found = mark;
  if (found) co_return found->time;
  Result<std::optional<TimeMark>> in_index = std::optional<TimeMark>();
  auto look = [&] { in_index = pool_.map().index().MarkOf(position); };
  co_await pool_.seams().executor.Call(pool_.seams().loop, look);
  LS_CO_RETURN_IF_ERROR(in_index.status());
  if (!*in_index) co_return InvalidState("no history window reaches back to that position");
  co_return (*in_index)->time;
}

Task<void> HistoryKeeper::Expire() {
  const std::vector<block::VolumeId> volumes(pool_.structure().windows().begin(), pool_.structure().windows().end());
  block::Transaction transaction;
  gone_.clear();
  for (const block::VolumeId& volume : volumes) {
    if (stopping_) break;
    const Result<block::TrimHistory> trim = co_await NextTrim(volume);
    if (!trim.ok() && trim.status().code() != Code::kNotFound)
      pool_.seams().log.Error("pool {}: the history of volume {}: {}", pool_.id().ToString(), volume.ToString(),
                              trim.status().message());
    if (trim.ok() && trim->from != 0) transaction.changes.emplace_back(*trim);
  }
  // A volume may have lost its window meanwhile; then the others are tried again at the next tick.
  if (!transaction.changes.empty() && !stopping_) {
    transaction.id = {pool_.seams().random.NextUuid()};
    const Status trimmed = co_await pool_.Apply(transaction);
    for (const auto& [volume, gone] : gone_) {
      if (!trimmed.ok()) break;
      Count& count = counts_[volume];
      count.from = gone.from;
      count.blocks -= std::min(count.blocks, gone.blocks);
    }
  }
  expiring_ = false;
  if (expired_) pool_.seams().loop.Post(std::exchange(expired_, {}));
}

Task<Result<block::TrimHistory>> HistoryKeeper::NextTrim(block::VolumeId volume) {
  const VolumeRecord* v = pool_.structure().Find(volume);
  if (!v || v->history_from == 0) co_return NotFound("the window has been closed");
  const block::HistoryWindow window = v->window;
  block::TrimHistory trim{volume, 0, {}};
  if (window.seconds != 0) {
    const int64_t length = static_cast<int64_t>(std::min<uint64_t>(window.seconds, INT64_MAX / 4'000'000)) * 1'000'000;
    const io::WallTime cutoff{Now().us - length};
    if (v->history_since.us + std::max(kMarkEveryUs, length / 64) <= cutoff.us) {
      LS_CO_ASSIGN_OR_RETURN(trim.from, co_await PositionAt(cutoff));
      trim.since = cutoff;
    }
  }
  if (window.bytes == 0) co_return trim;
  LS_CO_ASSIGN_OR_RETURN(const SequenceNumber by_space, co_await BySpace(volume));
  if (by_space > trim.from) {
    LS_CO_ASSIGN_OR_RETURN(trim.since, co_await TimeOf(by_space));
    trim.from = by_space;
  }
  if (trim.from == 0) co_return trim;
  LS_CO_RETURN_IF_ERROR(co_await CountGone(trim));
  co_return trim;
}

std::vector<DeathSpan> HistoryKeeper::SpansOf(const VolumeRecord& volume, SequenceNumber upto) const {
  std::vector<DeathSpan> spans;
  LayerId last = kNoLayer;
  for (const Era& era : volume.eras) {
    if (std::exchange(last, era.layer) == era.layer) continue;
    const Layer& layer = pool_.structure().layer(era.layer);
    if (layer.keep_from < upto) spans.push_back({layer.id, layer.keep_from + 1, 0, 0, std::min(layer.keep_to, upto)});
  }
  return spans;
}

uint64_t HistoryKeeper::AbandonedBlocks(const VolumeRecord& volume, SequenceNumber upto) const {
  uint64_t blocks = 0;
  LayerId last = kNoLayer;
  for (const Era& era : volume.eras) {
    if (std::exchange(last, era.layer) == era.layer || era.layer == volume.top) continue;
    const Layer& layer = pool_.structure().layer(era.layer);
    if (layer.keep_to < upto) blocks += layer.used_blocks;
  }
  return blocks;
}

Task<Result<HistoryKeeper::Walked>> HistoryKeeper::WalkDeaths(DeathSpan span, const Index& index, uint64_t most) {
  Walked walked;
  bool more = true;
  while (more && !stopping_) {
    Result<std::vector<HistoryRecord>> records = std::vector<HistoryRecord>();
    auto look = [&] { records = index.HistoryByDeath(span, kExpiredAtOnce); };
    co_await pool_.seams().executor.Call(pool_.seams().loop, look);
    LS_CO_RETURN_IF_ERROR(records.status());
    more = records->size() == kExpiredAtOnce;
    for (const HistoryRecord& r : *records) {
      // All that died together goes together.
      if (walked.blocks >= most && r.death != walked.upto) co_return walked;
      walked.upto = r.death;
      walked.blocks += r.version.is_data();
    }
    if (more) span = {span.layer, records->back().death, records->back().block, records->back().version.birth + 1,
                      span.upto};
  }
  if (stopping_) co_return Status(Code::kCancelled, "the pool is being closed");
  co_return walked;
}

Task<Status> HistoryKeeper::CountAll(block::VolumeId volume) {
  Result<io::AsyncMutex::Guard> turn = co_await pool_.FoldAll();
  LS_CO_RETURN_IF_ERROR(turn.status());
  const VolumeRecord* v = pool_.structure().Find(volume);
  if (!v || v->history_from == 0) co_return NotFound("the window has been closed");
  const std::unique_ptr<Index> index = pool_.map().index().Freeze();
  const std::vector<DeathSpan> spans = SpansOf(*v, kNow);
  Count count{v->history_from, 0};
  counts_.erase(volume);
  kept_since_.clear();
  counting_ = true;
  turn->Release();
  Status status;
  for (const DeathSpan& span : spans) {
    const Result<Walked> walked = co_await WalkDeaths(span, *index, UINT64_MAX);
    status = walked.status();
    if (!status.ok()) break;
    count.blocks += walked->blocks;
  }
  counting_ = false;
  LS_CO_RETURN_IF_ERROR(status);
  for (const auto& [layer, blocks] : kept_since_) {
    const LayerOwner* owner = pool_.structure().OwnerOf(layer);
    if (owner && owner->volume == volume) count.blocks += blocks;
  }
  counts_[volume] = count;
  co_return Status();
}

Task<Result<SequenceNumber>> HistoryKeeper::BySpace(block::VolumeId volume) {
  const VolumeRecord* v = pool_.structure().Find(volume);
  const auto known = counts_.find(volume);
  if (!v || v->history_from == 0) co_return NotFound("the window has been closed");
  if (known == counts_.end() || known->second.from != v->history_from) {
    LS_CO_RETURN_IF_ERROR(co_await CountAll(volume));
    v = pool_.structure().Find(volume);
    if (!v || v->history_from == 0) co_return NotFound("the window has been closed");
  }
  const uint64_t limit = v->window.bytes / kBlockSize;
  const uint64_t held = counts_[volume].blocks + AbandonedBlocks(*v, kNow);
  if (held <= limit + std::max(limit / 64, kLeastStep)) co_return 0;
  uint64_t excess = held - limit;
  Result<io::AsyncMutex::Guard> turn = co_await pool_.FoldAll();
  LS_CO_RETURN_IF_ERROR(turn.status());
  v = pool_.structure().Find(volume);
  if (!v || v->history_from == 0) co_return NotFound("the window has been closed");
  const std::unique_ptr<Index> index = pool_.map().index().Freeze();
  const SequenceNumber folded = pool_.folded() - 1;
  const std::vector<DeathSpan> spans = SpansOf(*v, kNow);
  const LayerId top = v->top;
  std::vector<uint64_t> abandoned;
  for (const DeathSpan& span : spans)
    abandoned.push_back(span.layer == top ? 0 : pool_.structure().layer(span.layer).used_blocks);
  turn->Release();
  for (size_t i = 0; i < spans.size(); ++i) {
    LS_CO_ASSIGN_OR_RETURN(const Walked walked, co_await WalkDeaths(spans[i], *index, excess));
    if (walked.blocks >= excess) co_return std::min(walked.upto, folded);
    excess -= walked.blocks;
    // The whole layer goes when its last position does.
    if (spans[i].layer == top) break;
    if (abandoned[i] >= excess) co_return std::min(spans[i].upto + 1, folded);
    excess -= abandoned[i];
  }
  co_return folded;
}

Task<Status> HistoryKeeper::CountGone(block::TrimHistory& trim) {
  Result<io::AsyncMutex::Guard> turn = co_await pool_.FoldAll();
  LS_CO_RETURN_IF_ERROR(turn.status());
  const VolumeRecord* v = pool_.structure().Find(trim.volume);
  if (!v || v->history_from == 0) co_return NotFound("the window has been closed");
  trim.from = std::min(trim.from, pool_.folded() - 1);
  if (trim.from <= v->history_from) {
    trim.from = 0;
    co_return Status();
  }
  const std::unique_ptr<Index> index = pool_.map().index().Freeze();
  const std::vector<DeathSpan> spans = SpansOf(*v, trim.from);
  turn->Release();
  uint64_t gone = 0;
  for (const DeathSpan& span : spans) {
    LS_CO_ASSIGN_OR_RETURN(const Walked walked, co_await WalkDeaths(span, *index, UINT64_MAX));
    gone += walked.blocks;
  }
  gone_[trim.volume] = {trim.from, gone};
  co_return Status();
}

}  // namespace lockstep::logstore
