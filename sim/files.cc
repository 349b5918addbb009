#include "sim/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace lockstep::sim {

class SimFileSystem::OpenFile final : public io::File {
 public:
  struct Handle {
    std::shared_ptr<SimInode> inode;
    std::string path;
    bool writable;
    bool locked;
    uint64_t generation;
  };
  OpenFile(SimFileSystem& fs, Handle handle) : fs_(fs), handle_(std::move(handle)) {}

  ~OpenFile() override {
    std::lock_guard lock(fs_.media_.mutex());
    if (handle_.locked && handle_.generation == fs_.media_.generation()) fs_.media_.locked().erase(handle_.path);
  }

  Result<size_t> Read(uint64_t offset, std::span<std::byte> to) override {
    std::lock_guard lock(fs_.media_.mutex());
    size_t n = 0;
    LS_RETURN_IF_ERROR(Alive());
    LS_RETURN_IF_ERROR(fs_.Inject(IoKind::kFileRead, handle_.path, [&] {
      const std::span<const std::byte> bytes = handle_.inode->bytes.current();
      if (offset < bytes.size()) n = std::min<size_t>(to.size(), bytes.size() - offset);
      if (n != 0) std::memcpy(to.data(), bytes.data() + offset, n);
    }, offset, to.size()));
    return n;
  }

  Status Write(uint64_t offset, std::span<const std::byte> from) override {
    return Change(IoKind::kFileWrite, [&] { handle_.inode->bytes.Write(offset, from); }, offset, from.size());
  }
  Status Truncate(uint64_t size) override {
    return Change(IoKind::kFileWrite, [&] { handle_.inode->bytes.Truncate(size); }, size, 0);
  }

  Result<uint64_t> Size() override {
    std::lock_guard lock(fs_.media_.mutex());
    LS_RETURN_IF_ERROR(Alive());
    return handle_.inode->bytes.current().size();
  }

  Status Sync() override {
    std::lock_guard lock(fs_.media_.mutex());
    LS_RETURN_IF_ERROR(Alive());
    // A sync that is cut or fails covers nothing, so it is applied on success only.
    LS_RETURN_IF_ERROR(fs_.Inject(IoKind::kFileSync, handle_.path, [] {}));
    handle_.inode->bytes.Sync();
    return {};
  }

 private:
  Status Alive() const {
    if (handle_.generation == fs_.media_.generation()) return {};
    return IoError(fmt::format("{} was opened before the machine crashed (simulated)", handle_.path));
  }

  Status Change(IoKind kind, const std::function<void()>& apply, uint64_t offset, uint64_t length) {
    std::lock_guard lock(fs_.media_.mutex());
    LS_RETURN_IF_ERROR(Alive());
    if (!handle_.writable) return InvalidState(fmt::format("{} is open for reading only", handle_.path));
    handle_.inode->modified_s = fs_.NowSeconds();
    return fs_.Inject(kind, handle_.path, apply, offset, length);
  }

  SimFileSystem& fs_;
  const Handle handle_;
};

// Asks the fault plan, and applies the change unless there is no power; what a fault hits may still have happened.
// REQUIRES: the media's mutex is held.
Status SimFileSystem::Inject(IoKind kind, const std::string& path, const std::function<void()>& apply, uint64_t offset,
                             uint64_t length) {
  if (trace_ != nullptr) trace_->Add(path, {static_cast<uint64_t>(kind), offset, length});
  switch (faults_.Next(kind)) {
    case FaultPlan::Verdict::kProceed:
    case FaultPlan::Verdict::kMisdirect:  // disks only
      apply();
      return {};
    case FaultPlan::Verdict::kFail:
    case FaultPlan::Verdict::kHang:
      return IoError(fmt::format("{}: I/O error (simulated)", path));
    case FaultPlan::Verdict::kCut:
      apply();
      return IoError(fmt::format("{}: the power failed (simulated)", path));
    case FaultPlan::Verdict::kDead:
      break;
  }
  return IoError(fmt::format("{}: there is no power (simulated)", path));
}

std::unique_ptr<io::File> SimFileSystem::MakeFile(std::shared_ptr<SimInode> inode, const std::string& path, Mode mode,
                                                  bool locked) {
  return std::make_unique<OpenFile>(
      *this, OpenFile::Handle{std::move(inode), path, mode != Mode::kRead, locked, media_.generation()});
}

Result<std::shared_ptr<SimInode>> SimFileSystem::FindOrCreate(const std::string& path, Mode mode) {
  std::shared_ptr<SimInode> inode = media_.Find(path);
  if (inode != nullptr && inode->is_directory) return InvalidArgument(fmt::format("{} is a directory", path));
  if (inode != nullptr && mode == Mode::kCreateNew) return AlreadyExists(fmt::format("{} exists already", path));
  if (inode != nullptr) {
    if (mode == Mode::kTruncate)
      LS_RETURN_IF_ERROR(Inject(IoKind::kFileWrite, path, [&] { inode->bytes.Truncate(0); }));
    return inode;
  }
  if (mode == Mode::kRead || mode == Mode::kReadWrite) return NotFound(fmt::format("{} does not exist", path));
  auto [parent, name] = media_.Parent(path);
  if (parent == nullptr) return NotFound(fmt::format("the directory of {} does not exist", path));
  inode = std::make_shared<SimInode>();
  inode->modified_s = NowSeconds();
  LS_RETURN_IF_ERROR(Inject(IoKind::kFileChange, path, [&, parent = parent, name = name] {
    media_.Change({{parent, name, inode}});
  }));
  return inode;
}

