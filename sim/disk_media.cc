#include "sim/disk_media.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace lockstep::sim {

SimDiskMedia::SimDiskMedia(uint64_t size, uint32_t block_size) : size_(size), block_size_(block_size) {
  LS_ASSERT(size % kPage == 0 && (block_size == 512 || block_size == 4096));
}

void SimDiskMedia::Grow(uint64_t size) {
  LS_ASSERT(size % kPage == 0 && size >= size_);
  size_ = size;
}

void SimDiskMedia::ReadStable(uint64_t offset, std::span<std::byte> to) const {
  LS_ASSERT(offset <= size_ && to.size() <= size_ - offset);
  while (!to.empty()) {
    const uint64_t in_page = offset % kPage;
    const size_t n = std::min<size_t>(to.size(), kPage - in_page);
    const auto it = pages_.find(offset / kPage);
    if (it == pages_.end())
      std::memset(to.data(), 0, n);
    else
      std::memcpy(to.data(), it->second->data() + in_page, n);
    to = to.subspan(n);
    offset += n;
  }
}

void SimDiskMedia::StoreStable(uint64_t offset, std::span<const std::byte> from) {
  while (!from.empty()) {
    const uint64_t in_page = offset % kPage;
    const size_t n = std::min<size_t>(from.size(), kPage - in_page);
    std::unique_ptr<Page>& page = pages_[offset / kPage];
    if (page == nullptr) page = std::make_unique<Page>();
    std::memcpy(page->data() + in_page, from.data(), n);
    from = from.subspan(n);
    offset += n;
  }
}

bool SimDiskMedia::Read(uint64_t offset, std::span<std::byte> to) const {
  const uint64_t end = offset + to.size();
  for (const auto& [bad_begin, bad_end] : read_errors_)
    if (bad_begin < end && offset < bad_end) return false;
  ReadStable(offset, to);
  const uint64_t first = offset / block_size_;
  for (auto it = unflushed_.lower_bound(first); it != unflushed_.end() && it->first * block_size_ < end; ++it)
    std::memcpy(to.data() + (it->first * block_size_ - offset), BlockOf(it->second.back()).data(), block_size_);
  return true;
}

SimDiskMedia::WriteId SimDiskMedia::BeginWrite(uint64_t offset, std::vector<std::byte> data) {
  LS_ASSERT(offset % block_size_ == 0 && data.size() % block_size_ == 0);
  LS_ASSERT(offset <= size_ && data.size() <= size_ - offset);
  const WriteId id = next_write_++;
  in_flight_.emplace(id, Write{offset, std::make_shared<const std::vector<std::byte>>(std::move(data))});
  return id;
}

void SimDiskMedia::CompleteWrite(WriteId id, bool durable) {
  const auto it = in_flight_.find(id);
  LS_ASSERT(it != in_flight_.end());
  const Write write = std::move(it->second);
  in_flight_.erase(it);
  ClearReadErrors(write.offset, write.offset + write.data->size());
  const uint64_t completed = ++last_completed_;
  const uint64_t first = write.offset / block_size_;
  const uint64_t blocks = write.data->size() / block_size_;
  if (durable) {
    // It is the newest of its blocks, so nothing older of them can come back.
    StoreStable(write.offset, *write.data);
    unflushed_.erase(unflushed_.lower_bound(first), unflushed_.lower_bound(first + blocks));
    return;
  }
  for (uint64_t i = 0; i < blocks; ++i) ApplyBlock(first + i, {completed, false, write.data, i * block_size_});
}

void SimDiskMedia::FailWrite(WriteId id, io::Random& random) {
  const auto it = in_flight_.find(id);
  LS_ASSERT(it != in_flight_.end());
  const Write write = std::move(it->second);
  in_flight_.erase(it);
  const uint64_t completed = ++last_completed_;
  const uint64_t first = write.offset / block_size_;
  for (uint64_t i = 0; i < write.data->size() / block_size_; ++i)
    if (random.Below(2) == 0) ApplyBlock(first + i, {completed, true, write.data, i * block_size_});
}

void SimDiskMedia::ApplyBlock(uint64_t block, Version version) {
  unflushed_[block].push_back(std::move(version));
}

