// The real file system.
#pragma once

#include "io/files.h"

namespace lockstep::io {

class PosixFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override;
  Status Remove(const std::string& path) override;
  Status RemoveDirectory(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status CreateDirectory(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Result<FileInfo> Stat(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  Status LetAllRead(const std::string& path) override;
  // With flock(2), which also keeps this process from locking it twice.
  Result<std::unique_ptr<File>> Lock(const std::string& path) override;
};

}  // namespace lockstep::io
