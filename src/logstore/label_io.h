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

// A text that an exported pool carries, behind the labels of its first device.
inline constexpr size_t kMaxNote = kDataOffset - 3 * kBlockSize;
Task<Status> WriteNote(io::Disk& disk, std::string note);
// not-found: none was ever written.
Task<Result<std::string>> ReadNote(io::Disk& disk);

}  // namespace lockstep::logstore
