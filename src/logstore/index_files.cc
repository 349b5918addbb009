#include "logstore/index_files.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <algorithm>
#include <cerrno>

namespace lockstep::logstore {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToRocks(const Status& s) {
  switch (s.code()) {
    case Code::kOk:
      return IOStatus::OK();
    case Code::kNotFound:
      return IOStatus::PathNotFound(s.message());
    case Code::kNoSpace:
      return IOStatus::NoSpace(s.message());
    default:
      return IOStatus::IOError(s.message());
  }
}

std::span<std::byte> Bytes(char* p, size_t n) {
  return {reinterpret_cast<std::byte*>(p), n};
}
std::span<const std::byte> Bytes(const Slice& s) {
  return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}

class Sequential final : public rocksdb::FSSequentialFile {
 public:
  explicit Sequential(std::unique_ptr<io::File> file) : file_(std::move(file)) {}
  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    const auto got = file_->Read(at_, Bytes(scratch, n));
    if (!got.ok()) return ToRocks(got.status());
    at_ += *got;
    *result = Slice(scratch, *got);
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t n) override {
    at_ += n;
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<io::File> file_;
  uint64_t at_ = 0;
};

class RandomAccess final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccess(std::unique_ptr<io::File> file) : file_(std::move(file)) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    const auto got = file_->Read(offset, Bytes(scratch, n));
    if (!got.ok()) return ToRocks(got.status());
    *result = Slice(scratch, *got);
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<io::File> file_;
};

class Writable final : public rocksdb::FSWritableFile {
 public:
  Writable(std::shared_ptr<io::File> file, uint64_t at) : file_(std::move(file)), at_(at) {}
  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    const Status s = file_->Write(at_, Bytes(data));
    if (s.ok()) at_ += data.size();
    return ToRocks(s);
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    at_ = size;
    return ToRocks(file_->Truncate(size));
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    file_.reset();
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return ToRocks(file_->Sync()); }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return at_; }

 private:
  std::shared_ptr<io::File> file_;
  uint64_t at_;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(io::FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return ToRocks(files_.SyncDirectory(path_)); }

 private:
  io::FileSystem& files_;
  std::string path_;
};

class HeldLock final : public rocksdb::FileLock {
 public:
  explicit HeldLock(std::unique_ptr<io::File> file) : file_(std::move(file)) {}

 private:
  std::unique_ptr<io::File> file_;
};

class IndexFileSystem final : public rocksdb::FileSystem {
 public:
  explicit IndexFileSystem(io::FileSystem& files) : files_(files) {}
  const char* Name() const override { return "lockstep"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* out, IODebugContext*) override {
    return Open<Sequential>(path, io::FileSystem::Mode::kRead, out);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* out, IODebugContext*) override {
    return Open<RandomAccess>(path, io::FileSystem::Mode::kRead, out);
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>* out,
                           IODebugContext*) override {
    const bool log = path.ends_with(".log");
    // A log is whole on the disk before the next one begins. RocksDB does not see that one has lost its end in a crash
    // when it ends behind a whole record, and would go on with the next: a write in between would be missing.
    if (const auto last = last_log_.lock(); log && last)
      if (const Status s = last->Sync(); !s.ok()) return ToRocks(s);
    auto opened = files_.Open(path, io::FileSystem::Mode::kTruncate);
    if (!opened.ok()) return ToRocks(opened.status());
    const std::shared_ptr<io::File> file = std::move(*opened);
    if (log) last_log_ = file;
    *out = std::make_unique<Writable>(file, 0);
    return IOStatus::OK();
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext*) override {
    auto file = files_.Open(path, io::FileSystem::Mode::kCreate);
    if (!file.ok()) return ToRocks(file.status());
    const auto size = (*file)->Size();
    if (!size.ok()) return ToRocks(size.status());
    *out = std::make_unique<Writable>(std::move(*file), *size);
    return IOStatus::OK();
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old, const FileOptions& options,
                             std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* context) override {
    if (const Status s = files_.Rename(old, path); !s.ok()) return ToRocks(s);
    return NewWritableFile(path, options, out, context);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* out,
                        IODebugContext*) override {
    const auto info = files_.Stat(path);
    if (!info.ok()) return ToRocks(info.status());
    *out = std::make_unique<Directory>(files_, path);
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    const auto info = files_.Stat(path);
    if (!info.ok() && info.status().code() == Code::kNotFound) return IOStatus::NotFound(path);
    return ToRocks(info.status());
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* out,
                       IODebugContext*) override {
    auto names = files_.List(path);
    if (!names.ok()) return ToRocks(names.status());
    *out = std::move(*names);
    return IOStatus::OK();
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToRocks(files_.Remove(path));
  }
  IOStatus CreateDir(const std::string& path, const IOOptions& options, IODebugContext* context) override {
    if (files_.Stat(path).ok()) return IOStatus::IOError(path + ": exists already");
    return CreateDirIfMissing(path, options, context);
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToRocks(files_.CreateDirectory(path));
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToRocks(files_.RemoveDirectory(path));
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* out, IODebugContext*) override {
    const auto info = files_.Stat(path);
    if (!info.ok()) return ToRocks(info.status());
    *out = info->size;
    return IOStatus::OK();
  }
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, uint64_t* out, IODebugContext*) override {
    const auto info = files_.Stat(path);
    if (!info.ok()) return ToRocks(info.status());
    *out = static_cast<uint64_t>(info->modified_s);
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    return ToRocks(files_.Rename(from, to));
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** out, IODebugContext*) override {
    auto file = files_.Lock(path);
    if (!file.ok()) return ToRocks(file.status());
    *out = new HeldLock(std::move(*file));
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete static_cast<HeldLock*>(lock);
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override {
    return IOStatus::NotSupported("the index has no test directory");
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* out, IODebugContext*) override {
    *out = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* out, IODebugContext*) override {
    const auto info = files_.Stat(path);
    if (!info.ok()) return ToRocks(info.status());
    *out = info->is_directory;
    return IOStatus::OK();
  }

 private:
  template <typename Opened, typename Out>
  IOStatus Open(const std::string& path, io::FileSystem::Mode mode, Out* out) {
    auto file = files_.Open(path, mode);
    if (!file.ok()) return ToRocks(file.status());
    *out = std::make_unique<Opened>(std::move(*file));
    return IOStatus::OK();
  }
  io::FileSystem& files_;
  std::weak_ptr<io::File> last_log_;  // logs are begun by whoever writes, one at a time
};

