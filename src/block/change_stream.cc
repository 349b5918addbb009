#include "block/change_stream.h"

#include <memory>

namespace lockstep::block {

Result<std::unique_ptr<ChangeStream>> Pool::Changes(std::vector<VolumeId>, SequenceNumber) {
  return NotSupported("this pool's engine keeps no log that can be followed: replicate by points and diffs");
}

Task<Result<SequenceNumber>> Pool::PositionAt(io::WallTime) {
  co_return NotSupported("this pool's engine does not know when its positions were");
}
Task<Result<io::WallTime>> Pool::TimeOf(SequenceNumber) {
  co_return NotSupported("this pool's engine does not know when its positions were");
}

}  // namespace lockstep::block
