#include "admin/lines.h"

#include <fmt/format.h>

namespace lockstep::admin {

Status LineSplitter::Feed(std::span<const std::byte> bytes) {
  if (!failed_.ok()) return failed_;
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view piece = rest.substr(0, end);
    if (partial_.size() + piece.size() > kLineMax) {
      partial_.clear();
      partial_.shrink_to_fit();
      failed_ = Status(Code::kTooLarge, fmt::format("a request is one line of at most {} bytes", kLineMax));
      return failed_;
    }
    partial_ += piece;
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
    if (partial_.ends_with('\r')) partial_.pop_back();
    if (!partial_.empty()) lines_.push_back(std::move(partial_));
    partial_.clear();
  }
  return Status::Ok();
}

std::optional<std::string> LineSplitter::Next() {
  if (lines_.empty()) return std::nullopt;
  std::string line = std::move(lines_.front());
  lines_.pop_front();
  return line;
}

}  // namespace lockstep::admin
