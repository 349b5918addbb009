#include "io/posix/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "io/posix/unique_fd.h"

namespace lockstep::io {
namespace {

class PosixFile final : public File {
 public:
  PosixFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<size_t> Read(uint64_t offset, std::span<std::byte> to) override {
    size_t got = 0;
    while (got < to.size()) {
      const ssize_t n = ::pread(fd_.get(), to.data() + got, to.size() - got, static_cast<off_t>(offset + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FromErrno(errno, fmt::format("read {} bytes at {} of {}", to.size(), offset, path_));
      if (n == 0) break;
      got += static_cast<size_t>(n);
    }
    return got;
  }

  Status Write(uint64_t offset, std::span<const std::byte> from) override {
    size_t put = 0;
    while (put < from.size()) {
      const ssize_t n = ::pwrite(fd_.get(), from.data() + put, from.size() - put, static_cast<off_t>(offset + put));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FromErrno(errno, fmt::format("write {} bytes at {} of {}", from.size(), offset, path_));
      put += static_cast<size_t>(n);
    }
    return {};
  }

  Status Truncate(uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0) return {};
    return FromErrno(errno, fmt::format("set the size of {} to {}", path_, size));
  }

  Result<uint64_t> Size() override {
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0) return FromErrno(errno, fmt::format("read the size of {}", path_));
    return static_cast<uint64_t>(info.st_size);
  }

  Status Sync() override {
    if (::fdatasync(fd_.get()) == 0) return {};
    return FromErrno(errno, fmt::format("sync {}", path_));
  }

 private:
  const UniqueFd fd_;
  const std::string path_;
};

int FlagsOf(FileSystem::Mode mode) {
  switch (mode) {
    case FileSystem::Mode::kRead: return O_RDONLY;
    case FileSystem::Mode::kReadWrite: return O_RDWR;
    case FileSystem::Mode::kCreate: return O_RDWR | O_CREAT;
    case FileSystem::Mode::kCreateNew: return O_RDWR | O_CREAT | O_EXCL;
    case FileSystem::Mode::kTruncate: return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

Result<UniqueFd> OpenFd(const std::string& path, FileSystem::Mode mode) {
  UniqueFd fd(::open(path.c_str(), FlagsOf(mode) | O_CLOEXEC, 0600));
  if (!fd.valid() && errno == EISDIR) return InvalidArgument(fmt::format("{} is a directory", path));
  if (!fd.valid()) return FromErrno(errno, fmt::format("open {}", path));
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return FromErrno(errno, fmt::format("open {}", path));
  if (S_ISDIR(info.st_mode)) return InvalidArgument(fmt::format("{} is a directory", path));
  return fd;
}

Status Done(int result, std::string_view act, const std::string& path) {
  return result == 0 ? Status() : FromErrno(errno, fmt::format("{} {}", act, path));
}

}  // namespace

Result<std::unique_ptr<File>> PosixFiles::Open(const std::string& path, Mode mode) {
  LS_ASSIGN_OR_RETURN(UniqueFd fd, OpenFd(path, mode));
  return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
}

Result<std::unique_ptr<File>> PosixFiles::Lock(const std::string& path) {
  LS_ASSIGN_OR_RETURN(UniqueFd fd, OpenFd(path, Mode::kCreate));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return InUse(fmt::format("{} is locked by another process", path));
    return FromErrno(errno, fmt::format("lock {}", path));
  }
  return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
}

Status PosixFiles::Remove(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
    return InvalidArgument(fmt::format("{} is a directory", path));
  return Done(::unlink(path.c_str()), "remove", path);
}

Status PosixFiles::RemoveDirectory(const std::string& path) {
  if (::rmdir(path.c_str()) == 0) return {};
  if (errno == ENOTEMPTY || errno == EEXIST) return InvalidState(fmt::format("directory {} is not empty", path));
  if (errno == ENOTDIR) return InvalidArgument(fmt::format("{} is not a directory", path));
  return FromErrno(errno, fmt::format("remove directory {}", path));
}

Status PosixFiles::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return FromErrno(errno, fmt::format("rename {} to {}", from, to));
}

Status PosixFiles::CreateDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  const int error = errno;
  struct stat info;
  if (error == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return FromErrno(error, fmt::format("create directory {}", path));
}

Result<std::vector<std::string>> PosixFiles::List(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
  if (open == nullptr && errno == ENOTDIR) return NotFound(fmt::format("directory {} does not exist", directory));
  if (open == nullptr) return FromErrno(errno, fmt::format("list directory {}", directory));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return FromErrno(errno, fmt::format("list directory {}", directory));
  std::sort(names.begin(), names.end());
  return names;
}

Result<FileInfo> PosixFiles::Stat(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return FromErrno(errno, fmt::format("look up {}", path));
  return FileInfo{static_cast<uint64_t>(info.st_size), S_ISDIR(info.st_mode), info.st_mtim.tv_sec};
}

Status PosixFiles::SyncDirectory(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FromErrno(errno, fmt::format("open directory {}", path));
  return Done(::fsync(fd.get()), "sync directory", path);
}

Status PosixFiles::LetAllRead(const std::string& path) {
  return Done(::chmod(path.c_str(), 0644), "let all read", path);
}

}  // namespace lockstep::io
