#include "logstore/time_marks.h"

#include "base/assert.h"
#include "base/codec.h"

namespace lockstep::logstore {

void TimeMarkList::AddOlder(const TimeMark& mark) {
  const auto time = static_cast<uint64_t>(mark.time.us), last_time = static_cast<uint64_t>(last_.time.us);
  Encoder e(bytes_);
  if (bytes_.empty()) {
    e.Varint(time).Varint(mark.at);
  } else {
    LS_ASSERT(time <= last_time && mark.at <= last_.at);
    e.Varint(last_time - time).Varint(last_.at - mark.at);
  }
  last_ = mark;
}

TimeMarkList TimeMarkList::Newest(size_t most_bytes) const {
  TimeMarkList newest;
  (void)ForEach([&](const TimeMark& mark) {
    if (newest.bytes_.size() + kMostBytesOfOne > most_bytes) return Cancelled("they are full");
    newest.AddOlder(mark);
    return Status();
  });
  return newest;
}

Status TimeMarkList::ForEach(const std::function<Status(const TimeMark&)>& visit) const {
  Decoder d(bytes_);
  TimeMark mark;
  for (bool first = true; d.remaining() != 0; first = false) {
    const uint64_t time = d.Varint(), at = d.Varint();
    const auto last_time = static_cast<uint64_t>(mark.time.us);
    const bool sound = first ? time <= INT64_MAX : time <= last_time && at <= mark.at;
    if (!d.ok() || !sound) return Corrupted("the anchor's time marks make no sense");
    mark = first ? TimeMark{{static_cast<int64_t>(time)}, at}
                 : TimeMark{{static_cast<int64_t>(last_time - time)}, mark.at - at};
    LS_RETURN_IF_ERROR(visit(mark));
  }
  return {};
}

}  // namespace lockstep::logstore
