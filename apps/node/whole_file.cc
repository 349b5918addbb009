#include "apps/node/whole_file.h"

#include <memory>
#include <span>

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

Result<std::string> ReadWholeFile(io::FileSystem& files, const std::string& path) {
  LS_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file, files.Open(path, io::FileSystem::Mode::kRead));
  LS_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string text(size, '\0');
  LS_ASSIGN_OR_RETURN(const size_t read, file->Read(0, std::as_writable_bytes(std::span(text))));
  text.resize(read);
  return text;
}

Status ReplaceWholeFile(io::FileSystem& files, const std::string& directory, const std::string& name,
                        std::string_view text) {
  const std::string path = directory + "/" + name;
  {
    LS_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file,
                        files.Open(path + ".new", io::FileSystem::Mode::kTruncate));
    LS_RETURN_IF_ERROR(file->Write(0, std::as_bytes(std::span(text))));
    LS_RETURN_IF_ERROR(file->Sync());
  }
  LS_RETURN_IF_ERROR(files.Rename(path + ".new", path));
  return files.SyncDirectory(directory);
}

}  // namespace lockstep::node
