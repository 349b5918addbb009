#include "tests/simulation/disks.h"

namespace lockstep::simulation {

// Takes itself off the list when the pool lets it go.
class Disks::Handle final : public io::Disk {
 public:
  Handle(Disks& disks, std::string name, std::unique_ptr<io::Disk> disk)
      : disks_(disks), name_(std::move(name)), disk_(std::move(disk)) {
    disks_.open_.emplace(name_, static_cast<sim::SimDisk*>(disk_.get()));
  }
  ~Handle() override { disks_.open_.erase(name_); }
  uint64_t size() const override { return disk_->size(); }
  uint32_t block_size() const override { return disk_->block_size(); }
  void Submit(io::DiskRequest& request) override { disk_->Submit(request); }
  Status RefreshSize() override { return disk_->RefreshSize(); }

 private:
  Disks& disks_;
  const std::string name_;
  const std::unique_ptr<io::Disk> disk_;
};

void Disks::Add(const std::string& name, uint64_t size) {
  env_.AddDisk(name, size);
  names_.push_back(name);
}

Result<std::unique_ptr<io::Disk>> Disks::Open(const std::string& name) {
  LS_ASSIGN_OR_RETURN(std::unique_ptr<io::Disk> disk, env_.OpenDisk(name, 0));
  return std::unique_ptr<io::Disk>(std::make_unique<Handle>(*this, name, std::move(disk)));
}

Result<std::vector<logstore::DeviceFile>> Disks::OpenAll() {
  std::vector<logstore::DeviceFile> files;
  for (const std::string& name : names_) {
    LS_ASSIGN_OR_RETURN(std::unique_ptr<io::Disk> disk, Open(name));
    files.push_back({name, std::move(disk)});
  }
  return files;
}

size_t Disks::hung() const {
  size_t hung = 0;
  for (const auto& [name, disk] : open_) hung += disk->hung();
  return hung;
}

void Disks::ReleaseHung() {
  for (const auto& [name, disk] : open_) disk->ReleaseHung();
}

void Disks::set_timing(sim::DiskTiming timing) {
  for (const auto& [name, disk] : open_) disk->set_timing(timing);
}

void Disks::LoseUnflushed() {
  for (const std::string& name : names_) media(name).Crash(env_.fault_random());
}

void Disks::ForgetReadErrors() {
  for (const std::string& name : names_) media(name).ForgetReadErrors();
}

}  // namespace lockstep::simulation
