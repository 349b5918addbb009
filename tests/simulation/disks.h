// The disks of the simulated machine that its pool may be made of, as its node has them open.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "logstore/logstore.h"
#include "sim/env.h"

namespace lockstep::simulation {

class Disks {
 public:
  explicit Disks(sim::SimEnv& env) : env_(env) {}
  Disks(const Disks&) = delete;

  void Add(const std::string& name, uint64_t size);
  const std::vector<std::string>& names() const { return names_; }
  const std::string& first() const { return names_.front(); }
  sim::SimDiskMedia& media(const std::string& name) { return *env_.media(name); }

  Result<std::unique_ptr<io::Disk>> Open(const std::string& name);
  // All of them, whether the pool is on them or not.
  Result<std::vector<logstore::DeviceFile>> OpenAll();
  bool is_open(const std::string& name) const { return open_.contains(name); }

  // Of those that are open.
  size_t hung() const;
  void ReleaseHung();
  void set_timing(sim::DiskTiming timing);

  // Of all. REQUIRES: none is open.
  void LoseUnflushed();
  void ForgetReadErrors();

 private:
  class Handle;
  sim::SimEnv& env_;
  std::vector<std::string> names_;
  std::map<std::string, sim::SimDisk*> open_;
};

}  // namespace lockstep::simulation
