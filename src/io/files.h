// The file system as our libraries need it (index, catalog): blocking calls, made on an executor or at start-up, never
// on a loop that serves I/O.
//
// Durability. What was written to a file is durable once Sync has returned OK; before that a crash may keep, lose or
// tear any of it. A file's existence, name and removal are durable once SyncDirectory of its parent has returned OK.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace lockstep::io {

// Distinct ranges may be read and written by distinct threads at once.
class File {
 public:
  virtual ~File() = default;  // closes; does not sync
  // Returns the bytes read: fewer than asked only at the end of the file, 0 at or beyond it.
  virtual Result<size_t> Read(uint64_t offset, std::span<std::byte> to) = 0;
  // All or an error. Extends the file as needed; a gap reads as zeroes.
  virtual Status Write(uint64_t offset, std::span<const std::byte> from) = 0;
  virtual Status Truncate(uint64_t size) = 0;
  virtual Result<uint64_t> Size() = 0;
  virtual Status Sync() = 0;
};

struct FileInfo {
  uint64_t size = 0;
  bool is_directory = false;
  int64_t modified_s = 0;  // seconds since 1970, UTC
};

// Thread-safe. Paths are absolute or relative to the process, "/" separated.
class FileSystem {
 public:
  enum class Mode { kRead, kReadWrite, kCreate /* made if missing */, kCreateNew /* must be missing */, kTruncate };
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) = 0;
  virtual Status Remove(const std::string& path) = 0;                         // a file
  virtual Status RemoveDirectory(const std::string& path) = 0;                // an empty one
  virtual Status Rename(const std::string& from, const std::string& to) = 0;  // replaces `to` atomically
  virtual Status CreateDirectory(const std::string& path) = 0;                // parents must exist; OK if it is there
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;  // names, sorted, without . and ..
  virtual Result<FileInfo> Stat(const std::string& path) = 0;                       // not-found if missing
  virtual Status SyncDirectory(const std::string& path) = 0;
  // Lets every user of the machine read the file, where there are users; others may not, unless this was called.
  virtual Status LetAllRead(const std::string& /*path*/) { return {}; }
  // Keeps other processes (and other nodes of this process) out until the returned object is destroyed: in-use if one
  // has it already.
  virtual Result<std::unique_ptr<File>> Lock(const std::string& path) = 0;
};

}  // namespace lockstep::io
