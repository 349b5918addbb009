// Small files, read and replaced as a whole. Blocking: for start-up.
#pragma once

#include <string>
#include <string_view>

#include "io/files.h"

namespace lockstep::node {

Result<std::string> ReadWholeFile(io::FileSystem& files, const std::string& path);

// Writes `directory`/`name`, durably: after a crash it has the old content or the new, never a part.
Status ReplaceWholeFile(io::FileSystem& files, const std::string& directory, const std::string& name,
                        std::string_view text);

// Every directory on the way to `path`, as far as it is missing, durably.
Status MakeDirectories(io::FileSystem& files, const std::string& path);

}  // namespace lockstep::node
