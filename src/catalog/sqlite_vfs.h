// SQLite's file access through io::FileSystem, so that a simulated crash takes from the catalog what it had not synced.
#pragma once

#include <memory>
#include <string>

#include "io/files.h"

struct sqlite3_vfs;

namespace lockstep::catalog {

// Registered with SQLite under a name of its own while it lives. It offers no shared memory, no memory mapping and no
// temporary files, and its locks do nothing: the owner keeps others out with FileSystem::Lock. `files` outlives it.
class SqliteVfs {
 public:
  explicit SqliteVfs(io::FileSystem& files);
  // REQUIRES: no connection that uses it is open.
  ~SqliteVfs();
  SqliteVfs(const SqliteVfs&) = delete;
  SqliteVfs& operator=(const SqliteVfs&) = delete;

  const std::string& name() const { return name_; }

 private:
  io::FileSystem& files_;
  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace lockstep::catalog
