#include "tests/simulation/index_loss.h"

#include "base/assert.h"

namespace lockstep::simulation {

IndexCopy SaveIndex(io::FileSystem& files, const std::string& directory) {
  IndexCopy copy;
  const auto names = files.List(directory);
  if (!names.ok()) return copy;
  for (const std::string& name : *names) {
    auto file = files.Open(directory + "/" + name, io::FileSystem::Mode::kRead);
    LS_ASSERT(file.ok());
    std::vector<std::byte>& bytes = copy[name];
    bytes.resize(*(*file)->Size());
    LS_ASSERT((*file)->Read(0, bytes).ok());
  }
  return copy;
}

void RestoreIndex(io::FileSystem& files, const std::string& directory, const IndexCopy& copy) {
  LS_ASSERT(files.CreateDirectory(directory).ok());
  const auto names = files.List(directory);
  LS_ASSERT(names.ok());
  for (const std::string& name : *names) LS_ASSERT(files.Remove(directory + "/" + name).ok());
  for (const auto& [name, bytes] : copy) {
    auto file = files.Open(directory + "/" + name, io::FileSystem::Mode::kCreate);
    LS_ASSERT(file.ok() && (*file)->Write(0, bytes).ok() && (*file)->Sync().ok());
  }
  LS_ASSERT(files.SyncDirectory(directory).ok());
}

}  // namespace lockstep::simulation