Result<std::unique_ptr<io::File>> SimFileSystem::Open(const std::string& path, Mode mode) {
  std::lock_guard lock(media_.mutex());
  if (faults_.power_is_cut()) return IoError(fmt::format("{}: there is no power (simulated)", path));
  LS_ASSIGN_OR_RETURN(std::shared_ptr<SimInode> inode, FindOrCreate(path, mode));
  return MakeFile(std::move(inode), path, mode, false);
}

Result<std::unique_ptr<io::File>> SimFileSystem::Lock(const std::string& path) {
  std::lock_guard lock(media_.mutex());
  if (faults_.power_is_cut()) return IoError(fmt::format("{}: there is no power (simulated)", path));
  if (media_.locked().count(path) != 0) return InUse(fmt::format("{} is locked by another process", path));
  LS_ASSIGN_OR_RETURN(std::shared_ptr<SimInode> inode, FindOrCreate(path, Mode::kCreate));
  media_.locked().insert(path);
  return MakeFile(std::move(inode), path, Mode::kCreate, true);
}

Status SimFileSystem::RemoveEntry(const std::string& path, bool directory) {
  std::lock_guard lock(media_.mutex());
  const std::shared_ptr<SimInode> inode = media_.Find(path);
  auto [parent, name] = media_.Parent(path);
  if (inode == nullptr || parent == nullptr) return NotFound(fmt::format("{} does not exist", path));
  if (inode->is_directory != directory)
    return InvalidArgument(fmt::format("{} is {} directory", path, directory ? "not a" : "a"));
  if (!inode->entries.empty()) return InvalidState(fmt::format("directory {} is not empty", path));
  return Inject(IoKind::kFileChange, path, [&, parent = parent, name = name] {
    media_.Change({{parent, name, nullptr}});
  });
}

Status SimFileSystem::Remove(const std::string& path) {
  return RemoveEntry(path, false);
}

Status SimFileSystem::RemoveDirectory(const std::string& path) {
  return RemoveEntry(path, true);
}

Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(media_.mutex());
  const std::shared_ptr<SimInode> inode = media_.Find(from);
  auto [old_parent, old_name] = media_.Parent(from);
  auto [new_parent, new_name] = media_.Parent(to);
  if (inode == nullptr || old_parent == nullptr) return NotFound(fmt::format("{} does not exist", from));
  if (new_parent == nullptr) return NotFound(fmt::format("the directory of {} does not exist", to));
  const std::shared_ptr<SimInode> replaced = media_.Find(to);
  if (replaced == inode) return {};
  if (replaced != nullptr && (replaced->is_directory != inode->is_directory || !replaced->entries.empty()))
    return AlreadyExists(fmt::format("{} exists and cannot be replaced by {}", to, from));
  return Inject(IoKind::kFileChange, from,
                [&, old_parent = old_parent, old_name = old_name, new_parent = new_parent, new_name = new_name] {
                  media_.Change({{old_parent, old_name, nullptr}, {new_parent, new_name, inode}});
                });
}

Status SimFileSystem::CreateDirectory(const std::string& path) {
  std::lock_guard lock(media_.mutex());
  const std::shared_ptr<SimInode> there = media_.Find(path);
  if (there != nullptr && there->is_directory) return {};
  if (there != nullptr) return AlreadyExists(fmt::format("{} exists and is not a directory", path));
  auto [parent, name] = media_.Parent(path);
  if (parent == nullptr) return NotFound(fmt::format("the directory of {} does not exist", path));
  auto inode = std::make_shared<SimInode>();
  inode->is_directory = true;
  inode->modified_s = NowSeconds();
  return Inject(IoKind::kFileChange, path, [&, parent = parent, name = name] {
    media_.Change({{parent, name, inode}});
  });
}

Result<std::vector<std::string>> SimFileSystem::List(const std::string& directory) {
  std::lock_guard lock(media_.mutex());
  const std::shared_ptr<SimInode> inode = media_.Find(directory);
  if (inode == nullptr || !inode->is_directory) return NotFound(fmt::format("directory {} does not exist", directory));
  std::vector<std::string> names;
  for (const auto& [name, child] : inode->entries) names.push_back(name);
  return names;
}

Result<io::FileInfo> SimFileSystem::Stat(const std::string& path) {
  std::lock_guard lock(media_.mutex());
  const std::shared_ptr<SimInode> inode = media_.Find(path);
  if (inode == nullptr) return NotFound(fmt::format("{} does not exist", path));
  return io::FileInfo{inode->bytes.current().size(), inode->is_directory, inode->modified_s};
}

Status SimFileSystem::SyncDirectory(const std::string& path) {
  std::lock_guard lock(media_.mutex());
  const std::shared_ptr<SimInode> inode = media_.Find(path);
  if (inode == nullptr || !inode->is_directory) return NotFound(fmt::format("directory {} does not exist", path));
  LS_RETURN_IF_ERROR(Inject(IoKind::kFileSync, path, [] {}));
  media_.SyncDirectory(*inode);
  return {};
}

}  // namespace lockstep::sim
