#include "io/posix/disk_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>

#include <fmt/format.h>

namespace lockstep::io {

// A Buffer is handed to the kernel as it stands.
static_assert(sizeof(Buffer) == sizeof(iovec) && offsetof(Buffer, data) == offsetof(iovec, iov_base) &&
              offsetof(Buffer, size) == offsetof(iovec, iov_len));

namespace {

Status CreateDiskFile(const std::string& path, uint64_t size) {
  if (size % 4096 != 0)
    return InvalidArgument(fmt::format("cannot create disk {}: size {} is not a multiple of 4096", path, size));
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid() && errno == EEXIST) return {};
  if (!fd.valid()) return FromErrno(errno, fmt::format("create disk file {}", path));
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 || ::fsync(fd.get()) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return FromErrno(error, fmt::format("create disk file {} of {} bytes", path, size));
  }
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const UniqueFd directory(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::fsync(directory.get()) != 0)
    return FromErrno(errno, fmt::format("make the new disk file {} durable", path));
  return {};
}

Status Measure(DiskFile& file, bool is_block_device, uint64_t file_size) {
  file.size = file_size;
  if (is_block_device) {
    int logical = 0;
    if (::ioctl(file.fd.get(), BLKGETSIZE64, &file.size) != 0 || ::ioctl(file.fd.get(), BLKSSZGET, &logical) != 0)
      return FromErrno(errno, fmt::format("read the size of block device {}", file.path));
    if (logical != 512 && logical != 4096)
      return NotSupported(fmt::format("block device {} has sectors of {} bytes; 512 and 4096 are supported", file.path,
                                      logical));
    file.block_size = static_cast<uint32_t>(logical);
    file.size -= file.size % 4096;  // the odd end of a device is left alone
  }
  if (file.size == 0 || file.size % 4096 != 0)
    return InvalidArgument(fmt::format("{} cannot be a disk: its size {} is not a positive multiple of 4096",
                                       file.path, file.size));
  return {};
}

}  // namespace

Result<DiskFile> OpenDiskFile(const std::string& path, uint64_t create_size, Log& log) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT || create_size == 0) return FromErrno(errno, fmt::format("open disk {}", path));
    LS_RETURN_IF_ERROR(CreateDiskFile(path, create_size));
    if (::stat(path.c_str(), &info) != 0) return FromErrno(errno, fmt::format("open disk {}", path));
  }
  const bool is_block_device = S_ISBLK(info.st_mode);
  if (!is_block_device && !S_ISREG(info.st_mode))
    return InvalidArgument(fmt::format("{} is neither a block device nor a regular file", path));

  DiskFile file;
  file.path = path;
  file.direct = true;
  const int flags = O_RDWR | O_CLOEXEC | (is_block_device ? O_EXCL : 0);
  file.fd = UniqueFd(::open(path.c_str(), flags | O_DIRECT));
  if (!file.fd.valid() && errno == EINVAL) {
    log.Warn("disk {}: its file system refuses direct I/O; going through the page cache", path);
    file.direct = false;
    file.fd = UniqueFd(::open(path.c_str(), flags));
  }
  if (!file.fd.valid() && errno == EBUSY)
    return InUse(fmt::format("block device {} is in use (mounted, or open elsewhere)", path));
  if (!file.fd.valid()) return FromErrno(errno, fmt::format("open disk {}", path));
  if (::flock(file.fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return InUse(fmt::format("disk {} is in use by another process", path));
    return FromErrno(errno, fmt::format("lock disk {}", path));
  }
  LS_RETURN_IF_ERROR(Measure(file, is_block_device, static_cast<uint64_t>(info.st_size)));
  return file;
}

Status RefreshDiskSize(const DiskFile& file, uint64_t& size) {
  struct stat info;
  if (::fstat(file.fd.get(), &info) != 0) return FromErrno(errno, fmt::format("read the size of disk {}", file.path));
  uint64_t now = static_cast<uint64_t>(info.st_size);
  if (S_ISBLK(info.st_mode) && ::ioctl(file.fd.get(), BLKGETSIZE64, &now) != 0)
    return FromErrno(errno, fmt::format("read the size of block device {}", file.path));
  now -= now % 4096;
  if (now < size)
    return InvalidState(fmt::format("disk {} has become smaller: {} bytes instead of {}", file.path, now, size));
  size = now;
  return {};
}

std::vector<iovec> RemainingVectors(const DiskRequest& request, uint64_t moved) {
  std::vector<iovec> rest;
  for (const Buffer& b : request.buffers) {
    if (moved < b.size) rest.push_back({b.data + moved, b.size - moved});
    moved -= std::min<uint64_t>(moved, b.size);
  }
  return rest;
}

Status DiskError(const DiskFile& file, const DiskRequest& request, int os_error) {
  const char* act = "read";
  if (request.op == DiskRequest::Op::kWrite) act = "write";
  if (request.op == DiskRequest::Op::kDiscard) act = "discard";
  if (request.op == DiskRequest::Op::kFlush) return FromErrno(os_error, fmt::format("flush {}", file.path));
  return FromErrno(os_error, fmt::format("{} {} bytes at {} of {}", act, request.length, request.offset, file.path));
}

int DiscardMode() { return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE; }

bool DiscardUnsupported(int os_error) {
  return os_error == EOPNOTSUPP || os_error == ENOSYS || os_error == EINVAL || os_error == ENODEV;
}

}  // namespace lockstep::io
