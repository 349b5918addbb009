// Opening a block device or a file as a disk: what the two disk engines have in common.
#pragma once

#include <sys/uio.h>

#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "io/disk.h"
#include "io/posix/unique_fd.h"

namespace lockstep::io {

struct DiskFile {
  UniqueFd fd;
  std::string path;
  uint64_t size = 0;
  uint32_t block_size = 4096;  // of a block device its logical one; of a file 4096
  bool direct = false;         // past the page cache
};

// Opens `path` for reading and writing with O_DIRECT, or without it, and a line in the log, where the file system
// refuses that. Makes a sparse file of `create_size` bytes, durably, when nothing is there and create_size is not 0.
// Keeps others out: in-use when another process, or this one, has it open as a disk, or when the block device is
// mounted.
Result<DiskFile> OpenDiskFile(const std::string& path, uint64_t create_size, Log& log);

// What io::Disk::RefreshSize does; `size` is the disk's present one.
Status RefreshDiskSize(const DiskFile& file, uint64_t& size);

// Requests in their order, linked through DiskRequest::next.
class RequestQueue {
 public:
  RequestQueue() = default;
  RequestQueue(const RequestQueue&) = delete;
  bool empty() const { return first_ == nullptr; }
  void Push(DiskRequest& request) {
    request.next = nullptr;
    *last_ = &request;
    last_ = &request.next;
  }
  // Null when empty.
  DiskRequest* Pop() {
    DiskRequest* request = first_;
    if (request == nullptr) return nullptr;
    first_ = request->next;
    if (first_ == nullptr) last_ = &first_;
    return request;
  }

 private:
  DiskRequest* first_ = nullptr;
  DiskRequest** last_ = &first_;
};

// The request's memory from byte `moved` on, as the kernel wants it.
std::vector<iovec> RemainingVectors(const DiskRequest& request, uint64_t moved);

// "write 4096 bytes at 0 of /dev/sdb: Input/output error", with the code for the errno.
Status DiskError(const DiskFile& file, const DiskRequest& request, int os_error);

// fallocate(2) flags of a discard. A block device answers with its own discard or write-zeroes.
int DiscardMode();
// Whether a discard that ended so has done its duty: a device that cannot discard keeps the bytes, which the contract
// allows.
bool DiscardUnsupported(int os_error);

}  // namespace lockstep::io
