// The framing of the local management protocol: messages are lines. No I/O here; bytes in, lines out.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"

namespace lockstep::admin {

// Cuts a stream of bytes into lines at "\n" (a "\r" before it is dropped, empty lines are skipped). Holds at most one
// unfinished line of kLineMax bytes besides the lines not yet taken; a caller stops feeding while Full().
class LineSplitter {
 public:
  static constexpr size_t kLineMax = size_t{1} << 20;
  static constexpr size_t kLinesMax = 64;

  // too-large when a line grows beyond kLineMax: the stream cannot be followed any more, every later call answers the
  // same and the lines found before stay available.
  Status Feed(std::span<const std::byte> bytes);
  // The next whole line, without its end; none when there is none yet.
  std::optional<std::string> Next();
  // More lines wait than a well-behaved client has outstanding.
  bool Full() const { return lines_.size() >= kLinesMax; }

 private:
  std::string partial_;
  std::deque<std::string> lines_;
  Status failed_;
};

}  // namespace lockstep::admin
