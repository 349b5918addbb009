// What a simulated file system keeps when the machine goes away, by the durability rules of io/files.h: bytes that were
// not synced may be kept, lost or torn; changes of directories are kept up to some point in their order and lost from
// there on, as a journalling file system does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "io/random.h"

namespace lockstep::sim {

// A file's bytes: what is stable, what a read sees, and the changes between the two.
class SimFileBytes {
 public:
  std::span<const std::byte> current() const { return current_; }
  void Write(uint64_t offset, std::span<const std::byte> from);
  void Truncate(uint64_t size);
  void Sync();
  // Each piece of `piece` bytes becomes as it was after some of the changes that touched it; so does the size.
  void Crash(io::Random& random, uint64_t piece);
  // Damages the stable bytes of the range, as far as the file reaches. REQUIRES: nothing is unsynced.
  void Corrupt(uint64_t offset, uint64_t length, io::Random& random);

 private:
  struct Change {
    bool truncate;
    uint64_t offset;  // truncate: the new size
    std::vector<std::byte> data;
    uint64_t size_after;
    uint64_t begin() const { return offset; }
    uint64_t end(uint64_t size_before) const { return truncate ? std::max(size_before, offset) : offset + data.size(); }
  };
  static void Apply(const Change& change, std::vector<std::byte>& bytes);
  void RewritePiece(uint64_t begin, uint64_t end, size_t changes, std::vector<std::byte>& bytes) const;

  std::vector<std::byte> stable_, current_;
  std::vector<Change> unsynced_;
};

struct SimInode {
  bool is_directory = false;
  int64_t modified_s = 0;
  SimFileBytes bytes;  // of a file
  std::map<std::string, std::shared_ptr<SimInode>> entries, stable_entries;  // of a directory
};

// The tree. All members are guarded by mutex(), which SimFileSystem holds around every call: RocksDB's own threads use
// the simulated files.
class SimFileMedia {
 public:
  // One entry of one directory set to an inode, or removed.
  struct Edit {
    std::shared_ptr<SimInode> directory;
    std::string name;
    std::shared_ptr<SimInode> inode;
  };

  SimFileMedia();

  std::mutex& mutex() { return mutex_; }
  // Null if there is none. A path may begin with "/" or not.
  std::shared_ptr<SimInode> Find(const std::string& path) const;
  // The directory that `path` lies in (null if missing), and its last name.
  std::pair<std::shared_ptr<SimInode>, std::string> Parent(const std::string& path) const;
  // Makes all edits at once, visible now and durable as one whole or not at all.
  void Change(std::vector<Edit> edits);
  // Makes durable all changes up to the last one that touched `directory`.
  void SyncDirectory(const SimInode& directory);

  // The power is gone. Takes the mutex. Handles that were opened before are dead.
  void Crash(io::Random& random);
  // Damages a file on the medium: what is there counts as synced. False if it does not exist. Takes the mutex.
  bool Corrupt(const std::string& path, uint64_t offset, uint64_t length, io::Random& random);

  uint64_t generation() const { return generation_; }  // counts crashes
  std::set<std::string>& locked() { return locked_; }

 private:
  void ApplyStable(size_t changes);

  std::mutex mutex_;
  std::shared_ptr<SimInode> root_;
  std::vector<std::vector<Edit>> unsynced_;
  std::set<std::string> locked_;
  uint64_t generation_ = 0;
};

}  // namespace lockstep::sim
