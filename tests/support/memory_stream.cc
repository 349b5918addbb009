// Change streams of the reference pool: a walk over the list of all that happened.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "tests/support/memory_pool.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it

Status TooOld() { return InvalidState("the log does not reach back so far: use Diff"); }

class MemoryStream final : public ChangeStream {
 public:
  MemoryStream(std::shared_ptr<MemoryStorage> storage, io::Loop& loop, std::vector<VolumeId> volumes, uint64_t from)
      : s_(std::move(storage)), loop_(loop), volumes_(volumes.begin(), volumes.end()), next_(from), told_(from - 1) {}

  Task<Result<ChangeBatch>> Next() override {
    co_await SuspendWith([this](auto resume) { loop_.Post(std::move(resume)); });
    while (!closed_ && next_ > s_->position && told_ == s_->position)
      co_await SuspendWith([this](auto resume) { s_->log.waiting.push_back(std::move(resume)); });
    if (closed_) co_return Cancelled("the stream has been closed");
    if (next_ < s_->log.first) co_return TooOld();
    ChangeBatch batch;
    data_.clear();
    while (next_ <= s_->position && batch.events.size() < 4) {
      Tell(s_->log.entries[next_ - s_->log.first], next_, batch);
      ++next_;
    }
    told_ = batch.upto = next_ - 1;
    batch.durable = s_->position;
    co_return batch;
  }

  void Confirm(SequenceNumber) override {}  // the budget is kept in any case

  void Close() override {
    closed_ = true;
    for (auto& go_on : std::exchange(s_->log.waiting, {})) loop_.Post(std::move(go_on));
  }

 private:
  void Tell(const MemoryLog::Entry& entry, uint64_t sequence, ChangeBatch& batch) {
    if (entry.transaction) {
      StreamStructure structure{sequence, entry.transaction->id, {}};
      for (const Change& change : entry.transaction->changes)
        if (std::visit([this](const auto& c) { return Concerns(c); }, change)) structure.changes.push_back(change);
      if (!structure.changes.empty()) batch.events.emplace_back(std::move(structure));
    } else if (!volumes_.contains(entry.volume)) {
      return;
    } else if (entry.data.empty()) {
      batch.events.emplace_back(StreamHole{sequence, entry.volume, entry.offset, entry.length});
    } else {
      std::vector<std::byte>& bytes = data_.emplace_back();
      std::vector<uint32_t> crcs;
      for (const auto& block : entry.data) {
        bytes.insert(bytes.end(), block->begin(), block->end());
        crcs.push_back(Crc32c(*block));
      }
      batch.events.emplace_back(StreamWrite{sequence, entry.volume, entry.offset, bytes, std::move(crcs)});
    }
  }
  bool Concerns(const TakePoint& c) const {
    return std::any_of(c.volumes.begin(), c.volumes.end(), [this](VolumeId v) { return volumes_.contains(v); });
  }
  bool Concerns(const ReleasePoint&) const { return false; }
  bool Concerns(const SetHistory&) const { return false; }
  bool Concerns(const TrimHistory&) const { return false; }
  template <typename C>
  bool Concerns(const C& c) const {
    return volumes_.contains(c.volume);
  }

  std::shared_ptr<MemoryStorage> s_;
  io::Loop& loop_;
  const std::set<VolumeId> volumes_;
  uint64_t next_;
  uint64_t told_;
  bool closed_ = false;
  std::deque<std::vector<std::byte>> data_;  // of the last batch
};

}  // namespace

void MemoryLog::Add(Entry entry, io::Loop& loop) {
  bytes += entry.data.size() * kBlockSize;
  entries.push_back(std::move(entry));
  for (; bytes > budget; ++first) {
    bytes -= entries.front().data.size() * kBlockSize;
    entries.pop_front();
  }
  for (auto& go_on : std::exchange(waiting, {})) loop.Post(std::move(go_on));
}

Result<std::unique_ptr<ChangeStream>> MemoryPool::Changes(std::vector<VolumeId> volumes, SequenceNumber from) {
  from = std::max<SequenceNumber>(from, 1);
  if (volumes.empty()) return InvalidArgument("a change stream names at least one volume");
  if (from > s_->position + 1) return InvalidArgument("a change stream cannot begin in the future");
  if (from < s_->log.first) return TooOld();
  return std::unique_ptr<ChangeStream>(std::make_unique<MemoryStream>(s_, loop_, std::move(volumes), from));
}

}  // namespace lockstep::test
