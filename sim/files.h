// The simulated file system: io::FileSystem on a SimFileMedia, with the machine's faults.
#pragma once

#include <functional>
#include <string>

#include "io/clock.h"
#include "io/files.h"
#include "sim/faults.h"
#include "sim/file_media.h"
#include "sim/trace.h"

namespace lockstep::sim {

// Thread-safe. After the power was cut everything fails; what the cut hit half-way is in the media's unsynced changes.
// A Sync that was told to fail leaves its changes unsynced, and a later one covers them.
class SimFileSystem final : public io::FileSystem {
 public:
  // All outlive the file system and the files it opens.
  SimFileSystem(SimFileMedia& media, FaultPlan& faults, const io::Clock& clock, Trace* trace = nullptr)
      : media_(media), faults_(faults), clock_(clock), trace_(trace) {}

  Result<std::unique_ptr<io::File>> Open(const std::string& path, Mode mode) override;
  Status Remove(const std::string& path) override;
  Status RemoveDirectory(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status CreateDirectory(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Result<io::FileInfo> Stat(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  Result<std::unique_ptr<io::File>> Lock(const std::string& path) override;

 private:
  class OpenFile;

  // `offset` and `length` are for the trace.
  Status Inject(IoKind kind, const std::string& path, const std::function<void()>& apply, uint64_t offset = 0,
                uint64_t length = 0);
  Status RemoveEntry(const std::string& path, bool directory);
  Result<std::shared_ptr<SimInode>> FindOrCreate(const std::string& path, Mode mode);
  std::unique_ptr<io::File> MakeFile(std::shared_ptr<SimInode> inode, const std::string& path, Mode mode, bool locked);
  int64_t NowSeconds() const { return clock_.Wall().us / 1000000; }

  SimFileMedia& media_;
  FaultPlan& faults_;
  const io::Clock& clock_;
  Trace* const trace_;  // may be null
};

}  // namespace lockstep::sim
