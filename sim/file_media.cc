#include "sim/file_media.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/units.h"

namespace lockstep::sim {
namespace {

std::vector<std::string> Split(const std::string& path) {
  std::vector<std::string> names;
  size_t at = 0;
  while (at < path.size()) {
    const size_t end = std::min(path.find('/', at), path.size());
    std::string name = path.substr(at, end - at);
    if (!name.empty() && name != ".") names.push_back(std::move(name));
    at = end + 1;
  }
  return names;
}

}  // namespace

void SimFileBytes::Apply(const Change& change, std::vector<std::byte>& bytes) {
  if (change.truncate) {
    bytes.resize(change.offset);
    return;
  }
  if (bytes.size() < change.offset + change.data.size()) bytes.resize(change.offset + change.data.size());
  std::copy(change.data.begin(), change.data.end(), bytes.begin() + static_cast<ptrdiff_t>(change.offset));
}

void SimFileBytes::Write(uint64_t offset, std::span<const std::byte> from) {
  if (from.empty()) return;
  unsynced_.push_back({false, offset, {from.begin(), from.end()}, std::max(current_.size(), offset + from.size())});
  Apply(unsynced_.back(), current_);
}

void SimFileBytes::Truncate(uint64_t size) {
  unsynced_.push_back({true, size, {}, size});
  Apply(unsynced_.back(), current_);
}

void SimFileBytes::Sync() {
  for (const Change& change : unsynced_) Apply(change, stable_);
  unsynced_.clear();
}

// Replays the first `changes` changes on the bytes [begin, end) alone.
void SimFileBytes::RewritePiece(uint64_t begin, uint64_t end, size_t changes, std::vector<std::byte>& bytes) const {
  std::vector<std::byte> piece(end - begin);
  if (begin < stable_.size()) std::memcpy(piece.data(), stable_.data() + begin, std::min(end, stable_.size()) - begin);
  for (size_t i = 0; i < changes; ++i) {
    const Change& change = unsynced_[i];
    const uint64_t from = std::max(begin, change.offset);
    const uint64_t to = change.truncate ? end : std::min(end, change.offset + change.data.size());
    if (from >= to) continue;
    if (change.truncate)
      std::memset(piece.data() + (from - begin), 0, to - from);
    else
      std::memcpy(piece.data() + (from - begin), change.data.data() + (from - change.offset), to - from);
  }
  if (begin < bytes.size()) std::memcpy(bytes.data() + begin, piece.data(), std::min(end, bytes.size()) - begin);
}

void SimFileBytes::Crash(io::Random& random, uint64_t piece) {
  const uint64_t draw = random.Below(8);
  if (draw == 1) Sync();
  if (draw > 1 && !unsynced_.empty()) {
    std::map<uint64_t, std::vector<size_t>> touched;  // piece number -> the changes that touched it
    uint64_t size = stable_.size();
    for (size_t i = 0; i < unsynced_.size(); ++i) {
      const uint64_t first = unsynced_[i].begin() / piece, end = RoundUp(unsynced_[i].end(size), piece) / piece;
      for (uint64_t p = first; p < end; ++p) touched[p].push_back(i);
      size = unsynced_[i].size_after;
    }
    const uint64_t kept = random.Below(unsynced_.size() + 1);
    std::vector<std::byte> result = stable_;
    if (kept != 0) result.resize(unsynced_[kept - 1].size_after);
    for (const auto& [p, changes] : touched) {
      const uint64_t pick = random.Below(changes.size() + 1);
      RewritePiece(p * piece, (p + 1) * piece, pick == 0 ? 0 : changes[pick - 1] + 1, result);
    }
    stable_ = std::move(result);
  }
  unsynced_.clear();
  current_ = stable_;
}

void SimFileBytes::Corrupt(uint64_t offset, uint64_t length, io::Random& random) {
  LS_ASSERT(unsynced_.empty());
  for (uint64_t i = offset; i < std::min<uint64_t>(offset + length, stable_.size()); ++i)
    stable_[i] ^= static_cast<std::byte>(1 + random.Below(255));
  current_ = stable_;
}

SimFileMedia::SimFileMedia() : root_(std::make_shared<SimInode>()) { root_->is_directory = true; }

std::shared_ptr<SimInode> SimFileMedia::Find(const std::string& path) const {
  std::shared_ptr<SimInode> at = root_;
  for (const std::string& name : Split(path)) {
    if (!at->is_directory) return nullptr;
    const auto it = at->entries.find(name);
    if (it == at->entries.end()) return nullptr;
    at = it->second;
  }
  return at;
}

std::pair<std::shared_ptr<SimInode>, std::string> SimFileMedia::Parent(const std::string& path) const {
  std::vector<std::string> names = Split(path);
  if (names.empty()) return {nullptr, ""};
  std::string last = std::move(names.back());
  names.pop_back();
  std::string directory;
  for (const std::string& name : names) directory += "/" + name;
  std::shared_ptr<SimInode> inode = Find(directory);
  if (inode != nullptr && !inode->is_directory) inode = nullptr;
  return {std::move(inode), std::move(last)};
}

void SimFileMedia::Change(std::vector<Edit> edits) {
  for (const Edit& e : edits) {
    if (e.inode == nullptr)
      e.directory->entries.erase(e.name);
    else
      e.directory->entries[e.name] = e.inode;
  }
  unsynced_.push_back(std::move(edits));
}

void SimFileMedia::ApplyStable(size_t changes) {
  for (size_t i = 0; i < changes; ++i)
    for (const Edit& e : unsynced_[i]) {
      if (e.inode == nullptr)
        e.directory->stable_entries.erase(e.name);
      else
        e.directory->stable_entries[e.name] = e.inode;
    }
  unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<ptrdiff_t>(changes));
}

void SimFileMedia::SyncDirectory(const SimInode& directory) {
  size_t last = 0;
  for (size_t i = 0; i < unsynced_.size(); ++i)
    for (const Edit& e : unsynced_[i])
      if (e.directory.get() == &directory) last = i + 1;
  ApplyStable(last);
}

void SimFileMedia::Crash(io::Random& random) {
  std::lock_guard lock(mutex_);
  const uint64_t draw = random.Below(8);
  const size_t kept = draw == 0 ? 0 : draw == 1 ? unsynced_.size() : random.Below(unsynced_.size() + 1);
  ApplyStable(kept);
  unsynced_.clear();
  const uint64_t piece = uint64_t{512} << random.Below(4);
  std::vector<SimInode*> todo{root_.get()};
  while (!todo.empty()) {
    SimInode* inode = todo.back();
    todo.pop_back();
    if (!inode->is_directory) {
      inode->bytes.Crash(random, piece);
      continue;
    }
    inode->entries = inode->stable_entries;
    for (const auto& [name, child] : inode->entries) todo.push_back(child.get());
  }
  locked_.clear();
  ++generation_;
}

bool SimFileMedia::Corrupt(const std::string& path, uint64_t offset, uint64_t length, io::Random& random) {
  std::lock_guard lock(mutex_);
  const std::shared_ptr<SimInode> inode = Find(path);
  if (inode == nullptr || inode->is_directory) return false;
  inode->bytes.Sync();
  inode->bytes.Corrupt(offset, length, random);
  return true;
}

}  // namespace lockstep::sim
