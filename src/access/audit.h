// The audit log: a line for every change that somebody asked for, whether it was made or refused. Lines are
//
//   2026-11-21T11:20:00.123456Z user=anna role=operator from=tcp:192.0.2.1:40000 what="..." result="..."
//
// with quotes and backslashes as \" and \\ and control characters as \xNN, so that nobody can forge a line by a name,
// and the first 5,000 bytes of each text. When the file has grown large it becomes PATH.1, which becomes PATH.2, and so
// on; the oldest goes.
//
// On one loop. Lines are written by the executor, all that wait together, and are then durable: a crash loses those of
// the last moment, which the log of the daemon has as well.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/status.h"
#include "base/task.h"
#include "io/clock.h"
#include "io/files.h"
#include "io/loop.h"

namespace lockstep::access {

struct AuditEntry {
  std::string user;  // empty: anonymous
  std::string role;
  std::string peer;
  std::string what;
  std::string result;
};

// With its line end.
std::string AuditLine(io::WallTime time, const AuditEntry& entry);

struct AuditLimits {
  uint64_t file_bytes = 16ull << 20;
  unsigned old_files = 4;
  size_t waiting_bytes = 4u << 20;  // lines that come while more wait are counted, and their number is written instead
};

class AuditLog {
 public:
  struct Surroundings {
    io::FileSystem& files;
    io::Executor& executor;
    io::Loop& loop;
    io::Clock& clock;
    Log& log;
  };
  AuditLog(Surroundings surroundings, std::string path, AuditLimits limits = {});
  // REQUIRES: Stop has ended, or nothing was recorded.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void Record(const AuditEntry& entry);
  // Ends when all that was recorded is durable, or could not be made so (which the log says). Nothing may be recorded
  // after it was called.
  Task<void> Stop();

 private:
  Task<void> WriteWaiting();
  Status Append(const std::string& lines);
  Status Rotate();

  const Surroundings surroundings_;
  const std::string path_;
  const AuditLimits limits_;
  std::string waiting_;
  uint64_t left_out_ = 0;
  bool writing_ = false;
  bool failing_ = false;  // said so already
  io::Closure written_;   // set while Stop waits
};

}  // namespace lockstep::access
