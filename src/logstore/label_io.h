// Reading and writing the labels of devices.
#pragma once

#include <span>
#include <string>

#include "base/task.h"
#include "io/disk.h"
#include "logstore/label.h"

namespace lockstep::logstore {

// The newer of the two copies that can be read. corrupted: there is none.
Task<Result<Label>> ReadLabel(io::Disk& disk);
// Both copies, durable; a crash leaves a label that says the one or the other.
Task<Status> WriteLabel(io::Disk& disk, Label label);

// A text that an exported pool carries, on its first device: what leads to it in block 252, and the text from block
// `at` on, in one of the places for anchors (AnchorStore::spare_area). The next anchor may be written over it.
inline constexpr size_t kMaxNote = 500'000;
Task<Status> WriteNote(io::Disk& disk, uint64_t at, std::string note);
// not-found: none was ever written.
Task<Result<std::string>> ReadNote(io::Disk& disk);

}  // namespace lockstep::logstore
