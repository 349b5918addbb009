#include "apps/node/whole_file.h"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

namespace lockstep::node {

Status MakeDirectories(io::FileSystem& files, const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (!files.Stat(part).ok()) {
      LS_RETURN_IF_ERROR(files.CreateDirectory(part));
      const size_t slash = part.rfind('/');
      LS_RETURN_IF_ERROR(files.SyncDirectory(slash == 0 ? "/" : part.substr(0, slash)));
    }
    if (end == std::string::npos) return Status::Ok();
  }
}

namespace {

Status CopyFile(io::FileSystem& files, const std::string& from, const std::string& to) {
  constexpr size_t kPiece = 1 << 20;
  LS_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> source, files.Open(from, io::FileSystem::Mode::kRead));
  LS_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> target, files.Open(to, io::FileSystem::Mode::kTruncate));
  std::vector<std::byte> piece(kPiece);
  for (uint64_t at = 0;;) {
    LS_ASSIGN_OR_RETURN(const size_t read, source->Read(at, piece));
    if (read == 0) break;
    LS_RETURN_IF_ERROR(target->Write(at, std::span(piece).first(read)));
    at += read;
  }
  return target->Sync();
}

}  // namespace

Status CopyDirectory(io::FileSystem& files, const std::string& from, const std::string& to) {
  LS_ASSIGN_OR_RETURN(std::vector<std::string> names, files.List(from));
  if (const auto there = files.List(to); there.ok() && !there->empty())
    return AlreadyExists(to + " is there already and is not empty; name another directory, or take that away");
  LS_RETURN_IF_ERROR(MakeDirectories(files, to));
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) { return name != "CURRENT"; });
  for (const std::string& name : names) {
    if (name == "CURRENT") LS_RETURN_IF_ERROR(files.SyncDirectory(to));
    LS_RETURN_IF_ERROR(CopyFile(files, from + "/" + name, to + "/" + name));
  }
  return files.SyncDirectory(to);
}

Status RemoveWholeDirectory(io::FileSystem& files, const std::string& path) {
  LS_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  for (const std::string& name : names) LS_RETURN_IF_ERROR(files.Remove(path + "/" + name));
  return files.RemoveDirectory(path);
}

}  // namespace lockstep::node
