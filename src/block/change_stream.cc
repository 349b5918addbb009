#include "block/change_stream.h"

#include <memory>

namespace lockstep::block {

Result<std::unique_ptr<ChangeStream>> Pool::Changes(std::vector<VolumeId>, SequenceNumber) {
  return NotSupported("this pool's engine keeps no log that can be followed: replicate by points and diffs");
}

}  // namespace lockstep::block