class BackgroundClock final : public rocksdb::SystemClockWrapper {
 public:
  explicit BackgroundClock(io::Background& background)
      : SystemClockWrapper(rocksdb::SystemClock::Default()), background_(background) {}
  const char* Name() const override { return "lockstep"; }
  uint64_t NowMicros() override { return background_.NowMicros(); }
  uint64_t NowNanos() override { return background_.NowMicros() * 1000; }
  void SleepForMicroseconds(int micros) override { background_.SleepMicros(static_cast<uint64_t>(micros)); }
  rocksdb::Status GetCurrentTime(int64_t* seconds) override {
    *seconds = static_cast<int64_t>(background_.NowMicros() / 1000000);
    return rocksdb::Status::OK();
  }

 private:
  io::Background& background_;
};

class BackgroundEnv final : public rocksdb::EnvWrapper {
 public:
  BackgroundEnv(std::unique_ptr<rocksdb::Env> files, io::Background& background)
      : EnvWrapper(std::move(files)), background_(background) {
    system_clock_ = std::make_shared<BackgroundClock>(background);
  }
  const char* Name() const override { return "lockstep"; }
  void Schedule(void (*run)(void*), void* argument, Priority, void* tag, void (*cancelled)(void*)) override {
    background_.Start({run, argument, tag, cancelled});
  }
  int UnSchedule(void* tag, Priority) override { return static_cast<int>(background_.Cancel(tag)); }
  unsigned int GetThreadPoolQueueLen(Priority) const override { return 0; }
  void SetBackgroundThreads(int, Priority) override {}
  int GetBackgroundThreads(Priority) override { return 1; }
  void IncBackgroundThreadsIfNeeded(int, Priority) override {}
  uint64_t NowMicros() override { return background_.NowMicros(); }
  uint64_t NowNanos() override { return background_.NowMicros() * 1000; }
  void SleepForMicroseconds(int micros) override { background_.SleepMicros(static_cast<uint64_t>(micros)); }
  rocksdb::Status GetCurrentTime(int64_t* seconds) override { return system_clock_->GetCurrentTime(seconds); }

 private:
  io::Background& background_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> MakeIndexEnv(io::FileSystem& files, io::Background* background) {
  auto env = rocksdb::NewCompositeEnv(std::make_shared<IndexFileSystem>(files));
  if (background == nullptr) return env;
  return std::make_unique<BackgroundEnv>(std::move(env), *background);
}

}  // namespace lockstep::logstore
