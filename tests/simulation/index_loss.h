// An index that is lost, or is the copy that somebody made earlier.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/files.h"

namespace lockstep::simulation {

using IndexCopy = std::map<std::string, std::vector<std::byte>>;  // by name

IndexCopy SaveIndex(io::FileSystem& files, const std::string& directory);
// The directory then holds what was saved and nothing else, durably; an empty copy: nothing.
void RestoreIndex(io::FileSystem& files, const std::string& directory, const IndexCopy& copy);

}  // namespace lockstep::simulation
