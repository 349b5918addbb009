// Small files as wholes. Blocking: for start-up, or on an executor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/files.h"

namespace lockstep::io {

Result<std::string> ReadWholeFile(FileSystem& files, const std::string& path);

// Who may read a file.
enum class Readers : uint8_t { kOwner, kAll };
// Writes `directory`/`name`, durably: after a crash it has the old content or the new, never a part.
Status ReplaceWholeFile(FileSystem& files, const std::string& directory, const std::string& name,
                        std::string_view text, Readers readers = Readers::kOwner);

}  // namespace lockstep::io
