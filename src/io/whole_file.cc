#include "io/whole_file.h"

#include <memory>
#include <span>

namespace lockstep::io {

Result<std::string> ReadWholeFile(FileSystem& files, const std::string& path) {
  LS_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Open(path, FileSystem::Mode::kRead));
  LS_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string text(size, '\0');
  LS_ASSIGN_OR_RETURN(const size_t read, file->Read(0, std::as_writable_bytes(std::span(text))));
  text.resize(read);
  return text;
}

Status ReplaceWholeFile(FileSystem& files, const std::string& directory, const std::string& name,
                        std::string_view text, Readers readers) {
  const std::string path = directory + "/" + name;
  {
    LS_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                        files.Open(path + ".new", FileSystem::Mode::kTruncate));
    LS_RETURN_IF_ERROR(file->Write(0, std::as_bytes(std::span(text))));
    LS_RETURN_IF_ERROR(file->Sync());
  }
  if (readers == Readers::kAll) LS_RETURN_IF_ERROR(files.LetAllRead(path + ".new"));
  LS_RETURN_IF_ERROR(files.Rename(path + ".new", path));
  return files.SyncDirectory(directory);
}

}  // namespace lockstep::io
