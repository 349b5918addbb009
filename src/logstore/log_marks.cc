#include "logstore/log_marks.h"

#include <algorithm>

#include "base/assert.h"

namespace lockstep::logstore {

void LogMarks::Begin(const LogPosition& position) {
  LS_ASSERT(marks_.empty());
  marks_.push_back({position, 0});
  first_ = position.next;
}

void LogMarks::Restore(const std::vector<LogPosition>& positions) {
  LS_ASSERT(marks_.size() == 1 && blocks_ == 0);
  std::vector<Mark> all;
  for (const LogPosition& p : positions)
    if (p.next < first_ && (all.empty() || p.next > all.back().position.next)) all.push_back({p, 0});
  all.push_back(marks_.front());
  marks_ = std::move(all);
}

std::vector<LogPosition> LogMarks::Some(size_t most) const {
  std::vector<LogPosition> some;
  const size_t step = std::max<size_t>(1, marks_.size() / most);
  for (size_t i = 0; i < marks_.size(); i += step) some.push_back(marks_[i].position);
  return some;
}

bool LogMarks::Advance(const LogPosition& position, uint64_t blocks) {
  blocks_ += blocks;
  if (!marks_.empty() && blocks_ - marks_.back().blocks < stride_) return false;
  if (marks_.size() >= kMost) Thin();
  marks_.push_back({position, blocks_});
  return true;
}

void LogMarks::Thin() {
  size_t kept = 0;
  for (size_t i = 0; i < marks_.size(); i += 2) marks_[kept++] = marks_[i];
  marks_.resize(kept);
  stride_ *= 2;
}

void LogMarks::Forget(SequenceNumber before) {
  // The newest of those before may lie in a segment that is gone, too.
  const auto kept =
      std::find_if(marks_.begin(), marks_.end(), [&](const Mark& m) { return m.position.next >= before; });
  marks_.erase(marks_.begin(), kept);
}

const LogMarks::Mark* LogMarks::Find(SequenceNumber from) const {
  const auto behind = std::upper_bound(marks_.begin(), marks_.end(), from, [](SequenceNumber sequence, const Mark& m) {
    return sequence < m.position.next;
  });
  return behind == marks_.begin() ? nullptr : &*std::prev(behind);
}

std::optional<LogPosition> LogMarks::Before(SequenceNumber from) const {
  const Mark* mark = Find(from);
  return mark ? std::optional(mark->position) : std::nullopt;
}

uint64_t LogMarks::BlocksSince(SequenceNumber from) const {
  const Mark* mark = Find(from);
  return mark ? blocks_ - mark->blocks : blocks_;
}

}  // namespace lockstep::logstore
