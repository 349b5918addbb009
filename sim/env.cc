#include "sim/env.h"

#include <fmt/format.h>

namespace lockstep::sim {

SimEnv::SimEnv(uint64_t seed, SimLoop::Order order)
    : node_random_(seed),
      fault_random_(~seed),
      loop_(clock_, fault_random_.Next64(), order),
      executor_(loop_),
      files_(file_media_, faults_, clock_, &trace_),
      network_(loop_, fault_random_.Next64()) {}

// What is still posted may own streams and listeners, which must not outlive the network.
SimEnv::~SimEnv() { loop_.DropAll(); }

SimDiskMedia& SimEnv::AddDisk(const std::string& path, uint64_t size, uint32_t block_size) {
  std::unique_ptr<SimDiskMedia>& media = disks_[path];
  LS_ASSERT(media == nullptr);
  media = std::make_unique<SimDiskMedia>(size, block_size);
  return *media;
}

SimDiskMedia* SimEnv::media(const std::string& path) {
  const auto it = disks_.find(path);
  return it == disks_.end() ? nullptr : it->second.get();
}

Result<std::unique_ptr<io::Disk>> SimEnv::OpenDisk(const std::string& path, uint64_t create_size) {
  if (faults_.power_is_cut()) return IoError(fmt::format("disk {}: there is no power (simulated)", path));
  if (media(path) == nullptr && create_size == 0) return NotFound(fmt::format("disk {} does not exist", path));
  if (create_size % 4096 != 0)
    return InvalidArgument(fmt::format("disk {}: size {} is not a multiple of 4096", path, create_size));
  if (media(path) == nullptr) AddDisk(path, create_size);
  if (!open_->insert(path).second) return InUse(fmt::format("disk {} is in use by another process", path));
  std::shared_ptr<void> lease(nullptr, [open = open_, path](void*) { open->erase(path); });
  return std::unique_ptr<io::Disk>(std::make_unique<SimDisk>(SimDisk::Setup{
      path, loop_, faults_, *media(path), fault_random_.Next64(), timing_, &trace_, std::move(lease)}));
}

void SimEnv::RenameDisk(const std::string& from, const std::string& to) {
  LS_ASSERT(!open_->contains(from) && disks_.contains(from) && !disks_.contains(to));
  auto disk = disks_.extract(from);
  disk.key() = to;
  disks_.insert(std::move(disk));
}

void SimEnv::Crash() {
  network_.CutAll();
  loop_.DropAll();
  LS_ASSERT(open_->empty());
  file_media_.Crash(fault_random_);
  for (auto& [path, media] : disks_) media->Crash(fault_random_);
  faults_.RestorePower();
}

}  // namespace lockstep::sim
