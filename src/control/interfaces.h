// What control needs from the node around it: engines, and the server that exports volumes. Implemented by apps/node.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/task.h"
#include "block/pool.h"

namespace lockstep::control {

// Where a pool is.
struct PoolPlace {
  std::vector<std::string> paths{};  // of all its devices and files, in any order
  block::PoolId pool{};              // which one is meant; nil: whichever the first of them belongs to
  bool import = false;               // also one that has been exported
  std::string index{};               // a directory with its index, to be copied to where indexes are kept; empty: none
};

// Makes and opens pools. Called on the control loop; answers on any thread, the pool belongs to the data loop. Blocking
// parts run on the executor.
class PoolOpener {
 public:
  virtual ~PoolOpener() = default;
  // Makes a pool with the given id on a path that holds none (already-exists otherwise) and opens it. `size` as in
  // CreatePoolRequest.
  virtual Task<Result<std::shared_ptr<block::Pool>>> Create(std::string path, uint64_t size, block::PoolId id) = 0;
  // Opens what is there; recovers it after a crash.
  virtual Task<Result<std::shared_ptr<block::Pool>>> Open(PoolPlace place) = 0;
  // A device or a file that is to become a part of a pool, and holds nothing (in-use otherwise). `size` as in Create.
  virtual Task<Result<std::unique_ptr<io::Disk>>> OpenDevice(std::string path, uint64_t size) = 0;
  // The bytes that a pool would have on a device or file, which is there and holds nothing (in-use otherwise).
  virtual Task<Result<uint64_t>> RoomOn(std::string path) = 0;
  // The pool, which nobody has open, is no more: those of the devices that say they are its own are free from now on,
  // and its index is removed. May be done again, also when it has been done in part. After an error the rest is done.
  virtual Task<Status> Erase(block::PoolId pool, std::vector<std::string> paths) = 0;
  // Waits until the pool, which nobody uses any more, has been closed, and answers the directory that its index is in.
  // When `to` is not empty, the index is moved there; it must not exist.
  virtual Task<Result<std::string>> LeaveIndex(block::PoolId pool, std::string to) = 0;
  // Who opened a pool closes it by dropping it; this ends when all have been closed.
  virtual Task<void> WaitForClosed() { co_return; }
  // Blocks that pools opened from now on find bad, each when it is met first, whoever read it. Called on the data loop.
  using BadBlockListener = std::function<void(block::PoolId pool, const block::BadBlock& bad)>;
  virtual void OnBadBlock(BadBlockListener listener) = 0;
};

// A volume as clients shall see it.
struct PublishedExport {
  std::string name;
  block::VolumeId volume;
  std::shared_ptr<block::Pool> pool;  // where to open the volume; on the data loop
  bool read_only = false;
};

// The server side of exports. Called on the control loop; answers on any thread. The sink keeps a pool alive only while
// something of it is published.
class ExportSink {
 public:
  virtual ~ExportSink() = default;
  // From now on clients can connect to it by name. A name is published once at a time.
  virtual Task<Status> Publish(PublishedExport published) = 0;
  // Disconnects the clients that it has, ends their requests and forgets the name; after OK nothing of it uses the
  // pool. OK when it was not published.
  virtual Task<Status> Withdraw(std::string name) = 0;
};

// "In use by a host": a client is connected now. Asked on the control loop.
class ExportUse {
 public:
  virtual ~ExportUse() = default;
  // Connections to any export of the volume, read-only ones included.
  virtual uint32_t Connections(block::VolumeId volume) const = 0;
};

}  // namespace lockstep::control