void SimDiskMedia::CompleteFlush(uint64_t mark) {
  for (auto it = unflushed_.begin(); it != unflushed_.end();) {
    std::vector<Version>& versions = it->second;
    const auto covered = std::find_if(versions.rbegin(), versions.rend(),
                                      [&](const Version& v) { return v.completed <= mark && !v.unprotected; });
    if (covered != versions.rend()) {
      StoreStable(it->first * block_size_, BlockOf(*covered));
      versions.erase(versions.begin(), covered.base());
    }
    it = versions.empty() ? unflushed_.erase(it) : std::next(it);
  }
}

void SimDiskMedia::FailFlush(uint64_t mark) {
  for (auto& [block, versions] : unflushed_)
    for (Version& v : versions)
      if (v.completed <= mark) v.unprotected = true;
}

void SimDiskMedia::Discard(uint64_t offset, uint64_t length, io::Random& random) {
  const uint64_t end = offset + length;
  unflushed_.erase(unflushed_.lower_bound(offset / block_size_), unflushed_.lower_bound(end / block_size_));
  for (auto it = pages_.lower_bound(offset / kPage); it != pages_.end() && it->first * kPage < end; ++it) {
    const uint64_t begin_in_page = std::max(offset, it->first * kPage) - it->first * kPage;
    const uint64_t end_in_page = std::min(end, (it->first + 1) * kPage) - it->first * kPage;
    for (uint64_t at = begin_in_page; at < end_in_page; at += block_size_) {
      const uint64_t fate = random.Below(3);
      if (fate == 2) continue;
      std::memset(it->second->data() + at, fate == 0 ? 0 : 0xdb, block_size_);
    }
  }
}

void SimDiskMedia::Crash(io::Random& random) {
  // What was in flight is one more possible content of its blocks.
  for (const auto& [id, write] : in_flight_)
    for (uint64_t at = 0; at < write.data->size(); at += block_size_)
      ApplyBlock((write.offset + at) / block_size_, {0, false, write.data, at});
  // Whole-device outcomes are as likely in reality as mixtures and rare among random ones, so they get a share.
  enum Fate { kAllLost, kAllKept, kMixed };
  const uint64_t draw = random.Below(8);
  const Fate fate = draw == 0 ? kAllLost : draw == 1 ? kAllKept : kMixed;
  for (const auto& [block, versions] : unflushed_) {
    uint64_t pick = 0;  // 0: the stable content stays
    if (fate == kAllKept) pick = versions.size();
    if (fate == kMixed) pick = random.Below(versions.size() + 1);
    if (pick != 0) StoreStable(block * block_size_, BlockOf(versions[pick - 1]));
  }
  unflushed_.clear();
  in_flight_.clear();
}

void SimDiskMedia::AddReadError(uint64_t offset, uint64_t length) {
  read_errors_.emplace_back(offset, offset + length);
}

void SimDiskMedia::ClearReadErrors(uint64_t begin, uint64_t end) {
  std::vector<std::pair<uint64_t, uint64_t>> left;
  for (const auto& [bad_begin, bad_end] : read_errors_) {
    if (bad_begin < std::min(begin, bad_end)) left.emplace_back(bad_begin, std::min(begin, bad_end));
    if (std::max(end, bad_begin) < bad_end) left.emplace_back(std::max(end, bad_begin), bad_end);
  }
  read_errors_ = std::move(left);
}

void SimDiskMedia::Corrupt(uint64_t offset, uint64_t length, io::Random& random) {
  LS_ASSERT(offset <= size_ && length <= size_ - offset);
  if (length == 0) return;
  const uint64_t first = offset / block_size_, last = (offset + length - 1) / block_size_;
  std::vector<std::byte> data((last - first + 1) * block_size_);
  const auto kept = std::exchange(read_errors_, {});
  Read(first * block_size_, data);
  read_errors_ = kept;
  for (uint64_t i = 0; i < length; ++i)
    data[offset - first * block_size_ + i] ^= static_cast<std::byte>(1 + random.Below(255));
  StoreStable(first * block_size_, data);
  unflushed_.erase(unflushed_.lower_bound(first), unflushed_.lower_bound(last + 1));
}

}  // namespace lockstep::sim
