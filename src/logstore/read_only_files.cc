#include "logstore/read_only_files.h"

#include <algorithm>
#include <utility>

namespace lockstep::logstore {
namespace {

Status Refused(const std::string& path) {
  return {Code::kPermissionDenied, path + ": opened for reading only"};
}

class ReadOnlyFile final : public io::File {
 public:
  ReadOnlyFile(std::unique_ptr<io::File> file, uint64_t end) : file_(std::move(file)), end_(end) {}
  Result<size_t> Read(uint64_t offset, std::span<std::byte> to) override {
    if (offset >= end_) return size_t{0};
    return file_->Read(offset, to.first(static_cast<size_t>(std::min<uint64_t>(to.size(), end_ - offset))));
  }
  Status Write(uint64_t, std::span<const std::byte>) override { return Refused("a file"); }
  Status Truncate(uint64_t) override { return Refused("a file"); }
  Result<uint64_t> Size() override {
    LS_ASSIGN_OR_RETURN(const uint64_t size, file_->Size());
    return std::min(size, end_);
  }
  Status Sync() override { return Refused("a file"); }

 private:
  std::unique_ptr<io::File> file_;
  const uint64_t end_;
};

class ReadOnlyFiles final : public io::FileSystem {
 public:
  ReadOnlyFiles(io::FileSystem& files, std::optional<TornManifest> torn) : files_(files), torn_(std::move(torn)) {}
  Result<std::unique_ptr<io::File>> Open(const std::string& path, Mode mode) override {
    if (mode != Mode::kRead) return Refused(path);
    LS_ASSIGN_OR_RETURN(std::unique_ptr<io::File> file, files_.Open(path, Mode::kRead));
    const uint64_t end = torn_ && path == torn_->path ? torn_->whole : UINT64_MAX;
    return std::unique_ptr<io::File>(std::make_unique<ReadOnlyFile>(std::move(file), end));
  }
  Status Remove(const std::string& path) override { return Refused(path); }
  Status RemoveDirectory(const std::string& path) override { return Refused(path); }
  Status Rename(const std::string& from, const std::string&) override { return Refused(from); }
  Status CreateDirectory(const std::string& path) override {
    LS_ASSIGN_OR_RETURN(const io::FileInfo info, files_.Stat(path));
    return info.is_directory ? Status() : Refused(path);
  }
  Result<std::vector<std::string>> List(const std::string& directory) override { return files_.List(directory); }
  Result<io::FileInfo> Stat(const std::string& path) override {
    LS_ASSIGN_OR_RETURN(io::FileInfo info, files_.Stat(path));
    if (torn_ && path == torn_->path) info.size = std::min(info.size, torn_->whole);
    return info;
  }
  Status SyncDirectory(const std::string& path) override { return Refused(path); }
  Status LetAllRead(const std::string& path) override { return Refused(path); }
  Result<std::unique_ptr<io::File>> Lock(const std::string& path) override { return Refused(path); }

 private:
  io::FileSystem& files_;
  const std::optional<TornManifest> torn_;
};

}  // namespace

std::unique_ptr<io::FileSystem> ReadOnly(io::FileSystem& files, std::optional<TornManifest> torn) {
  return std::make_unique<ReadOnlyFiles>(files, std::move(torn));
}

}  // namespace lockstep::logstore
