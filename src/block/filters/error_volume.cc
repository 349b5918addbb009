#include "block/filters/error_volume.h"

#include <utility>

#include "base/assert.h"

namespace lockstep::block {

ErrorVolume::FaultId ErrorVolume::Add(Fault fault) {
  LS_ASSERT(!fault.status.ok());
  const auto id = static_cast<FaultId>(next_id_++);
  faults_.push_back({id, std::move(fault)});
  return id;
}

void ErrorVolume::Remove(FaultId id) {
  faults_.remove_if([id](const Entry& entry) { return entry.id == id; });
}

bool ErrorVolume::Matches(const Fault& fault, const Request& request) {
  if (!fault.ops.Has(request.op)) return false;
  if (request.op == Request::Op::kFlush) return true;
  // Written so that no sum overflows: the default range reaches to the end of the address space.
  return request.offset >= fault.offset ? request.offset - fault.offset < fault.length
                                        : fault.offset - request.offset < request.length;
}

void ErrorVolume::Submit(Request& request) {
  for (Entry& entry : faults_) {
    Fault& fault = entry.fault;
    if (fault.count == 0 || !Matches(fault, request)) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    --fault.count;
    ++failed_;
    request.status = fault.status;
    loop_.Post([&request] { request.done(request); });
    return;
  }
  below_->Submit(request);
}

}  // namespace lockstep::block
