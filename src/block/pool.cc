#include "block/pool.h"

#include <utility>

namespace lockstep::block {
namespace {

Status NoDevices() {
  return NotSupported("this pool's engine does not live on devices");
}

}  // namespace

Task<Result<DeviceId>> Pool::AddDevice(std::unique_ptr<io::Disk>, std::string) {
  co_return NoDevices();
}
Task<Result<uint64_t>> Pool::Grow() {
  co_return NoDevices();
}
Task<Status> Pool::RemoveDevice(DeviceId, DrainOptions) {
  co_return NoDevices();
}
Task<Status> Pool::Export(std::string) {
  co_return NoDevices();
}
Task<Result<std::string>> Pool::Note() {
  co_return NoDevices();
}

}  // namespace lockstep::block
