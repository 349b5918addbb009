// Files and directories of files as wholes. Blocking: for start-up, or on an executor.
#pragma once

#include <string>
#include <string_view>

#include "io/files.h"
#include "io/whole_file.h"

namespace lockstep::node {

using io::ReadWholeFile;
using io::ReplaceWholeFile;

// Copies all files of a flat directory into one that is made, or empty (already-exists otherwise), durably. The file
// "CURRENT", by which a database is known to be there, comes last.
Status CopyDirectory(io::FileSystem& files, const std::string& from, const std::string& to);
// With all files in it.
Status RemoveWholeDirectory(io::FileSystem& files, const std::string& path);

// Every directory on the way to `path`, as far as it is missing, durably.
Status MakeDirectories(io::FileSystem& files, const std::string& path);

}  // namespace lockstep::node
