// Many time marks in few bytes, as the anchor keeps them: the newest first, each by how much it is before the last.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "logstore/index.h"

namespace lockstep::logstore {

class TimeMarkList {
 public:
  static constexpr size_t kMostBytesOfOne = 20;

  TimeMarkList() = default;
  explicit TimeMarkList(std::string bytes) : bytes_(std::move(bytes)) {}

  // REQUIRES: neither time nor position is later than that of the mark added last.
  void AddOlder(const TimeMark& mark);
  // In the order in which they were added. corrupted: not what AddOlder wrote, or the visitor's error.
  Status ForEach(const std::function<Status(const TimeMark&)>& visit) const;

  // The newest of them, as many as surely fit into so many bytes.
  TimeMarkList Newest(size_t most_bytes) const;

  bool empty() const { return bytes_.empty(); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  TimeMark last_;  // that was added
};

}  // namespace lockstep::logstore
