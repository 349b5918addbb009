// Everything outside a node that can differ between two runs. A node is built from one of these: the real one is
// io/posix, the simulated one sim/.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "io/clock.h"
#include "io/disk.h"
#include "io/files.h"
#include "io/loop.h"
#include "io/net.h"
#include "io/random.h"
#include "io/resolver.h"

namespace lockstep::io {

// All references outlive the node. The two loops may be one and the same (in simulation they are).
class Env {
 public:
  virtual ~Env() = default;
  virtual Clock& clock() = 0;
  virtual Random& random() = 0;
  virtual Log& log() = 0;
  virtual Loop& data_loop() = 0;     // engines and targets: the I/O path
  virtual Loop& control_loop() = 0;  // catalog, control, management faces: may take milliseconds
  virtual Network& data_network() = 0;     // callbacks on data_loop
  virtual Network& control_network() = 0;  // callbacks on control_loop
  virtual Resolver* control_resolver() { return nullptr; }  // callbacks on control_loop; null: no names are known
  virtual Executor& executor() = 0;
  virtual FileSystem& files() = 0;
  // Opens a block device or a file as a disk owned by data_loop, direct and uncached where the system can do that.
  // Makes the file with `create_size` bytes (sparse) when it does not exist and create_size is not 0. Blocking.
  virtual Result<std::unique_ptr<Disk>> OpenDisk(const std::string& path, uint64_t create_size) = 0;
};

}  // namespace lockstep::io
