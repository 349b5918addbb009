#include "io/posix/uring_disk.h"

#include "base/assert.h"

namespace lockstep::io {

Result<std::unique_ptr<Disk>> UringDisk::Create(EpollLoop& loop, DiskFile& file, Log& log) {
  LS_ASSIGN_OR_RETURN(Uring* const ring, loop.NeedRing());
  return std::unique_ptr<Disk>(new UringDisk(loop, *ring, std::move(file), log));
}

UringDisk::UringDisk(EpollLoop& loop, Uring& ring, DiskFile file, Log& log) : loop_(loop), ring_(ring), disk_(log) {
  disk_.file = std::move(file);
}

UringDisk::~UringDisk() { LS_ASSERT(disk_.in_flight == 0 && finished_.empty()); }

void UringDisk::Submit(DiskRequest& request) {
  request.status = CheckRequest(*this, request);
  const bool empty = request.length == 0 && request.op != DiskRequest::Op::kFlush;
  if (request.status.ok() && !empty) return ring_.Submit(disk_, request);
  finished_.Push(request);
  loop_.Defer(*this);
}

void UringDisk::RunDeferred() {
  Destruction::Watch destruction(destruction_);
  RequestQueue finished;
  while (DiskRequest* request = finished_.Pop()) finished.Push(*request);
  while (DiskRequest* request = finished.Pop()) {
    request->done(*request);
    if (destruction.happened()) return;
  }
}

}  // namespace lockstep::io
